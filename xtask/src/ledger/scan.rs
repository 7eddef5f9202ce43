//! The tests of this repository that say what they prove.

use std::{fmt, fs};

use anyhow::{Context, Result, bail};

use super::requirement::is_id;
use crate::{lint, shell};

const TAG: &str = "// proves:";
/// Lines between a tag and the function: attributes.
const DISTANCE: usize = 4;

/// A test, and what it proves.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Proof {
    /// From the root of the repository.
    pub file: String,
    pub test: String,
    pub ids: Vec<String>,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.test)
    }
}

/// All of them, by file.
///
/// # Errors
/// When a file cannot be read, or a tag is not above a test.
pub fn all() -> Result<Vec<Proof>> {
    let mut found = Vec::new();
    for path in lint::sources(&shell::root())? {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let file = path.strip_prefix(shell::root()).unwrap_or(&path);
        found.extend(proofs(&file.display().to_string(), &text)?);
    }
    found.sort();
    Ok(found)
}

fn proofs(file: &str, text: &str) -> Result<Vec<Proof>> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(ids) = line.strip_prefix(TAG) else {
            continue;
        };
        let place = || format!("{file}:{}", number + 1);
        let ids: Vec<String> = ids.split(',').map(|id| id.trim().to_owned()).collect();
        if let Some(wrong) = ids.iter().find(|id| !is_id(id)) {
            bail!("{}: {wrong:?} is no id", place());
        }
        let below = lines.iter().skip(number + 1).take(DISTANCE);
        let test =
            test_in(below.copied()).with_context(|| format!("{}: no test below", place()))?;
        found.push(Proof {
            file: file.to_owned(),
            test: test.to_owned(),
            ids,
        });
    }
    Ok(found)
}

/// The name of a test: attributes, one of them `#[test]`, and then its function.
fn test_in<'a>(lines: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut is_test = false;
    for line in lines {
        let function = line.strip_prefix("async ").unwrap_or(line);
        if let Some(function) = function.strip_prefix("fn ") {
            let (name, _) = function.split_once('(')?;
            return is_test.then_some(name);
        }
        if !line.starts_with("#[") {
            return None;
        }
        is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_the_test_below_it() {
        let tag = TAG;
        let text = format!("  {tag} S-16, T-02\n  #[test]\n  #[cfg(unix)]\n  fn a_name() {{\n");
        let found = proofs("f.rs", &text).unwrap();
        assert_eq!(found[0].to_string(), "f.rs: a_name");
        assert_eq!(found[0].ids, ["S-16", "T-02"]);
        for below in [
            "fn helper() {",
            "/// Doc.\n#[test]\nfn a() {",
            "#[test]\nstruct A;",
            "",
        ] {
            assert!(
                proofs("f.rs", &format!("{tag} S-16\n{below}")).is_err(),
                "{below}"
            );
        }
        assert!(proofs("f.rs", &format!("{tag} S-1\n#[test]\nfn a() {{")).is_err());
    }
}
