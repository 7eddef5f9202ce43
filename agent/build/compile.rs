//! Runs cargo on the kernel half, out of the reach of the outer build.

use std::{env, path::Path, process::Command};

use crate::toolchain::{Rustc, TARGET, Toolchain};

/// Name of the object, as of the binary of `agent-ebpf`.
const OBJECT: &str = "failoverd-ebpf";

pub struct CompileError {
    pub what: String,
    /// What the tools printed.
    pub output: String,
}

/// Builds into a target directory of its own below `out`, and copies the
/// object to `out`.
pub fn compile(toolchain: &Toolchain, krate: &Path, out: &Path) -> Result<(), CompileError> {
    let target_dir = out.join("ebpf-target");
    let mut cargo = cargo(toolchain);
    cargo
        .current_dir(krate)
        .args([
            "build",
            "--release",
            "--locked",
            "--target",
            TARGET,
            "--target-dir",
        ])
        .arg(&target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&toolchain.linker));
    let run = cargo.output().map_err(|error| CompileError {
        what: format!("cargo does not start: {error}"),
        output: String::new(),
    })?;
    if !run.status.success() {
        return Err(CompileError {
            what: "the kernel half does not build, its compiler says why above".to_owned(),
            output: String::from_utf8_lossy(&run.stderr).into_owned(),
        });
    }
    let object = target_dir.join(TARGET).join("release").join(OBJECT);
    std::fs::copy(&object, out.join(OBJECT))
        .map(|_bytes| ())
        .map_err(|error| CompileError {
            what: format!("cannot copy the object of the kernel half: {error}"),
            output: object.display().to_string(),
        })
}

/// Separated by 0x1F, as cargo wants them. BPF v3 (Linux 5.12) is for the
/// compare-and-exchange on LATEST.
fn flags(linker: &Path) -> String {
    let linker = format!("-Clinker={}", linker.display());
    [
        "-Cdebuginfo=2",
        &linker,
        "-Clink-arg=--btf",
        "-Ctarget-cpu=v3",
    ]
    .join("\x1f")
}

/// A cargo that inherits nothing of the outer one but where its home is.
fn cargo(toolchain: &Toolchain) -> Command {
    let mut command = match &toolchain.rustc {
        Rustc::Prebuilt(rustc) => {
            let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            clear(&mut cargo);
            cargo.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
            cargo
        }
        Rustc::BuildStd { channel } => {
            let mut cargo = Command::new("rustup");
            clear(&mut cargo);
            cargo.args(["run", channel, "cargo"]);
            cargo.env("CARGO_UNSTABLE_BUILD_STD", "core");
            cargo
        }
    };
    command.env("CARGO_TERM_COLOR", "never");
    command
}

fn clear(command: &mut Command) {
    for (name, _value) in env::vars_os() {
        let ours = name.to_str().is_some_and(|name| {
            let prefixed = [
                "CARGO_",
                "RUSTC",
                "RUSTFLAGS",
                "RUSTDOC",
                "CLIPPY_",
                "TARGET",
            ]
            .iter()
            .any(|prefix| name.starts_with(prefix));
            let kept = [
                "CARGO_HOME",
                "CARGO_NET_",
                "CARGO_HTTP_",
                "CARGO_REGISTRIES_",
            ]
            .iter()
            .any(|prefix| name.starts_with(prefix));
            (prefixed && !kept) || name == "RUSTUP_TOOLCHAIN" || name == "LD_LIBRARY_PATH"
        });
        if ours {
            command.env_remove(name);
        }
    }
}
