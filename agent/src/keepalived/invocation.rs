//! The command line as a whole: what is to be done, and how.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use super::{
    getopt::{self, Given, OptionError},
    options::Opt,
    say,
};
use crate::{
    logging::{Destinations, syslog::Facility},
    service::Dumps,
};

const DEFAULT_FILE: &str = "/etc/keepalived/keepalived.conf";

/// What keepalived is called for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Task {
    Run,
    /// `-t`, with the file that the findings go to.
    Check(Option<PathBuf>),
    Signum(String),
    Version,
    Help,
    Genhash,
    /// `-C` alone.
    CheckersOnly,
}

/// A command line that was understood.
#[derive(Debug)]
pub struct Invocation {
    pub task: Task,
    pub file: PathBuf,
    pub config_id: Option<String>,
    pub namespace: Option<String>,
    pub pid: Option<PathBuf>,
    pub vrrp_pid: Option<PathBuf>,
    pub foreground: bool,
    pub respawn: bool,
    pub ignore_sigint: bool,
    pub dump_conf: bool,
    pub core_files: bool,
    /// `-e`.
    pub all_config: bool,
    /// Permission bits of the dumps.
    pub mode: u32,
    console: bool,
    detail: bool,
    facility: Facility,
    no_syslog: bool,
    log_file: Option<PathBuf>,
    /// With absolute paths, for the agent itself.
    pub arguments: Vec<OsString>,
}

impl Default for Invocation {
    fn default() -> Self {
        Self {
            task: Task::Run,
            file: PathBuf::from(DEFAULT_FILE),
            config_id: None,
            namespace: None,
            pid: None,
            vrrp_pid: None,
            foreground: false,
            respawn: true,
            ignore_sigint: false,
            dump_conf: false,
            core_files: false,
            all_config: false,
            mode: Dumps::PRIVATE,
            console: false,
            detail: false,
            facility: Facility::Daemon,
            no_syslog: false,
            log_file: None,
            arguments: Vec::new(),
        }
    }
}

impl Invocation {
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn new(arguments: &[OsString]) -> Result<Self, OptionError> {
        let (mut given, others) = getopt::split(arguments)?;
        if !others.is_empty() {
            // As keepalived, which goes on: `-t FILE` is taken for `-t` alone.
            say(format_args!(
                "unexpected argument(s), ignored: {} (the configuration is named by -f FILE)",
                others.join(" ")
            ));
        }
        for (row, value) in &mut given {
            if let Some(value) = value.as_mut().filter(|_| row.path) {
                *value = absolute(value);
            }
        }
        let mut invocation = Self {
            arguments: getopt::unparse(&given, &[]),
            ..Self::default()
        };
        let (mut vrrp, mut checkers) = (false, false);
        for (row, value) in &given {
            match row.opt {
                Opt::Vrrp => vrrp = true,
                Opt::Check => checkers = true,
                // The first of these decides, as keepalived ends at it.
                Opt::Version => return Ok(invocation.with(Task::Version)),
                Opt::Help => return Ok(invocation.with(Task::Help)),
                Opt::Genhash => return Ok(invocation.with(Task::Genhash)),
                Opt::Signum => {
                    let name = value.as_deref().unwrap_or_default().to_string_lossy();
                    return Ok(invocation.with(Task::Signum(name.into_owned())));
                }
                one => invocation.set(one, value.as_deref())?,
            }
        }
        if checkers && !vrrp && invocation.task == Task::Run {
            invocation.task = Task::CheckersOnly;
        }
        Ok(invocation)
    }

    fn with(self, task: Task) -> Self {
        Self { task, ..self }
    }

