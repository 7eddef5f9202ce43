//! What the machine has of us besides VIPs: static addresses, rules of the
//! firewall, settings of links.
//!
//! All of it is in place before an instance can be Active, and stays until its
//! VIPs are gone, so that no take-over waits for it.

use super::{Failure, firewall::Drops, paths::Paths, promote::Promotion, statics::Statics};
use crate::{
    config::{Config, Instance},
    io::netlink::survey::World,
};

#[derive(Debug)]
pub(super) struct Machine {
    pub statics: Statics,
    pub paths: Paths,
    pub drops: Drops,
    pub promotion: Promotion,
}

impl Machine {
    /// # Errors
    ///
    /// When a netlink socket cannot be had.
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self {
            statics: Statics::new()?,
            paths: Paths::new()?,
            drops: Drops::default(),
            promotion: Promotion::default(),
        })
    }

    /// What `config` wants of it for its own instances and for `others`, who
    /// still have VIPs. False when some of it should be tried again.
    ///
    /// # Errors
    ///
    /// What the kernel refuses altogether.
    pub(super) fn apply<'a>(
        &mut self,
        config: &'a Config,
        others: impl Iterator<Item = &'a Instance> + Clone,
        world: &World,
    ) -> Result<bool, Failure> {
        self.guard(config, others.clone(), world)?;
        let instances = config.instances.iter();
        self.promotion.apply(instances.chain(others), world);
        let settled = self.statics.apply(&config.static_addresses, world)?;
        // Their sources may be among the addresses.
        Ok(self.paths.apply(config, world)? && settled)
    }

    /// The rules alone: before anything else, as they can be refused.
    ///
    /// # Errors
    ///
    /// Then the rules are as before.
    pub(super) fn guard<'a>(
        &mut self,
        config: &'a Config,
        others: impl Iterator<Item = &'a Instance>,
        world: &World,
    ) -> Result<(), Failure> {
        let instances = config.instances.iter();
        self.drops
            .apply(&config.firewall, instances.chain(others), world)
    }

    /// When no VIP is left. Also done when this is dropped, as by a start that
    /// fails.
    pub(super) fn end(&mut self) {
        self.drops.remove();
        self.promotion.end();
        self.paths.end();
        self.statics.end();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.end();
    }
}
