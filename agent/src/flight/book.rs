//! The last transitions, bounded, and what still comes for them.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use agent_common::KernelTime;

use super::{Done, Flight, Names, Packet, Record, Step, record::Key};
use crate::{core::InstanceId, io::bpf::AWAITED_FOR};

/// Records of all instances together.
pub const RECORDS: usize = 256;
/// Of each instance so many stay, however often others change.
pub const OF_EACH: usize = 4;
/// With hundreds of instances: that for each of them.
const MOST: usize = 510 * OF_EACH;
/// Steps that came before their transition, which is a moment later.
const EARLY: usize = 64;
/// A change of addresses that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Entry {
    /// `None` for one of a predecessor.
    key: Option<Key>,
    record: Record,
    awaits_hands: bool,
    /// It was told to people.
    told: bool,
}

/// The last transitions, oldest first.
#[derive(Debug, Default)]
pub struct Book {
    entries: VecDeque<Entry>,
    early: VecDeque<(Key, Done)>,
    /// How many there are of each instance.
    counts: BTreeMap<String, usize>,
    /// Entries of which something is still to come.
    open: usize,
}

impl Book {
    /// A transition. What is returned is complete, and is to be told: what was
    /// open of the same instance, and this, unless the hands are still at it.
    pub fn begin(&mut self, flight: &Flight, names: Names) -> Vec<Record> {
        let key = Key {
            id: flight.id,
            serial: flight.serial,
        };
        let mut told = Vec::new();
        for entry in self.entries.iter_mut().rev() {
            if entry.key.is_some_and(|known| known.id == key.id) {
                told.extend(entry.close());
                break;
            }
        }
        let mut entry = Entry {
            key: Some(key),
            record: Record::new(flight, names),
            awaits_hands: flight.awaits_hands,
            told: false,
        };
        while let Some(at) = self.early.iter().position(|(early, _)| *early == key) {
            if let Some((_, done)) = self.early.remove(at) {
                entry.take(&done);
            }
        }
        told.extend(entry.tell());
        self.count(&entry);
        self.entries.push_back(entry);
        self.shorten();
        self.count_open();
        told
    }

    /// What came after a transition; the record, when it is complete by that.
    pub fn step(&mut self, step: &Step) -> Option<Record> {
        let Step { id, serial, done } = *step;
        let key = Key { id, serial };
        let Some(entry) = self.find(key) else {
            if self.early.len() >= EARLY {
                self.early.pop_front();
            }
            self.early.push_back((key, done));
            return None;
        };
        entry.take(&done);
        let told = entry.tell();
        self.count_open();
        told
    }

    /// Transitions whose first packet is waited for.
    pub fn awaiting(&self) -> Vec<(InstanceId, u32)> {
        let open = self.entries.iter();
        let open = open.filter(|entry| entry.record.packet == Packet::Awaited);
        let keys = open.filter_map(|entry| entry.key);
        keys.map(|key| (key.id, key.serial)).collect()
    }

    /// The newest transition of this instance, while its first packet is waited
    /// for.
    pub fn awaited(&self, id: InstanceId) -> Option<u32> {
        let keys = self.entries.iter().rev();
        let mut keys = keys.filter_map(|entry| Some((entry.key?, entry.record.packet)));
        let (key, packet) = keys.find(|(key, _)| key.id == id)?;
        (packet == Packet::Awaited).then_some(key.serial)
    }

    /// Something is still to come, so that looking again is worth it.
    pub fn is_open(&self) -> bool {
        self.open > 0
    }

    /// When the first packet came, if it has.
    pub fn packet(&mut self, id: InstanceId, serial: u32, at: Option<KernelTime>, now: KernelTime) {
        let Some(entry) = self.find(Key { id, serial }) else {
            return;
        };
        let since = KernelTime(entry.record.stamps.woke);
        if at.is_some() || now.since(since) >= AWAITED_FOR {
            entry.record.packet(at);
            self.count_open();
        }
    }

