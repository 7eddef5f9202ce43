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
            // Two that are further apart are of two times as Active, of which
            // the first may have been too short for a second advert.
            let apart = |(_, last): (u64, u64)| between(last, time) > INTERVAL + DELTA;
            if covered || missing.is_some_and(apart) {
                all.extend(missing.take());
            }
            if !covered {
                missing = Some((missing.map_or(time, |(first, _)| first), time));
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
            // One that gives way first never had it.
            let until = came.unwrap_or(last);
            let took = between(first, until);
            self.bound(12, (first, until), took, self.coming(), || {
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

#[cfg(test)]
mod tests {
    use super::{
        super::{super::scout::Track, Episode, IPV6, Measured},
        *,
    };
    use crate::stalls::Stalls;

    const IPV4: usize = 0;
    const MS: u64 = 1_000_000;

    /// What is found of a machine that sends at these milliseconds, with a VIP
    /// from and to.
    fn found(router: usize, sent: &[u64], held: &[(u64, u64)]) -> usize {
        let mut tracks = [Track::default(), Track::default()];
        tracks[router].sent = sent.iter().map(|at| (at * MS, 100)).collect();
        let spans = held.iter().map(|(from, to)| Held {
            from: from * MS,
            to: Some(to * MS),
        });
        tracks[router].held = spans.collect();
        let episode = Episode {
            suffered: Vec::new(),
            from: 0,
            to: 5000 * MS,
            settled: 0,
            right: [0; 2],
            priorities: vec![[100; 2]],
            tracks: vec![tracks],
        };
        let mut judge = Judge {
            episode: &episode,
            router,
            stalls: &Stalls::default(),
            found: Vec::new(),
            measured: Measured::default(),
        };
        let held: Vec<Held> = judge.held(0).collect();
        judge.adverts_without(0, &held);
        judge.found.len()
    }

    #[test]
    fn adverts_without_the_vip_are_found() {
        let steady: Vec<u64> = (10..24).map(|n| n * 10).collect();
        assert_eq!(found(IPV4, &steady, &[]), 1, "it never comes");
        assert_eq!(found(IPV4, &steady, &[(200, 300)]), 1, "it comes late");
        assert_eq!(found(IPV4, &steady, &[(101, 300)]), 0);
        assert_eq!(found(IPV6, &steady, &[]), 0, "it gave way before it came");
        let long: Vec<u64> = (10..120).map(|n| n * 10).collect();
        assert_eq!(found(IPV6, &long, &[]), 1);
    }

    #[test]
    fn two_short_times_as_active_are_not_one() {
        assert_eq!(found(IPV4, &[100, 234, 244], &[(101, 105), (235, 300)]), 0);
        assert_eq!(found(IPV4, &[100, 234, 244], &[(300, 400)]), 0);
    }
}
