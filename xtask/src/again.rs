//! Tests that measure time, on a machine that may have something else to do:
//! one that fails is told, and run once more, alone. What fails then has failed.

use std::{
    io::{BufRead, BufReader, Write},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::shell;

/// More than these is no accident of the machine.
const MOST: usize = 4;

/// Runs `test` as it is; then, for each of the few tests that failed, what
/// `once` makes of the name of its target and its own.
///
/// # Errors
/// When a test fails twice, or too many do once, or none ran.
pub fn run(mut test: Command, once: impl Fn(&str, &str) -> Command) -> Result<()> {
    let line = shell::line(&test);
    let (reader, writer) = std::io::pipe().context("a pipe")?;
    test.stdout(writer.try_clone().context("a pipe")?)
        .stderr(writer);
    let mut child = test.spawn().with_context(|| line.clone())?;
    // It holds ends of the pipe, which ends with the last of them.
    drop(test);
    let failed = listen(BufReader::new(reader), &mut std::io::stdout())?;
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    if failed.is_empty() || failed.len() > MOST {
        bail!("{line}: {status}");
    }
    for (target, name) in &failed {
        println!("\n--- {name} of {target} has failed: once more, alone");
        shell::run(&mut once(target, name))?;
    }
    println!("\n--- failed at first and passed alone: {failed:?}");
    Ok(())
}

/// Passes all of it on, and picks the tests that failed with their targets.
fn listen(output: impl BufRead, out: &mut impl Write) -> Result<Vec<(String, String)>> {
    let (mut failed, mut target) = (Vec::new(), String::new());
    for line in output.split(b'\n') {
        let line = line?;
        out.write_all(&line)?;
        out.write_all(b"\n")?;
        let line = String::from_utf8_lossy(&line);
        if let Some(name) = target_of(&line) {
            name.clone_into(&mut target);
        } else if let Some(test) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            failed.push((target.clone(), test.to_owned()));
        }
    }
    Ok(failed)
}

/// `Running tests/a/main.rs (target/debug/deps/a-0123456789abcdef)`
fn target_of(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("Running ")?;
    let (_, file) = rest.strip_suffix(')')?.rsplit_once('/')?;
    Some(file.rsplit_once('-')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_known_with_its_target() {
        let output = "     Running tests/a/main.rs (target/debug/deps/as_b-0123)\n\
            test one ... ok\ntest two::three ... FAILED\n\
            \x20    Running tests/c.rs (target/debug/deps/c-45)\ntest four ... FAILED\n\
            test result: FAILED. 1 passed\n";
        let mut passed_on = Vec::new();
        let found = listen(output.as_bytes(), &mut passed_on).unwrap();
        assert_eq!(passed_on, output.as_bytes());
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(found, [pair("as_b", "two::three"), pair("c", "four")]);
    }
}
