//! The kept inputs of the fuzz targets keep their promises.
//!
//! `corpus` is what reaches every part of the code, `regressions` what once
//! broke something. Both are in `tests/fuzz`; `cargo xtask fuzz` finds more.

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};

use targets::{ALL, Target};

/// All inputs that are kept for `target`.
fn kept(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz");
    let mut inputs = Vec::new();
    for kind in ["corpus", "regressions"] {
        let directory = here.join(kind).join(target.name);
        // There may be nothing that ever broke.
        for entry in fs::read_dir(&directory).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            let input = fs::read(&path).expect("an input");
            inputs.push((path, input));
        }
    }
    inputs.sort();
    inputs
}

#[test]
fn kept_inputs_keep_the_promises() {
    for target in ALL {
        println!("{} {:?}", target.name, target.form);
        let inputs = kept(target);
        assert!(inputs.len() > 10, "{}: the corpus is missing", target.name);
        for (path, input) in inputs {
            println!("{}", path.display());
            (target.run)(&input);
        }
    }
}

/// What is kept stays small: it is in every clone.
#[test]
fn the_corpus_is_small() {
    let bytes: usize = ALL
        .iter()
        .flat_map(kept)
        .map(|(_, input)| input.len())
        .sum();
    assert!(bytes < 1 << 20, "{bytes}");
}
