//! The lab.

pub mod packet;
