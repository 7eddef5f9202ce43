//! docs/CONFORMANCE.md: every requirement with the tests that prove it, or with
//! the deviation.
//!
//! `tests/conformance.tsv` has the requirements. A test says which it proves in
//! a line directly above its attribute, and nowhere else:
//!
//! ```text
//! // proves: S-16, T-02
//! #[test]
//! fn the_name_of_the_test() {
//! ```

mod render;
mod requirement;
mod scan;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell;

/// What has neither a test nor a deviation, and tags of unknown requirements,
/// are told together.
fn document() -> Result<String> {
    let requirements = requirement::all()?;
    let proofs = scan::all()?;
    let mut wrong = Vec::new();
    for proof in &proofs {
        for id in &proof.ids {
            if !requirements.iter().any(|requirement| requirement.id == *id) {
                wrong.push(format!("{proof} proves {id}, which is no requirement"));
            }
        }
    }
    for requirement in &requirements {
        let proven = proofs
            .iter()
            .any(|proof| proof.ids.contains(&requirement.id));
        if !proven && requirement.deviation.is_empty() {
            wrong.push(format!("{} has no test and no deviation", requirement.id));
        }
    }
    match wrong.as_slice() {
        [] => Ok(render::document(&requirements, &proofs)),
        wrong => bail!("\n  {}", wrong.join("\n  ")),
    }
}

fn path() -> PathBuf {
    shell::root().join("docs/CONFORMANCE.md")
}

/// Writes the document anew.
///
/// # Errors
/// When a requirement has neither a test nor a deviation, or a tag is wrong.
pub fn write() -> Result<()> {
    let path = path();
    fs::write(&path, document()?).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_is_up_to_date() {
        let there = fs::read_to_string(path()).unwrap_or_default();
        assert!(
            document().unwrap() == there,
            "docs/CONFORMANCE.md is old: cargo xtask generate"
        );
    }
}
