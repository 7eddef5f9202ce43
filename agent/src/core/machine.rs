//! All virtual routers of the agent behind one input and one effect queue.

use agent_common::{KernelTime, record::SLOTS};

use super::{
    config::InstanceConfig,
    effect::Effect,
    input::{Input, InstanceId},
    instance::Instance,
    queue::Effects,
    snapshot::Snapshot,
    timers::Timers,
};

/// The election of every instance, without clock, socket or task.
///
/// The driver waits for [`Self::poll_timeout`] or an event, drains its queues
/// into [`Self::handle`], hands in LATEST of every instance of
/// [`Self::expiring`], then [`Input::Timeout`]; after each input it carries
/// out what [`Self::poll_effect`] gives until there is nothing left.
#[derive(Clone, Debug)]
pub struct Machine {
    instances: Box<[Instance]>,
    /// The earliest deadline of each instance, by its position.
    next: Box<[KernelTime]>,
    /// Position plus one by [`InstanceId`], 0 for none.
    positions: Box<[u16]>,
    effects: Effects,
}

impl Machine {
    /// Everything that the machine will ever need is allocated here.
    ///
    /// # Panics
    /// On an id that is not in `1..SLOTS` or that two instances share: ids
    /// are given out by the agent, not by the configuration file.
    pub fn new(configs: Vec<InstanceConfig>) -> Self {
        let mut positions = vec![0u16; SLOTS].into_boxed_slice();
        for (position, config) in configs.iter().enumerate() {
            let slot = usize::from(config.id.0);
            assert!(
                (1..SLOTS).contains(&slot),
                "instance id {slot} out of range"
            );
            assert!(positions[slot] == 0, "instance id {slot} given out twice");
            positions[slot] = position as u16 + 1;
        }
        Self {
            next: vec![Timers::NEVER; configs.len()].into_boxed_slice(),
            effects: Effects::new(configs.len()),
            instances: configs.into_iter().map(Instance::new).collect(),
            positions,
        }
    }

    /// Takes one input at the time `now`. An unknown instance is ignored.
    ///
    /// # Panics
    /// When the effects of the input before have not been taken: carried out
    /// late, they would no longer be in order with the state.
    pub fn handle(&mut self, input: Input, now: KernelTime) {
        assert!(
            self.effects.is_empty(),
            "effects of the last input not drained"
        );
        match input {
            Input::Timeout => self.timeout(now),
            Input::Up { id, source } => {
                self.with(id, |instance, out| instance.up(source, now, out));
            }
            Input::Down { id, fault } => {
                self.with(id, |instance, out| instance.down(fault, now, out));
            }
            Input::Advert { id, advert } => {
                self.with(id, |instance, out| instance.advert(&advert, now, out));
            }
            Input::AddressLost { id, vip } => {
                self.with(id, |instance, out| instance.address_lost(vip, now, out));
            }
            Input::Shutdown { id } => self.with(id, |instance, out| instance.shutdown(now, out)),
        }
    }

    /// When [`Input::Timeout`] is due; `None` while no timer runs.
    pub fn poll_timeout(&self) -> Option<KernelTime> {
        self.next
            .iter()
            .copied()
            .min()
            .filter(|at| *at != Timers::NEVER)
    }

    /// The next thing to carry out, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop()
    }

    /// Backup instances that would judge their Active at `now`: hand in their
    /// LATEST before [`Input::Timeout`].
    pub fn expiring(&self, now: KernelTime) -> impl Iterator<Item = InstanceId> {
        let due = self
            .next
            .iter()
            .zip(&self.instances)
            .filter(move |(next, _)| **next <= now);
        due.filter(move |(_, instance)| instance.is_expiring(now))
            .map(|(_, i)| i.id())
    }

    /// `None` for an unknown instance.
    pub fn snapshot(&self, id: InstanceId) -> Option<Snapshot> {
        let position = self.position(id)?;
        self.instances.get(position).map(Instance::snapshot)
    }

    /// All instances, in the order of the configuration.
    pub fn instances(&self) -> impl Iterator<Item = InstanceId> {
        self.instances.iter().map(Instance::id)
    }

    fn timeout(&mut self, now: KernelTime) {
        for (instance, next) in self.instances.iter_mut().zip(&mut self.next) {
            if *next <= now {
                instance.timeout(now, &mut self.effects);
                instance.assert_sound();
                *next = instance.next_deadline();
            }
        }
    }

    fn with(&mut self, id: InstanceId, act: impl FnOnce(&mut Instance, &mut Effects)) {
        let Some(position) = self.position(id) else {
            return;
        };
        let (Some(instance), Some(next)) = (
            self.instances.get_mut(position),
            self.next.get_mut(position),
        ) else {
            return;
        };
        act(instance, &mut self.effects);
        instance.assert_sound();
        *next = instance.next_deadline();
    }

    fn position(&self, id: InstanceId) -> Option<usize> {
        let entry = self.positions.get(usize::from(id.0))?;
        usize::from(*entry).checked_sub(1)
    }
}
