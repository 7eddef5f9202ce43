//! What has been heard last from whom, so that an advert counts once.

use std::net::IpAddr;

use agent_common::KernelTime;

/// Routers remembered. More than a link has in practice; a flood of made-up
/// sources only evicts, and what is then read twice is still subject to the
/// order of stamps and to the limits.
pub const ROUTERS: usize = 8;

/// The newest stamp of each router heard lately.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    routers: [Option<(IpAddr, KernelTime)>; ROUTERS],
}

impl Heard {
    pub(super) const fn new() -> Self {
        Self {
            routers: [None; ROUTERS],
        }
    }

    pub(super) const fn restore(&mut self, routers: [Option<(IpAddr, KernelTime)>; ROUTERS]) {
        self.routers = routers;
    }

    /// Each router with its newest stamp.
    pub(super) const fn all(&self) -> [Option<(IpAddr, KernelTime)>; ROUTERS] {
        self.routers
    }

    /// Whether an advert of this router is among those remembered.
    pub(super) fn knows(&self, source: IpAddr) -> bool {
        let mut known = self.routers.iter().flatten();
        known.any(|(router, _)| *router == source)
    }

    /// Notes an advert. False for one that was read before, from the ring
    /// buffer or the LATEST slot, and for one that a newer advert of the same
    /// router has superseded.
    pub(super) fn note(&mut self, source: IpAddr, stamp: KernelTime) -> bool {
        let known = self
            .routers
            .iter_mut()
            .flatten()
            .find(|(router, _)| *router == source);
        if let Some((_, newest)) = known {
            if stamp <= *newest {
                return false;
            }
            *newest = stamp;
            return true;
        }
        let oldest = self
            .routers
            .iter_mut()
            .min_by_key(|entry| entry.map(|(_, stamp)| stamp));
        if let Some(entry) = oldest {
            *entry = Some((source, stamp));
        }
        true
    }
}
