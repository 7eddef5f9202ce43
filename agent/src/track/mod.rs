//! Health that decides: what is tracked, what was read of it, and what
//! follows for the priority and the fitness of each instance.
//!
//! Pure but for [`sources`], which watch: [`Board`] keeps the last [`Reading`]
//! of every tracker, [`judge`] makes a priority and perhaps a fault of those
//! that an instance has.

pub mod board;
pub mod compute;
pub mod reading;
pub mod sources;
#[cfg(test)]
mod tests;

pub use board::Board;
pub use compute::{Judgement, Share, judge, share};
pub use reading::{Kind, Reading, Spec, TrackerId, Value, Wanted};
