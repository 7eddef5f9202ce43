//! What every thread has left, as the kernel says.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, process::Command};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::{self, Agent},
    agents::{self, Agents, SOON, START},
    process::Process,
    require_agent,
    router::{Router, State, VirtualRouter},
    sys,
    topology::Lan,
    wait::eventually,
};

const UNIT: &str = include_str!("../../../agent/dist/failoverd.service");

const fn bits<const N: usize>(numbers: [u32; N]) -> u64 {
    let mut all = 0;
    let mut at = 0;
    while at < N {
        all |= 1 << numbers[at];
        at += 1;
    }
    all
}

// By number (linux/capability.h). CAP_IPC_LOCK, CAP_BPF.
const FAST: u64 = bits([14, 39]);
// CAP_NET_ADMIN, CAP_IPC_LOCK.
const HANDS: u64 = bits([12, 14]);
// And CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_KILL,
// CAP_NET_RAW, CAP_SYS_NICE.
const SLOW: u64 = FAST | HANDS | bits([0, 1, 2, 3, 5, 13, 23]);
// CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_NET_ADMIN, CAP_IPC_LOCK.
const SUPERVISOR: u64 = bits([1, 2, 3, 12, 14]);

/// A thread, by /proc/PID/task/TID/status.
#[derive(Clone, Debug)]
struct Thread {
    name: String,
    fields: BTreeMap<String, String>,
}

impl Thread {
    fn number(&self, field: &str, radix: u32) -> Result<u64> {
        let text = self.fields.get(field).context(field.to_owned())?;
        Ok(u64::from_str_radix(text, radix)?)
    }

    fn capabilities(&self, set: &str) -> Result<u64> {
        self.number(set, 16)
    }

    /// A filter, and no new privileges.
    fn is_confined(&self) -> Result<bool> {
        Ok(self.number("Seccomp", 10)? == 2 && self.number("NoNewPrivs", 10)? == 1)
    }
}

fn threads(pid: i32) -> Result<Vec<Thread>> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))?;
    // One may end while it is looked at.
    let texts = entries
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("status")).ok());
    Ok(texts.map(|text| read(&text)).collect())
}

fn read(status: &str) -> Thread {
    let fields: BTreeMap<String, String> = status
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let name = fields.get("Name").cloned().unwrap_or_default();
    Thread { name, fields }
}

/// The supervisor, and the agent below it.
fn processes(agent: &Agent) -> Result<(i32, i32)> {
    let family = agent.family();
    match family.as_slice() {
        [supervisor, agent, ..] => Ok((*supervisor, *agent)),
        _ => anyhow::bail!("{family:?}"),
    }
}

/// All threads but the one that starts programs are confined.
fn all_confined(pid: i32) -> Result<()> {
    eventually(SOON, "every thread is confined", || {
        let all = threads(pid).ok()?;
        let good = |thread: &Thread| {
            thread.name == "failoverd-spawn" || thread.is_confined().is_ok_and(|yes| yes)
        };
        all.iter().all(good).then_some(())
    })
    .with_context(|| format!("{:#?}", threads(pid)))?;
    for thread in threads(pid)? {
        let keep = match thread.name.as_str() {
            "failoverd-fast" => FAST,
            "failoverd-hands" => HANDS,
            "failoverd-spawn" => {
                ensure!(!thread.is_confined()?, "{thread:?}");
                continue;
            }
            _ => SLOW,
        };
        for set in ["CapEff", "CapPrm", "CapBnd"] {
            let has = thread.capabilities(set)?;
            ensure!(has & !keep == 0, "{set} beyond {keep:x}: {thread:?}");
        }
        ensure!(thread.capabilities("CapInh")? == 0, "{thread:?}");
        let needed = keep & bits([12, 39]);
        ensure!(
            thread.capabilities("CapEff")? & needed == needed,
            "{thread:?}"
        );
    }
    let names: Vec<String> = threads(pid)?.into_iter().map(|one| one.name).collect();
    for wanted in [
        "failoverd",
        "failoverd-fast",
        "failoverd-hands",
        "failoverd-spawn",
    ] {
        ensure!(names.iter().any(|name| name == wanted), "{names:?}");
    }
    Ok(())
}

fn nothing_refused(agent: &Agent) -> Result<()> {
    let sandbox = &agent.status()?["sandbox"];
    ensure!(sandbox["enabled"] == true, "{sandbox}");
    ensure!(sandbox["refused_calls"] == 0, "{sandbox}");
    Ok(())
}

#[test]
fn after_the_start_every_thread_has_what_it_needs_and_no_more() -> Result<()> {
    require_agent!();
    whole_life(&[])
}

// Another way to receive is another set of system calls.
#[test]
fn a_raw_socket_needs_no_more() -> Result<()> {
    require_agent!();
    whole_life(&["--backend", "raw"])
}

