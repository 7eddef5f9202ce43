//! Packages of Debian and its relatives.

use std::{fs, path::Path, process::Command, sync::OnceLock};

use anyhow::{Context, Result};

use super::{Item, Outcome};
use crate::shell;

/// What the tests in namespaces use.
const TESTS: [&str; 17] = [
    "iproute2",
    "kmod",
    "keepalived",
    "frr",
    "ipvsadm",
    "tshark",
    "tcpdump",
    "nftables",
    "ethtool",
    "iputils-ping",
    "arping",
    "bpftool",
    "curl",
    "openssl",
    "python3",
    "python3-aiosmtpd",
    // systemd-analyze
    "systemd",
];

/// Packages of the above whose service must not run on a developer's machine
/// because of us.
const SERVICES: [&str; 2] = ["keepalived", "frr"];

/// Tells dpkg not to start what it installs.
const POLICY: &str = "/usr/sbin/policy-rc.d";

pub fn is_debian() -> bool {
    shell::exists("apt-get") && shell::exists("dpkg-query")
}

/// Those of `packages` that are not installed.
pub fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    let installed = |package: &str| {
        let mut query = Command::new("dpkg-query");
        query.args(["-W", "-f=${db:Status-Status}", package]);
        shell::quiet(&mut query).is_ok_and(|status| status == "installed")
    };
    packages
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect()
}

/// Whether this release carries a package: older ones and relatives of Debian
/// may not. With `change` the lists are refreshed first.
pub fn offers(package: &str, change: bool) -> bool {
    if !is_debian() {
        return false;
    }
    if change && let Err(error) = update() {
        eprintln!("{error:#}");
    }
    let policy = shell::quiet(Command::new("apt-cache").args(["policy", package]));
    // Without lists the answer is empty, and then nothing is known yet.
    policy.is_ok_and(|text| {
        !text.contains("Candidate: (none)") && (!change || !text.trim().is_empty())
    })
}

/// Programs of the test group that are missing: packages on Debian, programs elsewhere.
pub fn missing_tests() -> Vec<&'static str> {
    if is_debian() {
        return missing(&TESTS);
    }
    let programs = ["ip", "keepalived", "tshark", "nft", "ethtool", "bpftool"];
    programs
        .into_iter()
        .filter(|program| !shell::exists(program))
        .collect()
}

pub fn install_tests(change: bool) -> Vec<Item> {
    if is_debian() {
        return install(&TESTS, change);
    }
    let by_hand = |program| {
        let command = format!("install {program} with the package manager of this system");
        Item::new(
            program,
            Outcome::Missing {
                command,
                error: None,
            },
        )
    };
    missing_tests().into_iter().map(by_hand).collect()
}

/// Installs those of `packages` that are missing, one line for each.
pub fn install(packages: &[&str], change: bool) -> Vec<Item> {
    let missing = missing(packages);
    let mut items = Vec::new();
    for package in packages.iter().filter(|package| !missing.contains(package)) {
        items.push(Item::new(*package, Outcome::Present));
    }
    if missing.is_empty() {
        return items;
    }
    let result = if change { Some(apt(&missing)) } else { None };
    for package in missing {
        items.push(Item::new(package, outcome(package, result.as_ref())));
    }
    items
}

fn outcome(package: &str, result: Option<&Result<()>>) -> Outcome {
    let command = format!("apt-get install --no-install-recommends {package}");
    match result {
        None => Outcome::Missing {
            command,
            error: None,
        },
        Some(_) if missing(&[package]).is_empty() => Outcome::Installed,
        Some(Ok(())) => Outcome::Missing {
            command,
            error: Some("not there afterwards".into()),
        },
        Some(Err(error)) => Outcome::Missing {
            command,
            error: Some(format!("{error:#}")),
        },
    }
}

fn apt(packages: &[&str]) -> Result<()> {
    update()?;
    println!("installing {}", packages.join(" "));
    let services: Vec<&str> = SERVICES
        .into_iter()
        .filter(|service| packages.contains(service))
        .collect();
    let _quiet = if services.is_empty() {
        None
    } else {
        Some(NoStart::new()?)
    };
    let mut install = apt_get()?;
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages);
    shell::quiet(&mut install)?;
    for service in services {
        disable(service);
    }
    Ok(())
}

/// Refreshes the package lists, once in the life of this process.
fn update() -> Result<()> {
    static DONE: OnceLock<()> = OnceLock::new();
    if DONE.get().is_some() {
        return Ok(());
    }
    println!("refreshing the package lists");
    shell::quiet(apt_get()?.arg("update")).context("apt-get update")?;
    DONE.get_or_init(|| ());
    Ok(())
}

fn apt_get() -> Result<Command> {
    let mut command = shell::as_root("env")?;
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]);
    // Another apt-get may be at work, as it is on machines that just booted.
    command.args(["-o", "DPkg::Lock::Timeout=120"]);
    Ok(command)
}

/// A service that came with a package just installed must not start at the next boot.
fn disable(service: &str) {
    if !shell::exists("systemctl") {
        return;
    }
    let Ok(mut command) = shell::as_root("systemctl") else {
        return;
    };
    command.args(["disable", "--quiet", service]);
    // Also fails where systemd is installed but not in charge: nothing to start it there.
    shell::succeeds(&mut command);
}

/// Keeps dpkg from starting services, for as long as it lives. A policy that
/// the machine already has stays in charge.
struct NoStart {
    own: bool,
}

impl NoStart {
    fn new() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { own: false });
        }
        let draft = shell::target_directory().join("policy-rc.d");
        fs::create_dir_all(shell::target_directory())?;
        fs::write(
            &draft,
            "#!/bin/sh\n# Of cargo xtask setup, removed after it.\nexit 101\n",
        )?;
        let mut install = shell::as_root("install")?;
        shell::quiet(install.args(["-m", "755"]).arg(&draft).arg(POLICY))?;
        Ok(Self { own: true })
    }
}

impl Drop for NoStart {
    fn drop(&mut self) {
        if !self.own {
            return;
        }
        let removed = shell::as_root("rm").and_then(|mut rm| shell::quiet(rm.arg(POLICY)));
        if let Err(error) = removed {
            eprintln!("{POLICY} is left behind, remove it: {error:#}");
        }
    }
}
