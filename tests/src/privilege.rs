//! Whether the privileged part of the tests can run here.

use std::{env, io::Write, path::Path, process::Command};

use crate::sys;

/// What keeps the lab from running on this machine, `None` when nothing does.
pub fn missing() -> Option<String> {
    if !sys::is_root() {
        return Some("not root".to_owned());
    }
    if !Path::new("/proc/self/ns/net").exists() {
        return Some("the kernel has no network namespaces".to_owned());
    }
    missing_program("ip")
}

/// Says so when `program` is not installed.
pub fn missing_program(program: &str) -> Option<String> {
    let found = Path::new(program).is_absolute() && Path::new(program).exists()
        || search_path().any(|directory| directory.join(program).is_file());
    (!found).then(|| format!("{program} is not installed (cargo xtask setup --tests)"))
}

/// PATH, and the directories of system programs that a user's PATH may lack.
fn search_path() -> impl Iterator<Item = std::path::PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(Into::into);
    env::split_paths(&path)
        .collect::<Vec<_>>()
        .into_iter()
        .chain(more)
}

/// Says so when the kernel has no interfaces of that type. Types that sit on
/// another interface (macvlan, vlan) are tried on a veth.
pub fn missing_link_type(kind: &str) -> Option<String> {
    let tried = || -> anyhow::Result<()> {
        let namespace = crate::netns::Netns::new()?;
        namespace.sh("ip link add below0 type veth peer name below1")?;
        let below = match kind {
            "macvlan" | "ipvlan" => "link below0 ",
            "vlan" => {
                return namespace
                    .sh("ip link add link below0 name try0 type vlan id 7")
                    .map(drop);
            }
            _ => "",
        };
        let options = if kind == "vrf" { " table 7" } else { "" };
        namespace
            .sh(&format!(
                "ip link add {below}name try0 type {kind}{options}"
            ))
            .map(drop)
    };
    tried()
        .err()
        .map(|_| format!("the kernel has no {kind} interfaces"))
}

/// Where a missing privilege is a failure rather than a reason to skip.
pub fn required() -> bool {
    let set =
        |name| env::var(name).is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    set("CI") || set("FAILOVERD_REQUIRE_PRIVILEGED")
}

/// True when the test can run. Otherwise says why not, or panics where
/// [`required`].
pub fn ready(reason: Option<String>) -> bool {
    let Some(reason) = reason else { return true };
    assert!(!required(), "this test has to run here, but: {reason}");
    say_skipped(&reason);
    false
}

/// Says why something is not tried. Past the test harness, which shows what a
/// test prints only when it fails: a skip in a green run must be seen.
pub fn say_skipped(reason: &str) {
    let test = std::thread::current();
    let name = test.name().unwrap_or("a test");
    // Nobody to tell is no failure of the test.
    let _ = writeln!(std::io::stderr(), "skipped: {name}: {reason}");
}

/// The version of an installed program, for reports.
pub fn version_of(program: &str, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text)
        .lines()
        .next()
        .map(str::to_owned)
}

/// Returns `Ok(())` from the calling test, with the reason printed, where it cannot run:
/// `require_root!()`, or with programs: `require_root!("keepalived", "tshark")`.
#[macro_export]
macro_rules! require_root {
    ($($program:expr),* $(,)?) => {
        if !$crate::privilege::ready($crate::privilege::missing()) {
            return Ok(());
        }
        $(if !$crate::privilege::ready($crate::privilege::missing_program($program)) {
            return Ok(());
        })*
    };
}
