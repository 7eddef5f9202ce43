//! `failoverd check`: what is wrong with a configuration, and nothing else.

mod security;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::config::diff::Portrait;
use crate::config::print::{self, Secrets};
use crate::config::{Code, Config, Diagnostic, Loaded, Severity, load_input, load_with};
use crate::logging;

/// The codes that keepalived's `-t` ends with.
mod verdict {
    pub const GOOD: u8 = 0;
    pub const CANNOT_RUN: u8 = 4;
    pub const CONFIG_ERRORS: u8 = 5;
    pub const INSECURE: u8 = 6;
}

const EXIT_CODES: &str = "\
Exit codes, as of `keepalived -t`:
  0  nothing is wrong that keepalived would report
  4  the file cannot be read
  5  errors in the configuration; also what keepalived reports and runs with all the same
  6  scripts would run insecurely";

/// Say what is wrong with a keepalived.conf; nothing is started or changed
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct CheckArgs {
    /// The file, and with it all that it includes; - for standard input
    #[arg(value_name = "FILE", default_value = "/etc/keepalived/keepalived.conf")]
    file: PathBuf,

    /// What `@id` lines are compared with [default: the host name up to its first dot]
    #[arg(short = 'i', long, value_name = "ID")]
    config_id: Option<String>,

    /// One JSON object on standard output instead of text
    #[arg(long)]
    json: bool,

    /// Print the configuration that is in force with FILE, on standard output
    ///
    /// As keepalived.conf text: includes, conditions, definitions and global
    /// defaults are carried out, and what FILE does not say is said. Nothing is
    /// printed where the file cannot be used, and nothing of what is not active
    /// yet. Passwords are left out, so that the text can be shown to others;
    /// with --show-secrets it can take the place of FILE. With --json the
    /// object has it by keyword.
    #[arg(long)]
    print: bool,

    /// Print passwords too
    #[arg(long, requires = "print")]
    show_secrets: bool,
}

impl CheckArgs {
    /// `None` where nothing is to be printed.
    fn effective(&self) -> Option<Secrets> {
        self.print.then_some(match self.show_secrets {
            true => Secrets::Shown,
            false => Secrets::Hidden,
        })
    }
}

pub fn run(arguments: &CheckArgs) -> ExitCode {
    let loaded = load_input(&arguments.file, arguments.config_id.clone());
    let report = Report::new(loaded, security::machine());
    let effective = arguments.effective();
    let printed = if arguments.json {
        report
            .json(effective)
            .and_then(|text| write(&text, io::stdout()))
    } else {
        let rich = io::stderr().is_terminal();
        let problems = write(&report.text(rich), io::stderr());
        problems.and_then(|()| write(&report.effective(effective), io::stdout()))
    };
    match printed {
        Ok(()) => ExitCode::from(report.verdict()),
        Err(error) => {
            eprintln!("failoverd: {error}");
            ExitCode::from(verdict::CANNOT_RUN)
        }
    }
}

/// `keepalived -t`: the findings go to `log` where one is named.
pub fn as_keepalived(
    file: &Path,
    config_id: Option<&String>,
    all_files: bool,
    log: Option<&PathBuf>,
) -> ExitCode {
    let loaded = load_with(file, config_id.cloned(), all_files);
    let report = Report::new(loaded, security::machine());
    let text = report.text(log.is_none() && io::stderr().is_terminal());
    let printed = match log {
        None => write(&text, io::stderr()),
        Some(path) => logging::open_file(path).and_then(|file| write(&text, file)),
    };
    match printed {
        Ok(()) => ExitCode::from(report.verdict()),
        Err(error) => {
            eprintln!("keepalived: cannot write what was found: {error}");
            ExitCode::from(verdict::CANNOT_RUN)
        }
    }
}

/// A reader that has seen enough, as `head` has, is no failure.
fn write(text: &str, mut out: impl Write) -> io::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// All that was found, the machine's scripts included.
struct Report {
    diagnostics: Vec<Diagnostic>,
    /// `None` where it cannot be used.
    config: Option<Config>,
}

