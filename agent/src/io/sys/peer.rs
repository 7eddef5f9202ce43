//! Who is at the other end of a unix socket.

use std::{
    mem::size_of,
    os::fd::{AsRawFd, BorrowedFd},
};

/// More groups than anybody is in.
const MOST: usize = 1024;

/// The supplementary groups of whoever connected, as they were then; none where
/// the kernel cannot tell (before 4.13), or there are more than 1024.
pub fn peer_groups(fd: BorrowedFd<'_>) -> Vec<u32> {
    let mut groups = [0_u32; MOST];
    let mut len = size_of::<[u32; MOST]>() as libc::socklen_t;
    // SAFETY: the pointer and the length describe `groups`, which outlives the
    // call; the kernel writes no more than that, and the length of it to `len`.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    let count = match result {
        0 => len as usize / size_of::<u32>(),
        _ => 0,
    };
    groups.get(..count).unwrap_or_default().to_vec()
}
