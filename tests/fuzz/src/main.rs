//! All targets in one program under libFuzzer; `FAILOVERD_FUZZ_TARGET` says which.
//!
//! `cargo xtask fuzz` builds it with coverage instrumentation and runs it.
#![no_main]

mod mutator;
#[path = "../targets/mod.rs"]
mod targets;

use std::sync::OnceLock;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

use targets::{Form, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

fuzz_target!(
    init: {
        let name = std::env::var("FAILOVERD_FUZZ_TARGET").unwrap_or_default();
        let Some(target) = targets::ALL.iter().find(|target| target.name == name) else {
            let known: Vec<&str> = targets::ALL.iter().map(|target| target.name).collect();
            eprintln!("FAILOVERD_FUZZ_TARGET is one of: {}", known.join(", "));
            std::process::exit(2);
        };
        let _ = TARGET.set(*target);
    },
    |data: &[u8]| {
        if let Some(target) = TARGET.get() {
            (target.run)(data);
        }
    }
);

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let lines = TARGET.get().is_some_and(|target| match target.form {
        Form::Lines => true,
        Form::Bytes => false,
    });
    // libFuzzer's own mutations find what nobody thought of.
    if lines && seed % 2 == 0 {
        mutator::mutate(data, size, max_size, seed)
    } else {
        fuzzer_mutate(data, size, max_size)
    }
});
