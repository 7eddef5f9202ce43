//! Hosts on the link: what they believe where a VIP is.

use crate::schedule::{INSTANCES, VIPS};

/// A host's ARP or ND cache, for the VIPs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Host {
    cache: [[Option<usize>; VIPS]; INSTANCES],
}

impl Host {
    /// An announcement, or an answer.
    pub fn learn(&mut self, router: usize, instance: usize, vip: usize) {
        self.cache[instance][vip] = Some(router);
    }

    pub fn knows(&self, instance: usize, vip: usize) -> bool {
        self.cache[instance][vip].is_some()
    }

    pub fn believes(&self, instance: usize, vip: usize) -> Option<usize> {
        self.cache[instance][vip]
    }
}
