//! Why an instance cannot take part, in words for an operator.

use super::health::Health;
use crate::{
    config::{
        IfName, Instance,
        model::{Track, Transport},
    },
    core::Fault,
    io::netlink::survey::World,
    track::{Kind, Share, Value, share},
};

/// What is known at the time of the sentence.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known<'a> {
    world: Option<&'a World>,
    health: Option<&'a Health>,
}

impl<'a> Known<'a> {
    pub fn all(world: &'a World, health: &'a Health) -> Self {
        Self {
            world: Some(world),
            health: Some(health),
        }
    }

    fn read(&self, track: &Track) -> Option<Option<Value>> {
        self.health.map(|health| health.value(&track.tracker))
    }
}

/// One sentence that names the interface, the address or the tracker.
///
/// Without a picture of the machine and of its health, of several that it can
/// be all are named.
pub(super) fn fault_text(fault: Fault, instance: &Instance, known: &Known<'_>) -> String {
    let own = &instance.interface;
    let world = known.world;
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
        Fault::TrackedDown => tracked_down(instance, known),
        Fault::TrackedScript => format!("tracked {} fails", trackers(fault, instance, known)),
        Fault::TrackedFile => {
            format!(
                "tracked {} reports a fault",
                trackers(fault, instance, known)
            )
        }
        Fault::TrackedProcess => {
            let processes = trackers(fault, instance, known);
            format!("tracked {processes} is not in its quorum")
        }
        Fault::Unread => format!("{} has no result yet", trackers(fault, instance, known)),
        Fault::Group => {
            let group = instance.group.as_deref().unwrap_or_default();
            format!("another member of its sync group {group} is in a fault")
        }
    }
}

fn tracked_down(instance: &Instance, known: &Known<'_>) -> String {
    let usable = |name: &IfName| {
        let link = known.world.and_then(|world| world.link(name.as_str()));
        link.is_some_and(|link| link.usable)
    };
    let plain = &instance.track_interfaces;
    // One that is to be down is a fault while it is up.
    let found = trackers(Fault::TrackedDown, instance, known);
    if !found.is_empty()
        && plain
            .iter()
            .all(|name| known.world.is_some() && usable(name))
    {
        return format!("tracked {found} is up, and is not to be");
    }
    let down = named(plain.iter(), |name| !usable(name));
    format!("tracked interface {down} is down")
}

/// The trackers that are behind this fault, as `script web`.
fn trackers(fault: Fault, instance: &Instance, known: &Known<'_>) -> String {
    let can = |track: &&Track| match fault {
        Fault::TrackedScript => track.tracker.kind == Kind::Script && track.weight.value == 0,
        Fault::TrackedFile => track.tracker.kind == Kind::File,
        Fault::TrackedProcess => track.tracker.kind == Kind::Process && track.weight.value == 0,
        Fault::TrackedDown => track.tracker.kind == Kind::Interface && track.weight.value == 0,
        Fault::Unread => track.weight.value == 0,
        Fault::InterfaceGone
        | Fault::LinkDown
        | Fault::NoSourceAddress
        | Fault::NoPeers
        | Fault::TrackedAddressGone
        | Fault::Group => false,
    };
    let all = || instance.tracks.iter().filter(can);
    let is_meant = |track: &&Track| {
        let read = known.read(track);
        read.is_some_and(|value| share(track, value) == Share::Fault(fault))
    };
    let mut names: Vec<String> = all()
        .filter(is_meant)
        .map(|track| track.tracker.to_string())
        .collect();
    if names.is_empty() {
        names = all().map(|track| track.tracker.to_string()).collect();
    }
    names.sort_unstable();
    names.dedup();
    names.join(" or ")
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
