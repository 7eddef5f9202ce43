//! The files that the agent writes, and what it is told apart by.

use std::path::{Path, PathBuf};

use super::global::keep;
use super::value::{first, number, switch};
use crate::config::diagnostic::Code;
use crate::config::files::{Files, JsonVersion};
use crate::config::keywords::{FilesKey, RootKey};
use crate::config::sink::Sink;
use crate::config::tree::Statement;

/// What the names of files made of it leave room for.
const MAX_PART: usize = 64;

/// keepalived's own name for the file of `reload_file`.
const RELOAD_FILE: &str = "keepalived.reload";

pub fn set(key: FilesKey, statement: &Statement, files: &mut Files, sink: &mut Sink) {
    match key {
        FilesKey::StateDump => keep(&mut files.state_dump, path(statement, sink)),
        FilesKey::StatsDump => keep(&mut files.stats_dump, path(statement, sink)),
        FilesKey::JsonDump => keep(&mut files.json_dump, path(statement, sink)),
        FilesKey::JsonVersion => {
            let version = number(statement, 1..=2_u8, "it is ignored", sink);
            match version {
                Some(2) => files.json_version = JsonVersion::Two,
                Some(_) => files.json_version = JsonVersion::One,
                None => {}
            }
        }
        FilesKey::DataUseInstance => {
            files.data_use_instance = switch(statement, sink).unwrap_or(files.data_use_instance);
        }
        FilesKey::ReloadFile => match first(statement) {
            Some(_) => keep(&mut files.reload_file, path(statement, sink)),
            // Beside the pid file.
            None => files.reload_file = Some(PathBuf::from(RELOAD_FILE)),
        },
    }
}

pub fn name(key: RootKey, statement: &Statement, files: &mut Files, sink: &mut Sink) {
    match key {
        RootKey::GlobalDefs
        | RootKey::VrrpInstance
        | RootKey::GarpGroup
        | RootKey::UpDownDelays
        | RootKey::StaticIpaddress
        | RootKey::StaticRoutes
        | RootKey::StaticRules
        | RootKey::TrackGroup => {}
        RootKey::Instance => keep(&mut files.instance, part(statement, sink)),
        RootKey::NetNamespace => keep(&mut files.namespace, part(statement, sink)),
        RootKey::UsePidDir => files.use_pid_dir = true,
    }
}

/// A relative one would be looked for where the agent was started.
fn path(statement: &Statement, sink: &mut Sink) -> Option<PathBuf> {
    let word = first(statement)?;
    let path = Path::new(&word.text);
    if path.is_absolute() && path.file_name().is_some() {
        return Some(path.to_owned());
    }
    let message = format!(
        "{} '{}' is not the absolute path of a file; it is ignored",
        statement.keyword(),
        word.text
    );
    sink.warn(Code::BadValue, word.span, message);
    None
}

/// Becomes a part of file names.
fn part(statement: &Statement, sink: &mut Sink) -> Option<String> {
    let word = first(statement)?;
    let text = &word.text;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'@');
    let good =
        !text.starts_with('.') && (1..=MAX_PART).contains(&text.len()) && text.bytes().all(plain);
    if !good {
        let message = format!(
            "{} '{text}' cannot be a part of a file name: use letters, digits, dots and dashes, 64 at most",
            statement.keyword()
        );
        sink.error(Code::BadValue, word.span, message);
    }
    good.then(|| text.clone())
}
