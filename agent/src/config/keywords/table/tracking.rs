//! Groups of instances, and what they may track.

use super::common::{ADDRESS, FLAG, INTERFACE, REVERSE, SCRIPT as COMMAND, SWITCH};
use super::reason::{BFD as BFD_PART, tell, track};
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
    track("group"), list(List::Instances) => "group";
    track("track_interface"), list(List::TrackInterfaces) => "track_interface";
    track("track_script"), list(List::TrackScripts) => "track_script";
    track("track_file"), list(List::TrackFiles) => "track_file";
    track("track_process"), list(List::TrackProcesses) => "track_process";
    BFD_PART, list(List::TrackBfds) => "track_bfd";
    tell("notify_backup"), COMMAND => "notify_backup";
    tell("notify_master"), COMMAND => "notify_master";
    tell("notify_fault"), COMMAND => "notify_fault";
    tell("notify_stop"), COMMAND => "notify_stop";
    tell("notify"), COMMAND => "notify";
    tell("smtp_alert"), SWITCH => "smtp_alert";
    tell("notify_priority_changes"), SWITCH => "notify_priority_changes";
    track("global_tracking"), FLAG => "global_tracking";
    track("sync_group_tracking_weight"), FLAG => "sync_group_tracking_weight";
};

const SCRIPT_WEIGHT: Shape = words(&[One(Kind::Number(-253, 253)), REVERSE]);

pub const SCRIPT: &[Keyword] = rows! { VrrpScript:
    track("script"), words(&[Several(Kind::Script)]) => "script";
    track("interval"), words(&[One(Kind::Seconds(1000, LONG))]) => "interval";
    track("timeout"), words(&[One(Kind::Seconds(1000, LONG))]) => "timeout";
    track("weight"), SCRIPT_WEIGHT => "weight";
    track("rise"), words(&[One(Kind::Number(1, I31))]) => "rise";
    track("fall"), words(&[One(Kind::Number(1, I31))]) => "fall";
    track("user"), words(&[One(Kind::User), Maybe(Kind::User)]) => "user";
    Status::WithoutEffect("the first run decides, as with keepalived 2.2.7"), FLAG => "init_fail";
};

pub const FILE: &[Keyword] = rows! { TrackFile:
    track("file"), words(&[One(Kind::File)]) => "file";
    track("weight"), words(&[One(Kind::Number(-I31, I31)), REVERSE]) => "weight";
    track("init_file"), special::INIT_FILE => "init_file";
};

pub const PROCESS: &[Keyword] = rows! { TrackProcess:
    track("process"), words(&[Several(Kind::Text)]) => "process";
    track("param_match"), words(&[One(Kind::Choice(&["initial", "partial"]))]) => "param_match";
    track("weight"), words(&[One(Kind::Number(-254, 254)), REVERSE]) => "weight";
    track("quorum"), words(&[One(Kind::Number(1, 65_535))]) => "quorum";
    track("quorum_max"), words(&[One(Kind::Number(0, 65_535))]) => "quorum_max";
    track("delay"), DELAY => "delay";
    track("terminate_delay"), DELAY => "terminate_delay";
    track("fork_delay"), DELAY => "fork_delay";
    track("full_command"), FLAG => "full_command";
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
