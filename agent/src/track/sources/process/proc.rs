//! Processes as /proc shows them.

use std::{fs::File, io::Read};

use super::matching::Called;

/// What is compared of a command line; longer ones are cut.
const MAX_CMDLINE: u64 = 32 << 10;
const MAX_COMM: u64 = 64;
const MAX_STAT: u64 = 512;

/// What a process is called; `None` when it has ended. A command line is read
/// only where it is `wanted`: it may have to be fetched from swap.
pub fn called(pid: u32, wanted: bool) -> Option<Called> {
    let mut comm = read(pid, "comm", MAX_COMM)?;
    comm.truncate(comm.strip_suffix(b"\n").map_or(comm.len(), <[u8]>::len));
    let cmdline = if wanted {
        read(pid, "cmdline", MAX_CMDLINE)?
    } else {
        Vec::new()
    };
    Some(Called { comm, cmdline })
}

/// All processes that are there, without those that have ended and are not
/// reaped yet.
pub fn all() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| !has_ended(*pid))
        .collect()
}

fn has_ended(pid: u32) -> bool {
    let Some(stat) = read(pid, "stat", MAX_STAT) else {
        return true;
    };
    // The name may hold anything, even ") Z": the last bracket ends it.
    let state = stat.iter().rposition(|byte| *byte == b')');
    let state = state.and_then(|at| stat.get(at.saturating_add(2)));
    matches!(state, None | Some(b'Z' | b'X'))
}

fn read(pid: u32, what: &str, most: u64) -> Option<Vec<u8>> {
    let file = File::open(format!("/proc/{pid}/{what}")).ok()?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
