//! What must be true of a round, and whether it was.
//!
//! The numbers are those of the simulator's invariants (docs/PROOF.md); here
//! they are read off frames and addresses of real machines. A bound of time
//! holds beyond what the machine below stood still, or held the one RTNL lock
//! of its kernel: what is within the bound only so is told as excused.

use std::time::Duration;

use crate::{clock::nanos, stalls::Stalls};

use super::{
    INTERVAL, ROUTERS_PER_MACHINE,
    machine::Priorities,
    plan::Fault,
    scout::{Held, Track},
};

mod failover;
mod pairs;
mod single;

/// Between a change of state and the VIPs that follow it (12), and what is late
/// at most of a deadline.
pub const DELTA: Duration = Duration::from_millis(20);
/// Likewise in IPv6: an address is there, is answered for and is announced by
/// the kernel only when one of its workers has run, which has the priority of
/// any process. Where the processors are wanted, that takes its time.
pub const WORKER: Duration = Duration::from_secs(1);
/// Two at once, from the moment on at which they hear each other (3): an
/// interval and the answer.
pub const DUAL: Duration = Duration::from_millis(20);
/// A VIP of a killed agent is gone (T1).
pub const LEASE: Duration = Duration::from_secs(1);
/// A VIP that somebody removes is back (I9).
pub const RESTORED: Duration = Duration::from_millis(100);
/// A VIP that somebody adds is gone again (I10).
pub const STRAY: Duration = Duration::from_millis(500);
/// From the end of the last fault to one router that serves, and is the right
/// one (30): an Active_Down_Interval, three of grace, and the way of the VIPs.
pub const SETTLED: Duration = Duration::from_secs(1);
/// Index of the virtual router in IPv6.
pub const IPV6: usize = 1;
/// Adverts of one virtual router in an interval: its own, ten answers (11).
const IN_AN_INTERVAL: usize = 12;

/// A fault, and what can be asked of its machine.
#[derive(Clone, Copy, Debug)]
pub struct Suffered {
    pub fault: Fault,
    pub machine: usize,
    /// Others may not hear it, or it may not hear them.
    pub apart: bool,
    /// Its VIPs need not follow its adverts.
    pub helpless: bool,
    /// When it was begun, when it was done, when it was undone.
    pub begun: u64,
    pub done: u64,
    pub mended: u64,
}

/// What happened in a round.
#[derive(Clone, Debug)]
pub struct Episode {
    pub suffered: Vec<Suffered>,
    /// The last of the time that is judged.
    pub from: u64,
    pub to: u64,
    /// Since when all is as it should be.
    pub settled: u64,
    /// Which machine is to serve.
    pub right: [usize; ROUTERS_PER_MACHINE],
    pub priorities: Vec<Priorities>,
    /// Of each machine.
    pub tracks: Vec<[Track; ROUTERS_PER_MACHINE]>,
}

/// Something that should not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Of FAILURES 8.3, as in the simulator.
    pub invariant: u8,
    pub at: u64,
    pub text: String,
    /// Within the bound but for what the machine stood still.
    pub excused: bool,
}

/// What was measured on the way.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// From the last advert of the one to the first of the other.
    pub fail_overs: Vec<(&'static str, Duration)>,
    /// From priority 0 to the first advert of the other.
    pub hand_overs: Vec<Duration>,
    /// Two at once that hear each other.
    pub duals: Vec<Duration>,
    pub restored: Vec<Duration>,
    pub leases: Vec<Duration>,
    /// From the first advert to the VIP, of each family.
    pub vips: [Vec<Duration>; ROUTERS_PER_MACHINE],
}

/// Judges one virtual router of a round.
#[derive(Debug)]
pub struct Judge<'a> {
    pub episode: &'a Episode,
    pub router: usize,
    stalls: &'a Stalls,
    pub found: Vec<Finding>,
    pub measured: Measured,
}

