//! What can be watched, and what follows for the instances that do.

use core::time::Duration;

use crate::track::TrackerId;

/// How a tracker counts for whoever tracks it.
///
/// With a value of 0 a bad reading is a fault. A positive value is added while
/// the reading is good, a negative one is added (so subtracted) while it is
/// bad. `reverse` exchanges good and bad for 0, and changes the sign of what
/// is added for all others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Weight {
    /// -254..=254; of a file as defined, any `i32` but its lowest.
    pub value: i32,
    pub reverse: bool,
}

/// Whom a script runs as.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RunAs {
    pub user: String,
    /// The group of the user where none is given.
    pub group: Option<String>,
}

/// `vrrp_script`. Names are unique among scripts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ScriptSpec {
    pub name: String,
    /// The program and its arguments; never empty.
    pub words: Vec<String>,
    /// From start to start, 1 ms..=1000 s.
    pub interval: Duration,
    /// When a run has failed for having taken too long; `interval` where the
    /// file says nothing.
    pub timeout: Duration,
    /// Successes in a row that make it good, at least 1.
    pub rise: u32,
    /// Failures in a row that make it bad, at least 1.
    pub fall: u32,
    /// For those who track it without a weight of their own.
    pub weight: Weight,
    /// Bad until it has succeeded; otherwise good until it has failed.
    pub init_fail: bool,
    /// `None`: `script_user`, or whom the agent takes without one.
    pub run_as: Option<RunAs>,
}

/// What `init_file` writes before the file is read for the first time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct InitFile {
    pub value: i64,
    /// Also over a file that is there.
    pub overwrite: bool,
}

/// `track_file`. Names are unique among files.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FileSpec {
    pub name: String,
    pub path: String,
    /// For those who track it without a weight of their own.
    pub weight: Weight,
    pub init: Option<InitFile>,
}

/// How the arguments of a process are compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ParamMatch {
    /// Arguments do not matter where none are given; else all of them, alike.
    Exact,
    /// As `Exact`, but the last one may go on; none given means none wanted.
    Initial,
    /// The first ones alike, more may follow; none given means none wanted.
    Partial,
}

/// `vrrp_track_process`. Names are unique among processes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ProcessSpec {
    pub name: String,
    /// The program as in /proc/PID/comm, or as in cmdline where arguments or
    /// `full_command` are given; never empty.
    pub process: String,
    pub params: Vec<String>,
    pub param_match: ParamMatch,
    /// For those who track it without a weight of their own.
    pub weight: Weight,
    /// Good from so many processes on.
    pub quorum: u32,
    /// And not beyond so many; `None` without a limit.
    pub quorum_max: Option<u32>,
    /// How long the quorum has to be there before it counts as gained.
    pub fork_delay: Duration,
    /// How long it has to be gone before it counts as lost.
    pub terminate_delay: Duration,
    /// Compare the command line even without arguments.
    pub full_command: bool,
}

/// One entry of a `track_*` list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Track {
    pub tracker: TrackerId,
    pub weight: Weight,
}

/// The definitions of a whole configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trackers {
    pub scripts: Vec<ScriptSpec>,
    pub files: Vec<FileSpec>,
    pub processes: Vec<ProcessSpec>,
}
