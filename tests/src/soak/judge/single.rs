//! What is asked of one machine by itself: its VIPs, its adverts and its
//! announcements belong together.

use std::time::Duration;

use crate::clock::nanos;

use super::{
    super::{INTERVAL, plan::Fault, scout::Held},
    DELTA, Judge, LEASE, RESTORED, STRAY, WORKER,
};

fn between(from: u64, to: u64) -> Duration {
    Duration::from_nanos(to.saturating_sub(from))
}

impl Judge<'_> {
    fn is_helpless(&self, machine: usize) -> bool {
        self.suffered(machine).any(|suffered| suffered.helpless)
    }

    /// 12: the VIP is there while, and only while, the machine says that it
    /// serves. 10: it says so in time.
    pub(super) fn coupling(&mut self) {
        for machine in self.machines() {
            if self.is_helpless(machine) {
                continue;
            }
            let held: Vec<Held> = self.held(machine).collect();
            for held in &held {
                self.adverts_of(machine, *held);
            }
            self.adverts_without(machine, &held);
        }
    }

    fn adverts_of(&mut self, machine: usize, held: Held) {
        let (from, to) = (self.episode.from, self.episode.to);
        let until = held.until(to).min(to);
        let delta = nanos(DELTA + INTERVAL);
        let first = held.from.max(from);
        let begin = first.saturating_sub(delta);
        // What is younger than an interval may have its advert yet to come.
        let end = if held.to.is_some() {
            until
        } else {
            until.saturating_sub(delta)
        };
        let mut last = first;
        let claims: Vec<u64> = self.track(machine).claims(begin, until).collect();
        for time in claims.into_iter().chain([end]) {
            let gap = between(last, time);
            self.bound(10, (last, time), gap, INTERVAL + DELTA, || {
                format!("machine {machine} has the VIP and sends no advert")
            });
            last = last.max(time);
        }
    }

    fn adverts_without(&mut self, machine: usize, held: &[Held]) {
        let (from, to) = (self.episode.from, self.episode.to);
        let delta = nanos(DELTA);
        let mut missing: Option<(u64, u64)> = None;
        let mut all = Vec::new();
        for time in self.track(machine).claims(from, to.saturating_sub(delta)) {
            let covered = held
                .iter()
                .any(|held| held.from <= time && time <= held.until(to));
            match (&mut missing, covered) {
                (Some((_, last)), false) => *last = time,
                (None, false) => missing = Some((time, time)),
                (_, true) => all.extend(missing.take()),
            }
        }
        all.extend(missing);
        for (first, last) in all {
            // The VIP comes after the first advert.
            let came = held.iter().map(|held| held.from).find(|from| *from >= last);
            // The next advert would have been due by then.
            let came = came.filter(|came| *came <= last + delta);
            if let Some(came) = came {
                self.measured.vips[self.router].push(between(first, came));
            }
            let until = came.unwrap_or(last);
            let bound = came.map_or(DELTA, |_| self.coming());
            self.bound(12, (first, until), between(first, until), bound, || {
                format!("machine {machine} sends adverts without the VIP")
            });
        }
    }

    /// 14 and 15: what comes is announced, and nothing else is.
    pub(super) fn announcements(&mut self) {
        let (from, to) = (self.episode.from, self.episode.to);
        for machine in self.machines() {
            if self.is_helpless(machine) {
                continue;
            }
            let held: Vec<Held> = self.held(machine).collect();
            let announced = &self.track(machine).announced;
            for held in held.iter().filter(|held| held.from >= from) {
                if between(held.from, held.until(to)) < DELTA {
                    continue;
                }
                let early = nanos(self.coming());
                let first = announced.iter().find(|time| **time + early >= held.from);
                let came = first.copied().unwrap_or(to);
                let took = between(held.from, came);
                self.bound(15, (held.from, came), took, DELTA, || {
                    format!("machine {machine} has the VIP and does not announce it")
                });
            }
            for time in announced.iter().filter(|time| (from..to).contains(*time)) {
                let nearest = held
                    .iter()
                    .map(|held| between(*time, held.from).max(between(held.until(to), *time)));
                // In IPv6 the VIP may go before the kernel tells that it came.
                let track = self.track(machine);
                let early = time.saturating_sub(nanos(INTERVAL + WORKER));
                let around = track.claims(early, *time);
                let said = around.last().map(|claim| between(claim, *time));
                let said = said.filter(|_| self.coming() > DELTA);
                let nearest = nearest.chain(said).min().unwrap_or(Duration::MAX / 2);
                self.bound(14, (*time, *time), nearest, DELTA, || {
                    format!("machine {machine} announces a VIP that it has not")
                });
            }
        }
    }

    /// What the faults of this round ask for by themselves.
    pub(super) fn touched(&mut self) {
        let to = self.episode.to;
        // Otherwise who has the VIPs changes for another reason.
        let right = self.episode.right[self.router];
        let stays = self.incumbent_is_heard(right);
        for suffered in &self.episode.suffered {
            let machine = suffered.machine;
            let held: Vec<Held> = self.held(machine).collect();
            match suffered.fault {
                Fault::KillAgent => {
                    let before = held.iter().find(|held| held.from < suffered.done);
                    if let Some(held) = before {
                        let until = held.until(to);
                        let took = between(suffered.begun, until);
                        self.measured.leases.push(took);
                        self.bound(12, (suffered.begun, until), took, LEASE, || {
                            format!("the VIP of machine {machine} outlives its agent")
                        });
                    }
                }
                Fault::TakeVips if stays && machine == right => self.restored(machine, &held),
                Fault::StrayVips if stays && machine != right => {
                    let stray = held.iter().filter(|held| held.from >= suffered.begun);
                    for held in stray {
                        let took = between(held.from, held.until(to));
                        self.bound(12, (held.from, held.until(to)), took, STRAY, || {
                            format!("a stray VIP stays on machine {machine}")
                        });
                    }
                }
                Fault::TakeVips
                | Fault::StrayVips
                | Fault::KillParent
                | Fault::KillBoth
                | Fault::FreezeAgent
                | Fault::FreezeAll
                | Fault::Stop
                | Fault::LinkDown
                | Fault::CutCable
                | Fault::CutSilently
                | Fault::Mute
                | Fault::Deaf
                | Fault::Impaired(_)
                | Fault::ReloadSame
                | Fault::ReloadOther
                | Fault::Upgrade
                | Fault::Hog => {}
            }
        }
    }

    fn restored(&mut self, machine: usize, held: &[Held]) {
        for pair in held.windows(2) {
            let (gone, back) = (pair[0].until(self.episode.to), pair[1].from);
            let took = between(gone, back);
            self.measured.restored.push(took);
            self.bound(12, (gone, back), took, RESTORED, || {
                format!("a VIP of machine {machine} is put back late")
            });
        }
    }
}
