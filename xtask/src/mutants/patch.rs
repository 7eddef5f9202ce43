//! `tests/mutants/NN-name.patch`: one mutation, as text that is replaced.
//!
//! `what:` says the bug, each `by:` what is to catch it (see [`Catcher`]), in
//! the order of their cost. `file:` begins the lines of a file: those with `-`
//! or a blank in front are looked for, and `+` or blank lines put in their
//! place. `@@` begins another place of the same file. There are no line
//! numbers, so that changes elsewhere in a file do no harm.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};

use super::hunt::Catcher;
use crate::shell;

#[derive(Clone, Debug)]
pub struct Mutant {
    /// Of its file, without `.patch`.
    pub name: String,
    pub what: String,
    pub by: Vec<Catcher>,
    changes: Vec<Change>,
}

#[derive(Clone, Debug, Default)]
struct Change {
    /// From the root of the repository.
    file: String,
    old: String,
    new: String,
}

/// All of them, in the order of their numbers.
///
/// # Errors
/// When one cannot be read or does not apply, with its name.
pub fn all() -> Result<Vec<Mutant>> {
    let directory = shell::root().join("tests/mutants");
    let mut paths: Vec<PathBuf> = fs::read_dir(&directory)
        .with_context(|| directory.display().to_string())?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "patch")
    });
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mutant = Mutant::parse(&name, &text)
            .and_then(|mutant| mutant.mutated(&shell::root()).map(|_| mutant))
            .with_context(|| format!("mutation {name}"))?;
        found.push(mutant);
    }
    Ok(found)
}

impl Mutant {
    fn parse(name: &str, text: &str) -> Result<Self> {
        let mut mutant = Self {
            name: name.to_owned(),
            what: String::new(),
            by: Vec::new(),
            changes: Vec::new(),
        };
        for line in text.lines() {
            mutant
                .line(line)
                .with_context(|| format!("in line {line:?}"))?;
        }
        if mutant.what.is_empty() || mutant.by.is_empty() || mutant.changes.is_empty() {
            bail!("what:, by: and file: are needed");
        }
        Ok(mutant)
    }

    fn line(&mut self, line: &str) -> Result<()> {
        if let Some(what) = line.strip_prefix("what: ") {
            what.clone_into(&mut self.what);
        } else if let Some(by) = line.strip_prefix("by: ") {
            self.by.push(by.parse()?);
        } else if let Some(file) = line.strip_prefix("file: ") {
            self.begin(file.to_owned());
        } else if line == "@@" {
            let last = self.changes.last().context("no file yet")?;
            self.begin(last.file.clone());
        } else {
            let change = self.changes.last_mut().context("no file yet")?;
            let (sign, rest) = line.split_at_checked(1).unwrap_or((" ", ""));
            let (is_old, is_new) = match sign {
                "-" => (true, false),
                "+" => (false, true),
                " " => (true, true),
                _ => bail!("neither of -, + and a blank is in front"),
            };
            for (side, text) in [(is_old, &mut change.old), (is_new, &mut change.new)] {
                if side {
                    text.push_str(rest);
                    text.push('\n');
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, file: String) {
        self.changes.push(Change {
            file,
            ..Change::default()
        });
    }

    /// By its name, a part of it, or its number.
    pub fn is_called(&self, name: &str) -> bool {
        match name.parse::<u32>() {
            Ok(number) => self.name.starts_with(&format!("{number:02}-")),
            Err(_) => self.name.contains(name),
        }
    }

    /// The files that it changes, each once.
    pub fn files(&self) -> Vec<&str> {
        let mut files: Vec<&str> = self.changes.iter().map(|c| c.file.as_str()).collect();
        files.sort_unstable();
        files.dedup();
        files
    }

    /// Each of its files with its text after the change.
    ///
    /// # Errors
    /// Where a place is not found, or more than once.
    pub fn mutated(&self, root: &std::path::Path) -> Result<Vec<(String, String)>> {
        let mut mutated = Vec::new();
        for file in self.files() {
            let mut text = fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
            for change in self.changes.iter().filter(|change| change.file == file) {
                text = change.apply(&text)?;
            }
            mutated.push((file.to_owned(), text));
        }
        Ok(mutated)
    }
}

impl Change {
    /// Whole lines, in one place.
    fn apply(&self, text: &str) -> Result<String> {
        let starts = |at: &usize| *at == 0 || text.as_bytes().get(at - 1) == Some(&b'\n');
        let places = text.match_indices(&self.old).map(|(at, _)| at);
        let places: Vec<usize> = places.filter(starts).collect();
        let (true, &[at]) = (!self.old.is_empty(), places.as_slice()) else {
            let (file, count) = (&self.file, places.len());
            bail!(
                "{file} has {count} places for it, and should have one:\n{}",
                self.old
            );
        };
        let (before, rest) = text.split_at(at);
        let after = rest.strip_prefix(self.old.as_str()).unwrap_or_default();
        Ok(format!("{before}{}{after}", self.new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mutations_apply_and_have_their_numbers() {
        let all = all().unwrap();
        let numbers: Vec<&str> = all
            .iter()
            .filter_map(|m| m.name.split('-').next())
            .collect();
        let expected: Vec<String> = (1..=all.len()).map(|n| format!("{n:02}")).collect();
        assert_eq!(numbers, expected);
    }

    #[test]
    fn whole_lines_are_replaced_in_one_place_only() {
        let text = "what: a bug\nby: sim\nfile: f\n one\n-two\n+three\n";
        let mutant = Mutant::parse("01-a", text).unwrap();
        let apply = |text| mutant.changes[0].apply(text);
        assert_eq!(apply("one\ntwo\nfour\n").unwrap(), "one\nthree\nfour\n");
        for wrong in ["one\n", "two\n", "none\ntwo\n", "one\ntwo\none\ntwo\n"] {
            assert!(apply(wrong).is_err(), "{wrong:?}");
        }
        assert!(mutant.is_called("1") && mutant.is_called("a") && !mutant.is_called("11"));
        for wrong in [
            "",
            "what: x\n",
            "what: x\nby: magic\n",
            "what: x\nby: sim\n-a\n",
        ] {
            assert!(Mutant::parse("01-a", wrong).is_err(), "{wrong:?}");
        }
    }
}
