//! Readings become priorities and faults, and sync groups get their numbers.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::Service;
use crate::{
    config::{
        Config, Instance,
        model::{Track, Weight},
    },
    control::status,
    core::{Fault, GroupId},
    io::{lane::Command, netlink::survey::World, plan::Standing},
    script::Runner,
    track::{Board, Kind, Reading, Share, Spec, TrackerId, Value, judge, share, sources::Sources},
};

/// Readings under way. A source waits when there are more.
const READINGS: usize = 1024;
/// As many groups as there can be instances.
const GROUPS: u16 = 510;

/// What the slow lane knows of trackers and groups.
#[derive(Debug)]
pub(super) struct Health {
    board: Board,
    groups: BTreeMap<String, GroupId>,
    newest: u16,
    sources: Sources,
    readings: mpsc::Receiver<Reading>,
    /// As a successor before its turn: what runs is the predecessor's.
    waits: bool,
}

impl Health {
    /// Sources begin with [`Self::begin`] where it `waits`.
    pub fn new(config: &Config, world: &World, waits: bool) -> Self {
        let (sender, readings) = mpsc::channel(READINGS);
        let mut health = Self {
            board: Board::default(),
            groups: BTreeMap::new(),
            newest: 0,
            sources: Sources::new(Runner::new(), sender),
            readings,
            waits,
        };
        health.set(config);
        health.look(world);
        health
    }

    /// Takes a configuration over. Trackers and groups that it keeps go on.
    pub fn set(&mut self, config: &Config) {
        let tracks = config.instances.iter().flat_map(|one| &one.tracks);
        let wanted = self.board.set(&config.trackers, tracks);
        if !self.waits {
            self.sources.apply(&wanted);
        }
        let names = config.instances.iter().filter_map(|one| one.group.as_ref());
        let before = std::mem::take(&mut self.groups);
        for name in names {
            if let Some(id) = before.get(name) {
                self.groups.insert(name.clone(), *id);
            }
        }
        for instance in &config.instances {
            if let Some(name) = &instance.group
                && !self.groups.contains_key(name)
            {
                let id = self.free(&before);
                self.groups.insert(name.clone(), id);
            }
        }
    }

    /// The turn of a successor: its sources begin. Files are there already.
    pub fn begin(&mut self) {
        if std::mem::take(&mut self.waits) {
            let mut wanted = self.board.wanted();
            for one in &mut wanted {
                if let Spec::File(spec) = &mut one.spec {
                    spec.init = None;
                }
            }
            self.sources.apply(&wanted);
        }
    }

    /// Not one that the fast lane may still know by another name.
    fn free(&mut self, before: &BTreeMap<String, GroupId>) -> GroupId {
        let in_use = |id: GroupId, all: &BTreeMap<String, GroupId>| all.values().any(|x| *x == id);
        for _ in 0..GROUPS {
            self.newest = self.newest % GROUPS + 1;
            let id = GroupId(self.newest);
            if !in_use(id, &self.groups) && !in_use(id, before) {
                break;
            }
        }
        GroupId(self.newest)
    }

    pub fn groups(&self) -> impl Iterator<Item = (GroupId, &str)> {
        self.groups.iter().map(|(name, id)| (*id, name.as_str()))
    }

    /// Reads every tracked interface from a picture of the machine.
    pub fn look(&mut self, world: &World) -> bool {
        self.board.look(|name| link_value(world, name))
    }

    /// The next reading of a source.
    pub async fn reading(&mut self) -> Option<Reading> {
        self.readings.recv().await
    }

    /// Of an instance by all that is known now.
    pub fn standing(&self, instance: &Instance) -> (Standing, Option<Fault>) {
        let judged = judge(instance.priority, &instance.tracks, |tracker| {
            self.board.counts(tracker)
        });
        let name = instance.group.as_ref();
        let standing = Standing {
            priority: judged.priority,
            group: name.and_then(|name| self.groups.get(name)).copied(),
        };
        (standing, judged.fault)
    }

    /// What the sources have found out.
    pub fn readings(&self) -> impl Iterator<Item = (&TrackerId, Value, &str)> {
        self.board.readings()
    }

    /// What a predecessor's sources have found out.
    pub fn inherit(&mut self, readings: Vec<(TrackerId, Value, String)>) {
        for (tracker, value, detail) in readings {
            self.board.inherit(&tracker, value, detail);
        }
    }

    /// What a tracker was read as last.
    pub fn value(&self, tracker: &TrackerId) -> Option<Value> {
        self.board.value(tracker)
    }

    /// For the status.
    pub fn trackers(&self, instance: &Instance, world: &World) -> Vec<status::Tracker> {
        let plain = instance.track_interfaces.iter().map(|name| {
            let (weight, tracker) = (
                Weight::default(),
                TrackerId::new(Kind::Interface, name.as_str()),
            );
            Track { tracker, weight }
        });
        let all = plain.chain(instance.tracks.iter().cloned());
        all.map(|track| {
            let value = match track.tracker.kind {
                // What counts, which after a delay is not what is.
                Kind::Interface => self
                    .value(&track.tracker)
                    .or_else(|| Some(link_value(world, &track.tracker.name))),
                Kind::Script | Kind::File | Kind::Process => self.value(&track.tracker),
            };
            let share = share(&track, value);
            status::Tracker {
                kind: track.tracker.kind.word().to_owned(),
                name: track.tracker.name.to_string(),
                state: value.map_or("unread".to_owned(), |value| value.to_string()),
                weight: track.weight.value,
                reverse: track.weight.reverse,
                contribution: match share {
                    Share::Weight(weight) => weight,
                    Share::Good | Share::Fault(_) => 0,
                },
                fault: matches!(share, Share::Fault(_)),
                detail: self.board.detail(&track.tracker).to_owned(),
            }
        })
        .collect()
    }
}

impl Service {
    /// Takes what the sources have found out.
    pub(super) fn weigh(&mut self, reading: Reading) {
        let mut next = Some(reading);
        while let Some(reading) = next {
            self.health.board.take(reading);
            next = self.health.readings.try_recv().ok();
        }
        self.reprioritise();
    }

    /// Tells the fast lane of priorities at once; faults need a look at the
    /// machine, and come and go with [`Self::look_around`].
    pub(super) fn reprioritise(&mut self) {
        let mut look = false;
        for (instance, seat) in self.config.instances.iter().zip(&mut self.seats) {
            let (standing, fault) = self.health.standing(instance);
            look |= fault.is_some() != seat.tracked_fault;
            let Some(told) = &mut seat.told else { continue };
            let priority = standing.priority;
            if told.priority == priority {
                continue;
            }
            let command = Command::Priority {
                id: seat.id,
                priority,
            };
            match self.lane.send(command) {
                Ok(()) => {
                    told.priority = priority;
                    if let (Some(kernel), Some((key, filter))) =
                        (&mut self.kernel, &mut seat.placed)
                    {
                        filter.priority = priority.get();
                        // Only what a flood is measured against.
                        let _ = kernel.place_instance(key, filter);
                    }
                }
                // Tried again with all the rest.
                Err(_) => look = true,
            }
        }
        if look {
            self.look_soon();
        }
    }
}

fn link_value(world: &World, name: &str) -> Value {
    match world.link(name).is_some_and(|link| link.usable) {
        true => Value::Up,
        false => Value::Down,
    }
}
