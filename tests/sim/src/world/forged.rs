//! Somebody on the link who forges probes and answers.

use agent_common::wire::bfd::REFLECTOR_PORT;

use super::{Event, World};
use crate::{
    network::Port,
    probe::{ASKER_PORT, Datagram, End},
    schedule::INSTANCES,
    time::At,
};

impl World {
    pub(super) fn forge_probes(&mut self, number: usize, until: At) {
        if self.now >= until {
            return;
        }
        let forged = match self.dice().u32(0..5) {
            0 => self.facing(),
            1 => self.of_another(),
            2 => self.last_answer,
            3 => self.last_probe,
            _ => self.bent(),
        };
        if let Some(datagram) = forged {
            self.carry(Port::Attacker, datagram);
        }
        let beat = self.schedule.beat();
        let pause = self.dice().u64(beat / 100..beat / 4);
        self.at(self.now + pause, Event::Forge { fault: number });
    }

    fn two_ends(&mut self) -> [End; 2] {
        let routers = self.nodes.len();
        let one = self.dice().usize(0..routers);
        let other = (one + 1 + self.dice().usize(0..routers - 1)) % routers;
        let index = self.dice().usize(0..INSTANCES);
        [one, other].map(|router| End {
            host: self.nodes[router].spec.host,
            address: self.nodes[router].address(index),
            port: REFLECTOR_PORT,
        })
    }

    /// From a reflector to another one, so that the two go on for ever: as a
    /// question, and as an answer.
    fn facing(&mut self) -> Option<Datagram> {
        let [from, to] = self.two_ends();
        let mut packet = self.last_probe?.packet()?;
        // Of one virtual router at both ends, so that either knows it.
        packet.copy_within(8..12, 4);
        if self.dice().bool() {
            packet[1] &= !0x02;
        }
        Some(Datagram::new(from, to, &packet))
    }

    /// To the question that was asked last: something else does not serve.
    fn of_another(&mut self) -> Option<Datagram> {
        let asked = self.last_probe?;
        let (asker, active) = asked.ends()?;
        let mut packet = asked.packet()?;
        packet[1] = 0;
        // Exchanged as a reflector does, but for another virtual router.
        let (mine, yours) = (packet[4..8].to_vec(), packet[8..12].to_vec());
        packet[4..8].copy_from_slice(&yours);
        packet[7] ^= 0x40;
        packet[8..12].copy_from_slice(&mine);
        let to = End {
            port: ASKER_PORT,
            ..asker
        };
        Some(Datagram::new(active, to, &packet))
    }

    fn bent(&mut self) -> Option<Datagram> {
        let mut datagram = self.last_probe?;
        let bit = self.dice().u16(..);
        datagram.flip(bit);
        Some(datagram)
    }
}