/// One problem, for tools. The names of its fields never change.
#[derive(Serialize)]
struct Problem<'a> {
    file: Option<&'a str>,
    /// 1-based; 0 where the whole file is meant.
    line: u32,
    column: u32,
    width: u32,
    severity: &'static str,
    code: &'static str,
    message: &'a str,
    help: Option<&'a str>,
    /// keepalived reports it as well.
    keepalived: bool,
}

impl<'a> Problem<'a> {
    fn of(one: &'a Diagnostic) -> Self {
        // Not by `..`: a field that comes later has to be thought of here.
        let Diagnostic {
            severity,
            code,
            file,
            line,
            column,
            width,
            message,
            help,
            config_error,
            source: _,
        } = one;
        Self {
            file: file.as_deref(),
            line: *line,
            column: *column,
            width: *width,
            severity: severity.word(),
            code: code.name(),
            message,
            help: help.as_deref(),
            keepalived: *config_error,
        }
    }
}

#[derive(Serialize)]
struct Object<'a> {
    /// The configuration can be used.
    usable: bool,
    instances: usize,
    /// The exit code.
    exit: u8,
    problems: Vec<Problem<'a>>,
    /// With `--print`, where the configuration can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    effective: Option<Portrait>,
}

impl Report {
    fn new(loaded: Loaded, machine: security::Machine) -> Self {
        let mut diagnostics = loaded.diagnostics;
        diagnostics.extend(security::examine(&loaded.scripts, machine));
        Self {
            diagnostics,
            config: loaded.config,
        }
    }

    fn instances(&self) -> usize {
        let config = self.config.as_ref();
        config.map_or(0, |config| config.instances.len())
    }

    /// The text of the configuration, where it is asked for and there is one.
    fn effective(&self, secrets: Option<Secrets>) -> String {
        let wanted = self.config.as_ref().zip(secrets);
        wanted.map_or_else(String::new, |(config, secrets)| {
            print::print(config, secrets)
        })
    }

    fn verdict(&self) -> u8 {
        let has = |code: Code| self.diagnostics.iter().any(|one| one.code == code);
        if has(Code::Unreadable) {
            verdict::CANNOT_RUN
        } else if has(Code::InsecureScript) {
            verdict::INSECURE
        } else if self.diagnostics.iter().any(|one| one.config_error) {
            verdict::CONFIG_ERRORS
        } else {
            verdict::GOOD
        }
    }

    /// For people at a terminal, or a line for each as keepalived writes them.
    fn text(&self, rich: bool) -> String {
        let mut text = String::new();
        for one in &self.diagnostics {
            if rich {
                text.push_str(&one.rich());
                text.push_str("\n\n");
            } else {
                text.push_str(&one.to_string());
                text.push('\n');
            }
        }
        if rich {
            text.push_str(&self.summary());
        }
        text
    }

    fn summary(&self) -> String {
        let count = |severity: Severity| {
            let found = self.diagnostics.iter();
            found.filter(|one| one.severity == severity).count()
        };
        let used = if self.config.is_some() {
            format!(
                "the configuration can be used, with {}",
                counted(self.instances(), "instance")
            )
        } else {
            "the configuration is not used".to_owned()
        };
        format!(
            "{}, {}, {}: {used}\n",
            counted(count(Severity::Error), "error"),
            counted(count(Severity::Warning), "warning"),
            counted(count(Severity::Note), "note"),
        )
    }

    fn json(&self, secrets: Option<Secrets>) -> io::Result<String> {
        let object = Object {
            usable: self.config.is_some(),
            instances: self.instances(),
            exit: self.verdict(),
            problems: self.diagnostics.iter().map(Problem::of).collect(),
            effective: self
                .config
                .as_ref()
                .zip(secrets)
                .map(|(config, secrets)| print::portrait(config, secrets)),
        };
        let mut text = serde_json::to_string_pretty(&object)?;
        text.push('\n');
        Ok(text)
    }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests;
