//! What is known of one router: one VRID from one source.

use core::time::Duration;
use std::net::IpAddr;

use agent_common::KernelTime;

use super::{
    event::{Change, RouterReport, State},
    pace::Pace,
    sight::Advert,
    words::{addresses, span},
};
use crate::core::timers::active_down_interval;

/// A router as heard.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its last advert that was not a release; a release changes the state only.
    pub advert: Advert,
    /// The VIPs of `advert` in order, to compare.
    pub vip_set: Vec<IpAddr>,
    pub state: State,
    pub pace: Pace,
    pub adverts: u64,
    pub first: KernelTime,
    pub last: KernelTime,
    pub releases: u64,
    pub rejected: u64,
    /// Adverts that came while another Active sent between them and the one before.
    pub overlaps: u32,
}

impl Record {
    pub fn new(advert: Advert, stamp: KernelTime) -> Self {
        let mut pace = Pace::default();
        pace.record(stamp, advert.interval);
        let released = advert.priority.is_release();
        Self {
            vip_set: sorted(&advert.vips),
            state: if released {
                State::Released
            } else {
                State::Active
            },
            advert,
            pace,
            adverts: 1,
            first: stamp,
            last: stamp,
            releases: u64::from(released),
            rejected: 0,
            overlaps: 0,
        }
    }

    /// Takes the next advert that is not a release.
    pub fn take(&mut self, advert: Advert, stamp: KernelTime) -> Vec<Change> {
        let vip_set = sorted(&advert.vips);
        let changes = self.changes(&advert, &vip_set);
        if advert.interval != self.advert.interval {
            self.pace.restart();
        }
        self.pace.record(stamp, advert.interval);
        self.state = State::Active;
        self.advert = advert;
        self.vip_set = vip_set;
        self.count(stamp);
        changes
    }

    /// Takes an advert of priority 0; false when it had released before.
    pub fn release(&mut self, stamp: KernelTime) -> bool {
        self.count(stamp);
        self.releases = self.releases.saturating_add(1);
        let first = self.state != State::Released;
        self.rest(State::Released);
        first
    }

    /// Stops counting as Active.
    pub fn rest(&mut self, state: State) {
        self.state = state;
        self.overlaps = 0;
        self.pace.interrupt();
    }

    fn count(&mut self, stamp: KernelTime) {
        self.adverts = self.adverts.saturating_add(1);
        self.last = self.last.max(stamp);
    }

    /// When an Active counts as silent: 3 intervals and the Skew_Time of its
    /// own priority after its last advert, as a Backup like it would reckon.
    pub fn silent_at(&self) -> Option<KernelTime> {
        let Advert {
            version,
            priority,
            interval,
            ..
        } = self.advert;
        match self.state {
            State::Active => {
                let down = active_down_interval(version, priority, interval, 3);
                Some(self.last.after(down))
            }
            State::Released | State::Silent => None,
        }
    }

    pub fn age(&self, now: KernelTime) -> Duration {
        now.since(self.last)
    }

    fn changes(&self, new: &Advert, vip_set: &[IpAddr]) -> Vec<Change> {
        let old = &self.advert;
        let mut changes = Vec::new();
        let mut note = |differs: bool, field, from: String, to: String| {
            if differs {
                changes.push(Change { field, from, to });
            }
        };
        let (was, is) = (old.priority, new.priority);
        note(was != is, "priority", was.to_string(), is.to_string());
        let (was, is) = (old.version as u8, new.version as u8);
        note(was != is, "version", was.to_string(), is.to_string());
        let (was, is) = (old.interval, new.interval);
        let text = |interval: agent_common::AdvertInterval| span(interval.duration());
        note(was != is, "interval", text(was), text(is));
        let list = |vips: &[IpAddr]| addresses(vips, 8);
        let differs = self.vip_set != vip_set;
        note(differs, "vips", list(&old.vips), list(&new.vips));
        let (was, is) = (old.auth, new.auth);
        note(was != is, "auth", was.label().into(), is.label().into());
        let (was, is) = (old.checksum, new.checksum);
        note(was != is, "checksum", was.label().into(), is.label().into());
        let (was, is) = (old.transport, new.transport);
        note(
            was != is,
            "transport",
            was.label().into(),
            is.label().into(),
        );
        changes
    }

    pub fn report(&self) -> Box<RouterReport> {
        let Advert {
            router,
            source,
            mac,
            local,
            version,
            priority,
            interval,
            ref vips,
            checksum,
            auth,
            transport,
            ttl,
        } = self.advert;
        Box::new(RouterReport {
            router: router.into(),
            source,
            mac,
            local,
            state: self.state,
            version,
            priority: priority.get(),
            interval: interval.duration(),
            vips: vips.clone(),
            checksum,
            auth,
            transport,
            ttl,
            adverts: self.adverts,
            first_ns: self.first.nanos(),
            last_ns: self.last.nanos(),
            mean: self.pace.mean(),
            min: self.pace.min(),
            max: self.pace.max(),
            jitter: self.pace.jitter(),
            missed: self.pace.missed(),
            releases: self.releases,
            rejected: self.rejected,
        })
    }
}

fn sorted(vips: &[IpAddr]) -> Vec<IpAddr> {
    let mut sorted = vips.to_vec();
    sorted.sort_unstable();
    sorted
}
