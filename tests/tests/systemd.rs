//! What the service manager hears: readiness, the watchdog, the end.
//!
//! The socket of systemd is played by the test, as sd_notify(3) describes it,
//! and as with `NotifyAccess=main`: nobody but the main process is listened to.

use std::{cell::RefCell, os::unix::net::UnixDatagram, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent, privilege, process::Process, require_root, sys::unix, topology::Lan, wait,
};
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(20);
/// Period of the watchdog that the test asks for.
const WATCHDOG: Duration = Duration::from_millis(400);

/// A service manager's end.
struct Manager {
    socket: UnixDatagram,
    directory: TempDir,
    /// Who has said anything, once each.
    senders: RefCell<Vec<i32>>,
}

impl Manager {
    fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let socket = UnixDatagram::bind(directory.path().join("notify"))?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        unix::ask_for_senders(&socket)?;
        Ok(Self {
            socket,
            directory,
            senders: RefCell::default(),
        })
    }

    /// The next message, if one comes soon.
    fn hear(&self) -> Option<String> {
        let mut buffer = [0; 4096];
        let (len, sender) = unix::receive_from(&self.socket, &mut buffer).ok()?;
        let mut senders = self.senders.borrow_mut();
        if let Some(sender) = sender.filter(|sender| !senders.contains(sender)) {
            senders.push(sender);
        }
        Some(String::from_utf8_lossy(&buffer[..len]).into_owned())
    }

    /// With `NotifyAccess=main` nobody else would have been heard.
    fn heard_only(&self, main: i32) -> Result<()> {
        let senders = self.senders.borrow();
        ensure!(*senders == [main], "{senders:?} said something, not {main}");
        Ok(())
    }

    fn await_message(&self, wanted: &str) -> Result<()> {
        wait::eventually(WITHIN, wanted, || {
            self.hear().filter(|message| message.contains(wanted))
        })
        .map(drop)
    }
}

/// Starts an agent as a unit of type notify would be.
fn start(lan: &Lan, manager: &Manager) -> Result<Process> {
    let mut command = command(lan, manager)?;
    let vip = lan.vip().to_string();
    command
        .args(["--iface", "eth0", "--vrid", "51", "--vip", &vip])
        .args(["--advert-int", "100ms"]);
    Process::start("failoverd", &mut command)
}

/// `failoverd run`, told of a service manager.
fn command(lan: &Lan, manager: &Manager) -> Result<Command> {
    let host = lan.host(0);
    let mut command = host.ns.command(&agent::binary()?.to_string_lossy());
    command
        .args(["run", "--backend", "raw", "--control"])
        .arg(manager.directory.path().join("control"))
        .env_remove("JOURNAL_STREAM")
        .env("NOTIFY_SOCKET", manager.directory.path().join("notify"))
        .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
        // systemd names its main process, which is the supervising parent.
        .env("WATCHDOG_PID", "1");
    Ok(command)
}

fn ready() -> bool {
    privilege::ready(agent::missing())
}

#[test]
fn ready_then_fed_while_the_fast_lane_answers_then_stopping() -> Result<()> {
    require_root!("ip");
    if !ready() {
        return Ok(());
    }
    let lan = Lan::new(1)?;
    let manager = Manager::new()?;
    let mut agent = start(&lan, &manager)?;
    manager.await_message("READY=1")?;
    for _ in 0..3 {
        manager.await_message("WATCHDOG=1")?;
    }
    // A stopped agent proves nothing: after what was under way, silence.
    let child = child_of(agent.pid())?;
    failoverd_tests::sys::kill(child, libc::SIGSTOP)?;
    while manager.hear().is_some() {}
    let fed = wait::regardless(WATCHDOG * 2, || manager.hear());
    ensure!(fed.is_none(), "a stopped agent fed the watchdog: {fed:?}");
    failoverd_tests::sys::kill(child, libc::SIGCONT)?;
    manager.await_message("WATCHDOG=1")?;
    agent.signal(libc::SIGTERM)?;
    manager.await_message("STOPPING=1")?;
    let status = agent.wait(WITHIN)?;
    ensure!(status.success(), "ended with {status}");
    manager.heard_only(agent.pid())
}

