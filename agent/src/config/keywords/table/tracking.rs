//! Groups of instances, and what they may track.

use super::common::{ADDRESS, FLAG, INTERFACE, REVERSE, SCRIPT as COMMAND, SWITCH};
use super::reason::{BFD as BFD_PART, GROUPS, SCRIPTS, TRACKING};
use super::{rows, special};
use crate::config::keywords::GarpGroupKey as P;
use crate::config::keywords::Status::Supported;
use crate::config::keywords::shape::Argument::{Maybe, One, Several};
use crate::config::keywords::shape::{Kind, Shape, list, words};
use crate::config::keywords::{Key, Keyword, List, Status};

/// An hour, in microseconds.
const HOUR: u64 = 3_600_000_000;
/// A thousand seconds: keepalived's limit for scripts, in microseconds.
const LONG: u64 = 1_000_000_000;
const I31: i64 = 2_147_483_647;
const DELAY: Shape = words(&[One(Kind::Seconds(1, HOUR))]);
const MILLIS: Shape = words(&[One(Kind::Millis(1, 1_000_000_000))]);
const HOPS: Shape = words(&[One(Kind::Number(1, 255))]);

pub const SYNC_GROUP: &[Keyword] = rows! { SyncGroup:
    GROUPS, list(List::Instances) => "group";
    GROUPS, list(List::TrackInterfaces) => "track_interface";
    GROUPS, list(List::TrackScripts) => "track_script";
    GROUPS, list(List::TrackFiles) => "track_file";
    GROUPS, list(List::TrackProcesses) => "track_process";
    GROUPS, list(List::TrackBfds) => "track_bfd";
    GROUPS, COMMAND => "notify_backup" "notify_master" "notify_fault" "notify_stop" "notify";
    GROUPS, SWITCH => "smtp_alert" "notify_priority_changes";
    GROUPS, FLAG => "global_tracking" "sync_group_tracking_weight";
};

const SCRIPT_WEIGHT: Shape = words(&[One(Kind::Number(-253, 253)), REVERSE]);

pub const SCRIPT: &[Keyword] = rows! { VrrpScript:
    SCRIPTS, words(&[Several(Kind::Script)]) => "script";
    SCRIPTS, words(&[One(Kind::Seconds(1000, LONG))]) => "interval" "timeout";
    SCRIPTS, SCRIPT_WEIGHT => "weight";
    SCRIPTS, words(&[One(Kind::Number(1, I31))]) => "rise" "fall";
    SCRIPTS, words(&[One(Kind::User), Maybe(Kind::User)]) => "user";
    SCRIPTS, FLAG => "init_fail";
};

pub const FILE: &[Keyword] = rows! { TrackFile:
    TRACKING, words(&[One(Kind::File)]) => "file";
    TRACKING, words(&[One(Kind::Number(-I31, I31)), REVERSE]) => "weight";
    TRACKING, special::INIT_FILE => "init_file";
};

pub const PROCESS: &[Keyword] = rows! { TrackProcess:
    TRACKING, words(&[Several(Kind::Text)]) => "process";
    TRACKING, words(&[One(Kind::Choice(&["initial", "partial"]))]) => "param_match";
    TRACKING, words(&[One(Kind::Number(-254, 254)), REVERSE]) => "weight";
    TRACKING, words(&[One(Kind::Number(1, 65_535))]) => "quorum";
    TRACKING, words(&[One(Kind::Number(0, 65_535))]) => "quorum_max";
    TRACKING, DELAY => "delay" "terminate_delay" "fork_delay";
    TRACKING, FLAG => "full_command";
};

pub const GROUP: &[Keyword] = rows! { TrackGroup:
    Supported(Key::TrackGroup), list(List::Instances) => "group";
};

const fn group(key: P) -> Status {
    Supported(Key::GarpGroup(key))
}

pub const GARP_GROUP: &[Keyword] = rows! { GarpGroup:
    group(P::GarpInterval), DELAY => "garp_interval";
    group(P::GnaInterval), DELAY => "gna_interval";
    group(P::Interface), INTERFACE => "interface";
    group(P::Interfaces), list(List::Interfaces) => "interfaces";
};

pub const BFD: &[Keyword] = rows! { BfdInstance:
    BFD_PART, ADDRESS => "source_ip" "neighbor_ip" "neighbour_ip";
    BFD_PART, MILLIS => "min_rx" "min_tx" "idle_tx";
    BFD_PART, HOPS => "multiplier" "ttl" "hoplimit";
    BFD_PART, words(&[One(Kind::Number(0, 255))]) => "max_hops";
    BFD_PART, words(&[One(Kind::Number(-253, 253)), REVERSE]) => "weight";
    BFD_PART, FLAG => "passive" "multihop" "vrrp" "checker";
};
