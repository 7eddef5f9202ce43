//! Holding the kernel's RTNL lock for as long as a test wants it held.
//!
//! SIOCGIFCONF writes the list of interfaces into the caller's memory under the
//! lock. Where a page of that memory is one that userfaultfd has to provide,
//! the kernel waits for it, and keeps the lock meanwhile. Closing the
//! descriptor, as the end of the process does too, lets it go on.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    thread::JoinHandle,
    time::Duration,
};

use super::{check, wait_readable};

const PAGE: usize = 4096;
/// linux/userfaultfd.h.
const UFFD_API: u64 = 0xaa;
const UFFDIO_API: libc::c_ulong = 0xc018_aa3f;
const UFFDIO_REGISTER: libc::c_ulong = 0xc020_aa00;
const REGISTER_MODE_MISSING: u64 = 1;

#[repr(C)]
struct Api {
    api: u64,
    features: u64,
    ioctls: u64,
}

#[repr(C)]
struct Register {
    start: u64,
    length: u64,
    mode: u64,
    ioctls: u64,
}

/// The lock is held until this is dropped, on the whole machine.
#[derive(Debug)]
pub struct RtnlHold {
    faults: Option<OwnedFd>,
    holder: Option<JoinHandle<()>>,
}

/// A page that nobody has touched, freed at the end.
struct Page(*mut libc::c_void);

// SAFETY: the page is not touched but by the kernel, in the one thread that
// gets it.
unsafe impl Send for Page {}

impl Page {
    fn new() -> io::Result<Self> {
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a new mapping at an address that the kernel chooses.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, access, kind, -1, 0) };
        match page == libc::MAP_FAILED {
            true => Err(io::Error::last_os_error()),
            false => Ok(Self(page)),
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: our own mapping, which nobody uses any more.
        let _ = unsafe { libc::munmap(self.0, PAGE) };
    }
}

impl RtnlHold {
    /// To be called in a namespace with an interface that has an IPv4 address.
    ///
    /// # Errors
    /// Where the kernel has no userfaultfd, or the lock cannot be had within
    /// `patience`.
    pub fn new(patience: Duration) -> io::Result<Self> {
        let page = Page::new()?;
        let faults = faults_of(&page)?;
        // SAFETY: no pointers; the descriptor that is returned is ours.
        let socket = unsafe {
            let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
            OwnedFd::from_raw_fd(check(socket)?)
        };
        let holder = std::thread::spawn(move || {
            let page = page;
            // SAFETY: ifconf is plain data; all zeroes is a value.
            let mut list: libc::ifconf = unsafe { std::mem::zeroed() };
            list.ifc_len = PAGE as libc::c_int;
            list.ifc_ifcu.ifcu_buf = page.0.cast();
            // SAFETY: `list` names a page that lives until after the call.
            let _ = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFCONF, &raw mut list) };
        });
        let hold = Self {
            faults: Some(faults),
            holder: Some(holder),
        };
        // The kernel asks for the page: it has the lock.
        let asked = hold
            .faults
            .as_ref()
            .map(|faults| wait_readable(faults.as_fd(), patience));
        match asked {
            Some(Ok(true)) => Ok(hold),
            Some(Err(error)) => Err(error),
            Some(Ok(false)) | None => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Drop for RtnlHold {
    fn drop(&mut self) {
        self.faults = None;
        if let Some(holder) = self.holder.take() {
            let _panicked = holder.join();
        }
    }
}

fn faults_of(page: &Page) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the descriptor that is returned is ours.
    let faults = unsafe {
        let faults = libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | libc::O_NONBLOCK);
        OwnedFd::from_raw_fd(check(faults as libc::c_int)?)
    };
    let mut api = Api {
        api: UFFD_API,
        features: 0,
        ioctls: 0,
    };
    // SAFETY: the argument is a valid uffdio_api for the duration of the call.
    check(unsafe { libc::ioctl(faults.as_raw_fd(), UFFDIO_API, &raw mut api) })?;
    let mut register = Register {
        start: page.0 as u64,
        length: PAGE as u64,
        mode: REGISTER_MODE_MISSING,
        ioctls: 0,
    };
    // SAFETY: a valid uffdio_register, of a mapping of ours.
    check(unsafe { libc::ioctl(faults.as_raw_fd(), UFFDIO_REGISTER, &raw mut register) })?;
    Ok(faults)
}
