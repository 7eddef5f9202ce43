//! What BPF programs take of the processor.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    time::Duration,
};

use super::bpf::{Hook, PassProgram, bpf};

/// The start of `union bpf_attr` for BPF_PROG_TEST_RUN, linux/bpf.h.
#[repr(C)]
struct TestRun {
    program: u32,
    verdict: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context: [u64; 4],
}

/// Nanoseconds per frame of a program that does nothing at all, by
/// BPF_PROG_TEST_RUN: what there is of it in the figure of any other program.
///
/// # Errors
/// Without CAP_BPF and CAP_NET_ADMIN.
pub fn cost_of_nothing(hook: Hook, frame: &[u8], repeat: u32) -> io::Result<u32> {
    const BPF_PROG_TEST_RUN: libc::c_int = 10;
    let program = PassProgram::load_for(hook)?;
    let mut run = TestRun {
        program: program.0.as_raw_fd().cast_unsigned(),
        verdict: 0,
        size_in: u32::try_from(frame.len()).unwrap_or(u32::MAX),
        size_out: 0,
        data_in: frame.as_ptr() as u64,
        data_out: 0,
        repeat,
        duration: 0,
        context: [0; 4],
    };
    // SAFETY: the frame lives through the call and is only read; there is no
    // room for output.
    unsafe { bpf(BPF_PROG_TEST_RUN, &mut run) }?;
    Ok(run.duration)
}

/// While this lives the kernel counts how long programs run, which costs each
/// run some nanoseconds more.
#[derive(Debug)]
pub struct Counting {
    _enabled: OwnedFd,
}

impl Counting {
    /// # Errors
    /// Before Linux 5.8, and without CAP_SYS_ADMIN.
    pub fn start() -> io::Result<Self> {
        const BPF_ENABLE_STATS: libc::c_int = 32;
        // BPF_STATS_RUN_TIME
        let mut kind: u32 = 0;
        // SAFETY: the attribute is one number.
        let fd = unsafe { bpf(BPF_ENABLE_STATS, &mut kind) }?;
        // SAFETY: `fd` was just opened and nobody else owns it.
        let enabled = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { _enabled: enabled })
    }

    /// How long the programs that these processes have loaded have run, and how
    /// often, since counting began at any time.
    pub fn of(&self, pids: &[i32]) -> (Duration, u64) {
        let mut seen = Vec::new();
        let (mut nanos, mut runs) = (0, 0);
        for pid in pids {
            let infos = fs::read_dir(format!("/proc/{pid}/fdinfo"));
            for info in infos.into_iter().flatten().flatten() {
                let text = fs::read_to_string(info.path()).unwrap_or_default();
                let Some(id) = number(&text, "prog_id:") else {
                    continue;
                };
                // A link has the number of its program, and no times.
                if let Some(time) = number(&text, "run_time_ns:")
                    && !seen.contains(&id)
                {
                    seen.push(id);
                    nanos += time;
                    runs += number(&text, "run_cnt:").unwrap_or(0);
                }
            }
        }
        (Duration::from_nanos(nanos), runs)
    }
}

fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}
