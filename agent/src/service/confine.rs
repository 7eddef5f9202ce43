//! The agent gives up what it needs no more, and says what is in force.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tracing::{info, warn};

use super::Service;
use crate::{
    config::Config,
    control::status,
    dump::Kind,
    io::sys::trap,
    sandbox::{self, Confined, Role, Step},
};

/// Where the slow lane stands.
#[derive(Debug, Default)]
pub(super) struct Standing {
    slow: Confined,
    /// /proc shows processes of others to few.
    hidden: bool,
    /// We are one of them, as far as that is ours to say.
    watcher: bool,
    /// One line is enough for all refused calls.
    told: bool,
}

impl Service {
    /// To be called when everything is open that needs more than is left then,
    /// and before others hear that the agent runs.
    pub(super) fn confine(&mut self) {
        if !self.sandboxed {
            info!("The sandbox is switched off");
            return;
        }
        let places = self.named_files(&self.config).into_iter();
        let places = places.filter_map(|file| directory_of(&file)).collect();
        self.standing.hidden = fs::read_to_string("/proc/self/mounts").is_ok_and(|all| hides(&all));
        let role = match self.standing.hidden && self.watches_processes() {
            true => Role::Watcher,
            false => Role::SlowLane,
        };
        self.standing.watcher = role == Role::Watcher;
        self.standing.slow = sandbox::enter_slow_lane(role, places);
        self.warn_of_hidden_processes();
        for (who, confined) in [
            ("fast lane", self.placement.entered.confined),
            ("hands", self.placement.hands.confined),
            ("slow lane", self.standing.slow),
        ] {
            complain(who, confined);
        }
    }

    fn watches_processes(&self) -> bool {
        !self.config.trackers.processes.is_empty()
    }

    /// Processes that cannot be seen would count as ended.
    fn warn_of_hidden_processes(&self) {
        if !self.standing.hidden || !self.watches_processes() {
            return;
        }
        let ptrace = caps::Capability::CAP_SYS_PTRACE;
        let sees = caps::has_cap(None, caps::CapSet::Effective, ptrace).unwrap_or(false);
        if !self.standing.watcher {
            warn!(
                "vrrp_track_process sees no process before a restart: /proc hides them \
                 (hidepid), and none was tracked at the start"
            );
        } else if !sees {
            warn!(
                "vrrp_track_process does not see processes of other users, /proc hides them \
                 (hidepid): install failoverd.service.d/scripts.conf, or set ProtectProc=default"
            );
        }
    }

    /// Files that a configuration has the agent write.
    fn named_files(&self, config: &Config) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = [Kind::Data, Kind::Stats, Kind::Json]
            .into_iter()
            .map(|kind| self.dumps.places.dump(&config.files, kind))
            .collect();
        files.extend(self.dumps.places.reload_file(&config.files));
        files.push(self.dumps.places.directory().join("control"));
        let fifos = [&config.tell.fifo, &config.tell.vrrp_fifo];
        files.extend(fifos.into_iter().flatten().map(|fifo| fifo.path.clone()));
        let written = config
            .trackers
            .files
            .iter()
            .filter(|file| file.init.is_some());
        files.extend(written.map(|file| PathBuf::from(&file.path)));
        files
    }

    /// A reload may name what was not named at the start.
    pub(super) fn warn_of_news(&self) {
        self.warn_of_hidden_processes();
        for file in self.named_files(&self.config) {
            if self.sandboxed && !sandbox::may_write(&file) {
                warn!(
                    "{} is in a directory of the system that was not named at the start: \
                     it cannot be written before a restart",
                    file.display()
                );
            }
        }
    }

    /// A call that is refused is a mistake of ours: worth a line.
    pub(super) fn note_refusals(&mut self) {
        if let (count @ 1.., Some(number)) = trap::trapped()
            && !std::mem::replace(&mut self.standing.told, true)
        {
            warn!(
                "the sandbox refused {count} system calls, the last one number {number} \
                 (see `ausyscall {number}`): please report it; --no-sandbox goes without"
            );
        }
    }

    pub(super) fn sandbox_status(&self) -> status::Sandbox {
        let (refused_calls, last_refused) = trap::trapped();
        let thread = |tid: i32, confined: Confined| status::Confinement {
            capabilities: capabilities_of(tid),
            landlock: confined.landlock.label().to_owned(),
            seccomp: confined.seccomp.label().to_owned(),
        };
        let own = rustix::thread::gettid().as_raw_nonzero().get();
        let (entered, hands) = (self.placement.entered, self.placement.hands);
        status::Sandbox {
            enabled: self.sandboxed,
            fast_lane: thread(entered.tid, entered.confined),
            hands: thread(hands.tid, hands.confined),
            slow_lane: thread(own, self.standing.slow),
            refused_calls,
            last_refused,
        }
    }
}

fn complain(who: &str, confined: Confined) {
    let Confined {
        capabilities,
        landlock,
        seccomp,
    } = confined;
    let parts = [
        ("capabilities are not dropped", capabilities),
        ("no Landlock", landlock),
        ("no seccomp filter", seccomp),
    ];
    for (what, step) in parts {
        match step {
            Step::Off | Step::Full => {}
            // What this kernel knows of it is in force.
            Step::Partial => {}
            Step::Missing => info!(
                "{who}: {what}: this kernel has none, or the unit's SystemCallFilter refuses it"
            ),
            Step::Refused => {
                warn!("{who}: {what}: the kernel, or the unit's SystemCallFilter, refused it")
            }
        }
    }
}

/// Its real directory; none where that would be the whole file system.
fn directory_of(file: &Path) -> Option<PathBuf> {
    let parent = file.parent()?;
    let parent = match parent.as_os_str().is_empty() {
        true => Path::new("."),
        false => parent,
    };
    let real = fs::canonicalize(parent).ok()?;
    (real != Path::new("/")).then_some(real)
}

/// What the kernel says that a thread of ours may use.
fn capabilities_of(tid: i32) -> Vec<String> {
    let Ok(held) = caps::read(Some(tid), caps::CapSet::Effective) else {
        return Vec::new();
    };
    let mut names: Vec<String> = held.iter().map(ToString::to_string).collect();
    names.sort_unstable();
    names
}

/// Whether /proc is mounted so that processes of others are hidden, by
/// /proc/self/mounts.
fn hides(mounts: &str) -> bool {
    // What was mounted last is on top.
    let of_proc = mounts
        .lines()
        .rfind(|line| line.split(' ').nth(1) == Some("/proc"));
    let options = of_proc.and_then(|line| line.split(' ').nth(3));
    options.is_some_and(|options| {
        let mut options = options.split(',');
        let hidepid = options.find_map(|one| one.strip_prefix("hidepid="));
        hidepid.is_some_and(|value| !matches!(value, "0" | "off"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proc_that_hides_processes_is_known() {
        let line =
            |options| format!("x /run tmpfs rw,hidepid=2 0 0\nproc /proc proc {options} 0 0\n");
        assert!(!hides(&line("rw,nosuid")));
        assert!(!hides(&line("rw,hidepid=off")));
        assert!(hides(&line("rw,nosuid,hidepid=invisible")));
        assert!(hides(&line("rw,hidepid=2,gid=7")));
        assert!(!hides(""));
    }
}
