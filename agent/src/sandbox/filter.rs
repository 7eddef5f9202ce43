//! The system calls that are left to a thread, as seccomp filters.
//!
//! The fast lane has a list of what it may do: it does little, and always the
//! same. The slow lane has a list of what it may not do: it runs a resolver,
//! loads what the C library wants to, and does whatever a later version of it
//! does; what it never does is to run a program, become somebody else, trace,
//! mount, or change the kernel.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};

use crate::io::sys::trap;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

const MAP_LOOKUP: u64 = 1;
const MAP_UPDATE: u64 = 2;
const MAP_DELETE: u64 = 3;
/// Whether a link has its interface still.
const INFO: u64 = 15;
const LINK_CREATE: u64 = 28;
const LINK_UPDATE: u64 = 29;

/// linux/sockios.h; the type of libc's depends on the C library.
const SIOCGIFFLAGS: u64 = 0x8913;
const SIOCGIFINDEX: u64 = 0x8933;

const WRITE: u64 = libc::PROT_WRITE as u64;
const EXEC: u64 = libc::PROT_EXEC as u64;

/// Waiting, descriptors that it has, memory, and its own end. No descriptor is
/// opened.
const FAST: &[i64] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    libc::SYS_timerfd_settime,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_getpid,
    // The end of a thread, and of a process whose thread panics.
    libc::SYS_tgkill,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_rseq,
    libc::SYS_restart_syscall,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

#[cfg(target_arch = "x86_64")]
const FAST_HERE: &[i64] = &[libc::SYS_epoll_wait, libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const FAST_HERE: &[i64] = &[];

/// What nobody does here: programs are started by the thread that has no filter.
const PROGRAMS: &[i64] = &[libc::SYS_execve, libc::SYS_execveat];

/// What the fast lane does not do besides. The C library starts processes and
/// threads while it holds off all signals, so that a trap would end the process:
/// these calls fail without one.
const PROCESSES: &[i64] = &[libc::SYS_clone, libc::SYS_clone3];
#[cfg(target_arch = "x86_64")]
const PROCESSES_HERE: &[i64] = &[libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const PROCESSES_HERE: &[i64] = &[];

/// What the slow lane never does.
const SLOW: &[i64] = &[
    libc::SYS_memfd_create,
    // Nobody else.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // File systems and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    // The kernel and the machine.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_syslog,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_personality,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
];

#[cfg(target_arch = "x86_64")]
const SLOW_HERE: &[i64] = &[
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
];
#[cfg(not(target_arch = "x86_64"))]
const SLOW_HERE: &[i64] = &[];

/// Both are in force; the stricter answer counts.
pub type Filters = [BpfProgram; 2];

const SILENT: SeccompAction = SeccompAction::Errno(libc::EPERM as u32);

/// What a refused call meets: it fails with EPERM, and is counted where that is
/// possible.
fn refusal() -> SeccompAction {
    match trap::CAN_CATCH {
        true => SeccompAction::Trap,
        false => SILENT,
    }
}

/// The fast lane's, and that of the hands.
///
/// # Errors
///
/// On an architecture that the compiler of filters does not know.
pub fn fast() -> Result<Filters, BackendError> {
    let silent = || PROGRAMS.iter().chain(PROCESSES).chain(PROCESSES_HERE);
    let mut rules = plain(FAST.iter().chain(FAST_HERE).chain(silent()));
    let commands = [MAP_LOOKUP, MAP_UPDATE];
    let commands = commands.map(|command| argument(0, SeccompCmpOp::Eq, command));
    let commands = commands.into_iter().map(|one| SeccompRule::new(vec![one?]));
    rules.insert(libc::SYS_bpf, commands.collect::<Result<_, _>>()?);
    // What the standard library asks in a debug build before it closes one.
    let asked = argument(1, SeccompCmpOp::Eq, libc::F_GETFD as u64)?;
    rules.insert(libc::SYS_fcntl, vec![SeccompRule::new(vec![asked])?]);
    // Whether a link is down, before an Active is found down.
    let asked = [SIOCGIFFLAGS, SIOCGIFINDEX];
    let asked = asked.map(|request| argument(1, SeccompCmpOp::Eq, request));
    let asked = asked.into_iter().map(|one| SeccompRule::new(vec![one?]));
    rules.insert(libc::SYS_ioctl, asked.collect::<Result<_, _>>()?);
    // A filter that keeps steady adverts of a raw socket from waking it.
    let detached = vec![
        argument(1, SeccompCmpOp::Eq, libc::SOL_SOCKET as u64)?,
        argument(2, SeccompCmpOp::Eq, libc::SO_DETACH_FILTER as u64)?,
    ];
    rules.insert(libc::SYS_setsockopt, vec![SeccompRule::new(detached)?]);
    let no_code = SeccompRule::new(vec![argument(2, SeccompCmpOp::MaskedEq(EXEC), 0)?])?;
    rules.insert(libc::SYS_mmap, vec![no_code.clone()]);
    rules.insert(libc::SYS_mprotect, vec![no_code]);
    Ok([
        compile(rules, refusal(), SeccompAction::Allow)?,
        compile(plain(silent()), SeccompAction::Allow, SILENT)?,
    ])
}

/// The slow lane's.
///
/// # Errors
///
/// As [`fast`].
pub fn slow() -> Result<Filters, BackendError> {
    let mut rules = plain(SLOW.iter().chain(SLOW_HERE));
    // Programs and maps were made at the start.
    let commands = [
        MAP_LOOKUP,
        MAP_UPDATE,
        MAP_DELETE,
        INFO,
        LINK_CREATE,
        LINK_UPDATE,
    ];
    let others = commands.map(|command| argument(0, SeccompCmpOp::Ne, command));
    let others: Vec<_> = others.into_iter().collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_bpf, vec![SeccompRule::new(others)?]);
    // Libraries are mapped as code, which is never written.
    let both = WRITE | EXEC;
    let written = SeccompRule::new(vec![argument(2, SeccompCmpOp::MaskedEq(both), both)?])?;
    rules.insert(libc::SYS_mmap, vec![written]);
    let made = SeccompRule::new(vec![argument(2, SeccompCmpOp::MaskedEq(EXEC), EXEC)?])?;
    rules.insert(libc::SYS_mprotect, vec![made.clone()]);
    rules.insert(libc::SYS_pkey_mprotect, vec![made]);
    Ok([
        compile(rules, SeccompAction::Allow, refusal())?,
        compile(plain(PROGRAMS.iter()), SeccompAction::Allow, SILENT)?,
    ])
}

/// Calls whose arguments do not matter.
fn plain<'a>(calls: impl Iterator<Item = &'a i64>) -> Rules {
    calls.map(|call| (*call, Vec::new())).collect()
}

fn argument(at: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(at, SeccompCmpArgLen::Dword, operator, value)
}

fn compile(
    rules: Rules,
    others: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let machine = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, others, listed, machine)?.try_into()
}
