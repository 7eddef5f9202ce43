//! The fail-over agent: see docs/ARCHITECTURE.md.

pub mod cli;
pub mod config;
pub mod control;
pub mod core;
pub mod dump;
pub mod flight;
pub mod heart;
pub mod io;
pub mod ipvs;
pub mod keepalived;
pub mod logging;
pub mod monitor;
pub mod runtime;
pub mod sandbox;
pub mod script;
pub mod service;
pub mod supervise;
pub mod tell;
pub mod track;
pub mod upgrade;
