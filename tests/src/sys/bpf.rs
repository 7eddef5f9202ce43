//! The smallest XDP program, for who was on the interface before us.

use std::{
    fs, io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use super::check;

/// The start of `union bpf_attr` for BPF_PROG_LOAD, linux/bpf.h.
#[repr(C)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

/// A loaded XDP program that passes everything.
#[derive(Debug)]
pub struct PassProgram(pub OwnedFd);

impl PassProgram {
    pub fn load() -> io::Result<Self> {
        const BPF_PROG_LOAD: libc::c_int = 5;
        const BPF_PROG_TYPE_XDP: u32 = 6;
        // r0 = XDP_PASS; exit
        let instructions: [[u8; 8]; 2] = [[0xb7, 0, 0, 0, 2, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];
        let attributes = ProgLoad {
            prog_type: BPF_PROG_TYPE_XDP,
            insn_cnt: 2,
            insns: instructions.as_ptr() as u64,
            license: c"GPL".as_ptr() as u64,
            log_level: 0,
            log_size: 0,
            log_buf: 0,
            kern_version: 0,
            prog_flags: 0,
        };
        // SAFETY: the attributes point to two instructions and a string that
        // live through the call, and their length is passed.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_PROG_LOAD,
                &raw const attributes,
                mem::size_of_val(&attributes),
            )
        };
        let fd = check(fd as libc::c_int)?;
        // SAFETY: `fd` was just opened and nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The number that `ip link` shows.
    pub fn id(&self) -> io::Result<u32> {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", self.0.as_raw_fd()))?;
        let id = info.lines().find_map(|line| line.strip_prefix("prog_id:"));
        id.and_then(|id| id.trim().parse().ok())
            .ok_or_else(|| io::Error::other("no prog_id"))
    }
}
