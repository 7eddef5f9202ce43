//! `core`: any bytes as a sequence of inputs for two instances, with the
//! invariants of the election looked at after each.

use std::{net::IpAddr, time::Duration};

use agent_common::{AdvertInterval, Family, KernelTime, Priority, Version};
use failoverd::core::{
    Advert, AnnouncePolicy, Effect, Fault, Input, InstanceConfig, InstanceId, Machine, Saved,
    Snapshot, State,
};

const START: u64 = 1_000_000_000_000;
const MS: u64 = 1_000_000;
const IDS: [InstanceId; 2] = [InstanceId(1), InstanceId(2)];
const OWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 100));

/// The input's bytes, one after the other; 0 when there are no more.
struct Bytes<'a>(std::slice::Iter<'a, u8>);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.next()) % from.len()]
    }
}

fn config(id: InstanceId, bytes: &mut Bytes<'_>) -> InstanceConfig {
    let (flags, priority) = (bytes.next(), bytes.next().max(1));
    let has = |bit: u8| flags & 1 << bit != 0;
    let centis = bytes.pick(&[1, 10, 100, 4095]);
    let version = if has(0) { Version::V2 } else { Version::V3 };
    let interval = match version {
        Version::V2 => AdvertInterval::DEFAULT,
        Version::V3 => AdvertInterval::from_centis(centis).expect("an interval"),
    };
    InstanceConfig {
        id,
        version,
        family: Family::V4,
        priority: Priority(priority),
        base_priority: Priority(priority),
        group: None,
        interval,
        preempt: has(1),
        preempt_delay: Duration::from_millis(if has(2) { 300 } else { 0 }),
        down_factor: bytes.pick(&[3, 1, 2, 5]),
        assert_on_lower: has(3),
        higher_prio_send_advert: has(4),
        announce: AnnouncePolicy {
            refresh: has(5).then(|| Duration::from_millis(1700)),
            ..AnnouncePolicy::default()
        },
        vip_count: 3,
        vips_digest: u64::from(has(6)),
        address_count: 3,
        addresses_digest: 7,
        max_learned: None,
        senders_listed: false,
        check_addresses: has(7),
    }
}

struct World {
    machine: Machine,
    now: u64,
    /// By what came out, whether the VIPs are there.
    vips: [bool; 2],
    held: bool,
}

pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data.iter());
    let configs = IDS.map(|id| config(id, &mut bytes));
    let mut world = World {
        machine: Machine::with_room(configs.to_vec(), IDS.len()),
        now: START,
        vips: [false; 2],
        held: false,
    };
    for id in IDS {
        world.feed(Input::Up { id, source: OWN });
    }
    while bytes.0.len() > 0 {
        world.step(&mut bytes);
    }
}

impl World {
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let operation = bytes.next();
        let index = usize::from(operation >> 7);
        let id = IDS[index];
        match operation & 0x1F {
            0..=7 => {
                let advert = self.advert(bytes);
                self.feed(Input::Advert { id, advert });
            }
            8..=13 => self.timeout(bytes.pick(&[0, 0, 0, 1, 30, 3000])),
            14..=16 => self.pass(u64::from(bytes.next())),
            17 => self.feed(Input::Up { id, source: OWN }),
            18 => self.feed(Input::Down {
                id,
                fault: Fault::LinkDown,
            }),
            19 => self.feed(Input::AddressLost {
                id,
                vip: u16::from(bytes.next() % 4),
            }),
            20 | 21 => self.feed(Input::Configure {
                config: config(id, bytes),
            }),
            22 | 23 => self.feed(Input::Priority {
                id,
                priority: Priority(bytes.next()),
            }),
            24 => self.hand_over(id),
            25 => {
                self.held = !self.held;
                match self.held {
                    true => self.machine.hold(),
                    false => self.machine.resume(KernelTime(self.now)),
                }
            }
            26 => self.feed(Input::Shutdown { id }),
            27 => self.feed(Input::Retire { id }),
            _ => self.pass(1),
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now.saturating_add(millis * MS);
    }

    fn advert(&self, bytes: &mut Bytes<'_>) -> Advert {
        let age = bytes.pick(&[0, 0, 0, 1, 200, 5000]);
        Advert {
            stamp: KernelTime(self.now.saturating_sub(age * MS)),
            source: match bytes.next() % 5 {
                0 => OWN,
                last => IpAddr::from([192, 0, 2, 97 + 2 * last]),
            },
            priority: Priority(bytes.next()),
            interval: AdvertInterval::from_centis(bytes.pick(&[100, 1, 10, 4095]))
                .expect("an interval"),
            address_count: 3,
            addresses_digest: 7,
        }
    }

