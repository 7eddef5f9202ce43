//! `tests/conformance.tsv`: a line for each requirement, fields between tabs.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::shell;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requirement {
    /// A letter and two digits, as `S-16`.
    pub id: String,
    /// MUST, SHOULD, MAY and their negations; `derived` where no RFC has it.
    pub level: String,
    /// RFC and section.
    pub place: String,
    pub subject: String,
    /// What is done instead, and why; empty where the requirement is met.
    pub deviation: String,
    /// The configuration that gives what the standard asks for; `-` where there
    /// is none.
    pub remedy: String,
}

/// # Errors
/// When the file cannot be read or a line is wrong.
pub fn all() -> Result<Vec<Requirement>> {
    let path = shell::root().join("tests/conformance.tsv");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Requirement>> {
    let mut found: Vec<Requirement> = Vec::new();
    // The first line names the fields.
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[id, level, place, subject, deviation, remedy] = fields.as_slice() else {
            bail!("{} fields instead of 6: {line}", fields.len());
        };
        if !is_id(id) || [level, place, subject].contains(&"") {
            bail!("no id, level, place or subject: {line}");
        }
        if deviation.is_empty() != remedy.is_empty() {
            bail!("a deviation needs a remedy (or -), and nothing else does: {line}");
        }
        if found.iter().any(|other| other.id == id) {
            bail!("{id} is there twice");
        }
        let [id, level, place, subject, deviation, remedy] =
            [id, level, place, subject, deviation, remedy].map(str::to_owned);
        found.push(Requirement {
            id,
            level,
            place,
            subject,
            deviation,
            remedy,
        });
    }
    Ok(found)
}

/// As `S-16`.
pub fn is_id(text: &str) -> bool {
    match text.as_bytes() {
        [letter, b'-', tens, ones] => {
            letter.is_ascii_uppercase() && tens.is_ascii_digit() && ones.is_ascii_digit()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_whole_or_refused() {
        let good = "id\tetc\nS-16\tMUST\t9568 6.4.2\tsubject\t\t\nS-17\tMUST\tx\ty\twhy\t-\n";
        assert_eq!(parse(good).unwrap().len(), 2);
        for bad in [
            "S-16\tMUST\t9568\tsubject\t\n",
            "S-1\tMUST\t9568\tsubject\t\t\n",
            "S-16\tMUST\t9568\t\t\t\n",
            "S-16\tMUST\t9568\tsubject\twhy\t\n",
            "S-16\tMUST\t9568\tsubject\t\t-\n",
            "S-16\ta\tb\tc\t\t\nS-16\ta\tb\tc\t\t\n",
        ] {
            assert!(parse(&format!("id\n{bad}")).is_err(), "{bad}");
        }
    }
}
