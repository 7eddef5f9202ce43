//! What the kernel side and the user side of failoverd must agree on.
//!
//! `no_std`, no allocation, no panic: everything here is compiled into the XDP
//! program as well as into the agent. Two kinds of thing live here and nothing
//! else: the wire (headers, checks and the verdict on a frame) and the records
//! that cross the kernel boundary in maps and in the ring buffer.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod outcome;
pub mod record;
pub mod types;
pub mod wire;

pub use outcome::Outcome;
pub use types::{AdvertInterval, Family, KernelTime, Priority, Version, Vrid};
