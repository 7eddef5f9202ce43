//! Running what is to catch a mutation, and reading what it says.

use std::{
    fmt, fs,
    os::unix::process::CommandExt,
    process::{Command, ExitStatus, Stdio},
    str::FromStr,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use failoverd_tests::{sys, wait};
use serde_json::Value;

use super::tree::Tree;
use crate::shell;

/// A run that takes longer hangs, which tells of a bug as well.
const PATIENCE: Duration = Duration::from_secs(300);

/// What may catch a mutation. In a patch: `sim`; `unit PACKAGE FILTER`;
/// `test PACKAGE TARGET NAME`, for one test that needs privileges.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Catcher {
    Unit {
        package: String,
        filter: String,
    },
    Sim,
    Test {
        package: String,
        target: String,
        name: String,
    },
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    Nothing,
    /// By which test or invariant.
    Caught(String),
}

/// How a run ended.
enum End {
    Passed,
    Failed,
    Hung,
}

impl FromStr for Catcher {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        Ok(match words.as_slice() {
            [sim] if sim == "sim" => Self::Sim,
            [unit, package, filter] if unit == "unit" => Self::Unit {
                package: package.clone(),
                filter: filter.clone(),
            },
            [test, package, target, name] if test == "test" => Self::Test {
                package: package.clone(),
                target: target.clone(),
                name: name.clone(),
            },
            _ => bail!("`{text}` runs nothing"),
        })
    }
}

impl fmt::Display for Catcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sim => f.write_str("the simulator"),
            Self::Unit { package, filter } => write!(f, "{package} {filter}"),
            Self::Test { target, name, .. } => write!(f, "{target}::{name}"),
        }
    }
}

#[derive(Debug)]
pub struct Hunt<'a> {
    tree: &'a Tree,
    schedules: u64,
}

impl<'a> Hunt<'a> {
    pub fn new(tree: &'a Tree, schedules: u64) -> Self {
        Self { tree, schedules }
    }

    /// Builds the copy as it is and runs `catcher`.
    ///
    /// # Errors
    /// When it does not build, which proves nothing.
    pub fn run(&self, catcher: &Catcher) -> Result<Found> {
        match catcher {
            Catcher::Sim => self.simulate(),
            Catcher::Unit { package, filter } => self.unit(package, filter),
            Catcher::Test {
                package,
                target,
                name,
            } => self.privileged(package, target, name),
        }
    }

    fn unit(&self, package: &str, filter: &str) -> Result<Found> {
        let test = || {
            let mut test = self.tree.cargo();
            test.args(["test", "--quiet", "--package", package, "--lib"]);
            test
        };
        shell::quiet(test().arg("--no-run"))?;
        let mut run = self.tree.cargo();
        run.args(["test", "--package", package, "--lib", "--", filter]);
        let end = self.watch(&mut run)?;
        let output = self.output()?;
        if ran(&output) == 0 {
            bail!("no test of {package} is called {filter}");
        }
        Ok(match end {
            End::Passed => Found::Nothing,
            End::Hung => Found::Caught(format!("`{filter}` does not end")),
            End::Failed => Found::Caught(some(&failed(&output))),
        })
    }

    fn privileged(&self, package: &str, target: &str, name: &str) -> Result<Found> {
        let mut build = self.tree.cargo();
        build.args(["build", "--quiet", "--package", "failoverd"]);
        shell::quiet(&mut build)?;
        let mut compile = self.tree.cargo();
        compile.args([
            "test",
            "--quiet",
            "--package",
            package,
            "--test",
            target,
            "--no-run",
        ]);
        shell::quiet(&mut compile)?;
        // Twice: it may have failed because the machine was busy.
        for _ in 0..2 {
            let mut run = self.tree.cargo();
            run.args(["test", "--package", package, "--test", target])
                .args(["--", "--exact", name, "--test-threads", "1"])
                .env("FAILOVERD_BIN", self.tree.built("debug/failoverd"))
                .env("FAILOVERD_REQUIRE_PRIVILEGED", "1");
            let end = self.watch(&mut run)?;
            if ran(&self.output()?) != 1 {
                bail!("there is no test {name} in {target}");
            }
            if matches!(end, End::Passed) {
                return Ok(Found::Nothing);
            }
        }
        Ok(Found::Caught(format!("`{target}::{name}`")))
    }

