//! `cargo xtask fuzz`: a target of `tests/fuzz` under libFuzzer, on a stable compiler.
//!
//! libFuzzer wants coverage instrumentation only, which is a pass of LLVM that
//! a stable rustc runs when told to; what needs a nightly one are sanitizers,
//! and there is little unsafe code to find anything in.

mod seeds;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    setup::{self, Group},
    shell,
};

/// What `-fsanitize=fuzzer` asks of LLVM.
const INSTRUMENTATION: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg",
    "fuzzing",
];
/// Seconds that one input may take.
const TIMEOUT: u32 = 10;
/// MiB of memory, of which the fuzzer itself has a good part.
const MEMORY: u32 = 1024;

#[derive(clap::Args)]
pub struct Arguments {
    /// One of the targets in tests/fuzz/targets
    target: String,

    /// How long
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,

    /// Longest input in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    max_len: u32,

    /// Afterwards, keep in tests/fuzz/corpus the fewest inputs that reach what
    /// was reached
    #[arg(long)]
    keep: bool,
}

/// Where things of one target are.
struct Places {
    /// In the repository.
    corpus: PathBuf,
    regressions: PathBuf,
    /// What was found, here and in earlier runs.
    found: PathBuf,
    /// Made from the other test data.
    seeds: PathBuf,
    dictionary: PathBuf,
    crashes: PathBuf,
}

impl Places {
    fn make(target: &str) -> Result<Self> {
        let own = shell::root().join("tests/fuzz");
        let corpus = own.join("corpus").join(target);
        if !corpus.is_dir() {
            let known = names(&own.join("corpus"))?.join(", ");
            bail!("there is no target {target}; there are: {known}");
        }
        let work = directory().join("work").join(target);
        let places = Self {
            corpus,
            regressions: own.join("regressions").join(target),
            found: work.join("found"),
            seeds: work.join("seeds"),
            dictionary: work.join("dictionary"),
            crashes: work.join("crashes"),
        };
        for made in [&places.found, &places.seeds, &places.crashes] {
            fs::create_dir_all(made).with_context(|| made.display().to_string())?;
        }
        Ok(places)
    }

    /// All that there is to start from; what is found goes into the first.
    fn inputs(&self) -> Vec<&Path> {
        let all = [&self.found, &self.corpus, &self.regressions, &self.seeds];
        let there = all.into_iter().map(PathBuf::as_path);
        there.filter(|directory| directory.is_dir()).collect()
    }
}

fn directory() -> PathBuf {
    shell::target_directory().join("fuzz")
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

pub fn main(arguments: &Arguments) -> Result<()> {
    let places = Places::make(&arguments.target)?;
    seeds::write(&arguments.target, &places.seeds)?;
    fs::write(&places.dictionary, seeds::dictionary()?)?;
    let program = build()?;
    let mut fuzz = fuzzer(&program, arguments);
    fuzz.arg(format!("-max_total_time={}", arguments.seconds));
    fuzz.arg(format!("-dict={}", places.dictionary.display()));
    // The end of it is a directory, and what follows the name of a file.
    let prefix = format!("{}/", places.crashes.display());
    fuzz.arg(format!("-artifact_prefix={prefix}"));
    fuzz.args(["-print_final_stats=1", "-reload=0"]);
    fuzz.args(places.inputs());
    println!("{}", shell::line(&fuzz));
    shell::run(&mut fuzz).with_context(|| {
        format!(
            "the input is in {}: mend what it breaks, and copy it to {}",
            places.crashes.display(),
            places.regressions.display()
        )
    })?;
    if arguments.keep {
        keep(&program, arguments, &places)?;
    }
    Ok(())
}

/// The instrumented program with all targets.
fn build() -> Result<PathBuf> {
    setup::ensure(Group::Ebpf)?;
    let host = env!("HOST");
    let mut build = shell::cargo();
    build.current_dir(shell::root().join("tests/fuzz"));
    // With a target given, flags are not for build scripts.
    build.args(["build", "--quiet", "--release", "--target", host]);
    build.arg("--target-dir").arg(directory());
    build.env_remove("RUSTFLAGS");
    build.env("CARGO_ENCODED_RUSTFLAGS", INSTRUMENTATION.join("\x1f"));
    shell::run(&mut build).context("build of the fuzz targets")?;
    Ok(directory().join(host).join("release/failoverd-fuzz"))
}

/// As polite as one can be, and without an environment that an input could ask
/// for.
fn fuzzer(program: &Path, arguments: &Arguments) -> Command {
    let mut fuzz = Command::new("nice");
    fuzz.args(["-n", "10"]).arg(program);
    fuzz.env_clear();
    let path: OsString = std::env::var_os("PATH").unwrap_or_default();
    fuzz.env("PATH", path);
    fuzz.env("FAILOVERD_FUZZ_TARGET", &arguments.target);
    if Path::new("/dev/shm").is_dir() {
        // Many small files, and none of them for long.
        fuzz.env("TMPDIR", "/dev/shm");
    }
    fuzz.arg(format!("-max_len={}", arguments.max_len));
    fuzz.arg(format!("-timeout={TIMEOUT}"));
    fuzz.arg(format!("-rss_limit_mb={MEMORY}"));
    fuzz
}

/// Replaces the corpus by the fewest inputs that reach the same code.
fn keep(program: &Path, arguments: &Arguments, places: &Places) -> Result<()> {
    let fresh = places.found.with_file_name("kept");
    if fresh.is_dir() {
        fs::remove_dir_all(&fresh)?;
    }
    fs::create_dir(&fresh)?;
    let mut merge = fuzzer(program, arguments);
    // By code that is reached, not by how often: that makes a small corpus.
    merge.args(["-set_cover_merge=1", "-use_counters=0"]);
    merge.arg(&fresh).args(places.inputs());
    shell::quiet(&mut merge)?;
    fs::remove_dir_all(&places.corpus)?;
    fs::create_dir(&places.corpus)?;
    let (mut count, mut bytes) = (0_usize, 0_u64);
    for name in names(&fresh)? {
        bytes += fs::copy(fresh.join(&name), places.corpus.join(&name))?;
        count += 1;
    }
    println!("kept {count} inputs, {bytes} bytes");
    Ok(())
}
