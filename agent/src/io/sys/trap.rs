//! What becomes of a system call that a seccomp filter traps: it fails with
//! EPERM, and is counted.

use std::{
    io,
    mem::zeroed,
    sync::atomic::{AtomicI32, AtomicU64, Ordering},
};

use super::check;

static COUNT: AtomicU64 = AtomicU64::new(0);
static LAST: AtomicI32 = AtomicI32::new(-1);

/// Where the kernel puts the number of the call in the data of a SIGSYS: behind
/// three integers, padding, and the address of the call.
#[cfg(target_pointer_width = "64")]
const NUMBER_AT: usize = 24;

/// System calls that were trapped so far in this process, and the number of the
/// last one.
pub fn trapped() -> (u64, Option<i32>) {
    let last = LAST.load(Ordering::Relaxed);
    (COUNT.load(Ordering::Relaxed), (last >= 0).then_some(last))
}

/// Whether [`catch`] can be had on this machine's architecture.
pub const CAN_CATCH: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// From here on a trapped call fails with EPERM instead of ending the process.
///
/// # Errors
///
/// Where [`CAN_CATCH`] is false, or the kernel refuses the handler.
pub fn catch() -> io::Result<()> {
    if !CAN_CATCH {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // SAFETY: plain data for which all zeroes is a value; the handler has the
    // signature that SA_SIGINFO asks for, touches atomics and its own arguments
    // only, and so may run in any thread at any moment.
    let result = unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_NODEFER;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut())
    };
    check(result as libc::ssize_t).map(|_| ())
}

extern "C" fn handle(_: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    #[cfg(target_pointer_width = "64")]
    if !info.is_null() {
        // SAFETY: the kernel's data of a signal is larger than that, and the
        // field is an aligned integer.
        let number = unsafe { info.cast::<u8>().add(NUMBER_AT).cast::<i32>().read() };
        LAST.store(number, Ordering::Relaxed);
    }
    let context = context.cast::<libc::ucontext_t>();
    if context.is_null() {
        return;
    }
    // SAFETY: with SA_SIGINFO the kernel passes the registers to which it
    // returns, and nobody else has them meanwhile.
    unsafe { fail(&mut *context) };
}

#[cfg(target_arch = "x86_64")]
fn fail(context: &mut libc::ucontext_t) {
    if let Some(result) = context.uc_mcontext.gregs.get_mut(libc::REG_RAX as usize) {
        *result = -i64::from(libc::EPERM);
    }
}

#[cfg(target_arch = "aarch64")]
fn fail(context: &mut libc::ucontext_t) {
    context.uc_mcontext.regs[0] = (-i64::from(libc::EPERM)) as u64;
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn fail(_: &mut libc::ucontext_t) {}
