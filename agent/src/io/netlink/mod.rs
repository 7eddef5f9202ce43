//! rtnetlink: the only place that knows its messages.
//!
//! `batch` is for the fast lane, prepared beforehand and sent without an
//! allocation; `monitor` reads the kernel's announcements in place; `survey`
//! asks for everything there is, in the slow lane, through the rtnetlink crate.

pub mod batch;
pub(crate) mod build;
pub mod devconf;
pub mod ipvs;
pub mod macvlan;
pub mod monitor;
pub mod nft;
pub mod paths;
pub(crate) mod request;
pub mod survey;
