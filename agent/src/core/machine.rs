//! All virtual routers of the agent behind one input and one effect queue.

use core::time::Duration;
use std::net::IpAddr;

use agent_common::{KernelTime, record::SLOTS};

use super::{
    config::InstanceConfig,
    effect::{Effect, State},
    group::Group,
    input::{Input, InstanceId},
    instance::Instance,
    queue::Effects,
    saved::Saved,
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
    /// By [`InstanceId`] less one; `None` where no instance is configured.
    pub(super) instances: Box<[Option<Instance>]>,
    /// The earliest deadline of each instance, by its position.
    pub(super) next: Box<[KernelTime]>,
    /// Positions that were ever in use: what lies behind is not looked at.
    pub(super) used: usize,
    /// By [`super::GroupId`] less one.
    pub(super) groups: Box<[Group]>,
    pub(super) effects: Effects,
    /// Only what is Active acts on time: see [`Self::hold`].
    held: bool,
}

impl Machine {
    /// A machine with room for every slot, so that instances can be added
    /// without allocation: about a kilobyte each, 0.8 MB in all.
    ///
    /// # Panics
    /// As [`Self::with_room`].
    pub fn new(configs: Vec<InstanceConfig>) -> Self {
        Self::with_room(configs, SLOTS - 1)
    }

    /// Everything that a machine with ids `1..=room` will ever need is
    /// allocated here.
    ///
    /// # Panics
    /// On an id that is not in `1..=room` or that two instances share: ids
    /// are given out by the agent, not by the configuration file.
    pub fn with_room(configs: Vec<InstanceConfig>, room: usize) -> Self {
        let mut machine = Self {
            instances: (0..room).map(|_| None).collect(),
            next: vec![Timers::NEVER; room].into_boxed_slice(),
            used: 0,
            groups: vec![Group::NEW; room].into_boxed_slice(),
            effects: Effects::new(room),
            held: false,
        };
        for config in configs {
            let known = machine.snapshot(config.id).is_some();
            assert!(!known, "instance id {} given out twice", config.id.0);
            machine.add(config);
        }
        machine
    }

    /// # Panics
    /// On an id that there is no room for.
    fn add(&mut self, config: InstanceConfig) {
        let slot = usize::from(config.id.0);
        let position = slot
            .checked_sub(1)
            .filter(|position| *position < self.instances.len());
        let Some(position) = position else {
            panic!("instance id {slot} out of range");
        };
        self.instances[position] = Some(Instance::new(config));
        self.next[position] = Timers::NEVER;
        self.used = self.used.max(position + 1);
    }

    /// Takes one input at the time `now`. An unknown instance is ignored.
    ///
    /// # Panics
    /// When the effects of the input before have not been taken: carried out
    /// late, they would no longer be in order with the state. On
    /// [`Input::Configure`] with an id that there is no room for.
    pub fn handle(&mut self, input: Input, now: KernelTime) {
        assert!(
            self.effects.is_empty(),
            "effects of the last input not drained"
        );
        match input {
            Input::Timeout => self.timeout(now),
            Input::Configure { config } => self.configure(config, now),
            Input::Retire { id } => self.retire(id, now),
            Input::Up { id, source } => self.up(id, source, now),
            Input::Down { id, fault } => {
                self.with(id, now, |instance, out| instance.down(fault, now, out));
            }
            Input::Priority { id, priority } => {
                self.with(id, now, |instance, out| {
                    instance.prioritise(priority, now, out);
                });
            }
            Input::Advert { id, advert } => {
                self.with(id, now, |instance, out| instance.advert(&advert, now, out));
            }
            Input::Heart { id, active, pulse } => {
                self.with(id, now, |instance, out| {
                    instance.pulse(active, pulse, now, out);
                });
            }
            Input::AddressLost { id, vip } => {
                self.with(id, now, |instance, out| {
                    instance.address_lost(vip, now, out)
                });
            }
            Input::AddressClaimed { id } => {
                self.with(id, now, |instance, out| instance.address_claimed(now, out));
            }
            Input::Shutdown { id } => {
                self.with(id, now, |instance, out| instance.shutdown(now, out))
            }
        }
    }

