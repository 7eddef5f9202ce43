//! Why the kernel half is not there, grouped by who can do something about it.

use std::{error::Error as StdError, io};

/// An operation on the kernel half failed.
#[derive(Debug, thiserror::Error)]
pub enum BpfError {
    /// The operator: run with the capabilities, or without XDP.
    #[error("not permitted to use BPF: needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN")]
    NoPermission,
    /// The kernel: built without BPF, or too old.
    #[error("this kernel has no BPF")]
    NoBpf,
    /// We: the verifier of this kernel refuses a program.
    #[error("the verifier of this kernel refuses {program}: {reason} (CAP_PERFMON may be missing)")]
    Verifier {
        program: &'static str,
        reason: io::Error,
        log: String,
    },
    /// We: the embedded object is not what this code expects.
    #[error("the embedded object lacks {0}")]
    Missing(&'static str),
    /// We: the embedded object does not load.
    #[error("cannot load the embedded object: {0}")]
    Object(String),
    /// A system call failed.
    #[error("{what}: {source}")]
    System {
        what: &'static str,
        source: io::Error,
    },
}

impl BpfError {
    /// Sorts an error of the loader by the system error at its root.
    pub(super) fn from_loader(error: &(dyn StdError + 'static)) -> Self {
        match root_errno(error) {
            Some(libc::EPERM | libc::EACCES) => Self::NoPermission,
            Some(libc::ENOSYS) => Self::NoBpf,
            Some(_) | None => Self::Object(chain(error)),
        }
    }
}

/// Says what a system call was for.
pub(super) fn failed(what: &'static str) -> impl Fn(io::Error) -> BpfError {
    move |source| BpfError::System { what, source }
}

fn root_errno(error: &(dyn StdError + 'static)) -> Option<i32> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.raw_os_error();
        }
        next = error.source();
    }
    None
}

fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}
