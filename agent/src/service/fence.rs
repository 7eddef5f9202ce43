//! The fence follows the instances: wherever their VIPs are asked for, the
//! kernel side knows whose they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use agent_common::{KernelTime, record::FenceCounters};
use tracing::{error, info, warn};

use super::Service;
use crate::{
    core::InstanceId,
    io::{
        bpf::{Backend, Fencing, Kernel},
        clock,
    },
};

/// VIPs of instances without a fence that the kernel side knows all the same,
/// for the first packet to them: half of what there is room for.
const UNFENCED: usize = 32_768;

/// An agent that is starved again and again says so once in this time.
const QUIET: Duration = Duration::from_secs(10);

/// The slot of each VIP, where it is asked for.
type Places = BTreeMap<(u32, IpAddr), u32>;

/// What the kernel was told.
#[derive(Debug, Default)]
pub(super) struct Fences {
    places: Places,
    /// Links with VIPs that hear no adverts; `None` where no program can be
    /// had, which was said.
    links: BTreeMap<u32, Option<Fencing>>,
    /// That one was refused was said.
    refused: bool,
    /// When an instance was said to have been late, and what had been counted.
    told: BTreeMap<InstanceId, (KernelTime, FenceCounters)>,
}

impl Fences {
    /// A link that went, whose successor may have the same index.
    pub(super) fn forget(&mut self, ifindex: u32) {
        self.links.remove(&ifindex);
    }

    /// Keeps nothing from the stack any more: who has taken over does. To
    /// detach takes its time on each link, and a lease that runs out meanwhile
    /// would count: all are ended first.
    pub(super) fn take_down(&mut self, kernel: Option<&Kernel>) {
        let slots: BTreeSet<u32> = self.places.values().copied().collect();
        for slot in slots {
            if let Some(Err(error)) = kernel.map(|kernel| kernel.set_lease(slot, KernelTime(0))) {
                warn!("{error}");
            }
        }
        self.links.clear();
    }

    /// Whether a program sees the packets to one of the VIPs of a slot, asked
    /// for at these places; `hears` says on which links adverts are heard by a
    /// program, which does.
    pub(super) fn see(
        &self,
        id: InstanceId,
        places: &[(u32, IpAddr)],
        hears: impl Fn(&u32) -> bool,
    ) -> bool {
        let slot = u32::from(id.0);
        let known = |place: &&(u32, IpAddr)| self.places.get(place) == Some(&slot);
        let has_program = |ifindex| {
            let has_own = matches!(self.links.get(ifindex), Some(Some(_)));
            has_own || hears(ifindex)
        };
        let mut known = places.iter().filter(known);
        known.any(|(ifindex, _)| has_program(ifindex))
    }

    /// `fenced` first, of which it matters; of `others` no more than the first
    /// packet may go unseen. What is in neither goes.
    fn place(&mut self, kernel: &Kernel, fenced: &Places, others: &Places) {
        let gone =
            |place: &(u32, IpAddr)| !fenced.contains_key(place) && !others.contains_key(place);
        let gone: Vec<_> = self.places.keys().copied().filter(gone).collect();
        for place in gone {
            match kernel.remove_fence(place) {
                Ok(()) => drop(self.places.remove(&place)),
                Err(error) => error!("{error}"),
            }
        }
        let mut refused = false;
        for (place, slot) in fenced {
            if self.places.get(place) == Some(slot) {
                continue;
            }
            match kernel.set_fence(*place, *slot) {
                Ok(()) => drop(self.places.insert(*place, *slot)),
                Err(error) => {
                    if !std::mem::replace(&mut refused, true) && !self.refused {
                        let (_, vip) = place;
                        warn!(
                            "{vip}, and perhaps other VIPs, will be answered for even if the \
                             agent hangs: {error}"
                        );
                    }
                }
            }
        }
        self.refused = refused;
        for (place, slot) in others {
            if !fenced.contains_key(place)
                && self.places.get(place) != Some(slot)
                && kernel.set_fence(*place, *slot).is_ok()
            {
                self.places.insert(*place, *slot);
            }
        }
    }