    /// What is not waited for any longer, to be told as it is.
    pub fn expire(&mut self, now: KernelTime) -> Vec<Record> {
        let mut told = Vec::new();
        for entry in &mut self.entries {
            let since = KernelTime(entry.record.stamps.woke);
            if !entry.told && now.since(since) >= PATIENCE {
                entry.awaits_hands = false;
                told.extend(entry.tell());
            }
        }
        self.count_open();
        told
    }

    /// The last `last` records, of one instance or all, oldest first.
    pub fn records(&self, instance: Option<&str>, last: Option<usize>) -> Vec<Record> {
        let wanted = |entry: &&Entry| instance.is_none_or(|name| entry.record.instance == name);
        let newest = self.entries.iter().rev().filter(wanted);
        let newest = newest.take(last.unwrap_or(usize::MAX));
        let mut records: Vec<_> = newest.map(|entry| entry.record.clone()).collect();
        records.reverse();
        records
    }

    /// For a successor: what is still to come does not come there.
    pub fn give_away(&mut self) -> Vec<Record> {
        self.open = 0;
        self.counts.clear();
        let entries = std::mem::take(&mut self.entries);
        let records = entries.into_iter().map(|entry| entry.record);
        records.map(Record::closed).collect()
    }

    /// A record of a predecessor: older than all of ours.
    pub fn inherit(&mut self, record: Record) {
        let own = self.entries.iter().position(|entry| entry.key.is_some());
        let at = own.unwrap_or(self.entries.len());
        let entry = Entry {
            key: None,
            record: record.closed(),
            awaits_hands: false,
            told: true,
        };
        self.count(&entry);
        self.entries.insert(at, entry);
        self.shorten();
    }

    fn find(&mut self, key: Key) -> Option<&mut Entry> {
        let mut newest = self.entries.iter_mut().rev();
        newest.find(|entry| entry.key == Some(key))
    }

    fn count_open(&mut self) {
        self.open = self.entries.iter().filter(|entry| entry.is_open()).count();
    }

    fn count(&mut self, entry: &Entry) {
        let count = self.counts.entry(entry.record.instance.clone());
        let count = count.or_default();
        *count = count.saturating_add(1);
    }

    /// The oldest goes of those whose instance has more than its share.
    fn shorten(&mut self) {
        while self.entries.len() > RECORDS {
            let over = |count: &usize| *count > OF_EACH;
            let many = |entry: &Entry| self.counts.get(&entry.record.instance).is_some_and(over);
            let at = match self.counts.values().any(over) {
                true => self.entries.iter().position(many).unwrap_or(0),
                false if self.entries.len() > MOST => 0,
                false => return,
            };
            let Some(gone) = self.entries.remove(at) else {
                return;
            };
            let name = gone.record.instance;
            match self.counts.get_mut(&name) {
                Some(count) if *count > 1 => *count -= 1,
                Some(_) | None => drop(self.counts.remove(&name)),
            }
        }
    }
}

impl Entry {
    const fn is_open(&self) -> bool {
        !self.told || matches!(self.record.packet, Packet::Awaited)
    }

    fn take(&mut self, done: &Done) {
        self.record.take(done);
        match done {
            Done::Carried(_) => self.awaits_hands = false,
            Done::Advert(_) => {}
        }
    }

    /// Once, when the hands are done.
    fn tell(&mut self) -> Option<Record> {
        if self.awaits_hands || self.told {
            return None;
        }
        self.told = true;
        Some(self.record.clone())
    }

    /// Nothing comes for it any more.
    fn close(&mut self) -> Option<Record> {
        self.awaits_hands = false;
        if self.record.packet == Packet::Awaited {
            self.record.packet = Packet::None;
        }
        self.tell()
    }
}

impl Record {
    /// What nobody waits for any more is not known.
    fn closed(self) -> Self {
        let packet = match self.packet {
            Packet::Awaited => Packet::Unknown,
            known @ (Packet::Unknown | Packet::Seen | Packet::None) => known,
        };
        Self { packet, ..self }
    }
}