    fn simulate(&self) -> Result<Found> {
        let mut build = self.tree.cargo();
        build.args([
            "build",
            "--quiet",
            "--profile",
            "sim",
            "--package",
            "failoverd-sim",
        ]);
        shell::quiet(&mut build)?;
        let mut run = Command::new(self.tree.built("sim/failoverd-sim"));
        run.args([
            "--json",
            "--first",
            "--schedules",
            &self.schedules.to_string(),
        ]);
        match self.watch(&mut run)? {
            End::Passed => return Ok(Found::Nothing),
            End::Hung => return Ok(Found::Caught("the simulator does not end".to_owned())),
            End::Failed => {}
        }
        let output = self.output()?;
        let json = output.lines().find(|line| line.starts_with('{'));
        let figures: Value = serde_json::from_str(json.context("the simulator says nothing")?)?;
        let broken = figures["violations"].get(0).context("no violation")?;
        let (number, name) = (&broken["invariant"], broken["name"].as_str());
        let seed = &broken["seed"];
        let name = name.unwrap_or_default();
        Ok(Found::Caught(format!(
            "invariant {number} ({name}), schedule {seed}"
        )))
    }

    /// Runs it with its output in a file: a pipe could fill, and it may hang.
    fn watch(&self, command: &mut Command) -> Result<End> {
        let line = shell::line(command);
        let log = fs::File::create(self.tree.log())?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        let mut child = command.spawn().with_context(|| line.clone())?;
        let ended = wait::eventually(PATIENCE, &line, || child.try_wait().ok().flatten());
        match ended.as_ref().map(ExitStatus::success) {
            Ok(true) => Ok(End::Passed),
            Ok(false) => Ok(End::Failed),
            Err(_) => {
                let group = i32::try_from(child.id()).context("a process id")?;
                sys::kill(-group, libc::SIGKILL)?;
                child.wait()?;
                match wait::stopped() {
                    true => bail!("interrupted"),
                    false => Ok(End::Hung),
                }
            }
        }
    }

    fn output(&self) -> Result<String> {
        let bytes = fs::read(self.tree.log())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// How many tests ran, by the first line of the harness.
fn ran(output: &str) -> usize {
    let number = |line: &str| {
        line.strip_prefix("running ")?
            .split(' ')
            .next()?
            .parse()
            .ok()
    };
    output.lines().find_map(number).unwrap_or(0)
}

fn failed(output: &str) -> Vec<&str> {
    let name = |line: &'_ str| -> Option<(usize, usize)> {
        let rest = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
        Some((5, 5 + rest.len()))
    };
    let names = output.lines().filter_map(|line| {
        let (from, to) = name(line)?;
        line.get(from..to)
    });
    names.collect()
}

/// The first of them, and how many more.
fn some(failed: &[&str]) -> String {
    match failed {
        [] => "the test process died".to_owned(),
        [one] => format!("`{one}`"),
        [first, others @ ..] => format!("`{first}` and {} more", others.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_a_test_is_read() {
        let output = "\nrunning 3 tests\ntest a::b ... ok\ntest a::c ... FAILED\n\
            test d ... FAILED\n\ntest result: FAILED. 1 passed\n";
        assert_eq!(ran(output), 3);
        assert_eq!(some(&failed(output)), "`a::c` and 1 more");
        assert_eq!(ran("error: no"), 0);
    }

    #[test]
    fn what_catches_is_named_in_one_line() {
        for good in [
            "sim",
            "unit failoverd core::",
            "test failoverd-tests holders a_name",
        ] {
            assert!(good.parse::<Catcher>().is_ok(), "{good}");
        }
        for bad in ["", "unit failoverd", "sim x", "magic"] {
            assert!(bad.parse::<Catcher>().is_err(), "{bad}");
        }
    }
}
