//! The reflector follows the instances: on each of their links a program that
//! answers probes, and for each of them whether and how it is asked.

mod user;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use agent_common::{
    KernelTime,
    record::{
        FenceCounters, InstanceFilter, InstanceKey, NO_SLOT, ReflectCounters, ReflectKey,
        ReflectTarget,
    },
    wire::bfd::discriminator,
};
use tracing::{error, info, warn};

use self::user::{Book, UserReflector};
use super::{Service, heart};
use crate::{
    config::Instance,
    control::status,
    io::{
        bpf::{Backend, Kernel, Reflecting, Reflector},
        clock,
        lane::{Picture, SlowEnd},
    },
    upgrade::message::Message,
};

/// What the kernel was told.
#[derive(Debug, Default)]
pub(super) struct Reflectors {
    /// By link, with the backend that was chosen for; `None` where nothing
    /// answers, which was said.
    links: BTreeMap<u32, (Backend, Option<Way>)>,
    /// By slot.
    targets: BTreeMap<u32, (ReflectKey, ReflectTarget)>,
    /// What is answered without the kernel.
    book: Book,
}

/// How probes are answered on a link, for as long as it lives.
#[derive(Debug)]
enum Way {
    Kernel(Reflecting),
    User { _task: UserReflector },
}

impl Way {
    fn reflector(&self) -> Reflector {
        match self {
            Self::Kernel(reflecting) => reflecting.reflector,
            Self::User { .. } => Reflector::User,
        }
    }
}

impl Reflectors {
    /// How probes are answered on a link.
    pub(super) fn on(&self, ifindex: u32) -> Option<Reflector> {
        let (_, reflecting) = self.links.get(&ifindex)?;
        reflecting.as_ref().map(Way::reflector)
    }

    /// The program of a link, made ready when it is asked for first.
    fn prepare(
        &mut self,
        kernel: Option<&Kernel>,
        lane: &SlowEnd,
        (ifindex, name): (u32, &str),
        backend: Backend,
    ) -> Option<Reflector> {
        let known = self
            .links
            .remove(&ifindex)
            .filter(|(was, _)| *was == backend);
        let reflecting = match known {
            Some((_, Some(reflecting))) => Some(reflecting),
            before => {
                let is_news = before.is_none();
                let by_kernel = match kernel {
                    Some(kernel) => kernel.reflect_on(ifindex, name, backend),
                    None => Err("there is no BPF".to_owned()),
                };
                match by_kernel {
                    Ok(reflecting) => {
                        let by = reflecting.reflector.label();
                        info!("{name}: answering S-BFD probes in {by}");
                        Some(Way::Kernel(reflecting))
                    }
                    Err(reason) => self.by_user(lane, (ifindex, name), &reason, is_news),
                }
            }
        };
        self.links.insert(ifindex, (backend, reflecting));
        self.on(ifindex)
    }

    /// What the kernel cannot do is done by a process, which may be late.
    fn by_user(
        &self,
        lane: &SlowEnd,
        (ifindex, name): (u32, &str),
        reason: &str,
        is_news: bool,
    ) -> Option<Way> {
        match UserReflector::start(ifindex, self.book.clone(), lane.clone()) {
            Ok(task) => {
                warn!(
                    "{name}: S-BFD probes are answered by the agent itself, which a busy machine \
                     keeps waiting, and no hung agent is fenced: {reason}"
                );
                Some(Way::User { _task: task })
            }
            Err(error) => {
                if is_news {
                    warn!(
                        "{name}: cannot answer S-BFD probes: {reason}; nor in user space: {error}"
                    );
                }
                None
            }
        }
    }

    /// What became of the probes of a slot.
    fn counters(&self, kernel: Option<&Kernel>, slot: u32) -> ReflectCounters {
        let counters = kernel.and_then(|kernel| kernel.reflected(slot).ok());
        let mut sum = counters.unwrap_or_default();
        let ReflectCounters {
            up,
            down,
            stale,
            passed,
        } = self.book.counters(slot);
        sum.up = sum.up.saturating_add(up);
        sum.down = sum.down.saturating_add(down);
        sum.stale = sum.stale.saturating_add(stale);
        sum.passed = sum.passed.saturating_add(passed);
        sum
    }

    /// Answers nothing by itself any more: who has taken over does.
    pub(super) fn leave(&mut self) {
        let by_kernel = |way: &Option<Way>| !matches!(way, Some(Way::User { .. }));
        self.links.retain(|_, (_, way)| by_kernel(way));
    }

    /// A link that went, whose successor may have the same index.
    pub(super) fn forget(&mut self, ifindex: u32) {
        self.links.remove(&ifindex);
    }

    fn tell(&mut self, kernel: Option<&mut Kernel>, key: ReflectKey, target: ReflectTarget) {
        if self.targets.get(&target.slot) == Some(&(key, target)) {
            return;
        }
        if target.hook == Reflector::User.hook() {
            self.book.tell(key, target);
        } else {
            self.book.remove(target.slot);
        }
        match kernel.map_or(Ok(()), |kernel| kernel.set_target(&key, &target)) {
            Ok(()) => drop(self.targets.insert(target.slot, (key, target))),
            Err(error) => error!("{error}"),
        }
    }

    /// Ends what none of these needs.
    fn retain(
        &mut self,
        mut kernel: Option<&mut Kernel>,
        slots: &BTreeSet<u32>,
        links: &BTreeSet<u32>,
    ) {
        let unused: Vec<u32> = self
            .targets
            .keys()
            .copied()
            .filter(|slot| !slots.contains(slot))
            .collect();
        for slot in unused {
            self.book.remove(slot);
            let kernel = kernel.as_deref_mut();
            match kernel.map_or(Ok(()), |kernel| kernel.remove_target(slot)) {
                Ok(()) => drop(self.targets.remove(&slot)),
                Err(error) => error!("{error}"),
            }
        }
        self.links.retain(|ifindex, _| links.contains(ifindex));
    }
}

