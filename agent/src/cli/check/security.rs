//! Scripts as they are on this machine: there, and safe to be run as root.
//!
//! The rules are keepalived's: a script that would run as root without
//! `enable_script_security`, or one whose path somebody else could change,
//! makes its `-t` end with 6.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::{
    config::{Code, Diagnostic, Script, Scripts, Severity},
    script::open::changeable as changeable_by_others,
};

/// The user that keepalived runs scripts as where it exists.
const DEFAULT_USER: &str = "keepalived_script";
/// Where a program without a slash is looked for when PATH is not set.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is asked of the machine.
pub struct Machine {
    pub users: BTreeSet<String>,
    pub path: String,
}

pub fn machine() -> Machine {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let users = passwd.lines().filter_map(|line| line.split(':').next());
    Machine {
        users: users.map(str::to_owned).collect(),
        path: std::env::var("PATH").unwrap_or_else(|_| DEFAULT_PATH.to_owned()),
    }
}

/// One diagnostic at most for each script.
pub fn examine(scripts: &Scripts, machine: Machine) -> Vec<Diagnostic> {
    let found = scripts.scripts.iter();
    found
        .filter_map(|script| one(script, scripts, &machine))
        .collect()
}

fn one(script: &Script, all: &Scripts, machine: &Machine) -> Option<Diagnostic> {
    let fail = |severity, code, message: String, help: &str, config_error| {
        Some(Diagnostic {
            file: script.file.clone(),
            line: script.place.line,
            column: script.place.column,
            width: script.place.width,
            help: Some(help.to_owned()),
            config_error,
            ..Diagnostic::new(severity, code, message)
        })
    };
    let keyword = &script.keyword;
    let program = &script.program;
    let wanted = script.user.as_deref().or(all.user.as_deref());
    if let Some(user) = wanted.filter(|user| !machine.users.contains(*user)) {
        let message = format!("{keyword}: there is no user '{user}' to run {program} as");
        let help = "add the user, or name another one";
        return fail(
            Severity::Warning,
            Code::ScriptMissing,
            message,
            help,
            script.must_exist,
        );
    }
    let Some(path) = resolve(program, machine) else {
        let message = format!("{keyword}: '{program}' is not found or cannot be run");
        let help = "check the path and its permissions";
        return fail(
            Severity::Warning,
            Code::ScriptMissing,
            message,
            help,
            script.must_exist,
        );
    };
    let default = machine.users.contains(DEFAULT_USER).then_some(DEFAULT_USER);
    let user = wanted.or(default);
    if all.security && user.is_none() {
        let message = format!("{keyword}: the default user {DEFAULT_USER} does not exist");
        let help = "add that user, or say who runs scripts: script_user USER";
        return fail(
            Severity::Warning,
            Code::ScriptMissing,
            message,
            help,
            script.must_exist,
        );
    }
    if user.unwrap_or("root") != "root" {
        return None;
    }
    if let Some(part) = changeable(&path) {
        let message = format!(
            "SECURITY VIOLATION - {keyword}: others than root could change {}",
            part.display()
        );
        let help = "make root its owner and take away the right to write from group and others";
        return fail(Severity::Warning, Code::InsecureScript, message, help, true);
    }
    if !all.security {
        let message = format!(
            "SECURITY VIOLATION - {keyword}: {program} runs as root without enable_script_security"
        );
        let help = "add enable_script_security to global_defs, or a script_user other than root";
        return fail(Severity::Warning, Code::InsecureScript, message, help, true);
    }
    None
}

fn resolve(program: &str, machine: &Machine) -> Option<PathBuf> {
    let runs = |path: PathBuf| {
        let found = fs::metadata(&path).ok()?;
        found.is_file().then_some(path)
    };
    if program.starts_with('/') {
        return runs(PathBuf::from(program));
    }
    if program.contains('/') || program.is_empty() {
        return None;
    }
    machine
        .path
        .split(':')
        .filter(|directory| directory.starts_with('/'))
        .find_map(|directory| runs(Path::new(directory).join(program)))
}

/// The first part of a path that another user than root could replace.
fn changeable(path: &Path) -> Option<PathBuf> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let parts: Vec<&Path> = real.ancestors().collect();
    parts
        .into_iter()
        .rev()
        .find(|part| fs::metadata(part).is_ok_and(|found| is_open(&found)))
        .map(Path::to_owned)
}

fn is_open(found: &Metadata) -> bool {
    changeable_by_others(found.uid(), found.gid(), found.mode(), found.is_dir())
}
