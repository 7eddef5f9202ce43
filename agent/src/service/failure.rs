//! Why the agent did not start, and the exit code that says so.

use std::{io, net::IpAddr};

/// One clear sentence each: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("interface {name} does not exist; this machine has: {existing}")]
    UnknownInterface { name: String, existing: String },
    #[error(
        "VIP {vip} is the only address of {interface} that adverts could come from; \
         give the interface an address of its own besides the VIP"
    )]
    OwnAddress { vip: String, interface: String },
    #[error(
        "the nftables table inet {name} is there already and not ours; end what made it, \
         or give ours another name in global_defs: nftables NAME"
    )]
    TableTaken { name: String },
    #[error(
        "({instance}) needs the interface {name} for its virtual MAC address, and there is \
         another one of that name; give it another: use_vmac NAME"
    )]
    NameTaken { instance: String, name: String },
    #[error(
        "({instance}) another failoverd already runs this virtual router on this machine; \
         stop it first"
    )]
    AlreadyRunning { instance: String },
    #[error(
        "({instance}) VIP {vip} is held by {holder} on this machine; \
         stop that one, or give them different VIPs"
    )]
    VipTaken {
        instance: String,
        vip: IpAddr,
        holder: String,
    },
    #[error(
        "not permitted to {what}: failoverd needs CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_PERFMON; run it as root"
    )]
    Permission { what: String },
    #[error("{0}; drop --require-xdp or --backend to let failoverd choose")]
    Backend(String),
    #[error("cannot use {path} as control socket: {source}; choose another with --control")]
    Control { path: String, source: io::Error },
    /// Said to the predecessor, which stays.
    #[error("cannot take over: {0}")]
    Heritage(String),
    #[error("{what}: {source}")]
    Runtime { what: String, source: io::Error },
}

/// Another path would do, as against a machine that is in a bad state.
fn names_a_wrong_path(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let kinds = [
        Kind::NotFound,
        Kind::NotADirectory,
        Kind::IsADirectory,
        Kind::AlreadyExists,
        Kind::AddrInUse,
        // Longer than a socket's path may be.
        Kind::InvalidInput,
        Kind::InvalidFilename,
        Kind::ReadOnlyFilesystem,
    ];
    kinds.contains(&error.kind())
}

impl Failure {
    /// Documented in the manual: 1 runtime, 2 usage and configuration,
    /// 4 permission, 5 the wanted backend is not to be had.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownInterface { .. }
            | Self::OwnAddress { .. }
            | Self::TableTaken { .. }
            | Self::NameTaken { .. }
            | Self::AlreadyRunning { .. }
            | Self::VipTaken { .. } => 2,
            Self::Permission { .. } => 4,
            Self::Backend(_) => 5,
            Self::Heritage(_) => 1,
            Self::Control { source, .. } if names_a_wrong_path(source) => 2,
            Self::Control { source, .. } | Self::Runtime { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => 4,
                _ => 1,
            },
        }
    }

    /// For `map_err`: a missing permission is said as such, whatever failed.
    pub fn runtime(what: &str) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Permission {
                what: what.replace("cannot ", ""),
            },
            _ => Self::Runtime {
                what: what.to_owned(),
                source,
            },
        }
    }
}
