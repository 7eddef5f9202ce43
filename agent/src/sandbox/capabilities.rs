//! Which capabilities a process or a thread keeps, of those that it was given.
//!
//! Nobody is given any here: what is not listed is dropped, what is listed and
//! was never there stays away. docs/security.md says what each is for.

use caps::{CapSet, Capability, CapsHashSet, errors::CapsError};

/// The fast lane: the maps where the kernel asks for it (before 6.5 with
/// `unprivileged_bpf_disabled`); memory that is locked as it comes. Its sockets
/// are open.
pub const FAST_LANE: &[Capability] = &[Capability::CAP_BPF, Capability::CAP_IPC_LOCK];

/// The hands: addresses, routes and links over netlink.
pub const HANDS: &[Capability] = &[Capability::CAP_NET_ADMIN, Capability::CAP_IPC_LOCK];

/// All other threads of the agent but the one that starts programs: links and
/// sockets that a reload brings, scheduling that it changes, scripts of others
/// that are ended, and files of others, which a configuration may name, where
/// whoever started us lets us have them.
pub const SLOW_LANE: &[Capability] = match WATCHER {
    [all @ .., _] => all,
    [] => &[],
};

/// [`SLOW_LANE`], and last what it takes to watch processes where /proc hides
/// them.
pub const WATCHER: &[Capability] = &[
    Capability::CAP_NET_ADMIN,
    Capability::CAP_NET_RAW,
    Capability::CAP_BPF,
    Capability::CAP_IPC_LOCK,
    Capability::CAP_SYS_NICE,
    Capability::CAP_KILL,
    Capability::CAP_CHOWN,
    Capability::CAP_FOWNER,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_SYS_PTRACE,
];

/// The supervisor: takes addresses off, and writes pid files.
pub const SUPERVISOR: &[Capability] = &[
    Capability::CAP_NET_ADMIN,
    Capability::CAP_IPC_LOCK,
    Capability::CAP_FOWNER,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_DAC_READ_SEARCH,
];

/// What becomes of the bounding set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bounding {
    /// As it is: what this process starts has a right to it.
    Kept,
    /// As the others, where CAP_SETPCAP allows it: nothing is started here.
    Lowered,
}

/// Drops everything but `keep`, of the calling thread.
///
/// # Errors
///
/// Which step the kernel refused.
pub fn keep_only(keep: &[Capability], bounding: Bounding) -> Result<(), CapsError> {
    match bounding {
        Bounding::Lowered if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? => {
            for capability in caps::read(None, CapSet::Bounding)? {
                if !keep.contains(&capability) {
                    caps::drop(None, CapSet::Bounding, capability)?;
                }
            }
        }
        Bounding::Lowered | Bounding::Kept => {}
    }
    let had = caps::read(None, CapSet::Permitted)?;
    let kept: CapsHashSet = keep
        .iter()
        .copied()
        .filter(|one| had.contains(one))
        .collect();
    caps::set(None, CapSet::Effective, &kept)?;
    // The ambient set goes with it.
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Permitted, &kept)
}

/// Whether a program that this process starts gets back what was dropped here:
/// root's do, from the bounding set, unless somebody has switched that off.
pub fn come_back() -> bool {
    let switched_off = rustix::thread::capabilities_secure_bits()
        .is_ok_and(|bits| bits.contains(rustix::thread::CapabilitiesSecureBits::NO_ROOT));
    let no_new = rustix::thread::no_new_privs().unwrap_or(true);
    rustix::process::geteuid().is_root() && !switched_off && !no_new
}

/// As [`keep_only`], but of what is in use alone: what this process starts has
/// the rest.
///
/// # Errors
///
/// As [`keep_only`].
pub fn use_only(keep: &[Capability]) -> Result<(), CapsError> {
    let had = caps::read(None, CapSet::Permitted)?;
    let used: CapsHashSet = keep
        .iter()
        .copied()
        .filter(|one| had.contains(one))
        .collect();
    caps::set(None, CapSet::Effective, &used)
}
