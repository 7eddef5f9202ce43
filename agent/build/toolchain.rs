//! Which compiler and linker can build for `bpfel-unknown-none` on this machine.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

pub const TARGET: &str = "bpfel-unknown-none";

/// Debian's compiler, which comes with a prebuilt `core` for the BPF target.
const DISTRIBUTION_RUSTC: &str = "/usr/bin/rustc";

pub struct Toolchain {
    pub rustc: Rustc,
    pub linker: PathBuf,
    /// For `--version`: what the kernel half was built with.
    pub description: String,
}

pub enum Rustc {
    /// Has `core` for the target; `RUSTC_BOOTSTRAP` allows what only nightly
    /// compilers do.
    Prebuilt(PathBuf),
    /// rustup's nightly with `rust-src`: builds `core` itself.
    BuildStd { channel: String },
}

/// Prefers a prebuilt `core`, which needs no network and no second compiler.
///
/// # Errors
///
/// What is missing, as the object of "the kernel half needs ...".
pub fn find() -> Result<Toolchain, &'static str> {
    let linker = linker().ok_or("bpf-linker")?;
    let (rustc, version) = prebuilt()
        .or_else(build_std)
        .ok_or("a Rust compiler with `core` for BPF")?;
    let linker_version = output(Command::new(&linker).arg("--version")).unwrap_or_default();
    let description = format!("{version}, {}", linker_version.trim());
    Ok(Toolchain {
        rustc,
        linker,
        description,
    })
}

fn prebuilt() -> Option<(Rustc, String)> {
    let rustc = Path::new(DISTRIBUTION_RUSTC);
    if !rustc.exists() {
        return None;
    }
    let libraries =
        output(Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]))?;
    let has_core = std::fs::read_dir(libraries.trim())
        .ok()?
        .flatten()
        .any(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with("libcore-") && name.ends_with(".rlib"))
        });
    let version = output(Command::new(rustc).arg("--version"))?;
    has_core.then(|| (Rustc::Prebuilt(rustc.to_owned()), short_version(&version)))
}

fn build_std() -> Option<(Rustc, String)> {
    let channel = env::var("FAILOVERD_EBPF_NIGHTLY").unwrap_or_else(|_unset| "nightly".to_owned());
    let rustc = |argument: &[&str]| {
        output(
            Command::new("rustup")
                .args(["run", &channel, "rustc"])
                .args(argument),
        )
    };
    let sysroot = rustc(&["--print", "sysroot"])?;
    let core = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core");
    let version = rustc(&["--version"])?;
    core.exists()
        .then(|| (Rustc::BuildStd { channel }, short_version(&version)))
}

/// In PATH, or where `cargo install` puts it.
fn linker() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    env::split_paths(&path)
        .chain(cargo_home.map(|home| home.join("bin")))
        .map(|directory| directory.join("bpf-linker"))
        .find(|candidate| candidate.is_file())
}

/// `rustc 1.96.0` of `rustc 1.96.0 (hash date) (remark)`.
fn short_version(version: &str) -> String {
    version
        .split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.env_remove("RUSTUP_TOOLCHAIN").output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
