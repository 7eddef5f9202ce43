//! Why an instance cannot take part, in words for an operator.

use crate::{
    config::{IfName, Instance, model::Transport},
    core::Fault,
    io::netlink::survey::World,
};

/// One sentence that names the interface or the address.
///
/// Without a picture of the machine, of several interfaces that it can be all
/// are named.
pub fn fault_text(fault: Fault, instance: &Instance, world: Option<&World>) -> String {
    let own = &instance.interface;
    let tracked = &instance.track_interfaces;
    let link = |name: &IfName| world.and_then(|world| world.link(name.as_str()));
    match fault {
        Fault::InterfaceGone => {
            let homes = instance.vips.iter().map(|vip| instance.home(vip));
            let gone = named(std::iter::once(own).chain(homes), |name| {
                world.is_none() || link(name).is_none()
            });
            format!("interface {gone} does not exist")
        }
        Fault::LinkDown => format!("interface {own} is down or has no carrier"),
        Fault::NoSourceAddress => match &instance.transport {
            Transport::Multicast {
                source: Some(source),
            }
            | Transport::Unicast {
                source: Some(source),
                ..
            } => format!("no interface has {source}, which adverts are to come from"),
            Transport::Multicast { source: None } | Transport::Unicast { source: None, .. } => {
                format!("interface {own} has no address to send adverts from")
            }
        },
        Fault::NoPeers => "it has no unicast peers, and unicast_fault_no_peer is set".to_owned(),
        Fault::TrackedAddressGone => {
            "a static address that its track_group needs is not there".to_owned()
        }
        Fault::TrackedDown => {
            let down = named(tracked.iter(), |name| {
                link(name).is_none_or(|link| !link.usable)
            });
            format!("tracked interface {down} is down")
        }
    }
}

/// Those that are meant, or all where none is: it changed meanwhile.
fn named<'a>(
    names: impl Iterator<Item = &'a IfName> + Clone,
    meant: impl Fn(&IfName) -> bool,
) -> String {
    let mut found: Vec<&str> = names
        .clone()
        .filter(|name| meant(name))
        .map(IfName::as_str)
        .collect();
    if found.is_empty() {
        found = names.map(IfName::as_str).collect();
    }
    found.sort_unstable();
    found.dedup();
    found.join(" or ")
}
