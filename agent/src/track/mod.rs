//! Health that decides: what is tracked, what was read of it, and what
//! follows for the priority and the fitness of each instance.

pub mod reading;
pub mod sources;

pub use reading::{Kind, Reading, Spec, TrackerId, Value, Wanted};