fn whole_life(flags: &[&str]) -> Result<()> {
    let mut pair = Agents::start(flags, |_, _, _| {})?;
    let (supervisor, agent) = processes(&pair.active)?;
    all_confined(agent)?;
    let own = read(&fs::read_to_string("/proc/self/status")?);
    for thread in threads(supervisor)? {
        for set in ["CapEff", "CapPrm"] {
            let has = thread.capabilities(set)?;
            ensure!(has & !SUPERVISOR == 0, "{set}: {thread:?}");
        }
        // What it starts has a right to it.
        ensure!(thread.capabilities("CapBnd")? == own.capabilities("CapBnd")?);
    }
    let sandbox = &pair.active.status()?["sandbox"];
    for lane in ["fast_lane", "hands", "slow_lane"] {
        ensure!(sandbox[lane]["seccomp"] == "full", "{sandbox}");
        ensure!(sandbox[lane]["landlock"] != "refused", "{sandbox}");
    }
    // A crash, an upgrade and a take-over, with all of that given up.
    let ended = pair.active.ask("upgrade", &[])?;
    ensure!(ended.code == Some(0), "{ended:?}");
    let successor = eventually(SOON, "the old agent ends", || {
        let (_, now) = processes(&pair.active).ok()?;
        (now != agent).then_some(now)
    })?;
    all_confined(successor)?;
    nothing_refused(&pair.active)?;
    sys::kill(successor, libc::SIGKILL)?;
    pair.backup.wait_state(State::Active, START)?;
    eventually(START, "the agent is back", || {
        let (_, again) = processes(&pair.active).ok()?;
        (again != successor && pair.active.status().is_ok()).then_some(())
    })?;
    eventually(START, "it is Active again", || {
        let status = pair.active.status().ok()?;
        (agents::instance(&status)["state"] == "active").then_some(())
    })?;
    nothing_refused(&pair.active)?;
    nothing_refused(&pair.backup)?;
    pair.active.stop()?;
    pair.backup.stop()
}

#[test]
fn the_sandbox_can_be_left_out() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let router = VirtualRouter::new(100, lan.vip()).every(agents::INTERVAL);
    let mut agent = agents::start(lan.host(0), &router, &["--no-sandbox"])?;
    agent.wait_state(State::Active, START)?;
    let (supervisor, child) = processes(&agent)?;
    let own = read(&fs::read_to_string("/proc/self/status")?);
    for thread in threads(supervisor)?.iter().chain(&threads(child)?) {
        ensure!(thread.number("Seccomp", 10)? == own.number("Seccomp", 10)?);
        ensure!(thread.capabilities("CapEff")? == own.capabilities("CapEff")?);
    }
    ensure!(agent.status()?["sandbox"]["enabled"] == false);
    agent.stop()
}

fn conf(lan: &Lan, script: &str) -> String {
    format!(
        "global_defs {{\nscript_user nobody\nenable_script_security\n}}\n\
         vrrp_script see {{\nscript \"{script}\"\ninterval 1\nuser root\n}}\n\
         vrrp_script other {{\nscript \"/bin/true\"\ninterval 1\n}}\n\
         vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\nversion 3\n\
         advert_int 0.1\npriority 100\ntrack_script {{\nsee\nother\n}}\n\
         virtual_ipaddress {{\n{}/24\n}}\n}}\n",
        lan.vip()
    )
}

// Each line of the example is one that sudo, ping or systemctl would miss.
#[test]
fn a_script_is_not_confined() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let place = tempfile::Builder::new().prefix("lab-security").tempdir()?;
    let seen = place.path().join("seen");
    let script = format!("/bin/cp /proc/self/status {}", seen.display());
    let mut agent = Agent::start_conf(&lan.host(0).ns, &conf(&lan, &script), "VI_1")?;
    agent.wait_state(State::Active, START)?;
    // By then all runs are of a confined agent.
    let (_, child) = processes(&agent)?;
    all_confined(child)?;
    fs::remove_file(&seen)?;
    let status = eventually(SOON, "a run of the script", || {
        let text = fs::read_to_string(&seen).ok()?;
        text.contains("Seccomp").then_some(text)
    })?;
    let (script, own) = (
        read(&status),
        read(&fs::read_to_string("/proc/self/status")?),
    );
    for field in ["Seccomp", "NoNewPrivs", "CapBnd", "CapEff"] {
        ensure!(
            script.fields.get(field) == own.fields.get(field),
            "{field}: {status}"
        );
    }
    nothing_refused(&agent)?;
    agent.stop()
}

/// What the unit has in the place of CAP_SYS_NICE and CAP_IPC_LOCK.
const LIMITS: &[&str] = &["--rtprio=99", "--nice=40", "--memlock=unlimited"];

/// The line of the unit, for setpriv.
fn bounding_set() -> Result<String> {
    let mut lines = UNIT.lines();
    let line = lines.find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let names = line.context("a bounding set")?.split_whitespace();
    let names = names.filter_map(|name| name.strip_prefix("CAP_"));
    let all: Vec<String> = names
        .map(|name| format!(",+{}", name.to_lowercase()))
        .collect();
    Ok(format!("-all{}", all.concat()))
}

