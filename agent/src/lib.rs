//! The fail-over agent: see docs/ARCHITECTURE.md.

pub mod cli;
pub mod config;
pub mod core;
pub mod io;
