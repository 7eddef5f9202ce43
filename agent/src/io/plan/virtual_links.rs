//! Interfaces with virtual MAC addresses, as an instance needs them.

use crate::{config::Instance, core::Fault, io::netlink::survey::World};

/// Their indices, that of the instance's own first.
///
/// # Errors
///
/// When one is missing; something else of that name will not do.
pub(super) fn virtual_links(instance: &Instance, world: &World) -> Result<Vec<u32>, Fault> {
    let links = instance.virtual_links().map(|wanted| {
        let base = world.link(wanted.base.as_str())?;
        let link = world.link(wanted.name.as_str())?;
        let good = link.mac == wanted.mac && link.macvlan_of == Some(base.ifindex);
        good.then_some(link.ifindex)
    });
    let links: Option<Vec<u32>> = links.collect();
    links.ok_or(Fault::InterfaceGone)
}
