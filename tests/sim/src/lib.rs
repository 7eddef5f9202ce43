//! A deterministic simulator: routers that run the production core behind the
//! production parser, peers that follow the RFCs to the letter or keepalived, a link that loses, delays, repeats and turns
//! frames around, hosts with caches, and every fault that a machine can have.
//!
//! One thread, one queue of events, nanoseconds of virtual time; a seed gives
//! a schedule, and a schedule always the same run. Each run has two phases:
//! faults, and then none, until elections must be over. The invariants of
//! [`check::Rule`] are looked at all the time.

// A simulator may stop at what cannot be.
#![allow(clippy::indexing_slicing)]

pub mod books;
pub mod check;
pub mod coverage;
pub mod hosts;
pub mod kernel;
pub mod network;
pub mod node;
pub mod probe;
pub mod reference;
pub mod run;
pub mod schedule;
pub mod shrink;
pub mod time;
pub mod wire;
pub mod world;
