//! All routers of a link, from frames and their stamps alone.
//!
//! Pure: no clock, no socket. [`Model::observe`] takes frames, [`Model::tick`]
//! the time, [`Model::take_events`] gives what there is to say. Whatever is
//! sent, the model stays within [`MAX_ROUTERS`] routers and the events within
//! [`MAX_EVENTS`] a second.

use std::{
    collections::BTreeMap,
    mem,
    net::{IpAddr, Ipv4Addr},
};

use agent_common::KernelTime;

use super::{
    budget::Budget,
    conflict,
    event::{Change, Conflict, ConflictKind, Event, State, Totals},
    record::Record,
    rejects::{Reject, Rejects},
    sight::{self, Advert, Rejection, RouterKey, Sighting},
};
use crate::io::receive::raw::Arrival;

/// Routers that are kept; one that is not Active makes room for a new one.
pub const MAX_ROUTERS: usize = 1024;
/// Events a second, summaries aside.
pub const MAX_EVENTS: u32 = 200;

/// Lowest in the order of addresses, so that a range from it covers a router.
const LOWEST: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Everything that was heard.
#[derive(Clone, Debug)]
pub struct Model {
    records: BTreeMap<(RouterKey, IpAddr), Record>,
    /// Who was last seen to take over, by virtual router.
    actives: BTreeMap<RouterKey, IpAddr>,
    conflicts: BTreeMap<(RouterKey, ConflictKind), Conflict>,
    rejects: Rejects,
    events: Vec<Event>,
    budget: Budget,
    totals: Totals,
    lossy: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            records: BTreeMap::new(),
            actives: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            rejects: Rejects::default(),
            events: Vec::new(),
            budget: Budget::new(MAX_EVENTS),
            totals: Totals::default(),
            lossy: false,
        }
    }
}

impl Model {
    /// Takes one frame as it came off the link.
    pub fn observe(&mut self, arrival: &Arrival<'_>) {
        match sight::read(arrival) {
            Sighting::Advert(advert) => self.advert(advert, arrival.stamp),
            Sighting::Rejected(rejection) => self.rejected(rejection, arrival.stamp),
            Sighting::Foreign => {}
        }
    }

    /// Notices who has gone silent by `now`. Only right once everything that
    /// came before `now` was observed.
    pub fn tick(&mut self, now: KernelTime) {
        let due = |record: &Record| record.silent_at().is_some_and(|at| at <= now);
        let mut quiet = Vec::new();
        for ((router, _), record) in self.records.iter_mut().filter(|(_, r)| due(r)) {
            record.rest(State::Silent);
            quiet.push((*router, record.report()));
        }
        for (router, report) in quiet {
            self.tell(Event::Silent(report), now);
            self.compare(router, now);
        }
    }

    /// `lost` frames came and cannot be observed, somewhere between those that
    /// are observed until [`Self::interrupt`]: no gap measures anything.
    pub fn lossy(&mut self, lost: u32) {
        self.totals.lost = self.totals.lost.saturating_add(lost.into());
        self.lossy = true;
    }

    pub fn is_lossy(&self) -> bool {
        self.lossy
    }

    /// Adverts may have been sent before now that were not observed: the next
    /// gap of each router measures nothing, those after it do.
    pub fn interrupt(&mut self) {
        self.lossy = false;
        for record in self.records.values_mut() {
            record.pace.interrupt();
        }
    }

    /// When the next router counts as silent, should it send nothing more.
    pub fn next_silence(&self) -> Option<KernelTime> {
        self.records.values().filter_map(Record::silent_at).min()
    }

