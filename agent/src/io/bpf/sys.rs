//! bpf(2), where aya would allocate, fall back to something we do not want, or
//! does not reach. The attributes are those of `union bpf_attr` in linux/bpf.h.

use std::{
    io, mem,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

const BPF_MAP_LOOKUP_ELEM: libc::c_int = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_int = 2;
const BPF_MAP_DELETE_ELEM: libc::c_int = 3;
const BPF_PROG_TEST_RUN: libc::c_int = 10;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_LINK_UPDATE: libc::c_int = 29;

#[repr(C)]
struct MapAttr {
    fd: u32,
    _pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct LinkAttr {
    program: u32,
    ifindex: u32,
    attach_type: u32,
    flags: u32,
    /// Zeroes: relative to no program, at any revision.
    relative: [u64; 4],
}

#[repr(C)]
struct LinkUpdateAttr {
    link: u32,
    program: u32,
    /// None: whatever program the link has is replaced.
    flags: u32,
    old_program: u32,
}

#[repr(C)]
struct InfoAttr {
    fd: u32,
    info_len: u32,
    info: u64,
}

/// The start of `struct bpf_link_info`, of a link of XDP or tcx.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    _pad: u32,
    ifindex: u32,
    attach_type: u32,
}

#[repr(C)]
#[derive(Default)]
struct TestAttr {
    program: u32,
    verdict: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    _pad: u32,
}

/// Result of running a program on a made-up frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TestRun {
    /// What the program returned.
    pub verdict: u32,
    /// Mean of one run, nanoseconds.
    pub duration_ns: u32,
}

/// One call. `attr` must be the attribute structure of `command`, and every
/// address in it valid for what the command does with it.
unsafe fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: the caller answers for the content; pointer and size are those
    // of a live structure.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attr),
            mem::size_of::<T>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result as libc::c_int)
    }
}

fn fd_of(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().unsigned_abs()
}

/// Reads an element into `value`. False when there is none.
///
/// `key` and `value` must be as long as the map's; for a per-CPU map `value`
/// holds one for each possible CPU, each rounded up to 8 bytes.
pub fn map_lookup(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
    let mut attr = MapAttr {
        fd: fd_of(map),
        _pad: 0,
        key: key.as_ptr() as u64,
        value: value.as_mut_ptr() as u64,
        flags: 0,
    };
    // SAFETY: both slices outlive the call. Their lengths are the map's: the
    // callers in this module take them from the types that the map is made of.
    match unsafe { bpf(BPF_MAP_LOOKUP_ELEM, &mut attr) } {
        Ok(_zero) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes an element, new or not. Lengths as for [`map_lookup`].
pub fn map_update(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    let mut attr = MapAttr {
        fd: fd_of(map),
        _pad: 0,
        key: key.as_ptr() as u64,
        value: value.as_ptr() as u64,
        flags: 0,
    };
    // SAFETY: as in `map_lookup`; the kernel only reads the value.
    unsafe { bpf(BPF_MAP_UPDATE_ELEM, &mut attr) }.map(|_zero| ())
}

/// Removes an element. False when there is none.
pub fn map_delete(map: BorrowedFd<'_>, key: &[u8]) -> io::Result<bool> {
    let mut attr = MapAttr {
        fd: fd_of(map),
        _pad: 0,
        key: key.as_ptr() as u64,
        value: 0,
        flags: 0,
    };
    // SAFETY: as in `map_lookup`; no value is involved.
    match unsafe { bpf(BPF_MAP_DELETE_ELEM, &mut attr) } {
        Ok(_zero) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Attaches a program to an interface for as long as the link is open.
///
/// A link never takes the place of another program: the kernel answers EBUSY
/// or EEXIST instead.
pub fn link_create(
    program: BorrowedFd<'_>,
    ifindex: u32,
    attach_type: u32,
    flags: u32,
) -> io::Result<OwnedFd> {
    let mut attr = LinkAttr {
        program: fd_of(program),
        ifindex,
        attach_type,
        flags,
        relative: [0; 4],
    };
    // SAFETY: the attribute holds no address.
    let fd = unsafe { bpf(BPF_LINK_CREATE, &mut attr) }?;
    // SAFETY: a successful call returns a new descriptor that is ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Exchanges the program of a link at once: a frame meets the one or the other.
pub fn link_update(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = LinkUpdateAttr {
        link: fd_of(link),
        program: fd_of(program),
        flags: 0,
        old_program: 0,
    };
    // SAFETY: the attribute holds no address.
    unsafe { bpf(BPF_LINK_UPDATE, &mut attr) }.map(|_zero| ())
}

/// Whether a link of XDP or tcx still is on an interface. It is not when the
/// interface went, or when somebody detached it by force (BPF_LINK_DETACH).
pub fn link_is_attached(link: BorrowedFd<'_>) -> io::Result<bool> {
    let mut info = LinkInfo::default();
    let mut attr = InfoAttr {
        fd: fd_of(link),
        info_len: mem::size_of::<LinkInfo>() as u32,
        info: (&raw mut info) as u64,
    };
    // SAFETY: `info` outlives the call, and the kernel writes no more than the
    // length that it is told.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr) }?;
    Ok(info.ifindex != 0)
}

/// Runs a program `repeat` times on `frame`, attached to nothing.
pub fn test_run(program: BorrowedFd<'_>, frame: &[u8], repeat: u32) -> io::Result<TestRun> {
    let mut attr = TestAttr {
        program: fd_of(program),
        data_size_in: u32::try_from(frame.len()).unwrap_or(u32::MAX),
        data_in: frame.as_ptr() as u64,
        repeat,
        ..TestAttr::default()
    };
    // SAFETY: the frame outlives the call and is only read; no output buffer
    // is given, so the kernel writes into `attr` alone.
    unsafe { bpf(BPF_PROG_TEST_RUN, &mut attr) }?;
    Ok(TestRun {
        verdict: attr.verdict,
        duration_ns: attr.duration,
    })
}

/// Runs a program once on `frame`, and gives its verdict and what it has made
/// of the frame.
pub fn test_change(program: BorrowedFd<'_>, frame: &[u8]) -> io::Result<(u32, Vec<u8>)> {
    let mut changed = vec![0; frame.len()];
    let size = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let mut attr = TestAttr {
        program: fd_of(program),
        data_size_in: size,
        data_in: frame.as_ptr() as u64,
        data_size_out: size,
        data_out: changed.as_mut_ptr() as u64,
        repeat: 1,
        ..TestAttr::default()
    };
    // SAFETY: both buffers outlive the call, and the kernel writes no more than
    // `data_size_out` bytes, which is the length of the second.
    unsafe { bpf(BPF_PROG_TEST_RUN, &mut attr) }?;
    changed.truncate(attr.data_size_out as usize);
    Ok((attr.verdict, changed))
}

/// Puts a socket filter program on a socket.
pub fn attach_filter(socket: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let program = program.as_raw_fd();
    // SAFETY: the option takes one descriptor, of the size given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_BPF,
            (&raw const program).cast(),
            mem::size_of_val(&program) as libc::socklen_t,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
