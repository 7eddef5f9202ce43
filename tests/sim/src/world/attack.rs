//! Somebody on the link who means harm.

use agent_common::{AdvertInterval, Priority, Version};

use super::{Event, World};
use crate::{
    network::{Advert, Bend, Frame, Port},
    node::interval,
    schedule::{Attack, Fault, INSTANCES},
};

/// Adverts that a replay has to choose from.
const REMEMBERED: usize = 32;

/// An address that no router has, and the highest one.
const STRANGER: u8 = 251;
const HIGHEST: u8 = 255;

impl World {
    pub(super) fn forge(&mut self, number: usize) {
        let (began, fault) = self.schedule.faults[number].clone();
        if let Fault::Probes { span } = fault {
            return self.forge_probes(number, began + span);
        }
        let Fault::Attack { span, flavour } = fault else {
            return;
        };
        if self.now >= began + span {
            return;
        }
        if let Some(advert) = self.forged(flavour) {
            self.broadcast(Port::Attacker, Frame::Advert(advert));
        }
        let beat = self.schedule.beat();
        let pause = match flavour {
            Attack::Flood => self.dice().u64(beat / 200..beat / 20),
            Attack::Release
            | Attack::Lower
            | Attack::Higher
            | Attack::Reflect
            | Attack::Owner
            | Attack::Poison
            | Attack::Replay
            | Attack::Garbage => self.dice().u64(beat / 20..beat),
        };
        self.at(self.now + pause, Event::Forge { fault: number });
    }

    fn forged(&mut self, flavour: Attack) -> Option<Advert> {
        let routers = self.nodes.len();
        let victim = self.dice().usize(0..routers);
        let instance = self.dice().usize(0..INSTANCES);
        let node = &self.nodes[victim];
        let (host, own) = (node.spec.host, node.priority[instance]);
        let usual = interval(node.spec.interval_cs);
        let straight = |host, priority, interval| Advert {
            host,
            instance,
            priority: Priority(priority),
            interval,
            bend: Bend::Straight,
        };
        Some(match flavour {
            Attack::Release => straight(host, 0, usual),
            Attack::Lower => straight(STRANGER, 1, usual),
            Attack::Higher => straight(STRANGER, 254, usual),
            Attack::Reflect => straight(host, own, usual),
            Attack::Owner => straight(HIGHEST, 255, usual),
            Attack::Poison => straight(STRANGER, 254, self.longest(usual)),
            Attack::Replay => {
                let known = self.remembered.len();
                let index = (known > 0).then(|| self.dice().usize(0..known))?;
                self.remembered[index]
            }
            Attack::Garbage => Advert {
                bend: self.crooked(),
                ..straight(host, 254, usual)
            },
            Attack::Flood => {
                let priority = self.dice().u8(0..=254);
                let host = [host, STRANGER][self.dice().usize(0..2)];
                straight(host, priority, usual)
            }
        })
    }

    /// A longer time-out would only make runs long, where adverts are frequent.
    fn longest(&self, usual: AdvertInterval) -> AdvertInterval {
        match (self.schedule.setting.version, usual.centis()) {
            (Version::V2, _) => interval(25_500),
            (Version::V3, 0..100) => interval(usual.centis() * 20),
            (Version::V3, _) => AdvertInterval::MAX_V3,
        }
    }

    fn crooked(&mut self) -> Bend {
        let dice = self.dice();
        match dice.u32(0..10) {
            0 => Bend::Ttl,
            1 => Bend::Checksum,
            2 => Bend::Version,
            3 => Bend::Vrid,
            4 => Bend::Short,
            _ => Bend::Flip(dice.u16(..)),
        }
    }

    /// What somebody who listens could send again.
    pub(super) fn remember(&mut self, advert: Advert) {
        if self.remembered.len() < REMEMBERED {
            self.remembered.push(advert);
        } else {
            let slot = self.events as usize % REMEMBERED;
            self.remembered[slot] = advert;
        }
    }
}
