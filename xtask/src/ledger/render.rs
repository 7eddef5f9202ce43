//! The document.

use super::{requirement::Requirement, scan::Proof};

const PREFACE: &str = "# Conformance

Every requirement on a VRRP router that we know of, with the tests that prove it, or with what we do instead, why, and the configuration that gives what the standard asks for. Requirements are those of RFC 3768 (v2), RFC 5798 and RFC 9568 (v3) with their errata, and, marked `derived`, what receipt in XDP and the place of keepalived ask for besides.

Written by `cargo xtask generate` from tests/conformance.tsv and from the lines `// proves: ID` above the tests; a test of the repository keeps it up to date, and fails when a requirement has neither a test nor a deviation. Tests below `tests/tests` and `agent/tests` run as root in network namespaces, the others anywhere. docs/PROOF.md says of which tests it was seen that they find what they are for.
";

const SECTIONS: [(char, &str); 9] = [
    ('F', "Packet format and IP header"),
    ('K', "Checksum"),
    ('R', "Receipt"),
    ('X', "Transmission"),
    ('T', "Parameters and timers"),
    ('S', "State machine"),
    ('D', "ARP, neighbour discovery, MAC addresses, forwarding"),
    ('I', "Versions 2 and 3 side by side"),
    ('L', "Operation and log"),
];

pub fn document(requirements: &[Requirement], proofs: &[Proof]) -> String {
    let deviations = requirements.iter().filter(|one| !one.deviation.is_empty());
    let proven = requirements
        .iter()
        .filter(|one| tests(one, proofs).next().is_some());
    let mut text = format!(
        "{PREFACE}\n{} requirements; {} have tests, of which there are {}; {} have a deviation.\n",
        requirements.len(),
        proven.count(),
        proofs.len(),
        deviations.count(),
    );
    for (letter, title) in SECTIONS {
        text += &format!(
            "\n## {title}\n\n| id | | where | requirement | proof |\n|---|---|---|---|---|\n"
        );
        let rows = requirements.iter().filter(|one| one.id.starts_with(letter));
        for one in rows {
            let (id, level, place, subject) = (&one.id, &one.level, &one.place, &one.subject);
            let proof = proof(one, proofs);
            text += &format!("| {id} | {level} | {place} | {subject} | {proof} |\n");
        }
    }
    text
}

fn tests<'a>(requirement: &'a Requirement, proofs: &'a [Proof]) -> impl Iterator<Item = &'a Proof> {
    proofs
        .iter()
        .filter(|proof| proof.ids.contains(&requirement.id))
}

/// The deviation first, then the tests by file.
fn proof(requirement: &Requirement, proofs: &[Proof]) -> String {
    let mut parts = Vec::new();
    if !requirement.deviation.is_empty() {
        parts.push(format!("**Deviation:** {}", requirement.deviation));
        if requirement.remedy != "-" {
            parts.push(format!("**As the standard:** {}", requirement.remedy));
        }
    }
    let mut file = "";
    let mut names = Vec::new();
    for proof in tests(requirement, proofs) {
        if proof.file != file {
            parts.extend(group(file, &names));
            names.clear();
            file = &proof.file;
        }
        names.push(format!("`{}`", proof.test));
    }
    parts.extend(group(file, &names));
    parts.join("<br>")
}

fn group(file: &str, names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| format!("{file}: {}", names.join(", ")))
}
