//! Attacks from the same link: what forged frames do, what the agent does about
//! it, and what its log says. docs/attacks.md is the table for operators.
//!
//! A third machine forges; it sends a bounded number of frames.

mod claims;
mod flood;
mod intervals;
mod lab;
mod priorities;
mod refused;
