//! System calls that no crate wraps: the agent's `unsafe` edge towards sockets and the scheduler.
//!
//! Each function takes and returns safe types and never keeps a pointer.

mod interface;
mod message;
mod packet;
mod peer;
mod process;
pub mod realtime;
mod receive;
pub mod trap;
mod wait;

use std::{
    io,
    mem::size_of,
    os::fd::{AsRawFd, BorrowedFd},
};

pub use self::{
    interface::{interface_flags, interfaces, is_running},
    message::{send_datagram, send_message},
    packet::{
        PACKET_IGNORE_OUTGOING, bind_packet, bind_packet_to, packet_drops, packet_receiver,
        packet_sender, send_frames,
    },
    peer::peer_groups,
    process::{
        Fork, block_signals, close_from, close_others, default_signals, fifo_priority, fork,
        is_open, kill, leave_terminal, next_signal, no_timer_slack, set_fifo, set_name,
        set_ordinary, unblock_signals,
    },
    receive::{AT_ONCE, IP_RECVFRAGSIZE, IPV6_RECVFRAGSIZE, Received, receive, receive_many},
    wait::epoll_wait,
};

/// Room for the control messages of one packet, aligned as the kernel wants.
#[repr(C, align(8))]
struct Control([u8; 256]);

fn check(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Sets a plain-data socket option.
pub fn set_option<T: bytemuck::NoUninit>(
    fd: BorrowedFd<'_>,
    level: i32,
    name: i32,
    value: &T,
) -> io::Result<()> {
    // SAFETY: the pointer and the length describe `value`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    check(result as libc::ssize_t).map(|_| ())
}

/// TC_PRIO_CONTROL of linux/pkt_sched.h.
const PRIORITY_CONTROL: i32 = 7;

/// What the socket sends goes before bulk where a link's queue has bands
/// (pfifo_fast, which is Linux's own default, prio, and mq of either). To be
/// called after the TOS is set, which sets it to that of bulk.
///
/// # Errors
///
/// EPERM without CAP_NET_RAW and CAP_NET_ADMIN.
pub fn send_first(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_PRIORITY, &PRIORITY_CONTROL)
}