    /// When [`Input::Timeout`] is due; `None` while no timer runs.
    pub fn poll_timeout(&self) -> Option<KernelTime> {
        let slots = self.next.iter().zip(&self.instances).take(self.used);
        slots
            .filter(|(_, instance)| self.is_awake(instance.as_ref()))
            .map(|(next, _)| *next)
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
        let due = self.next.iter().zip(&self.instances).take(self.used);
        due.filter_map(move |(next, instance)| {
            let instance = instance.as_ref()?;
            // Who waits for its group is judged together with the others.
            let judged = *next <= now && instance.is_expiring(now) || instance.wants.is_some();
            (judged && !self.held).then(|| instance.id())
        })
    }

    /// Whether some Backup is about to become Active by itself at `now`; not of
    /// one that waits for its group.
    pub fn has_expiring(&self, now: KernelTime) -> bool {
        let due = self.next.iter().zip(&self.instances).take(self.used);
        let mut due = due.filter(|(next, _)| **next <= now && !self.held);
        due.any(|(_, instance)| {
            let instance = instance.as_ref();
            instance.is_some_and(|it| it.is_expiring(now) && it.wants.is_none())
        })
    }

    /// `None` for an unknown instance.
    pub fn snapshot(&self, id: InstanceId) -> Option<Snapshot> {
        let position = position(id)?;
        let instance = self.instances.get(position)?;
        instance.as_ref().map(Instance::snapshot)
    }

    /// The router that a Backup has accepted as its Active.
    pub fn accepted(&self, id: InstanceId) -> Option<IpAddr> {
        let instance = self.instances.get(position(id)?)?.as_ref()?;
        instance.active.filter(|_| instance.state == State::Backup)
    }

    /// Whether this Backup would take over at `now` for want of adverts of the
    /// Active that it puts up with: not after a release, and not from one that
    /// it preempts.
    pub fn is_unheard(&self, id: InstanceId, now: KernelTime) -> bool {
        let Some(Some(instance)) = position(id).and_then(|at| self.instances.get(at)) else {
            return false;
        };
        instance.is_unheard(now)
    }

    /// For how long after a verdict of the heartbeat on `active` its adverts
    /// prove that wrong: sooner than after a restart. Zero for the owner of the
    /// addresses; `None` where the instance does not heed the verdict.
    pub fn restart_takes(&self, id: InstanceId, active: IpAddr) -> Option<Duration> {
        let instance = self.instances.get(position(id)?)?.as_ref()?;
        instance.restart_takes(active)
    }

    /// The configuration in force; `None` for an unknown instance.
    pub fn config(&self, id: InstanceId) -> Option<InstanceConfig> {
        let instance = self.instances.get(position(id)?)?;
        instance.as_ref().map(|instance| instance.config)
    }

    /// All instances, by their ids.
    pub fn instances(&self) -> impl Iterator<Item = InstanceId> {
        self.instances
            .iter()
            .take(self.used)
            .flatten()
            .map(Instance::id)
    }

    /// While adverts go to a successor of ours no Backup judges its Active by
    /// their absence; an Active goes on.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// The successor failed: every Active gets a whole Active_Down_Interval
    /// from `now`, because what it sent meanwhile may be lost.
    pub fn resume(&mut self, now: KernelTime) {
        self.held = false;
        let slots = self.instances.iter_mut().zip(&mut self.next);
        for (instance, next) in slots.take(self.used) {
            if let Some(instance) = instance {
                instance.forgive(now);
                *next = instance.next_deadline();
            }
        }
    }

