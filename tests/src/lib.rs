//! The lab.

pub mod fixtures;
pub mod packet;
