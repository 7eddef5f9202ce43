//! The edges: sockets, netlink, BPF, clocks, and the thread that drives the core.

pub mod advert;
pub mod announce;
pub mod asker;
pub mod bpf;
pub mod clock;
pub mod driver;
pub mod hands;
pub mod lane;
pub mod netlink;
pub mod plan;
pub mod ready;
pub mod receive;
pub mod sched;
pub mod sys;
