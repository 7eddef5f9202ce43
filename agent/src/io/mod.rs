//! Everything that touches the machine.

pub mod bpf;
