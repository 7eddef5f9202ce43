//! Builds the kernel half and leaves the object where `io::bpf` embeds it.
//!
//! The object goes to `OUT_DIR/failoverd-ebpf`. Its tool chain is not the one
//! of this crate: see `build/toolchain.rs`. What was used is in the environment
//! variable `FAILOVERD_EBPF_TOOLCHAIN` at compile time, for `--version`.

#[path = "build/compile.rs"]
mod compile;
#[path = "build/toolchain.rs"]
mod toolchain;

use std::{env, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let (Some(here), Some(out)) = (env::var_os("CARGO_MANIFEST_DIR"), env::var_os("OUT_DIR"))
    else {
        println!("cargo::error=this build script runs under cargo only");
        return ExitCode::FAILURE;
    };
    let (here, out) = (PathBuf::from(here), PathBuf::from(out));
    for watched in [
        "build.rs",
        "build",
        "../agent-ebpf/src",
        "../agent-ebpf/Cargo.toml",
    ] {
        println!("cargo::rerun-if-changed={}", here.join(watched).display());
    }
    for watched in ["../agent-ebpf/Cargo.lock", "../agent-common"] {
        println!("cargo::rerun-if-changed={}", here.join(watched).display());
    }
    for variable in ["PATH", "FAILOVERD_EBPF_NIGHTLY"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }

    let toolchain = match toolchain::find() {
        Ok(toolchain) => toolchain,
        Err(missing) => {
            println!(
                "cargo::error=the kernel half needs {missing}: `cargo xtask setup` installs it"
            );
            return ExitCode::SUCCESS;
        }
    };
    match compile::compile(&toolchain, &here.join("../agent-ebpf"), &out) {
        Ok(()) => {
            println!(
                "cargo::rustc-env=FAILOVERD_EBPF_TOOLCHAIN={}",
                toolchain.description
            );
            ExitCode::SUCCESS
        }
        Err(compile::CompileError { what, output }) => {
            eprintln!("{output}");
            println!("cargo::error={what} ({})", toolchain.description);
            ExitCode::FAILURE
        }
    }
}