    /// What happened since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        mem::take(&mut self.events)
    }

    /// A summary of each router and of the link.
    pub fn summary(&self) -> Vec<Event> {
        let routers = self.records.values().map(|r| Event::Summary(r.report()));
        routers.chain([Event::Totals(self.totals())]).collect()
    }

    /// The routers in the order of VLAN, VRID, family and source.
    pub fn routers(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// The conflicts there are now.
    pub fn conflicts(&self) -> impl Iterator<Item = &Conflict> {
        self.conflicts.values()
    }

    /// What was rejected, the most recent first.
    pub fn rejects(&self) -> Vec<Reject> {
        self.rejects.recent()
    }

    pub fn totals(&self) -> Totals {
        Totals {
            routers: self.records.len(),
            rejected: self.rejects.total(),
            ..self.totals.clone()
        }
    }

    fn advert(&mut self, advert: Advert, stamp: KernelTime) {
        let (router, source) = (advert.router, advert.source);
        self.totals.adverts = self.totals.adverts.saturating_add(1);
        if !self.records.contains_key(&(router, source)) && !self.make_room() {
            self.totals.overflow = self.totals.overflow.saturating_add(1);
            return;
        }
        if advert.priority.is_release() {
            self.release(advert, stamp);
        } else {
            self.steady(advert, stamp);
        }
        self.compare(router, stamp);
    }

    fn release(&mut self, advert: Advert, stamp: KernelTime) {
        let key = (advert.router, advert.source);
        let mut events = Vec::new();
        match self.records.get_mut(&key) {
            Some(record) => {
                if record.release(stamp) {
                    events.push(Event::Released(record.report()));
                }
            }
            None => {
                let record = Record::new(advert, stamp);
                events.push(Event::Heard(record.report()));
                events.push(Event::Released(record.report()));
                self.records.insert(key, record);
            }
        }
        for event in events {
            self.tell(event, stamp);
        }
    }

    fn steady(&mut self, advert: Advert, stamp: KernelTime) {
        let (router, source) = (advert.router, advert.source);
        let key = (router, source);
        let overlapped = self.overlapped(router, source);
        let mut appears = true;
        let mut changes = Vec::new();
        match self.records.get_mut(&key) {
            Some(record) => {
                appears = record.state != State::Active;
                if self.lossy {
                    record.pace.interrupt();
                }
                changes = record.take(advert, stamp);
                record.overlaps = record.overlaps.saturating_add(u32::from(overlapped));
            }
            None => drop(self.records.insert(key, Record::new(advert, stamp))),
        }
        if !overlapped {
            changes.extend(self.taken_over(router, source));
        }
        let Some(report) = self.records.get(&key).map(Record::report) else {
            return;
        };
        if appears {
            self.tell(Event::Heard(report.clone()), stamp);
        }
        if !changes.is_empty() {
            self.tell(Event::Changed { changes, report }, stamp);
        }
    }

    /// Whether another Active sent since the last advert of `source`, which
    /// was Active then.
    fn overlapped(&self, router: RouterKey, source: IpAddr) -> bool {
        let Some(own) = self.records.get(&(router, source)) else {
            return false;
        };
        own.state == State::Active
            && self.of(router).any(|other| {
                other.advert.source != source
                    && other.state == State::Active
                    && other.last > own.last
            })
    }

    /// The change of source when `source` is now the Active. Not asked of
    /// overlapping adverts: while there are two, the question has no answer.
    fn taken_over(&mut self, router: RouterKey, source: IpAddr) -> Option<Change> {
        let before = self.actives.insert(router, source)?;
        (before != source).then(|| Change {
            field: "source",
            from: before.to_string(),
            to: source.to_string(),
        })
    }

    fn rejected(&mut self, rejection: Rejection, stamp: KernelTime) {
        if let (Some(router), Some(source)) = (rejection.router, rejection.source)
            && let Some(record) = self.records.get_mut(&(router, source))
        {
            record.rejected = record.rejected.saturating_add(1);
        }
        if let Some(rejected) = self.rejects.record(rejection, stamp) {
            self.tell(Event::Rejected(rejected), stamp);
        }
    }

    /// Brings the conflicts of `router` up to date.
    fn compare(&mut self, router: RouterKey, now: KernelTime) {
        let mut alone = self.of(router).filter(|r| r.state == State::Active).count() < 2;
        for kind in ConflictKind::ALL {
            let found = conflict::find(kind, router, self.of(router), now);
            let before = match found.clone() {
                Some(conflict) => self.conflicts.insert((router, kind), conflict),
                None => self.conflicts.remove(&(router, kind)),
            };
            match (before, found) {
                (None, Some(begun)) => self.tell(Event::Conflict(begun), now),
                (Some(mut ended), None) => {
                    ended.over = true;
                    self.tell(Event::Conflict(ended), now);
                    alone |= kind == ConflictKind::DualActive;
                }
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        if alone {
            self.forget_overlaps(router);
        }
    }

    fn forget_overlaps(&mut self, router: RouterKey) {
        let group = self.records.range_mut((router, LOWEST)..);
        for (_, record) in group.take_while(|((key, _), _)| *key == router) {
            record.overlaps = 0;
        }
    }

    fn of(&self, router: RouterKey) -> impl Iterator<Item = &Record> + Clone {
        let group = self.records.range((router, LOWEST)..);
        group
            .take_while(move |((key, _), _)| *key == router)
            .map(|(_, record)| record)
    }

    /// Room for one more router; false when all are Active.
    fn make_room(&mut self) -> bool {
        if self.records.len() < MAX_ROUTERS {
            return true;
        }
        let resting = self
            .records
            .iter()
            .filter(|(_, r)| r.state != State::Active);
        let Some(key) = resting.min_by_key(|(_, r)| r.last).map(|(key, _)| *key) else {
            return false;
        };
        self.records.remove(&key);
        let (router, _) = key;
        if self.of(router).next().is_none() {
            self.actives.remove(&router);
            self.conflicts.retain(|(of, _), _| *of != router);
        }
        true
    }

    fn tell(&mut self, event: Event, now: KernelTime) {
        if self.budget.take(now) {
            self.events.push(event);
        } else {
            self.totals.suppressed = self.totals.suppressed.saturating_add(1);
        }
    }
}