/// What asks for `instance`, and what is answered for, as the kernel side knows
/// it for its adverts.
fn target(
    instance: &Instance,
    (key, filter): &(InstanceKey, InstanceFilter),
    reflector: Reflector,
) -> (ReflectKey, ReflectTarget) {
    let key = ReflectKey {
        ifindex: key.ifindex,
        vlan: key.vlan,
        family: key.family,
        _pad: 0,
        discriminator: discriminator(instance.family, instance.vrid),
    };
    let target = ReflectTarget {
        slot: filter.slot,
        mac: filter.mac,
        hook: reflector.hook(),
        _pad: 0,
        own: filter.own,
    };
    (key, target)
}

/// Nobody renews a lease in the maps of a successor before it has taken over,
/// and switching many links may take longer than one runs. Its first advert
/// replaces this. A lease that has run out is left as it is.
fn for_a_successor(until_ns: u64, now: KernelTime, turn: Duration) -> u64 {
    if until_ns > now.nanos() {
        until_ns.max(now.after(turn).nanos())
    } else {
        until_ns
    }
}

impl Service {
    /// Brings the reflector in line with the instances. Not before the turn of
    /// a successor: until then its predecessor answers, and its leases are not
    /// known.
    pub(super) fn reflect(&mut self) {
        let (mut slots, mut links) = (BTreeSet::new(), BTreeSet::new());
        let instances = self.config.instances.iter().zip(&self.seats);
        for (instance, seat) in instances.filter(|(instance, _)| instance.fast_detect.is_some()) {
            let (Some(placed), true) = (&seat.placed, seat.installed.is_some()) else {
                continue;
            };
            let ifindex = placed.0.ifindex;
            let Some(backend) = self.links.by_index.get(&ifindex).map(|link| link.backend) else {
                continue;
            };
            let name = instance.interface.as_str();
            links.insert(ifindex);
            let kernel = self.kernel.as_ref();
            let prepared = self
                .reflectors
                .prepare(kernel, &self.lane, (ifindex, name), backend);
            let Some(reflector) = prepared else {
                continue;
            };
            let (key, target) = target(instance, placed, reflector);
            slots.insert(target.slot);
            self.reflectors.tell(self.kernel.as_mut(), key, target);
        }
        let kernel = self.kernel.as_mut();
        self.reflectors.retain(kernel, &slots, &links);
    }

    /// Until when each of our instances may be said to be served, for a
    /// successor whose programs answer before it has taken over: at least for
    /// `turn`, in which it takes over or ends.
    pub(super) fn leases(&self, turn: Duration) -> Vec<Message> {
        let now = clock::now();
        let slots = self.reflectors.targets.keys();
        let leases = slots.filter_map(|slot| {
            let until_ns = for_a_successor(self.lane.lease(*slot), now, turn);
            (until_ns > 0).then_some(Message::Lease {
                id: u16::try_from(*slot).ok()?,
                until_ns,
            })
        });
        leases.collect()
    }

    /// What [`Self::leases`] of a predecessor says.
    pub(super) fn take_lease(&self, id: u16, until_ns: u64) {
        self.lane.set_lease(u32::from(id), until_ns);
        if let Some(kernel) = &self.kernel
            && let Err(error) = kernel.set_lease(u32::from(id), KernelTime(until_ns))
        {
            warn!("{error}");
        }
    }

    /// What became of the probes of an instance, and of those that it sends.
    pub(super) fn fast_detect(
        &self,
        instance: &Instance,
        slot: u32,
        picture: &Picture,
    ) -> Option<status::FastDetect> {
        instance.fast_detect?;
        let mut hearts = picture.hearts.iter();
        let heart = hearts.find(|heart| u32::from(heart.id.0) == slot);
        let target = self.reflectors.targets.get(&slot);
        let reflector = target.and_then(|(key, _)| self.reflectors.on(key.ifindex));
        let kernel = self.kernel.as_ref();
        let ReflectCounters {
            up,
            down,
            stale,
            passed,
        } = self.reflectors.counters(kernel, slot);
        let fenced = kernel.and_then(|kernel| kernel.fenced(slot).ok());
        let FenceCounters { questions, packets } = fenced.unwrap_or_default();
        Some(status::FastDetect {
            reflector: reflector.map(|reflector| reflector.label().to_owned()),
            discriminator: discriminator(instance.family, instance.vrid),
            answered_up: up,
            answered_down: down,
            answered_stale: stale,
            left_alone: passed,
            fenced: kernel.is_some_and(|kernel| {
                kernel
                    .is_fenced(slot, clock::now())
                    .is_ok_and(|fenced| fenced)
            }),
            fenced_questions: questions,
            fenced_packets: packets,
            heartbeat: heart.map(|found| heart::status(found, picture.at)),
        })
    }

    /// Probes for the reflector's port that none of our instances was asked by.
    pub(super) fn unclaimed_probes(&self) -> u64 {
        let kernel = self.kernel.as_ref();
        self.reflectors.counters(kernel, NO_SLOT).passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_runs_lasts_for_the_turn_of_a_successor() {
        let (now, turn) = (KernelTime(1_000), Duration::from_nanos(500));
        // Never served, run out long ago and just now, short, long.
        for (until, told) in [
            (0, 0),
            (1, 1),
            (1_000, 1_000),
            (1_001, 1_500),
            (9_000, 9_000),
        ] {
            assert_eq!(for_a_successor(until, now, turn), told, "{until}");
        }
    }
}