    /// What an instance knows, for a successor; `None` for an unknown one.
    pub fn save(&self, id: InstanceId) -> Option<Saved> {
        let instance = self.instances.get(position(id)?)?;
        instance.as_ref().map(Instance::save)
    }

    /// An instance goes on where a predecessor has left it, by the rules that
    /// it had there: the own ones follow with [`Input::Configure`]. False, and
    /// nothing is changed, for an unknown one and for what cannot be.
    pub fn restore(&mut self, saved: &Saved) -> bool {
        let Some(position) = position(saved.instance()) else {
            return false;
        };
        let (Some(Some(instance)), Some(next)) = (
            self.instances.get_mut(position),
            self.next.get_mut(position),
        ) else {
            return false;
        };
        let Some(restored) = Instance::restored(&instance.config, saved) else {
            return false;
        };
        *next = restored.next_deadline();
        let (group, state, since) = (restored.config.group, restored.state, restored.since);
        *instance = restored;
        if let Some(group) = group {
            self.restore_group(group, state, since);
        }
        true
    }

    fn is_awake(&self, instance: Option<&Instance>) -> bool {
        !self.held || instance.is_some_and(|instance| instance.state == State::Active)
    }

    fn configure(&mut self, config: InstanceConfig, now: KernelTime) {
        let Some(old) = self.config(config.id) else {
            return self.add(config);
        };
        if (old.version, old.family) == (config.version, config.family) {
            self.with(config.id, now, |instance, out| {
                instance.configure(config, now, out);
            });
        } else {
            self.retire(config.id, now);
            self.add(config);
        }
    }

    /// In a group that a fault keeps down an instance only becomes able.
    fn up(&mut self, id: InstanceId, source: IpAddr, now: KernelTime) {
        let group = self.config(id).and_then(|config| config.group);
        let held = group
            .zip(position(id))
            .is_some_and(|(group, at)| self.is_held(group, at));
        self.with(id, now, |instance, out| {
            instance.held |= held;
            instance.up(source, now, out);
        });
    }

    fn retire(&mut self, id: InstanceId, now: KernelTime) {
        self.with(id, now, |instance, out| instance.shutdown(now, out));
        let Some(position) = position(id) else {
            return;
        };
        if let (Some(instance), Some(next)) = (
            self.instances.get_mut(position),
            self.next.get_mut(position),
        ) {
            *instance = None;
            *next = Timers::NEVER;
        }
    }

    fn timeout(&mut self, now: KernelTime) {
        let held = self.held;
        let slots = self.instances.iter_mut().zip(&mut self.next);
        let mut grouped = false;
        for (instance, next) in slots.take(self.used) {
            if *next <= now
                && let Some(instance) = instance
                && (!held || instance.state == State::Active)
            {
                let before = instance.standing();
                instance.timeout(now, &mut self.effects);
                instance.assert_sound();
                *next = instance.next_deadline();
                if let Some(group) = instance.config.group
                    && instance.standing() != before
                    && let Some(group) = usize::from(group.0)
                        .checked_sub(1)
                        .and_then(|at| self.groups.get_mut(at))
                {
                    group.touched = true;
                    grouped = true;
                }
            }
        }
        if grouped {
            self.settle_touched(now);
        }
    }

    fn with(
        &mut self,
        id: InstanceId,
        now: KernelTime,
        act: impl FnOnce(&mut Instance, &mut Effects),
    ) {
        let Some(position) = position(id) else {
            return;
        };
        let (Some(Some(instance)), Some(next)) = (
            self.instances.get_mut(position),
            self.next.get_mut(position),
        ) else {
            return;
        };
        let before = instance.standing();
        act(instance, &mut self.effects);
        instance.assert_sound();
        *next = instance.next_deadline();
        let after = instance.standing();
        if before.group.is_some() || after.group.is_some() {
            self.regroup(position, before, after, now);
        }
    }
}

fn position(id: InstanceId) -> Option<usize> {
    usize::from(id.0).checked_sub(1)
}