    fn set(&mut self, opt: Opt, value: Option<&OsStr>) -> Result<(), OptionError> {
        let text = || value.map(|value| value.to_string_lossy().into_owned());
        let path = || value.map(PathBuf::from);
        match opt {
            Opt::UseFile => self.file = path().unwrap_or_default(),
            Opt::Pid => self.pid = path(),
            Opt::VrrpPid => self.vrrp_pid = path(),
            Opt::LogConsole => self.console = true,
            Opt::LogDetail => self.detail = true,
            Opt::NoSyslog => self.no_syslog = true,
            Opt::LogFile => self.log_file = path(),
            Opt::LogFacility => self.facility = facility(&text().unwrap_or_default())?,
            Opt::Umask => self.mode = 0o666 & !mask(&text().unwrap_or_default())?,
            Opt::DontRespawn => self.respawn = false,
            Opt::DontFork => self.foreground = true,
            Opt::DumpConf => self.dump_conf = true,
            Opt::Namespace => self.namespace = Some(namespace(text().unwrap_or_default())?),
            Opt::CoreDump | Opt::CorePattern => self.core_files = true,
            Opt::AllConfig => self.all_config = true,
            Opt::ConfigId => self.config_id = text(),
            Opt::ConfigTest => self.task = Task::Check(path()),
            Opt::IgnoreSigint => self.ignore_sigint = true,
            // Said again by the process that it concerns, see `warnings`.
            Opt::Vrrp
            | Opt::Check
            | Opt::NoBfd
            | Opt::All
            | Opt::FlushLogFile
            | Opt::ReleaseVips
            | Opt::DontReleaseVrrp
            | Opt::DontReleaseIpvs
            | Opt::CheckersPid
            | Opt::BfdPid
            | Opt::Genhash
            | Opt::AddressMonitoring
            | Opt::Snmp
            | Opt::SnmpSocket
            | Opt::Signum
            | Opt::Perf
            | Opt::Debug
            | Opt::NoMemCheck
            | Opt::Version
            | Opt::Help => {}
        }
        Ok(())
    }

    /// One line for each option that asks for what we do not do.
    pub fn warnings(&self) -> Vec<String> {
        let given: Vec<Given> = getopt::parse(&self.arguments).unwrap_or_default();
        let lines = given.iter().filter_map(|(row, _)| {
            let why = row.no_effect?;
            Some(format!("--{} has no effect: {why}", row.long))
        });
        lines.collect()
    }

    /// Of the parent, or of the agent with its part of the log file's name.
    pub fn destinations(&self, agent: bool, namespace: Option<&str>) -> Destinations {
        let mut ident = String::from(if agent {
            "Keepalived_vrrp"
        } else {
            "Keepalived"
        });
        if let Some(namespace) = namespace {
            ident.push('_');
            ident.push_str(namespace);
        }
        let file = self.log_file.as_deref();
        Destinations {
            console: self.console,
            syslog: (!self.no_syslog).then_some(self.facility),
            file: file.map(|file| match agent {
                true => with_part(file, "_vrrp"),
                false => file.to_owned(),
            }),
            detail: self.detail,
            ident,
        }
    }
}

/// `a.log` becomes `a_vrrp.log`.
fn with_part(path: &Path, part: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(part);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

fn absolute(path: &OsStr) -> OsString {
    // Fails only without a working directory; then it is not found later.
    std::path::absolute(path).map_or_else(|_| path.to_owned(), PathBuf::into_os_string)
}

fn facility(text: &str) -> Result<Facility, OptionError> {
    Facility::parse(text).map_or_else(
        || {
            // As keepalived, which goes on with its default.
            say(format_args!(
                "invalid log facility '{text}': use 0 to 7, local0 to local7, user or daemon; \
                 daemon is used"
            ));
            Ok(Facility::Daemon)
        },
        Ok,
    )
}

/// Octal, hexadecimal or decimal, as strtol(3) tells them apart.
fn mask(text: &str) -> Result<u32, OptionError> {
    let number = match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(digits), _) => u32::from_str_radix(digits, 16),
        (None, Some(digits)) if !digits.is_empty() => u32::from_str_radix(digits, 8),
        (None, _) => text.parse(),
    };
    let number = number.ok().filter(|number| *number <= 0o777);
    number.ok_or_else(|| OptionError::Invalid {
        what: "--umask",
        value: text.to_owned(),
        remedy: "give a number of 0 to 0777, such as 022",
    })
}

fn namespace(text: String) -> Result<String, OptionError> {
    let bad = text.is_empty() || text.starts_with('.') || text.contains(['/', '\0']);
    match bad {
        false => Ok(text),
        true => Err(OptionError::Invalid {
            what: "--namespace",
            value: text,
            remedy: "give a name that `ip netns` lists",
        }),
    }
}
