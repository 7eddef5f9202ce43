//! The virtual machine: QEMU, a stock kernel, and virtme-ng in an environment
//! of its own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::{Item, Outcome, debian};
use crate::shell;

const PACKAGES: [&str; 7] = [
    "qemu-system-x86",
    "linux-image-amd64",
    "busybox-static",
    "zstd",
    "python3-venv",
    "kmod",
    "iproute2",
];

/// virtme-ng's `vng`: the one that is installed, else our own.
pub fn virtme() -> Option<PathBuf> {
    shell::find("vng")
        .or_else(|| Some(own_environment()).map(|own| own.join("bin/vng")))
        .filter(|path| path.is_file())
}

/// In the user's cache, so that several work trees share it.
fn own_environment() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = cache.or(home).unwrap_or_else(shell::target_directory);
    cache.join("failoverd/virtme-ng")
}

/// Debian's kernel images, the newest last.
pub fn kernels() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir("/boot") else {
        return Vec::new();
    };
    let mut images: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().starts_with("/boot/vmlinuz-"))
        .collect();
    images.sort();
    images
}

pub fn is_ready() -> bool {
    virtme().is_some()
        && !kernels().is_empty()
        && shell::exists("qemu-system-x86_64")
        && shell::exists("busybox")
}

pub fn install(change: bool) -> Vec<Item> {
    let mut items = if debian::is_debian() {
        debian::install(&PACKAGES, change)
    } else if is_ready() {
        vec![Item::new("QEMU and a kernel", Outcome::Present)]
    } else {
        let command = "install QEMU, a static busybox and a kernel image in /boot".to_owned();
        vec![Item::new(
            "QEMU and a kernel",
            Outcome::Missing {
                command,
                error: None,
            },
        )]
    };
    items.push(install_virtme(change));
    items
}

fn install_virtme(change: bool) -> Item {
    let name = "virtme-ng";
    if virtme().is_some() {
        return Item::new(name, Outcome::Present);
    }
    let own = own_environment();
    let pip = own.join("bin/pip");
    let command = format!(
        "python3 -m venv {} && {} install virtme-ng",
        own.display(),
        pip.display()
    );
    if !change {
        return Item::new(
            name,
            Outcome::Missing {
                command,
                error: None,
            },
        );
    }
    println!("installing {name}: {command}");
    let tried = || -> Result<()> {
        shell::quiet(Command::new("python3").args(["-m", "venv"]).arg(&own))?;
        shell::quiet(Command::new(&pip).args(["install", "--quiet", "virtme-ng"])).map(drop)
    };
    match tried() {
        Ok(()) => Item::new(name, Outcome::Installed),
        Err(error) => Item::new(
            name,
            Outcome::Missing {
                command,
                error: Some(format!("{error:#}")),
            },
        ),
    }
}
