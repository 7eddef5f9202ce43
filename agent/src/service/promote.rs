//! `promote_secondaries`: set on a link while an instance wants it.

use std::collections::BTreeSet;

use tracing::warn;

use crate::{
    config::Instance,
    io::netlink::{
        devconf,
        survey::{Link, World},
    },
};

/// Links on which we set it, by index. Where it was set before, it is not ours
/// to put back.
#[derive(Debug, Default)]
pub(super) struct Promotion {
    ours: BTreeSet<u32>,
}

impl Promotion {
    /// Sets it where `instances` want it, and puts it back where none does any
    /// more.
    pub(super) fn apply<'a>(
        &mut self,
        instances: impl Iterator<Item = &'a Instance>,
        world: &World,
    ) {
        let mut wanted = BTreeSet::new();
        for instance in instances.filter(|instance| instance.promote_secondaries) {
            let homes = instance.vips.iter().map(|vip| instance.home(vip));
            for name in homes.chain([&instance.interface]) {
                let Some(link) = world.link(name.as_str()) else {
                    continue;
                };
                wanted.insert(link.ifindex);
                if !link.promotes && !self.ours.contains(&link.ifindex) {
                    self.set(&instance.name, link);
                }
            }
        }
        let over: Vec<u32> = self.ours.difference(&wanted).copied().collect();
        for ifindex in over {
            self.ours.remove(&ifindex);
            put_back(ifindex);
        }
    }

    fn set(&mut self, instance: &str, link: &Link) {
        match devconf::promote_secondaries(link.ifindex, true) {
            Ok(()) => drop(self.ours.insert(link.ifindex)),
            Err(error) => warn!(
                "({instance}) cannot set promote_secondaries on {}: {error}",
                link.name
            ),
        }
    }

    /// The links, which are another's to put back.
    pub(super) fn give_away(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.ours)
    }

    pub(super) fn inherit(&mut self, ifindex: u32) {
        self.ours.insert(ifindex);
    }

    /// After the VIPs are gone.
    pub(super) fn end(&mut self) {
        std::mem::take(&mut self.ours)
            .into_iter()
            .for_each(put_back);
    }
}

/// A link that is gone took its settings along.
fn put_back(ifindex: u32) {
    match devconf::promote_secondaries(ifindex, false) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
        Err(error) => warn!("cannot put promote_secondaries back: {error}"),
    }
}
