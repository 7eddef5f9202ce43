//! Our verdict beside keepalived's own, on the corpus of `tests/data/verdicts`.

use std::collections::BTreeMap;

use crate::config::parse_str;

const CORPUS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/data/verdicts/corpus.txt"
));
const DIFFERENCES: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/data/verdicts/differences.txt"
));

/// Each configuration with the exit code of `keepalived -t`.
pub fn corpus() -> Vec<(i32, &'static str)> {
    let mut cases = Vec::new();
    let (_, rest) = CORPUS.split_once("--- ").expect("a case");
    for case in rest.split("\n--- ") {
        let (code, text) = case.split_once('\n').unwrap_or((case, ""));
        cases.push((code.parse().expect(code), text));
    }
    cases
}

/// The configurations that the two judge differently, each with its reason:
/// `+` and `-` for our verdict, the reason, then the case on indented lines.
fn differences() -> BTreeMap<String, (bool, &'static str)> {
    let mut found = BTreeMap::new();
    for entry in DIFFERENCES.split("\n\n").map(str::trim) {
        if entry.is_empty() || entry.starts_with('#') {
            continue;
        }
        let (head, body) = entry.split_once('\n').expect(entry);
        let (sign, reason) = head.split_at(1);
        assert!(reason.len() > 20, "a reason is wanted: {entry}");
        let lines = body
            .lines()
            .map(|line| line.strip_prefix("  ").unwrap_or(line));
        let text = lines.collect::<Vec<_>>().join("\n");
        found.insert(text, (sign == "+", reason));
    }
    found
}

#[test]
fn accepted_and_rejected_as_by_keepalived() {
    let mut differences = differences();
    let mut wrong = Vec::new();
    let cases = corpus();
    assert!(cases.len() >= 200);
    let mut rejected = 0;
    for (code, text) in cases {
        let ours = !parse_str("c.conf", text)
            .diagnostics
            .iter()
            .any(|found| found.config_error);
        let theirs = code == 0;
        rejected += usize::from(!theirs);
        let listed = differences.remove(text.trim_end());
        let explained = listed.is_some_and(|(accepted, _)| accepted == ours);
        if (ours == theirs) == listed.is_some() || (ours != theirs && !explained) {
            wrong.push(format!(
                "we {}, keepalived {code}\n{text}",
                if ours { "+" } else { "-" }
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        differences.is_empty(),
        "not in the corpus: {differences:#?}"
    );
    // A corpus of one kind would say nothing.
    assert!((100..400).contains(&rejected), "{rejected}");
}
