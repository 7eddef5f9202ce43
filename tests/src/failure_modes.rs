//! docs/failure-modes.md keeps its promise: a row for each mode, and tests that
//! are there.

use std::{collections::BTreeSet, fs, path::Path};

const DOCUMENT: &str = include_str!("../../docs/failure-modes.md");

/// Network, time, interfaces, BPF, process; and how many of each.
const KINDS: [(char, u8); 5] = [('N', 19), ('T', 10), ('I', 18), ('B', 13), ('P', 19)];
const LETTERS: [char; 5] = ['N', 'T', 'I', 'B', 'P'];

/// Id and last cell of each row of the tables.
fn rows() -> Vec<(&'static str, &'static str)> {
    let rows = DOCUMENT.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (id, tests) = (*cells.first()?, *cells.last()?);
        let number = id.strip_prefix(LETTERS)?;
        number.parse::<u8>().ok().map(|_| (id, tests))
    });
    rows.collect()
}

/// Whether the file has such a test.
fn has_test(root: &Path, named: &str) -> bool {
    let Some((file, name)) = named.rsplit_once("::") else {
        return false;
    };
    let directory = if file.starts_with("agent/") {
        root.to_owned()
    } else {
        root.join("tests/tests")
    };
    let text = fs::read_to_string(directory.join(format!("{file}.rs"))).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines
        .windows(2)
        .any(|pair| pair[0] == "#[test]" && pair[1].starts_with(&format!("fn {name}(")))
}

#[test]
fn each_mode_has_a_row_and_each_test_exists() {
    let rows = rows();
    let all = KINDS
        .iter()
        .flat_map(|(letter, count)| (1..=*count).map(move |n| format!("{letter}{n}")));
    let listed: BTreeSet<&str> = rows.iter().map(|(id, _)| *id).collect();
    let missing: Vec<String> = all.filter(|id| !listed.contains(id.as_str())).collect();
    assert!(missing.is_empty(), "no row: {missing:?}");
    assert_eq!(listed.len(), rows.len(), "a row twice");

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (id, tests) in rows {
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            let reason = tests.strip_prefix("none: ").unwrap_or_default();
            assert!(!reason.is_empty(), "{id}: neither a test nor a reason");
        }
        for test in named {
            assert!(has_test(&root, test), "{id}: there is no test {test}");
        }
    }
}

// A test without a row is one that nobody finds.
#[test]
fn each_test_of_a_mode_is_named_in_its_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let rows = rows();
    let directories = ["modes", "faults"].map(|name| fs::read_dir(root.join(name)));
    let mut found = 0;
    for entry in directories.into_iter().flatten().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).expect("a test");
        let names = text.lines().filter_map(|line| {
            let line = line.trim_start();
            line.strip_prefix("fn ")
        });
        for name in names.filter_map(|line| line.split('(').next()) {
            for id in ids(name) {
                let row = rows.iter().find(|(row, _)| *row == id);
                let named = row.is_some_and(|(_, tests)| tests.contains(&format!("::{name}`")));
                assert!(named, "{name} is not in the row of {id}");
                found += 1;
            }
        }
    }
    assert!(found >= 40, "{found} tests");
}

/// The ids that a name begins with: `n02_n03_who` has N2 and N3.
fn ids(name: &str) -> Vec<String> {
    let parts = name.split('_').map_while(|part| {
        let (letter, number) = part.split_at_checked(1)?;
        let letter = letter.to_uppercase();
        let number: u8 = number.parse().ok()?;
        let known = LETTERS.iter().any(|known| letter == known.to_string());
        known.then(|| format!("{letter}{number}"))
    });
    parts.collect()
}
