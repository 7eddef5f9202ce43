//! Who may ask at the control socket, and what a bad client can do to others.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::{self, Agent},
    agents::{self, SOON, START},
    require_agent,
    router::{Router, State, VirtualRouter},
    topology::Lan,
    wait::eventually,
};

/// More than a request may have, and more than there are places.
const ENDLESS: usize = 1 << 20;
const MANY: usize = 300;
/// Those places.
const SERVED: usize = 16;

struct Scene {
    agent: Agent,
    /// The binary where others may run it.
    binary: PathBuf,
    _directory: tempfile::TempDir,
    _lan: Lan,
}

impl Scene {
    fn new() -> Result<Self> {
        let lan = Lan::new(1)?;
        let conf = VirtualRouter::new(100, lan.vip())
            .every(agents::INTERVAL)
            .keepalived_conf();
        let agent = Agent::start_conf(&lan.host(0).ns, &conf, "VI_1")?;
        agent.wait_state(State::Active, START)?;
        let directory = tempfile::Builder::new().prefix("lab-security").tempdir()?;
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        let binary = directory.path().join("failoverd");
        let built = agent::binary()?;
        if fs::hard_link(&built, &binary).is_err() {
            fs::copy(&built, &binary)?;
        }
        let place = agent.control().parent().context("a directory")?;
        fs::set_permissions(place, fs::Permissions::from_mode(0o755))?;
        Ok(Self {
            agent,
            binary,
            _directory: directory,
            _lan: lan,
        })
    }

    /// Runs a subcommand as somebody else.
    fn ask_as(&self, who: &[&str], subcommand: &str) -> Result<Output> {
        let mut command = Command::new("setpriv");
        command.args(who).arg(&self.binary).arg(subcommand);
        command.arg("--control").arg(self.agent.control());
        Ok(command.output()?)
    }

    fn allow(&self, mode: u32) -> Result<()> {
        let permissions = fs::Permissions::from_mode(mode);
        Ok(fs::set_permissions(self.agent.control(), permissions)?)
    }
}

const NOBODY: &[&str] = &["--reuid=65534", "--regid=65534", "--clear-groups"];
/// In group 1 as well.
const MEMBER: &[&str] = &["--reuid=65534", "--regid=65534", "--groups=1"];
const BY_GROUP: &[&str] = &["--reuid=65534", "--regid=1", "--clear-groups"];

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn others_may_look_where_they_are_let_in_and_change_nothing() -> Result<()> {
    require_agent!("setpriv");
    let mut scene = Scene::new()?;
    let mode = fs::metadata(scene.agent.control())?.permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
    let refused = scene.ask_as(NOBODY, "status")?;
    assert_eq!(code(&refused), Some(4), "{refused:?}");
    scene.allow(0o666)?;
    let looked = scene.ask_as(NOBODY, "status")?;
    assert_eq!(code(&looked), Some(0), "{looked:?}");
    for subcommand in ["reload", "upgrade"] {
        let refused = scene.ask_as(NOBODY, subcommand)?;
        assert_eq!(code(&refused), Some(4), "{refused:?}");
        let said = String::from_utf8_lossy(&refused.stderr);
        ensure!(said.contains("not permitted"), "{said}");
    }
    // It compares the passwords.
    let mut stream = UnixStream::connect(scene.agent.control())?;
    stream.write_all(b"{\"command\":\"config\"}\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(!answer.contains("error"), "root: {answer}");
    ensure!(scene.agent.reload()?.code == Some(0));
    scene.agent.stop()
}

#[test]
fn members_of_the_sockets_group_may_change_something() -> Result<()> {
    require_agent!("setpriv");
    let mut scene = Scene::new()?;
    std::os::unix::fs::chown(scene.agent.control(), None, Some(1))?;
    scene.allow(0o660)?;
    for who in [MEMBER, BY_GROUP] {
        let reloaded = scene.ask_as(who, "reload")?;
        assert_eq!(code(&reloaded), Some(0), "{who:?} {reloaded:?}");
    }
    // Of a group that may not even connect, nobody is a member: here one who is
    // let in as the owner of the socket.
    std::os::unix::fs::chown(scene.agent.control(), Some(65534), Some(1))?;
    scene.allow(0o606)?;
    for who in [MEMBER, BY_GROUP] {
        let looked = scene.ask_as(who, "status")?;
        assert_eq!(code(&looked), Some(0), "{who:?} {looked:?}");
        let refused = scene.ask_as(who, "reload")?;
        assert_eq!(code(&refused), Some(4), "{who:?} {refused:?}");
    }
    scene.agent.stop()
}

fn connect(path: &Path) -> Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(SOON))?;
    stream.set_write_timeout(Some(SOON))?;
    Ok(stream)
}

#[test]
fn a_line_without_an_end_is_cut_off() -> Result<()> {
    require_agent!();
    let mut scene = Scene::new()?;
    let mut stream = connect(scene.agent.control())?;
    // The agent reads no more than it must, and closes.
    let sent = stream.write_all(&vec![b'x'; ENDLESS]);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let cut = |kind| matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
    ensure!(
        sent.is_err_and(|error| cut(error.kind())),
        "all of it was taken"
    );
    if let Err(error) = read {
        ensure!(cut(error.kind()), "{error}");
    }
    ensure!(scene.agent.status().is_ok());
    scene.agent.stop()
}

#[test]
fn clients_that_say_nothing_end_by_themselves() -> Result<()> {
    require_agent!();
    let mut scene = Scene::new()?;
    let before = descriptors(&scene.agent)?;
    let idle = (0..MANY).map(|_| connect(scene.agent.control()));
    let idle = idle.collect::<Result<Vec<_>>>()?;
    // Those that are served at a time, and no more.
    let during = descriptors(&scene.agent)?;
    ensure!(during < before + 32, "{before} {during}");
    // As many stay as are served at a time: unless they were sent away, nobody
    // else would ever have an answer.
    let mut idle = idle;
    idle.truncate(SERVED);
    let answered = eventually(Duration::from_secs(60), "an answer", || {
        scene.agent.status().ok()
    });
    answered?;
    drop(idle);
    scene.agent.stop()
}

#[test]
fn a_reader_of_events_that_does_not_read_holds_up_nobody() -> Result<()> {
    require_agent!();
    let mut scene = Scene::new()?;
    let mut lazy = connect(scene.agent.control())?;
    lazy.write_all(b"{\"command\":\"events\"}\n")?;
    for _ in 0..20 {
        ensure!(scene.agent.reload()?.code == Some(0));
    }
    let telling = &scene.agent.status()?["telling"];
    ensure!(telling["event_readers"] == 1, "{telling}");
    drop(lazy);
    scene.agent.stop()
}

fn descriptors(agent: &Agent) -> Result<usize> {
    let pid = agent.family().get(1).copied().context("the agent")?;
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}
