//! `--signum`: the signals by what they do.

use crate::io::sys::realtime;

/// keepalived's names, in the order of its manual.
pub const NAMES: [&str; 7] = [
    "STOP",
    "RELOAD",
    "DATA",
    "STATS",
    "STATS_CLEAR",
    "JSON",
    "TDATA",
];

/// `None` for a name that keepalived does not know either.
pub fn number(name: &str) -> Option<i32> {
    match name {
        "STOP" => Some(libc::SIGTERM),
        "RELOAD" => Some(libc::SIGHUP),
        "DATA" => Some(libc::SIGUSR1),
        "STATS" => Some(libc::SIGUSR2),
        "STATS_CLEAR" => Some(realtime::stats_clear()),
        "JSON" => Some(realtime::json()),
        "TDATA" => Some(realtime::threads()),
        _ => None,
    }
}