    /// The next deadline, so late; then nothing is due any more.
    fn timeout(&mut self, late: u64) {
        if let Some(due) = self.machine.poll_timeout() {
            self.now = self.now.max(due.0).saturating_add(late * MS);
        }
        self.feed(Input::Timeout);
        let next = self.machine.poll_timeout();
        assert!(
            next.is_none_or(|next| next.0 > self.now),
            "a timer fired and stayed due"
        );
    }

    /// To another machine, by way of its text.
    fn hand_over(&mut self, id: InstanceId) {
        let (Some(saved), Some(config)) = (self.machine.save(id), self.machine.config(id)) else {
            return;
        };
        let text = serde_json::to_string(&saved).expect("text");
        let read: Saved = serde_json::from_str(&text).expect("what was written");
        let mut heir = Machine::with_room(vec![config], IDS.len());
        assert!(heir.restore(&read), "{text}");
        let seen = |machine: &Machine| {
            let found = machine.snapshot(id).expect("an instance");
            (found.state, found.deadline, found.active, found.priority)
        };
        assert_eq!(seen(&heir), seen(&self.machine));
    }

    fn feed(&mut self, input: Input) {
        let now = KernelTime(self.now);
        let before = IDS.map(|id| self.machine.snapshot(id));
        self.machine.handle(input, now);
        let mut effects = Vec::new();
        while let Some(effect) = self.machine.poll_effect() {
            effects.push(effect);
        }
        for (index, before) in before.into_iter().enumerate() {
            let after = self.machine.snapshot(IDS[index]);
            let mine: Vec<Effect> = effects
                .iter()
                .filter(|effect| concerns(effect, IDS[index]))
                .copied()
                .collect();
            self.check(index, input, before, after, &mine);
        }
    }

    /// Invariants 4, 8, 9, 12, 14 and 20 of one instance.
    fn check(
        &mut self,
        index: usize,
        input: Input,
        before: Option<Snapshot>,
        after: Option<Snapshot>,
        effects: &[Effect],
    ) {
        let state = |snapshot: &Option<Snapshot>| snapshot.map_or(State::Initialize, |s| s.state);
        let (was, is) = (state(&before), state(&after));
        let touched = target(&input).is_none_or(|id| id == IDS[index]);
        assert!(
            touched || effects.is_empty() && before == after,
            "{input:?}"
        );
        let mut sent = 0;
        for effect in effects {
            match effect {
                Effect::SendAdvert { priority, .. } => {
                    assert!(was == State::Active || is == State::Active, "{input:?}");
                    let left = was == State::Active && is != State::Active;
                    assert!(!priority.is_release() || left, "{input:?}");
                    sent += 1;
                }
                Effect::AddAddresses { .. } => {
                    assert!(sent > 0 && !self.vips[index], "{input:?}");
                    self.vips[index] = true;
                }
                Effect::RemoveAddresses { .. } => self.vips[index] = false,
                Effect::Announce { .. } | Effect::RestoreAddress { .. } => {
                    assert!(self.vips[index], "{input:?}");
                }
                Effect::ChangeAddresses { .. }
                | Effect::AnnounceElsewhere { .. }
                | Effect::Watch { .. }
                | Effect::Transition { .. }
                | Effect::GroupTransition { .. }
                | Effect::PriorityChanged { .. }
                | Effect::Notice { .. } => {}
            }
        }
        assert!(sent <= 1, "{sent} adverts for {input:?}");
        assert_eq!(self.vips[index], is == State::Active, "{input:?}");
        if was == State::Backup && is == State::Active {
            let due = before.and_then(|before| before.deadline);
            assert_eq!(input, Input::Timeout);
            assert!(due.is_some_and(|due| due.0 <= self.now), "early");
        }
        let armed = after.is_some_and(|after| after.deadline.is_some());
        assert_eq!(armed, is != State::Initialize, "{input:?}");
    }
}

/// The instance that an input is for; `None` for all.
fn target(input: &Input) -> Option<InstanceId> {
    match *input {
        Input::Timeout => None,
        Input::Configure { config } => Some(config.id),
        Input::Retire { id }
        | Input::Up { id, .. }
        | Input::Down { id, .. }
        | Input::Priority { id, .. }
        | Input::Advert { id, .. }
        | Input::Heart { id, .. }
        | Input::AddressLost { id, .. }
        | Input::AddressClaimed { id }
        | Input::Shutdown { id } => Some(id),
    }
}

fn concerns(effect: &Effect, instance: InstanceId) -> bool {
    match *effect {
        Effect::SendAdvert { id, .. }
        | Effect::AddAddresses { id }
        | Effect::RemoveAddresses { id }
        | Effect::ChangeAddresses { id, .. }
        | Effect::RestoreAddress { id, .. }
        | Effect::Announce { id, .. }
        | Effect::AnnounceElsewhere { id }
        | Effect::Watch { id, .. }
        | Effect::Transition { id, .. }
        | Effect::PriorityChanged { id, .. }
        | Effect::Notice { id, .. } => id == instance,
        Effect::GroupTransition { .. } => false,
    }
}
