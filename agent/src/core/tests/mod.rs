//! The core against the requirements of CONFORMANCE 2.5 and 2.6: each test
//! carries the ids it proves.

mod active;
mod addresses;
mod announce;
mod attack;
mod backup;
mod change;
mod group;
mod group_random;
mod heartbeat;
mod lifecycle;
mod many;
mod notices;
mod oracle;
mod oversleep;
mod preempt;
mod priority;
mod random;
mod saved;
mod table;
mod timer_table;

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr};

use agent_common::{AdvertInterval, Family, KernelTime, Priority, Version};

use super::{
    Advert, AnnouncePolicy, Cause, Counters, Effect, Fault, Input, InstanceConfig, InstanceId,
    Machine, Notice, Snapshot, State,
};

const ID: InstanceId = InstanceId(1);
const START: KernelTime = KernelTime(1_000_000_000_000);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// `millis` after the common start.
const fn at(millis: u64) -> KernelTime {
    START.after(ms(millis))
}

const fn ip(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
}

/// Our own address in most tests.
const OWN: IpAddr = ip(100);

fn cs(centis: u16) -> AdvertInterval {
    AdvertInterval::from_centis(centis).unwrap()
}

/// v3, 1 s, preemption, asserting, one VIP.
fn config(priority: u8) -> InstanceConfig {
    InstanceConfig {
        id: ID,
        version: Version::V3,
        family: Family::V4,
        priority: Priority(priority),
        base_priority: Priority(priority),
        group: None,
        interval: AdvertInterval::DEFAULT,
        preempt: true,
        preempt_delay: Duration::ZERO,
        down_factor: 3,
        assert_on_lower: true,
        higher_prio_send_advert: false,
        announce: AnnouncePolicy::default(),
        vip_count: 1,
        vips_digest: 7,
        address_count: 1,
        addresses_digest: 7,
        max_learned: None,
        senders_listed: false,
        check_addresses: true,
    }
}

fn advert(source: IpAddr, priority: u8, stamp: KernelTime) -> Advert {
    Advert {
        stamp,
        source,
        priority: Priority(priority),
        interval: AdvertInterval::DEFAULT,
        address_count: 1,
        addresses_digest: 7,
    }
}

/// One instance and what came out of it.
#[derive(Clone)]
struct Rig {
    machine: Machine,
}

impl Rig {
    fn new(config: InstanceConfig) -> Self {
        Self {
            machine: Machine::with_room(vec![config], 1),
        }
    }

    /// Started at `START`; the effects of that are thrown away.
    fn up(config: InstanceConfig) -> Self {
        let mut rig = Self::new(config);
        rig.input(
            Input::Up {
                id: ID,
                source: OWN,
            },
            START,
        );
        rig
    }

    /// Active since its first deadline, which is also returned.
    fn active(config: InstanceConfig) -> (Self, KernelTime) {
        let mut rig = Self::up(config);
        if rig.state() == State::Active {
            return (rig, START);
        }
        while rig.state() != State::Active {
            rig.wake();
        }
        let since = rig.snapshot().since;
        (rig, since)
    }

    fn input(&mut self, input: Input, now: KernelTime) -> Vec<Effect> {
        self.machine.handle(input, now);
        std::iter::from_fn(|| self.machine.poll_effect()).collect()
    }

    /// An advert read the moment it is stamped.
    fn hear(&mut self, advert: Advert) -> Vec<Effect> {
        self.hear_late(advert, advert.stamp)
    }

    fn hear_late(&mut self, advert: Advert, now: KernelTime) -> Vec<Effect> {
        let mut effects = self.read(advert, now);
        // Nothing else has come in: an answer that is due is given.
        if self.state() == State::Active && self.machine.poll_timeout() == Some(now) {
            effects.extend(self.timeout(now));
        }
        effects
    }

    /// An advert that is not the last one of those that are read at `now`.
    fn read(&mut self, advert: Advert, now: KernelTime) -> Vec<Effect> {
        self.input(Input::Advert { id: ID, advert }, now)
    }

    fn timeout(&mut self, now: KernelTime) -> Vec<Effect> {
        self.input(Input::Timeout, now)
    }

    /// Fires the next deadline exactly when it is due.
    fn wake(&mut self) -> (KernelTime, Vec<Effect>) {
        let due = self.machine.poll_timeout().unwrap();
        let effects = self.timeout(due);
        let next = self.machine.poll_timeout();
        assert!(
            next.is_none_or(|next| next > due),
            "a timer fired and stayed due"
        );
        (due, effects)
    }

    /// Fires everything due up to and including `end`, on time; what came out.
    fn run_until(&mut self, end: KernelTime) -> Vec<Effect> {
        let mut effects = Vec::new();
        while self.machine.poll_timeout().is_some_and(|due| due <= end) {
            effects.extend(self.wake().1);
        }
        effects
    }

    fn snapshot(&self) -> Snapshot {
        self.machine.snapshot(ID).unwrap()
    }

    fn state(&self) -> State {
        self.snapshot().state
    }

    fn deadline(&self) -> KernelTime {
        self.snapshot().deadline.unwrap()
    }
}

fn sent(effects: &[Effect]) -> Vec<u8> {
    let priority = |effect: &Effect| {
        let Effect::SendAdvert { priority, .. } = effect else {
            return None;
        };
        Some(priority.get())
    };
    effects.iter().filter_map(priority).collect()
}

fn announced(effects: &[Effect]) -> Vec<u8> {
    let repeat = |effect: &Effect| {
        let Effect::Announce { repeat, .. } = effect else {
            return None;
        };
        Some(*repeat)
    };
    effects.iter().filter_map(repeat).collect()
}

fn notices(effects: &[Effect]) -> Vec<Notice> {
    let notice = |effect: &Effect| {
        let Effect::Notice { notice, .. } = effect else {
            return None;
        };
        Some(*notice)
    };
    effects.iter().filter_map(notice).collect()
}

fn transitions(effects: &[Effect]) -> Vec<(State, State, Cause)> {
    let transition = |effect: &Effect| {
        let Effect::Transition {
            from, to, cause, ..
        } = effect
        else {
            return None;
        };
        Some((*from, *to, *cause))
    };
    effects.iter().filter_map(transition).collect()
}

fn watches(effects: &[Effect]) -> Vec<Option<IpAddr>> {
    let watch = |effect: &Effect| {
        let Effect::Watch { active, .. } = effect else {
            return None;
        };
        Some(*active)
    };
    effects.iter().filter_map(watch).collect()
}

fn send(priority: u8) -> Effect {
    Effect::SendAdvert {
        id: ID,
        priority: Priority(priority),
    }
}

fn remove() -> Effect {
    Effect::RemoveAddresses { id: ID }
}

fn watch(active: Option<IpAddr>) -> Effect {
    Effect::Watch { id: ID, active }
}

fn transition(from: State, to: State, cause: Cause, at: KernelTime) -> Effect {
    Effect::Transition {
        id: ID,
        from,
        to,
        cause,
        at,
    }
}