    /// Programs for links that have VIPs, and none for adverts. Where one is
    /// refused is said, unless it is `early`: that of a predecessor may be in
    /// its place.
    fn cover(&mut self, kernel: &Kernel, bare: &BTreeSet<u32>, early: bool) {
        self.links.retain(|ifindex, _| bare.contains(ifindex));
        for ifindex in bare {
            let known = self.links.get(ifindex);
            if matches!(known, Some(Some(_))) {
                continue;
            }
            let was_refused = known.is_some();
            let fencing = match kernel.fence_on(*ifindex) {
                Ok(fencing) => {
                    if was_refused {
                        info!("interface {ifindex}: VIPs there are fenced now");
                    }
                    Some(fencing)
                }
                Err(_) if early => continue,
                Err(reason) => {
                    if !was_refused {
                        warn!(
                            "interface {ifindex}: VIPs there will be answered for even if the \
                             agent hangs: {reason}"
                        );
                    }
                    None
                }
            };
            self.links.insert(*ifindex, fencing);
        }
    }
}

impl Service {
    /// Brings the fence in line with the instances. As for the reflector, not
    /// before the turn of a successor; it does so once more when it has taken
    /// over, for links that had room for one program only.
    pub(super) fn fence_vips(&mut self) {
        let Some(kernel) = &self.kernel else {
            return;
        };
        let fenced = self.asked_for(true);
        let others = first(self.asked_for(false), UNFENCED);
        let bare = |ifindex: &u32| {
            let link = self.links.by_index.get(ifindex);
            link.is_none_or(|link| link.backend == Backend::RawSocket)
        };
        let bare = fenced.keys().map(|(ifindex, _)| *ifindex).filter(bare);
        let bare: BTreeSet<u32> = bare.collect();
        let early = self.is_heir && !self.took_over;
        self.fences.cover(kernel, &bare, early);
        self.fences.place(kernel, &fenced, &others);
    }

    /// The VIPs of instances that have a fence, or have none.
    fn asked_for(&self, fenced: bool) -> Places {
        let mut places = Places::new();
        for (instance, seat) in self.config.instances.iter().zip(&self.seats) {
            let Some(essence) = &seat.installed else {
                continue;
            };
            if instance.fast_detect.is_some() != fenced {
                continue;
            }
            // Of two instances with one VIP the first has it, which was asked
            // for by nobody so far.
            for place in essence.asked_for() {
                places.entry(*place).or_insert(u32::from(seat.id.0));
            }
        }
        places
    }

    /// The fast lane is back, and tells how long nothing vouched for it.
    pub(super) fn lease_lapsed(&mut self, id: InstanceId, span: Duration) {
        if let Some(kernel) = &self.kernel
            && let Err(error) = kernel.forget_other()
        {
            warn!("{error}");
        }
        let slot = u32::from(id.0);
        let counted = self.kernel.as_ref();
        let counted = counted.and_then(|kernel| kernel.fenced(slot).ok());
        let counted = counted.unwrap_or_default();
        let (now, known) = (clock::now(), self.fences.told.get(&id));
        if known.is_some_and(|(last, _)| now.since(*last) < QUIET) {
            return;
        }
        let (_, before) = known.copied().unwrap_or_default();
        let name = self.reporter.name(id);
        let questions = counted.questions.saturating_sub(before.questions);
        let packets = counted.packets.saturating_sub(before.packets);
        warn!(
            instance = name,
            "({name}) no advert left for {:.3} s longer than its lease, because the agent did \
             not run or the machine refused to send: meanwhile the kernel said that it does \
             not serve, and kept {questions} questions for its VIPs and {packets} packets to \
             them from being answered",
            span.as_secs_f64()
        );
        self.fences.told.insert(id, (now, counted));
    }
}

/// No more than there is room for: the same ones each time.
fn first(mut places: Places, most: usize) -> Places {
    if let Some(beyond) = places.keys().nth(most).copied() {
        drop(places.split_off(&beyond));
    }
    places
}

#[cfg(test)]
mod tests;
