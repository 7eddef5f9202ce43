//! Files that others find the agent by: where they are, and writing them so that
//! nobody can divert them.

pub mod atomic;
pub mod descriptors;
pub mod namespace;
pub mod pidfile;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use crate::{config::Files, dump};

/// Our own directory unless told otherwise.
const DIRECTORY: &str = "/run/failoverd";
/// keepalived's, where `use_pid_dir` is given.
const PID_DIRECTORY: &str = "/run/keepalived";
const CONTROL: &str = "control";

/// Whose pid a file has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The supervising parent.
    Parent,
    /// The agent.
    Vrrp,
}

/// The runtime directory: systemd's `RuntimeDirectory=` where it has one for us.
pub fn directory() -> PathBuf {
    let given = std::env::var_os("RUNTIME_DIRECTORY");
    given
        .as_deref()
        .and_then(first_of)
        .unwrap_or_else(|| PathBuf::from(DIRECTORY))
}

/// systemd joins several by colons.
fn first_of(list: &OsStr) -> Option<PathBuf> {
    let first = list.to_str()?.split(':').next()?;
    Some(PathBuf::from(first)).filter(|path| path.is_absolute())
}

/// Where the files of one agent are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Places {
    directory: PathBuf,
}

impl Places {
    /// Of an agent with this control socket: beside it.
    pub fn beside(control: &Path) -> Self {
        let parent = control.parent();
        let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
        Self {
            directory: parent.unwrap_or(Path::new(".")).to_owned(),
        }
    }

    /// Of an agent that runs as keepalived; each namespace has its own.
    pub fn of_keepalived(files: &Files) -> Self {
        let base = directory();
        Self {
            directory: match &files.namespace {
                Some(namespace) => base.join(namespace),
                None => base,
            },
        }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// keepalived has no control socket: ours is told apart by `instance`.
    pub fn control(&self, files: &Files) -> PathBuf {
        self.directory.join(named(CONTROL, files, "sock"))
    }

    pub fn pid_file(&self, files: &Files, role: Role) -> PathBuf {
        let stem = match role {
            Role::Parent => "keepalived",
            Role::Vrrp => "vrrp",
        };
        self.pid_directory(files).join(named(stem, files, "pid"))
    }

    fn pid_directory(&self, files: &Files) -> PathBuf {
        match (files.use_pid_dir, &files.namespace) {
            (false, _) => self.directory.clone(),
            (true, None) => PathBuf::from(PID_DIRECTORY),
            (true, Some(namespace)) => Path::new(PID_DIRECTORY).join(namespace),
        }
    }

    /// Where a dump goes.
    pub fn dump(&self, files: &Files, kind: dump::Kind) -> PathBuf {
        let (told, extension) = match kind {
            dump::Kind::Data => (&files.state_dump, "data"),
            dump::Kind::Stats => (&files.stats_dump, "stats"),
            dump::Kind::Json => (&files.json_dump, "json"),
        };
        let name = match (files.data_use_instance, &files.namespace, &files.instance) {
            (false, _, _) | (true, None, None) => format!("keepalived.{extension}"),
            (true, Some(one), None) | (true, None, Some(one)) => {
                format!("keepalived.{one}.{extension}")
            }
            (true, Some(namespace), Some(instance)) => {
                format!("keepalived.{namespace}.{instance}.{extension}")
            }
        };
        let own = || self.directory.join(name);
        told.clone().unwrap_or_else(own)
    }

    /// The file that is there while a reload reads.
    pub fn reload_file(&self, files: &Files) -> Option<PathBuf> {
        // Absolute, or a name in the directory of the pid files.
        let file = files.reload_file.as_ref()?;
        Some(self.pid_directory(files).join(file))
    }
}

fn named(stem: &str, files: &Files, extension: &str) -> String {
    match &files.instance {
        Some(instance) => format!("{stem}_{instance}.{extension}"),
        None => format!("{stem}.{extension}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_instances_and_namespaces_apart() {
        let mut files = Files::default();
        let places = Places::beside(Path::new("/run/x/control.sock"));
        let dump = |files: &Files| places.dump(files, dump::Kind::Data);
        assert_eq!(dump(&files), Path::new("/run/x/keepalived.data"));
        let pid = |files: &Files| places.pid_file(files, Role::Vrrp);
        assert_eq!(pid(&files), Path::new("/run/x/vrrp.pid"));
        files.instance = Some("one".to_owned());
        assert_eq!(pid(&files), Path::new("/run/x/vrrp_one.pid"));
        assert_eq!(dump(&files), Path::new("/run/x/keepalived.data"));
        files.data_use_instance = true;
        assert_eq!(dump(&files), Path::new("/run/x/keepalived.one.data"));
        files.namespace = Some("blue".to_owned());
        assert_eq!(dump(&files), Path::new("/run/x/keepalived.blue.one.data"));
        files.use_pid_dir = true;
        assert_eq!(pid(&files), Path::new("/run/keepalived/blue/vrrp_one.pid"));
        files.state_dump = Some(PathBuf::from("/tmp/keepalived.data"));
        assert_eq!(dump(&files), Path::new("/tmp/keepalived.data"));
    }

    #[test]
    fn only_an_absolute_runtime_directory_counts() {
        assert_eq!(first_of(OsStr::new("/run/a:/run/b")), Some("/run/a".into()));
        assert_eq!(first_of(OsStr::new("a")), None);
        assert_eq!(first_of(OsStr::new("")), None);
    }
}
