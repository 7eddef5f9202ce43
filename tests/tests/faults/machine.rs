//! What a whole machine has to be for: `cargo xtask vm --test faults`.
