//! The smallest program, for who was on the interface before us, and for what
//! a run of any program costs.

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

/// Where a program is meant to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hook {
    Xdp,
    Tc,
}

/// A loaded program that passes everything.
#[derive(Debug)]
pub struct PassProgram(pub OwnedFd);

impl PassProgram {
    pub fn load() -> io::Result<Self> {
        Self::load_for(Hook::Xdp)
    }

    pub(super) fn load_for(hook: Hook) -> io::Result<Self> {
        const BPF_PROG_LOAD: libc::c_int = 5;
        const BPF_PROG_TYPE_SCHED_CLS: u32 = 3;
        const BPF_PROG_TYPE_XDP: u32 = 6;
        let (prog_type, verdict) = match hook {
            Hook::Xdp => (BPF_PROG_TYPE_XDP, 2),
            // TC_ACT_UNSPEC
            Hook::Tc => (BPF_PROG_TYPE_SCHED_CLS, -1),
        };
        let [a, b, c, d] = i32::to_ne_bytes(verdict);
        // r0 = verdict; exit
        let instructions: [[u8; 8]; 2] = [[0xb7, 0, 0, 0, a, b, c, d], [0x95, 0, 0, 0, 0, 0, 0, 0]];
        let attributes = ProgLoad {
            prog_type,
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

/// `union bpf_attr` for what goes through all BPF links, linux/bpf.h.
#[repr(C)]
struct LinkId {
    id: u32,
    next: u32,
    flags: u32,
}

/// The same for BPF_OBJ_GET_INFO_BY_FD.
#[repr(C)]
struct Info {
    fd: u32,
    length: u32,
    at: u64,
}

/// One call of bpf(2).
///
/// # Safety
/// `attributes` must be those of the command, and what they point to must live.
pub(super) unsafe fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: pointer and length are those of a live structure; the caller
    // answers for its content.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            mem::size_of::<T>(),
        )
    };
    check(result as libc::c_int)
}

/// Takes the program with that number off its interface by force, whoever it
/// belongs to: the number must be that of a program in a namespace of the lab.
///
/// # Errors
/// When there is no such link, or the kernel refuses.
pub fn detach_by_force(program: u32) -> io::Result<()> {
    const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
    const BPF_LINK_GET_FD_BY_ID: libc::c_int = 30;
    const BPF_LINK_GET_NEXT_ID: libc::c_int = 31;
    const BPF_LINK_DETACH: libc::c_int = 34;
    let mut id = 0;
    loop {
        let mut next = LinkId {
            id,
            next: 0,
            flags: 0,
        };
        // SAFETY: no pointer in it. ENOENT ends the search.
        unsafe { bpf(BPF_LINK_GET_NEXT_ID, &mut next) }?;
        id = next.next;
        let mut one = LinkId {
            id,
            next: 0,
            flags: 0,
        };
        // SAFETY: no pointer in it.
        let Ok(fd) = (unsafe { bpf(BPF_LINK_GET_FD_BY_ID, &mut one) }) else {
            continue;
        };
        // SAFETY: `fd` was just opened and nobody else owns it.
        let link = unsafe { OwnedFd::from_raw_fd(fd) };
        // Type, number, and the number of the program.
        let mut found = [0_u32; 4];
        let mut info = Info {
            fd: link.as_raw_fd().cast_unsigned(),
            length: mem::size_of_val(&found) as u32,
            at: found.as_mut_ptr() as u64,
        };
        // SAFETY: `found` lives through the call, and its length is passed.
        unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut info) }?;
        if found[2] == program {
            let mut detach = link.as_raw_fd().cast_unsigned();
            // SAFETY: the attribute is one descriptor.
            return unsafe { bpf(BPF_LINK_DETACH, &mut detach) }.map(drop);
        }
    }
}