// NoNewPrivileges: what a process drops, nothing that it starts gets back.
#[test]
fn with_what_the_unit_leaves_a_crash_and_an_upgrade_go_on() -> Result<()> {
    require_agent!("setpriv", "prlimit");
    let lan = Lan::new(1)?;
    let place = tempfile::Builder::new().prefix("lab-security").tempdir()?;
    let control = place.path().join("control");
    let binary = agent::binary()?;
    // Without CAP_SYS_RESOURCE nobody can do here what systemd does.
    let realtime = Command::new("prlimit")
        .args(LIMITS)
        .arg("true")
        .output()?
        .status
        .success();
    let limits = if realtime { LIMITS } else { &["--core=0"] };
    let mut command = lan.host(0).ns.command("prlimit");
    command
        .args(limits)
        .args(["setpriv", "--no-new-privs"])
        .args(["--bounding-set", &bounding_set()?])
        .arg(&binary)
        .args([
            "run",
            "--iface",
            "eth0",
            "--vrid",
            "51",
            "--advert-int",
            "100ms",
            "--vip",
        ])
        .arg(lan.vip().to_string())
        .arg("--control")
        .arg(&control)
        .env_remove("JOURNAL_STREAM")
        .env_remove("NOTIFY_SOCKET");
    let mut process = Process::start("failoverd", &mut command)?;
    let ask = |what: &[&str]| -> Result<String> {
        let mut command = Command::new(&binary);
        command.args(what).arg("--control").arg(&control);
        failoverd_tests::netns::run(&mut command)
    };
    let active = || -> Option<serde_json::Value> {
        let status = serde_json::from_str(&ask(&["status", "--json"]).ok()?).ok()?;
        (agents::instance(&status)["state"] == "active").then_some(status)
    };
    let first = eventually(START, "Active", active)?;
    ensure!(first["fast_lane"]["realtime"] == realtime, "{first}");
    ask(&["upgrade"])?;
    let second = eventually(START, "Active", active)?;
    ensure!(second["pid"] != first["pid"], "{second}");
    let pid = second["pid"].as_i64().context("pid")?;
    sys::kill(i32::try_from(pid)?, libc::SIGKILL)?;
    let third = eventually(START, "Active after a crash", || {
        active().filter(|status| status["pid"] != second["pid"])
    })?;
    ensure!(third["fast_lane"]["realtime"] == realtime, "{third}");
    ensure!(third["sandbox"]["refused_calls"] == 0, "{third}");
    process.signal(libc::SIGTERM)?;
    let status = process.wait(SOON)?;
    ensure!(status.success(), "{status}");
    ensure!(
        !lan.host(0).has_address(lan.vip())?,
        "the VIP is still there"
    );
    Ok(())
}

// Landlock keeps processes apart, and a /proc that hides those of others then
// shows none. Those of a group are shown all the same; it is root's unless another
// one is named, which would hide nothing from root.
#[test]
fn processes_are_seen_where_proc_hides_them() -> Result<()> {
    require_agent!("setpriv", "mount");
    let lan = Lan::new(1)?;
    let place = tempfile::Builder::new().prefix("lab-security").tempdir()?;
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755))?;
    // As many characters as a name has in /proc.
    let name = format!("hidden-{}", std::process::id());
    let program = place.path().join(&name);
    fs::copy("/bin/sleep", &program)?;
    let track = || {
        let mut tracked = Command::new("setpriv");
        tracked
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .arg("300");
        Process::start("tracked", &mut tracked)
    };
    let mut tracked = track()?;
    let conf = format!(
        "vrrp_track_process p {{\nprocess {name}\n}}\n\
         vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\nversion 3\n\
         advert_int 0.1\npriority 100\ntrack_process {{\np\n}}\n\
         virtual_ipaddress {{\n{}/24\n}}\n}}\n",
        lan.vip()
    );
    let file = place.path().join("conf");
    fs::write(&file, conf)?;
    let mut command = lan.host(0).ns.command("sh");
    command
        .args([
            "-c",
            "mount -t proc -o hidepid=2,gid=65533 proc /proc && exec \"$@\"",
            "-",
        ])
        .arg(agent::binary()?)
        .arg("run")
        .arg("--config")
        .arg(&file)
        .arg("--control")
        .arg(place.path().join("control"))
        .env_remove("JOURNAL_STREAM")
        .env_remove("NOTIFY_SOCKET");
    let mut process = Process::start("failoverd", &mut command)?;
    process.wait_line("Quorum gained for tracked process p", START)?;
    tracked.terminate()?;
    process.wait_line("Quorum lost for tracked process p", START)?;
    // The first one was there before the agent was confined; this one is found
    // by an agent that is.
    let mark = process.mark();
    let _tracked = track()?;
    process.wait_line_from(mark, "Quorum gained for tracked process p", START)?;
    process.signal(libc::SIGTERM)?;
    ensure!(process.wait(SOON)?.success());
    Ok(())
}
