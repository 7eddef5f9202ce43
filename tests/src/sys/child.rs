//! Processes that do one thing until they are ended: made by fork without
//! exec, so that they need no program of their own, and so with nothing but
//! system calls inside, since other threads may have held any lock.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    time::Duration,
};

use super::check;

/// What a child does for ever.
#[derive(Clone, Copy, Debug)]
pub enum Toil {
    /// Computes.
    Spin,
    /// Takes a byte from the one pipe and writes it to the other.
    Pass { from: RawFd, to: RawFd },
    /// Waits for that long, again and again.
    Tick(Duration),
    /// Maps that many bytes, writes to each page, gives them back.
    Touch(usize),
}

/// Where and how it runs.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Only on this processor.
    pub processor: Option<usize>,
    /// SCHED_FIFO with this priority.
    pub fifo: Option<i32>,
    /// It ends by itself after that long.
    pub limit: Duration,
}

/// A child process, ended and reaped on drop.
#[derive(Debug)]
pub struct Child(libc::pid_t);

impl Child {
    /// It also ends with the thread that starts it.
    ///
    /// # Errors
    /// When there can be no more processes.
    pub fn start(toil: Toil, manner: Manner) -> io::Result<Self> {
        // SAFETY: the child calls nothing but system calls until it ends.
        match unsafe { libc::fork() } {
            0 => {
                prepare(manner);
                work(toil)
            }
            pid => check(pid).map(Self),
        }
    }

    pub fn pid(&self) -> i32 {
        self.0
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: a child that was not reaped yet, so the pid is still its own.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, std::ptr::null_mut(), 0);
        }
    }
}

fn prepare(manner: Manner) {
    let seconds = manner.limit.as_secs().clamp(1, 3600) as libc::c_uint;
    // SAFETY: system calls without pointers.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::prctl(libc::PR_SET_TIMERSLACK, 1);
        // A signal to the terminal's group is for who runs the lab.
        libc::setpgid(0, 0);
        for signal in [libc::SIGALRM, libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::alarm(seconds);
    }
    if let Some(processor) = manner.processor {
        let _elsewhere = super::stay_on(processor);
    }
    if let Some(priority) = manner.fifo {
        super::prefer_this_thread_at(priority);
    }
}

fn work(toil: Toil) -> ! {
    loop {
        match toil {
            Toil::Spin => std::hint::spin_loop(),
            Toil::Pass { from, to } => pass(from, to),
            Toil::Tick(period) => tick(period),
            Toil::Touch(bytes) => touch(bytes),
        }
    }
}

fn pass(from: RawFd, to: RawFd) {
    let mut byte = 0_u8;
    // SAFETY: one byte that lives through both calls.
    unsafe {
        if libc::read(from, (&raw mut byte).cast(), 1) != 1 {
            libc::_exit(0);
        }
        libc::write(to, (&raw const byte).cast(), 1);
    }
}

fn tick(period: Duration) {
    let period = libc::timespec {
        tv_sec: 0,
        tv_nsec: period.subsec_nanos().into(),
    };
    // SAFETY: a timespec that lives through the call.
    unsafe { libc::nanosleep(&raw const period, std::ptr::null_mut()) };
}

fn touch(bytes: usize) {
    const PAGE: usize = 4096;
    // SAFETY: new private memory, written to within its length, and unmapped.
    unsafe {
        let memory = libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if memory == libc::MAP_FAILED {
            tick(Duration::from_millis(1));
            return;
        }
        for at in (0..bytes).step_by(PAGE) {
            memory.cast::<u8>().add(at).write_volatile(1);
        }
        libc::munmap(memory, bytes);
    }
}

/// A pipe: where to read and where to write.
///
/// # Errors
/// When there are too many descriptors.
pub fn pipe() -> io::Result<[OwnedFd; 2]> {
    let mut ends = [0; 2];
    // SAFETY: two descriptors fit.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: both were just opened and nobody else owns them.
    Ok(ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) }))
}

/// Two children that wake each other without end.
///
/// # Errors
/// As [`pipe`] and [`Child::start`].
pub fn churn(manner: Manner) -> io::Result<[Child; 2]> {
    let [there, back] = [pipe()?, pipe()?];
    let pass = |from: &OwnedFd, to: &OwnedFd| Toil::Pass {
        from: from.as_raw_fd(),
        to: to.as_raw_fd(),
    };
    let first = Child::start(pass(&there[0], &back[1]), manner)?;
    let second = Child::start(pass(&back[0], &there[1]), manner)?;
    // SAFETY: one byte of a constant.
    check(unsafe { libc::write(there[1].as_raw_fd(), c"x".as_ptr().cast(), 1) } as libc::c_int)?;
    Ok([first, second])
}
