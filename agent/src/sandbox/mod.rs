//! What threads of the agent give up once they have what they need.
//!
//! Everything here is of one thread: capabilities, Landlock and seccomp are, and
//! so the fast lane can have less than the slow one, and the thread that starts
//! programs all that a program may need. Threads share their memory, so this
//! is no wall against whoever runs code of his own in one of them; it is one
//! against everything less, and docs/security.md says so.

pub mod capabilities;
pub mod files;
pub mod filter;

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use landlock::{RulesetCreated, RulesetStatus};
use tracing::warn;

use self::{capabilities::Bounding, filter::Filters};
use crate::io::sys::trap;

/// Name of the environment variable that switches all of it off, whatever it
/// says, unless it is empty.
pub const SWITCH: &str = "FAILOVERD_NO_SANDBOX";

/// Whether threads are to be confined, where the command line has nothing
/// against it.
pub fn is_wanted() -> bool {
    std::env::var_os(SWITCH).is_none_or(|value| value.is_empty())
}

/// Who is confined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// No file, no new descriptor, no program.
    FastLane,
    /// As the fast lane, but the kernel does what it asks for.
    Hands,
    /// Everything else but the thread that starts programs.
    SlowLane,
    /// A slow lane that sees processes which /proc hides from others: without
    /// Landlock, which keeps processes apart, whatever they may by capability.
    Watcher,
}

/// How far one part of it is in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Step {
    /// Not asked for.
    #[default]
    Off,
    Full,
    /// As far as this kernel knows it.
    Partial,
    /// This kernel has none of it.
    Missing,
    /// The kernel said no.
    Refused,
}

impl Step {
    /// As status says it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Full => "full",
            Self::Partial => "partial",
            Self::Missing => "missing",
            Self::Refused => "refused",
        }
    }
}

/// What became of a thread's confinement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Confined {
    pub capabilities: Step,
    pub landlock: Step,
    pub seccomp: Step,
}

/// All that a thread needs to confine itself, made ready before.
#[derive(Debug)]
pub struct Confinement {
    role: Role,
    /// None where there are to be none; in that, none where they cannot be had.
    rules: Option<Option<RulesetCreated>>,
    filters: Option<Filters>,
}

impl Confinement {
    /// `places` are directories that stay writable, of a slow lane.
    pub fn prepare(role: Role, places: &[PathBuf]) -> Self {
        let (rules, filters) = match role {
            Role::FastLane | Role::Hands => (Some(files::nothing()), filter::fast()),
            Role::SlowLane => (Some(files::no_system(places)), filter::slow()),
            Role::Watcher => (None, filter::slow()),
        };
        let rules = rules.map(|rules| {
            rules
                .inspect_err(|error| warn!("no Landlock rules for {role:?}: {error}"))
                .ok()
        });
        // Without the handler a trapped call would end the process.
        let caught = !trap::CAN_CATCH || trap::catch().is_ok();
        let filters = filters
            .inspect_err(|error| warn!("no seccomp filter for {role:?}: {error}"))
            .ok()
            .filter(|_| caught);
        Self {
            role,
            rules,
            filters,
        }
    }

    /// For one more thread.
    fn again(&self) -> Self {
        Self {
            role: self.role,
            rules: self
                .rules
                .as_ref()
                .map(|rules| rules.as_ref()?.try_clone().ok()),
            filters: self.filters.clone(),
        }
    }

    /// Confines the calling thread, and those that it starts from here on.
    /// Cannot be taken back.
    pub fn enter(self) -> Confined {
        let keep = match self.role {
            Role::FastLane => capabilities::FAST_LANE,
            Role::Hands => capabilities::HANDS,
            Role::SlowLane => capabilities::SLOW_LANE,
            Role::Watcher => capabilities::WATCHER,
        };
        // In this order: the bounding set needs a capability, and a filter
        // would not let the others be dropped.
        let capabilities = match capabilities::keep_only(keep, Bounding::Lowered) {
            Ok(()) => Step::Full,
            Err(_) => Step::Refused,
        };
        let enter = |rules: Option<RulesetCreated>| rules.map(RulesetCreated::restrict_self);
        let landlock = match self.rules.map(enter) {
            None => Step::Off,
            Some(Some(Ok(status))) => match status.ruleset {
                RulesetStatus::FullyEnforced => Step::Full,
                RulesetStatus::PartiallyEnforced => Step::Partial,
                RulesetStatus::NotEnforced => Step::Missing,
            },
            Some(Some(Err(_)) | None) => Step::Refused,
        };
        // The one that traps comes last: from there on no filter can be set.
        let apply = |all: Filters| {
            let mut all = all.iter().rev();
            all.try_for_each(|one| seccompiler::apply_filter(one))
        };
        let applied = self.filters.map(apply);
        Confined {
            capabilities,
            landlock,
            seccomp: match applied {
                Some(Ok(())) => Step::Full,
                Some(Err(_)) | None => Step::Refused,
            },
        }
    }
}

/// The slow lane's, for all of its threads.
static SHARED: OnceLock<(Confinement, Vec<PathBuf>)> = OnceLock::new();

thread_local! {
    static FOLLOWED: Cell<bool> = const { Cell::new(false) };
}

/// Confines the calling thread as the slow lane, and has those follow that it
/// started before, as soon as they ask ([`follow`]). `places` stay writable.
pub fn enter_slow_lane(role: Role, places: Vec<PathBuf>) -> Confined {
    let confinement = Confinement::prepare(role, &places);
    FOLLOWED.set(true);
    let own = confinement.again();
    // Once in a process: a second slow lane there is not.
    let _ = SHARED.set((confinement, places));
    own.enter()
}

/// Confines the calling thread, if the slow lane is by now and it is not.
pub fn follow() {
    if !FOLLOWED.get()
        && let Some((confinement, _)) = SHARED.get()
    {
        FOLLOWED.set(true);
        confinement.again().enter();
    }
}

/// The calling process is a supervisor: it keeps what it needs for itself, and
/// where they would not come back by themselves, what its agents need.
pub fn enter_supervisor() {
    let keep = capabilities::SUPERVISOR;
    // It has no log. A supervisor with too many rights is better than none.
    let _ = match capabilities::come_back() {
        true => capabilities::keep_only(keep, Bounding::Kept),
        false => capabilities::use_only(keep),
    };
}

/// Whether the slow lane may write `file`, by its rules.
pub fn may_write(file: &Path) -> bool {
    SHARED
        .get()
        .is_none_or(|(own, places)| own.rules.is_none() || files::is_writable(file, places))
}

#[cfg(test)]
mod tests;
