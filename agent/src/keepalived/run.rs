//! From the command line to a running agent: the parent's way, and the agent's.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use rustix::process::{Resource, Rlimit, setrlimit};
use tracing::warn;

use super::{
    daemon::{self, Side},
    exit,
    invocation::Invocation,
    manner::{Parent, Settings, Voice},
    say,
};
use crate::{
    cli,
    config::{self, Code, Config, Diagnostic, Files},
    logging::{self, syslog::Severity},
    runtime::{
        Places, Role, atomic, descriptors,
        namespace::{self, NamespaceError},
        pidfile,
    },
    sandbox,
    service::{BackendPolicy, Dumps, Options},
    supervise,
};

/// Why it is not started, and the exit code that says so.
#[derive(Debug)]
struct Refusal {
    lines: Vec<String>,
    code: u8,
}

impl Refusal {
    fn new(code: u8, line: impl ToString) -> Self {
        Self {
            lines: vec![line.to_string()],
            code,
        }
    }
}

pub fn run(invocation: Invocation) -> ExitCode {
    if !supervise::is_supervised() && !supervise::goes_on() {
        descriptors::close_inherited();
    }
    let result = match (supervise::is_supervised(), supervise::goes_on()) {
        (true, _) => agent(&invocation),
        (false, true) => go_on(invocation),
        (false, false) => parent(invocation),
    };
    result.unwrap_or_else(|refusal| {
        for line in &refusal.lines {
            say(format_args!("{line}"));
        }
        ExitCode::from(refusal.code)
    })
}

/// Reads the file; its name for the namespace gives way to that of `-s`.
fn load(invocation: &Invocation) -> Result<(Config, Vec<Diagnostic>), Refusal> {
    let loaded = config::load_with(
        &invocation.file,
        invocation.config_id.clone(),
        invocation.all_config,
    );
    let unreadable = |one: &Diagnostic| one.code == Code::Unreadable;
    let mut config = match loaded.config {
        Some(config) if !config.instances.is_empty() => config,
        Some(_) | None => {
            let code = match loaded.diagnostics.iter().any(unreadable) {
                true => exit::NO_CONFIG,
                false => exit::CONFIG,
            };
            // Warnings too: a misspelt keyword is why something is missing.
            let found = loaded.diagnostics.iter();
            let mut lines: Vec<String> = found.map(ToString::to_string).collect();
            lines.extend(config::verdict(&invocation.file, &loaded.diagnostics));
            return Err(Refusal { lines, code });
        }
    };
    if invocation.namespace.is_some() {
        config.files.namespace.clone_from(&invocation.namespace);
    }
    Ok((config, loaded.diagnostics))
}

/// For an upgrade: whether these arguments and their file can be run with.
pub fn probe(arguments: &[OsString]) -> Result<(), String> {
    let invocation = Invocation::new(arguments).map_err(|error| error.to_string())?;
    match load(&invocation) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(refusal.lines.join("\n")),
    }
}

/// Checks everything that can be checked, then supervises the agent.
fn parent(invocation: Invocation) -> Result<ExitCode, Refusal> {
    let (config, _) = load(&invocation)?;
    let files = &config.files;
    let places = Places::of_keepalived(files);
    let pid = own_or(&invocation.pid, &places, files, Role::Parent);
    let agent_pid = own_or(&invocation.vrrp_pid, &places, files, Role::Vrrp);
    prepare_directories(&places, &pid, &agent_pid)?;
    let destinations = invocation.destinations(false, files.namespace.as_deref());
    if let Some(file) = &destinations.file {
        logging::open_file(file).map_err(|error| cannot_write(file, &error))?;
    }
    for path in [&pid, &agent_pid] {
        let running = pidfile::running(path).map_err(|error| {
            let path = path.display();
            Refusal::new(exit::FATAL, format!("cannot read {path}: {error}"))
        })?;
        if let Some(other) = running {
            let line = format!("daemon is already running, pid {other}");
            say(format_args!("{line}"));
            Voice::new(&destinations).say(Severity::Error, &line);
            // As keepalived: for a script, what it wants is there.
            return Ok(ExitCode::SUCCESS);
        }
    }
    if let Some(name) = &files.namespace {
        enter(name)?;
    }
    if invocation.core_files
        && let Err(error) = setrlimit(Resource::Core, UNLIMITED)
    {
        say(format_args!("core files cannot be allowed: {error}"));
    }
    let teller = match invocation.foreground {
        true => None,
        false => match daemon::detach() {
            Ok(Side::Daemon(teller)) => Some(teller),
            Ok(Side::Caller(code)) => return Ok(code),
            Err(error) => {
                let line = format!("cannot go into the background: {error}");
                return Err(Refusal::new(exit::FATAL, line));
            }
        },
    };
    let manner = Parent::new(Settings {
        destinations,
        respawn: invocation.respawn,
        ignore_sigint: invocation.ignore_sigint,
        pid,
        agent_pid,
        teller,
    });
    watch(invocation, manner)
}

