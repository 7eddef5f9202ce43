//! `cargo xtask lint`: formatting, clippy, and the rules that neither knows.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::shell;

/// Lines of one source file.
const MAX_LINES: usize = 500;
/// Files that may be longer, each with its reason. A ratchet: it only shrinks.
const LONGER: [(&str, &str); 0] = [];
/// How far above an `unsafe` its note may begin.
const NOTE_DISTANCE: usize = 8;

pub fn main() -> Result<()> {
    components();
    let mut failed = Vec::new();
    let mut check = |name: &str, result: Result<()>| match result {
        Ok(()) => println!("ok      {name}"),
        Err(error) => {
            println!("FAILED  {name}: {error:#}");
            failed.push(name.to_owned());
        }
    };
    check(
        "cargo fmt",
        shell::run(shell::cargo().args(["fmt", "--all", "--", "--check"])),
    );
    let mut clippy = shell::cargo();
    clippy.args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    check("cargo clippy", shell::run(&mut clippy));
    let kernel_side = shell::root().join("agent-ebpf");
    if kernel_side.join("Cargo.toml").is_file() {
        let mut format = shell::cargo();
        format
            .current_dir(&kernel_side)
            .args(["fmt", "--", "--check"]);
        check("cargo fmt (agent-ebpf)", shell::run(&mut format));
        check(
            "cargo clippy (agent-ebpf)",
            shell::run(&mut clippy_of_the_kernel_side(&kernel_side)),
        );
    }
    let mut format = shell::cargo();
    format
        .current_dir(shell::root().join("tests/fuzz"))
        .args(["fmt", "--", "--check"]);
    check("cargo fmt (tests/fuzz)", shell::run(&mut format));
    check("rules of this repository", rules());
    if !failed.is_empty() {
        bail!("{}", failed.join(", "));
    }
    Ok(())
}

/// A minimal rustup comes without the two.
fn components() {
    for component in ["rustfmt", "clippy"] {
        let program = if component == "rustfmt" {
            "fmt"
        } else {
            component
        };
        if !shell::succeeds(shell::cargo().args([program, "--version"])) {
            println!("installing {component}");
            let mut add = Command::new("rustup");
            if let Err(error) = shell::quiet(add.args(["component", "add", component])) {
                eprintln!("{error:#}");
            }
        }
    }
}

/// For the host's target: clippy has no `core` for BPF, and needs only types.
fn clippy_of_the_kernel_side(directory: &Path) -> Command {
    let mut clippy = shell::cargo();
    clippy.current_dir(directory);
    clippy.args(["clippy", "--quiet", "--", "-D", "warnings"]);
    // The kernel side uses what only nightly compilers allow by themselves.
    clippy.env("RUSTC_BOOTSTRAP", "1");
    // Its own configuration asks for the BPF target and its linker.
    let host = env!("HOST");
    clippy.args(["--target", host]);
    clippy
}

/// The rules that are about text.
fn rules() -> Result<()> {
    let mut findings = Vec::new();
    for path in sources(&shell::root())? {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let path = path
            .strip_prefix(shell::root())
            .unwrap_or(&path)
            .display()
            .to_string();
        findings.extend(findings_in(&path, &text));
    }
    match findings.as_slice() {
        [] => Ok(()),
        findings => bail!("\n  {}", findings.join("\n  ")),
    }
}

/// Every Rust file below `directory` that is ours.
pub fn sources(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn findings_in(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    if !lines.first().is_some_and(|line| line.starts_with("//!")) {
        findings.push(format!(
            "{path}:1: the first line is not a module doc (//!)"
        ));
    }
    let excepted = LONGER.iter().any(|(longer, _reason)| *longer == path);
    if lines.len() > MAX_LINES && !excepted {
        findings.push(format!(
            "{path}: {} lines, {MAX_LINES} are allowed",
            lines.len()
        ));
    }
    for (index, line) in lines.iter().enumerate() {
        if opens_unsafe(line) && !has_note(&lines, index) {
            findings.push(format!(
                "{path}:{}: unsafe without a SAFETY note",
                index + 1
            ));
        }
    }
    findings
}

/// Whether a line of code (not a comment or a string) opens an unsafe block or impl.
fn opens_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let opens = |word: &str| {
        code.match_indices(word).any(|(at, _)| {
            let before = code.get(..at).unwrap_or_default();
            before.matches('"').count() % 2 == 0
        })
    };
    opens(concat!("unsafe", " {")) || opens(concat!("unsafe", " impl"))
}

fn has_note(lines: &[&str], index: usize) -> bool {
    let first = index.saturating_sub(NOTE_DISTANCE);
    let above = lines.get(first..=index).unwrap_or_default();
    above.iter().any(|line| line.contains("SAFETY:"))
}

#[cfg(test)]
mod tests {
    use super::findings_in;

    #[test]
    fn each_rule_finds_what_breaks_it() {
        assert_eq!(
            findings_in("a.rs", "//! Doc.\nfn main() {}\n"),
            Vec::<String>::new()
        );
        assert_eq!(findings_in("a.rs", "fn main() {}\n").len(), 1);
        assert_eq!(
            findings_in("a.rs", &format!("//! Doc.\n{}", "\n".repeat(500))).len(),
            1
        );
        let block = concat!("    let x = unsafe", " { f() };\n");
        assert_eq!(findings_in("a.rs", &format!("//! Doc.\n{block}")).len(), 1);
        let noted = format!("//! Doc.\n    // SAFETY: f has no rules.\n{block}");
        assert_eq!(findings_in("a.rs", &noted), Vec::<String>::new());
    }

    #[test]
    fn unsafe_in_comments_and_strings_is_not_code() {
        let text = "//! Doc.\n// unsafe { }\nconst A: &str = \"unsafe { }\";\n";
        assert_eq!(findings_in("a.rs", text), Vec::<String>::new());
    }
}