impl<'a> Judge<'a> {
    /// All that was found of all virtual routers.
    pub fn judge(episode: &'a Episode, stalls: &'a Stalls) -> (Vec<Finding>, Measured) {
        let mut found = Vec::new();
        let mut measured = Measured::default();
        for router in 0..ROUTERS_PER_MACHINE {
            let mut judge = Self {
                episode,
                router,
                stalls,
                found: Vec::new(),
                measured: Measured::default(),
            };
            judge.duals();
            judge.incumbent();
            judge.fail_over();
            judge.touched();
            judge.coupling();
            judge.announcements();
            judge.storm();
            found.append(&mut judge.found);
            let Measured {
                fail_overs,
                hand_overs,
                duals,
                restored,
                leases,
                vips,
            } = judge.measured;
            for (all, more) in measured.vips.iter_mut().zip(vips) {
                all.extend(more);
            }
            measured.fail_overs.extend(fail_overs);
            measured.hand_overs.extend(hand_overs);
            measured.duals.extend(duals);
            measured.restored.extend(restored);
            measured.leases.extend(leases);
        }
        (found, measured)
    }

    pub fn machines(&self) -> std::ops::Range<usize> {
        0..self.episode.tracks.len()
    }

    pub fn track(&self, machine: usize) -> &'a Track {
        &self.episode.tracks[machine][self.router]
    }

    pub fn priority(&self, machine: usize) -> u8 {
        self.episode.priorities[machine][self.router]
    }

    pub fn suffered(&self, machine: usize) -> impl Iterator<Item = &'a Suffered> + use<'a> {
        let suffered = self.episode.suffered.iter();
        suffered.filter(move |suffered| suffered.machine == machine)
    }

    pub fn is_untouched(&self, machine: usize) -> bool {
        self.suffered(machine).all(|suffered| {
            !suffered.apart && !suffered.helpless && suffered.fault != Fault::ReloadOther
        })
    }

    /// How long a VIP may take to come.
    pub fn coming(&self) -> Duration {
        if self.router == IPV6 { WORKER } else { DELTA }
    }

    /// Times within the round in which the machine had the VIP.
    pub fn held(&self, machine: usize) -> impl Iterator<Item = Held> + use<'a> {
        let (from, to) = (self.episode.from, self.episode.to);
        let held = self.track(machine).held.iter().copied();
        held.filter(move |held| held.from < to && held.until(to) > from)
    }

    /// Notes it unless `took` is within `bound`. The span is where a stall
    /// would be an excuse.
    pub fn bound(
        &mut self,
        invariant: u8,
        (from, to): (u64, u64),
        took: Duration,
        bound: Duration,
        text: impl FnOnce() -> String,
    ) {
        if took <= bound {
            return;
        }
        // What was late may have begun before.
        let early = from.saturating_sub(nanos(INTERVAL * 4));
        let stalled = self
            .stalls
            .time_within(early, to.max(from.saturating_add(nanos(took))));
        let excused = took <= bound + stalled;
        let text = format!("{}: {took:?}, bound {bound:?}, stalled {stalled:?}", text());
        self.note(invariant, from, text, excused);
    }

    /// How much of that span the machine below stood still.
    pub fn stalled(&self, from: u64, to: u64) -> Duration {
        self.stalls.time_within(from, to)
    }

    pub fn note(&mut self, invariant: u8, at: u64, text: String, excused: bool) {
        let family = ["IPv4", "IPv6"][self.router];
        self.found.push(Finding {
            invariant,
            at,
            text: format!("{family}: {text}"),
            excused,
        });
    }

    /// 11: no storm.
    fn storm(&mut self) {
        for machine in self.machines() {
            let sent = &self.track(machine).sent;
            let storm = sent.windows(IN_AN_INTERVAL + 1).find(|window| {
                let (first, last) = (window[0].0, window[IN_AN_INTERVAL].0);
                first >= self.episode.from && last - first < nanos(INTERVAL)
            });
            if let Some(at) = storm.map(|window| window[0].0) {
                let text = format!("machine {machine} sends a storm of adverts");
                self.note(11, at, text, false);
            }
        }
    }
}
