//! Whom to tell of what happens: scripts, FIFOs, mail.

use core::time::Duration;
use std::{collections::BTreeMap, path::PathBuf};

use super::RunAs;

/// A program that the file names, with its arguments.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Hook {
    /// The program and its arguments; never empty.
    pub words: Vec<String>,
    /// `None`: whom the agent takes without `script_user`.
    pub run_as: Option<RunAs>,
}

/// What others hear when a reload removes an instance.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Deleted {
    /// FAULT, as keepalived without `notify_deleted`.
    #[default]
    AsFault,
    /// DELETED, and this program is run.
    Told(Option<Hook>),
}

/// Who is told of an instance, or of a sync group.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Notify {
    /// `notify`: run for every change, after the one for its kind.
    pub any: Option<Hook>,
    pub master: Option<Hook>,
    pub backup: Option<Hook>,
    pub fault: Option<Hook>,
    pub stop: Option<Hook>,
    /// `notify_master_rx_lower_pri`; of an instance only.
    pub lower_priority: Option<Hook>,
    /// Of an instance only.
    pub deleted: Deleted,
    /// Changes of the priority are written to FIFOs.
    pub priority_changes: bool,
    /// `smtp_alert`.
    pub mail: bool,
}

/// A named pipe that events are written to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FifoSpec {
    /// Absolute.
    pub path: PathBuf,
    /// Whom it belongs to when we make it.
    pub owner: Option<RunAs>,
    /// Runs as long as we do; the path is its last argument.
    pub script: Option<Hook>,
}

/// A program that is waited for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Waited {
    pub hook: Hook,
    /// It is ended then; 1 s..=1000 s.
    pub timeout: Duration,
}

/// How mail is sent.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MailSpec {
    /// `notification_email`; never empty.
    pub to: Vec<String>,
    /// `None`: our user at this host.
    pub from: Option<String>,
    /// An address or a name.
    pub host: String,
    pub port: u16,
    /// What we call ourselves; `None`: the name of this host.
    pub helo: Option<String>,
    /// For a connection, and for each answer.
    pub timeout: Duration,
    /// Mail of faults is sent as well.
    pub faults: bool,
}

/// What is told beyond single instances.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tell {
    /// `notify_fifo` and `vrrp_notify_fifo`: both get every line.
    pub fifo: Option<FifoSpec>,
    pub vrrp_fifo: Option<FifoSpec>,
    /// A reload writes the states of all to the FIFOs.
    pub states_on_reload: bool,
    pub startup: Option<Waited>,
    pub shutdown: Option<Waited>,
    pub mail: Option<MailSpec>,
    /// Of sync groups that tell anybody anything.
    pub groups: BTreeMap<String, Notify>,
}
