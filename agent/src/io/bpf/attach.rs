//! Where the kernel half can sit, and why it could not.

use std::{io, os::fd::BorrowedFd};

use super::{ethtool, sys};

/// Where adverts are taken from, best first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Backend {
    /// XDP in the driver.
    XdpNative,
    /// XDP in the stack, for drivers without it.
    XdpGeneric,
    /// tcx ingress (Linux 6.6), behind whatever XDP program is there.
    Tcx,
    /// No program: the agent reads a packet socket with the same parser.
    RawSocket,
}

impl Backend {
    /// All of them, best first: the order to attach in.
    pub const ORDER: [Self; 4] = [
        Self::XdpNative,
        Self::XdpGeneric,
        Self::Tcx,
        Self::RawSocket,
    ];

    pub const fn is_xdp(self) -> bool {
        match self {
            Self::XdpNative | Self::XdpGeneric => true,
            Self::Tcx | Self::RawSocket => false,
        }
    }

    /// A stable name for the configuration, status and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::XdpNative => "xdp-native",
            Self::XdpGeneric => "xdp-generic",
            Self::Tcx => "tcx",
            Self::RawSocket => "raw-socket",
        }
    }
}

impl std::str::FromStr for Backend {
    type Err = ();

    fn from_str(label: &str) -> Result<Self, ()> {
        let found = Self::ORDER.into_iter().find(|known| known.label() == label);
        found.ok_or(())
    }
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.label())
    }
}

/// What became of an attempt to attach to one interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttachReport {
    /// The one that is live; `None` when all were refused.
    pub backend: Option<Backend>,
    /// Those that were tried before it, and why they are not live.
    pub refused: Vec<(Backend, String)>,
}

/// `enum bpf_attach_type` of linux/bpf.h.
pub(super) const BPF_XDP: u32 = 37;
pub(super) const BPF_TCX_INGRESS: u32 = 46;
/// Flags of linux/if_link.h.
pub(super) const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
/// Without a relative program: before all others.
pub(super) const BPF_F_BEFORE: u32 = 1 << 3;

/// The programs that a backend may need.
#[derive(Clone, Copy)]
pub(super) struct Programs<'a> {
    pub xdp: BorrowedFd<'a>,
    pub tcx: BorrowedFd<'a>,
}

/// One attempt. A link where the backend has one; the reason where it failed.
pub(super) fn attach(
    programs: Programs<'_>,
    backend: Backend,
    ifindex: u32,
    ifname: &str,
) -> Result<Option<std::os::fd::OwnedFd>, String> {
    let (program, attach_type, flags) = match backend {
        Backend::RawSocket => return Ok(None),
        Backend::XdpNative => (programs.xdp, BPF_XDP, XDP_FLAGS_DRV_MODE),
        Backend::XdpGeneric => (programs.xdp, BPF_XDP, XDP_FLAGS_SKB_MODE),
        Backend::Tcx => (programs.tcx, BPF_TCX_INGRESS, BPF_F_BEFORE),
    };
    let is_xdp = attach_type == BPF_XDP;
    if is_xdp && ethtool::hides_vlan_tags(ifname) {
        return Err(
            "VLAN devices on an interface that strips their tags: XDP could not \
                    tell the VLANs apart (rxvlan off would show it the tags)"
                .to_owned(),
        );
    }
    sys::link_create(program, ifindex, attach_type, flags)
        .map(Some)
        .map_err(|error| reason(backend, &error))
}

fn reason(backend: Backend, error: &io::Error) -> String {
    match (backend, error.raw_os_error()) {
        (Backend::XdpNative | Backend::XdpGeneric, Some(libc::EBUSY)) => {
            "another XDP program is attached, which we do not replace".to_owned()
        }
        (Backend::XdpNative | Backend::XdpGeneric, Some(libc::EEXIST)) => {
            "an XDP program of the other mode is attached, which we do not replace".to_owned()
        }
        (Backend::XdpNative, Some(libc::EOPNOTSUPP)) => "the driver has no XDP".to_owned(),
        (Backend::XdpNative, Some(libc::ERANGE)) => {
            format!("the driver refuses XDP at this MTU: {error}")
        }
        (Backend::Tcx, Some(libc::EINVAL)) => "this kernel has no tcx (Linux 6.6)".to_owned(),
        (_, Some(libc::ENODEV)) => "there is no such interface".to_owned(),
        (_, _) => error.to_string(),
    }
}
