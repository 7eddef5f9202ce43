//! The wire: one header per file, and the verdict on a frame.
//!
//! One parser for XDP, tcx, the slow path and the raw-socket backend, so that
//! all of them say the same of the same bytes. It reads through
//! [`Bytes`] and never indexes: no input of any length can panic, read past
//! the frame, or read past the length that the IP header states.
//!
//! [`scan`] is the cheap question (could this be ours?), [`locate`] finds the
//! VRRP message, [`judge`] checks it against one configured instance.

pub mod approach;
pub mod arp;
pub mod bfd;
pub mod checksum;
pub mod ethernet;
pub mod frame;
pub mod ipv4;
pub mod ipv6;
mod judge;
mod locate;
pub mod ndisc;
pub mod probe;
mod sort;
pub mod vrrp;

#[cfg(test)]
mod tests;

pub use frame::{Bytes, Frame};
pub use judge::judge;
pub use locate::{IpMessage, Link, Located, SlowPath, locate, locate_ipv4, locate_ipv6, scan};
pub use sort::{Sort, sort};