// A crashed agent starts while the watchdog runs.
#[test]
fn a_startup_script_may_take_its_time() -> Result<()> {
    require_root!("ip");
    if !ready() {
        return Ok(());
    }
    let lan = Lan::new(1)?;
    let manager = Manager::new()?;
    let path = manager.directory.path().join("conf");
    let conf = format!(
        "global_defs {{\nscript_user root\nstartup_script \"/bin/sleep 2\"\n\
         startup_script_timeout 100\n}}\n\
         vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\n\
         virtual_ipaddress {{\n{}\n}}\n}}\n",
        lan.vip()
    );
    std::fs::write(&path, conf)?;
    let mut command = command(&lan, &manager)?;
    command.arg("--config").arg(path);
    let mut agent = Process::start("failoverd", &mut command)?;
    let mut heard = Vec::new();
    wait::eventually(WITHIN, "READY=1", || {
        heard.extend(manager.hear());
        heard.last()?.contains("READY=1").then_some(())
    })?;
    let extended = heard.iter().find_map(|message| {
        let micros = message.trim().strip_prefix("EXTEND_TIMEOUT_USEC=")?;
        micros.parse::<u64>().ok()
    });
    ensure!(extended > Some(100_000_000), "{heard:?}");
    let fed = heard
        .iter()
        .filter(|message| message.contains("WATCHDOG=1"));
    ensure!(fed.count() >= 4, "{heard:?}");
    agent.signal(libc::SIGTERM)?;
    ensure!(agent.wait(WITHIN)?.success());
    manager.heard_only(agent.pid())
}

// RELOADING=1 without the time would end a unit of type notify-reload.
#[test]
fn a_reload_is_announced_and_ends_in_ready() -> Result<()> {
    require_root!("ip");
    if !ready() {
        return Ok(());
    }
    let lan = Lan::new(1)?;
    let manager = Manager::new()?;
    let mut agent = start(&lan, &manager)?;
    manager.await_message("READY=1")?;
    let asked = failoverd_tests::clock::monotonic() / 1000;
    agent.signal(libc::SIGHUP)?;
    let message = wait::eventually(WITHIN, "RELOADING=1", || {
        manager.hear().filter(|text| text.contains("RELOADING=1"))
    })?;
    let time = message
        .lines()
        .find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    let time: u64 = time.context("no MONOTONIC_USEC")?.parse()?;
    ensure!(time >= asked, "{time} is before the reload, {asked}");
    manager.await_message("READY=1")?;
    agent.signal(libc::SIGTERM)?;
    ensure!(agent.wait(WITHIN)?.success());
    manager.heard_only(agent.pid())
}

// The main process stays, the watchdog is fed on, and nobody says STOPPING.
#[test]
fn an_upgrade_goes_unnoticed() -> Result<()> {
    require_root!("ip");
    if !ready() {
        return Ok(());
    }
    let lan = Lan::new(1)?;
    let manager = Manager::new()?;
    let mut agent = start(&lan, &manager)?;
    manager.await_message("READY=1")?;
    let old = child_of(agent.pid())?;
    let control = manager.directory.path().join("control");
    let control = control.to_string_lossy();
    let ended = agent::call(None, &["upgrade", "--control", &control], WITHIN)?;
    ensure!(ended.code == Some(0), "{ended:?}");
    wait::eventually(WITHIN, "the old agent ends", || {
        (child_of(agent.pid()).ok()? != old).then_some(())
    })?;
    while let Some(message) = manager.hear() {
        ensure!(!message.contains("STOPPING"), "{message}");
        if message.contains("WATCHDOG") {
            break;
        }
    }
    for _ in 0..3 {
        manager.await_message("WATCHDOG=1")?;
    }
    ensure!(agent.try_wait()?.is_none(), "the main process ended");
    agent.signal(libc::SIGTERM)?;
    manager.await_message("STOPPING=1")?;
    ensure!(agent.wait(WITHIN)?.success());
    manager.heard_only(agent.pid())
}

/// The agent itself, below its supervisor.
fn child_of(parent: i32) -> Result<i32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = std::fs::read_to_string(path)?;
    let first = children.split_whitespace().next().context("no child")?;
    Ok(first.parse()?)
}
