//! The tool chain of the kernel side: a compiler with `core` for the BPF
//! target, and bpf-linker.
//!
//! Two ways, and what is there already is taken: Debian's packages carry a
//! ready `core` (no nightly, no network beyond apt), and rustup's nightly with
//! rust-src builds it (the usual way of aya).

use std::{env, path::Path, path::PathBuf, process::Command};

use super::{Item, Outcome, debian};
use crate::shell;

const PACKAGES: [&str; 4] = [
    "rustc-web",
    "libstd-rust-web-dev-bpf",
    "rust-web-llvm",
    "llvm-22-dev",
];
const LLVM: &str = "/usr/lib/llvm-22";
const LINKER: &str = "bpf-linker@0.13.0";

/// Everything that the build script of the agent needs.
pub fn is_ready() -> bool {
    has_linker() && (has_debian_core() || has_nightly_source())
}

fn has_linker() -> bool {
    linker_places().any(|path| path.is_file())
}

/// PATH, and where `cargo install` puts programs even when PATH lacks it.
fn linker_places() -> impl Iterator<Item = PathBuf> {
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    let installed = cargo.map(|cargo| cargo.join("bin/bpf-linker"));
    shell::find("bpf-linker").into_iter().chain(installed)
}

/// Whether /usr/bin/rustc has a `core` for BPF.
fn has_debian_core() -> bool {
    let mut ask = Command::new("/usr/bin/rustc");
    ask.args(["--print", "target-libdir", "--target", "bpfel-unknown-none"]);
    let Ok(directory) = shell::quiet(&mut ask) else {
        return false;
    };
    let Ok(entries) = Path::new(directory.trim()).read_dir() else {
        return false;
    };
    let mut names = entries.flatten().map(|entry| entry.file_name());
    names.any(|name| name.to_string_lossy().starts_with("libcore-"))
}

/// The nightly that the build script of the agent takes.
fn nightly() -> String {
    env::var("FAILOVERD_EBPF_NIGHTLY").unwrap_or_else(|_unset| "nightly".to_owned())
}

/// Whether rustup has a nightly that can build `core` itself.
fn has_nightly_source() -> bool {
    let mut ask = Command::new("rustup");
    ask.args(["run", &nightly(), "rustc", "--print", "sysroot"]);
    let Ok(sysroot) = shell::quiet(&mut ask) else {
        return false;
    };
    Path::new(sysroot.trim())
        .join("lib/rustlib/src/rust/library/core/Cargo.toml")
        .is_file()
}

pub fn install(change: bool) -> Vec<Item> {
    let mut items = Vec::new();
    if has_debian_core() {
        items.push(Item::new("core for BPF (Debian's rustc)", Outcome::Present));
    } else if has_nightly_source() {
        items.push(Item::new(
            "core for BPF (rustup nightly with rust-src)",
            Outcome::Present,
        ));
    } else if debian::offers(PACKAGES[1], change) {
        items.extend(debian::install(&PACKAGES, change));
    } else {
        items.push(install_nightly(change));
    }
    items.push(install_linker(change));
    items
}

fn install_nightly(change: bool) -> Item {
    let name = "rustup nightly with rust-src";
    let mut command = Command::new("rustup");
    command.args(["toolchain", "install", &nightly(), "--profile", "minimal"]);
    command.args(["--component", "rust-src"]);
    attempt(name, change, &mut command, has_nightly_source)
}

fn install_linker(change: bool) -> Item {
    if has_linker() {
        return Item::new("bpf-linker", Outcome::Present);
    }
    let mut command = Command::new("cargo");
    command.args(["install", LINKER]);
    if Path::new(LLVM).join("bin/llvm-config").is_file() {
        // Against Debian's LLVM, the one that its rustc was built with.
        let path = env::var("PATH").unwrap_or_default();
        command.args(["--no-default-features", "--features", "llvm-22"]);
        command
            .env("LLVM_PREFIX", LLVM)
            .env("PATH", format!("{LLVM}/bin:{path}"));
    }
    // An own target directory in the environment would be littered with it.
    command
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS");
    attempt("bpf-linker", change, &mut command, has_linker)
}

/// Runs an installation and looks whether it helped.
fn attempt(name: &str, change: bool, command: &mut Command, there: fn() -> bool) -> Item {
    let line = shell::line(command);
    if !change {
        return Item::new(
            name,
            Outcome::Missing {
                command: line,
                error: None,
            },
        );
    }
    println!("installing {name}: {line}");
    let error = shell::quiet(command).err();
    if there() {
        return Item::new(name, Outcome::Installed);
    }
    let error = error.map(|error| format!("{error:#}"));
    Item::new(
        name,
        Outcome::Missing {
            command: line,
            error,
        },
    )
}
