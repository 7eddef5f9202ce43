//! What cannot take over is refused, and everything goes on.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::{self, Agent},
    agents::{Agents, pid},
    require_agent,
    router::{Router, VirtualRouter},
};
use tempfile::TempDir;

use crate::lab::*;

/// Tries, and makes sure that nothing came of it.
fn refused(pair: &Agents, binary: &Path, reason: &str) -> Result<()> {
    let before = [pid(&pair.active)?, pid(&pair.backup)?];
    let transitions = pair.transitions();
    for agent in [&pair.active, &pair.backup] {
        let binary = binary.to_string_lossy();
        let ended = agent.ask("upgrade", &["--binary", &binary])?;
        ensure!(ended.code == Some(2), "{ended:?}");
        let said = ended.output.join("\n");
        ensure!(said.contains(reason), "{said}");
    }
    pair.steady(FAST * 20)?;
    ensure!(pair.transitions() == transitions);
    ensure!([pid(&pair.active)?, pid(&pair.backup)?] == before);
    Ok(())
}

/// A program that says to be a failoverd of that protocol, and then does
/// something else.
fn pretender(directory: &TempDir, protocol: u32, then: &str) -> Result<PathBuf> {
    let source = format!(
        "fn main() {{\n\
         if std::env::args().nth(1).as_deref() == Some(\"upgrade\") {{\n\
         println!(\"{{{{\\\"version\\\":\\\"9.9\\\",\\\"protocol\\\":{protocol}}}}}\");\n\
         return;\n}}\n{then}\n}}\n"
    );
    compile(directory, &format!("pretender-{protocol}"), &source)
}

fn compile(directory: &TempDir, name: &str, text: &str) -> Result<PathBuf> {
    let source = directory.path().join("source.rs");
    let binary = directory.path().join(name);
    fs::write(&source, text)?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(rustc)
        .arg("-o")
        .arg(&binary)
        .arg(&source)
        .status()
        .context("rustc")?;
    ensure!(built.success(), "rustc: {built}");
    Ok(binary)
}

const HANG: &str = "loop { std::thread::park(); }";

#[test]
fn what_is_no_failoverd() -> Result<()> {
    require_agent!();
    let pair = start(&[])?;
    refused(&pair, Path::new("/no/such/file"), "No such file")?;
    refused(&pair, Path::new("/etc"), "is not a regular file")?;
    refused(&pair, Path::new("/etc/passwd"), "is not executable")?;
    refused(&pair, Path::new("/bin/true"), "is no failoverd")?;
    refused(&pair, Path::new("/bin/false"), "does not want to take over")?;
    let directory = tempfile::tempdir()?;
    let open = directory.path().join("open");
    fs::copy(agent::binary()?, &open)?;
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777))?;
    refused(&pair, &open, "others than root can write it")?;
    let other = pretender(&directory, 99, HANG)?;
    refused(&pair, &other, "version 9.9 cannot take over")?;
    // After all that it still works.
    upgrade(&pair.active)?;
    Ok(())
}

#[test]
fn what_ends_at_once_or_hangs() -> Result<()> {
    require_agent!();
    let pair = start(&[])?;
    let directory = tempfile::tempdir()?;
    let silent = compile(&directory, "silent", &format!("fn main() {{ {HANG} }}"))?;
    refused(&pair, &silent, "did not say within")?;
    let ends = pretender(&directory, 1, "std::process::exit(3);")?;
    refused(&pair, &ends, "the new agent: it has ended")?;
    let hangs = pretender(&directory, 1, HANG)?;
    refused(&pair, &hangs, "the new agent: no answer")?;
    upgrade(&pair.active)?;
    Ok(())
}

#[test]
fn without_its_parent() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&["--no-supervisor"], |_, _, router: &mut VirtualRouter| {
        router.interval = FAST;
    })?;
    let ended = pair.active.ask("upgrade", &[])?;
    ensure!(ended.code == Some(2), "{ended:?}");
    ensure!(
        ended.output.join("\n").contains("--no-supervisor"),
        "{ended:?}"
    );
    pair.steady(FAST * 20)
}

#[test]
fn with_a_file_that_differs_or_is_wrong() -> Result<()> {
    require_agent!();
    let lan = failoverd_tests::topology::Lan::new(1)?;
    let router = VirtualRouter::new(100, lan.vip()).every(FAST);
    let conf = router.keepalived_conf();
    let agent = Agent::start_conf(&lan.host(0).ns, &conf, &router.name)?;
    agent.wait_state(
        failoverd_tests::router::State::Active,
        failoverd_tests::agents::START,
    )?;
    let transitions = agent.transitions().len();
    for (conf, reason) in [
        (
            conf.replace("priority 100", "priority 90"),
            "reload it first",
        ),
        (
            conf.replace("virtual_router_id 51", "virtual_router_id 999"),
            "has errors",
        ),
    ] {
        agent.write_conf(&conf)?;
        let ended = agent.ask("upgrade", &[])?;
        ensure!(ended.code == Some(2), "{ended:?}");
        ensure!(ended.output.join("\n").contains(reason), "{ended:?}");
    }
    agent.write_conf(&conf)?;
    upgrade(&agent)?;
    ensure!(agent.transitions().len() == transitions);
    Ok(())
}