/// After an upgrade, with an agent that runs, whatever its file says by now.
fn go_on(invocation: Invocation) -> Result<ExitCode, Refusal> {
    let manner = Parent::new(Settings {
        destinations: invocation.destinations(false, None),
        respawn: invocation.respawn,
        ignore_sigint: invocation.ignore_sigint,
        // Its earlier self has left where they are.
        pid: PathBuf::new(),
        agent_pid: PathBuf::new(),
        teller: None,
    });
    watch(invocation, manner)
}

/// Those of our own command line, for another process of ours.
fn own_arguments(invocation: &Invocation) -> Vec<OsString> {
    let mut arguments = vec![super::NAME.into()];
    arguments.extend(invocation.arguments.iter().cloned());
    arguments
}

fn watch(invocation: Invocation, mut manner: Parent) -> Result<ExitCode, Refusal> {
    let result = supervise::run(&own_arguments(&invocation), &mut manner);
    let (code, result) = match result {
        Ok(code) => (code, Ok(ExitCode::from(code))),
        Err(error) => {
            let line = format!("cannot start the agent: {error}");
            (exit::FATAL, Err(Refusal::new(exit::FATAL, line)))
        }
    };
    manner.ended(code);
    result
}

fn enter(name: &str) -> Result<(), Refusal> {
    namespace::enter(name).map_err(|error| {
        let code = match error {
            NamespaceError::Permission { .. } => exit::PERMISSION,
            NamespaceError::Missing { .. } | NamespaceError::Refused { .. } => exit::CONFIG,
        };
        Refusal::new(code, error)
    })
}

const UNLIMITED: Rlimit = Rlimit {
    current: None,
    maximum: None,
};

fn own_or(told: &Option<PathBuf>, places: &Places, files: &Files, role: Role) -> PathBuf {
    told.clone().unwrap_or_else(|| places.pid_file(files, role))
}

/// What cannot be written to is said before anything is started.
fn prepare_directories(places: &Places, pid: &Path, agent_pid: &Path) -> Result<(), Refusal> {
    atomic::make_directory(places.directory())
        .map_err(|error| cannot_write(places.directory(), &error))?;
    for path in [pid, agent_pid] {
        let directory = atomic::parent(path);
        atomic::make_directory(directory)
            .and_then(|()| atomic::open_directory(directory).map(drop))
            .map_err(|error| cannot_write(path, &error))?;
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &io::Error) -> Refusal {
    let code = match error.kind() {
        io::ErrorKind::PermissionDenied => exit::PERMISSION,
        _ => exit::FATAL,
    };
    Refusal::new(code, format!("cannot write {}: {error}", path.display()))
}

/// The agent itself, started by the parent.
fn agent(invocation: &Invocation) -> Result<ExitCode, Refusal> {
    let (config, diagnostics) = load(invocation)?;
    let files = &config.files;
    let places = Places::of_keepalived(files);
    let destinations = invocation.destinations(true, files.namespace.as_deref());
    logging::start_to(&destinations)
        .map_err(|error| Refusal::new(exit::FATAL, format!("cannot open the log: {error}")))?;
    for line in invocation.warnings() {
        warn!("{line}");
    }
    let options = Options {
        control: places.control(files),
        policy: BackendPolicy::default(),
        supervisor: None,
        arguments: own_arguments(invocation),
        file: Some(invocation.file.clone()),
        config_id: invocation.config_id.clone(),
        all_config: invocation.all_config,
        namespace: invocation.namespace.clone(),
        dumps: Dumps {
            places,
            mode: invocation.mode,
        },
        detach: !invocation.foreground,
        dump_at_start: invocation.dump_conf,
        // They may be another process's, as with -P; and they are not checked.
        ipvs: false,
        sandbox: sandbox::is_wanted(),
    };
    Ok(cli::run::serve(config, &diagnostics, options))
}
