//! A running instance gets another configuration.
//!
//! It keeps its state, its Active and what it learned; only what the change
//! concerns is recomputed. A running Active_Down_Timer still counts from what
//! it counted from, so that a reload neither delays nor hastens a take-over.

use agent_common::{KernelTime, Priority, Version};

use super::{
    config::InstanceConfig,
    effect::{Effect, State},
    instance::Instance,
    queue::Effects,
    timers::{Timer, checkpoint_margin, oversleep_tolerance},
};

impl Instance {
    /// `config` is of the same version and family.
    pub(super) fn configure(&mut self, config: InstanceConfig, now: KernelTime, out: &mut Effects) {
        if config == self.config {
            return;
        }
        let old = self.rules();
        self.config = config;
        self.tell_priority(old.config.priority, out);
        if vips(&old.config) != vips(&config) {
            self.losses.renumber();
        }
        match self.state {
            State::Initialize => self.learned = config.interval,
            State::Backup => self.backup_changed(&old, now),
            State::Active => self.active_changed(&old, now, out),
        }
    }

    /// Trackers changed the priority. Unlike a reload this can happen at any
    /// pace, so the next advert tells of it, as keepalived's does.
    pub(super) fn prioritise(&mut self, priority: Priority, now: KernelTime, out: &mut Effects) {
        let base = self.config.base_priority;
        let priority = match base.is_owner() {
            true => base,
            false => Priority(priority.get().clamp(1, Priority::OWNER.get() - 1)),
        };
        if priority == self.config.priority {
            return;
        }
        let old = self.rules();
        self.config.priority = priority;
        self.tell_priority(old.config.priority, out);
        match self.state {
            State::Initialize | State::Active => {}
            State::Backup => self.backup_changed(&old, now),
        }
    }

    fn tell_priority(&self, from: Priority, out: &mut Effects) {
        let (id, to) = (self.id(), self.config.priority);
        if from != to {
            out.push(Effect::PriorityChanged { id, from, to });
        }
    }

    pub(super) fn rules(&self) -> Rules {
        Rules {
            config: self.config,
            interval: self.interval_in_force(),
            down: self.down_interval(),
            skew: self.skew(),
        }
    }

    fn backup_changed(&mut self, old: &Rules, now: KernelTime) {
        if self.config.version == Version::V2 || self.last_advert.is_none() {
            self.learned = self.config.interval;
        }
        self.learned = self.believed(self.learned);
        self.preempt_delay_changed(&old.config);
        let new = self.rules();
        let same = (old.interval, old.down, old.skew) == (new.interval, new.down, new.skew);
        if same || self.wants.is_some() || self.lost.is_some() {
            return;
        }
        // Whether the Active was alive while we slept is not for a reload to
        // decide: the time-out that is due judges it, by the new rules.
        let tolerance = oversleep_tolerance(old.interval);
        let overslept = [Timer::Checkpoint, Timer::ActiveDown]
            .into_iter()
            .filter_map(|timer| self.timers.get(timer))
            .any(|due| now > due.after(tolerance));
        if !overslept {
            self.recompute_down(&new, new.interval != old.interval, now);
        }
    }

    /// COMPAT 2.7. A deadline that would lie behind us is due now: we have
    /// been awake all the time.
    pub(super) fn recompute_down(&mut self, new: &Rules, other_interval: bool, now: KernelTime) {
        let from = self.counted.max(self.floor);
        if self.released_by.is_some() {
            let wait = match self.grants {
                0 => new.skew,
                _ => new.interval.duration() + new.skew,
            };
            self.timers
                .arm(Timer::ActiveDown, from.after(wait).max(now));
            return;
        }
        let margin = checkpoint_margin(new.interval, new.down);
        let deadline = from.after(new.down);
        let checkpoint = deadline.before(margin);
        if other_interval && checkpoint <= now {
            // Silence that was short by the old interval says nothing by the new.
            self.floor = now;
            return self.arm_down(self.counted);
        }
        self.timers.arm(Timer::ActiveDown, deadline.max(now));
        if checkpoint > now {
            self.timers.arm(Timer::Checkpoint, checkpoint);
        } else {
            self.timers.disarm(Timer::Checkpoint);
        }
    }

    /// The delay counts from the same advert as before.
    fn preempt_delay_changed(&mut self, old: &InstanceConfig) {
        let Some(end) = self.timers.get(Timer::PreemptDelay) else {
            return;
        };
        let (before, delay) = (old.preempt_delay, self.config.preempt_delay);
        if delay.is_zero() || !self.config.preempt || self.config.priority.is_owner() {
            self.timers.disarm(Timer::PreemptDelay);
        } else if delay != before {
            let began = end.before(before);
            self.timers.arm(Timer::PreemptDelay, began.after(delay));
        }
    }

    /// What others should know of is said at once, so that an election that
    /// the change decides does not wait for the cadence.
    fn active_changed(&mut self, old: &Rules, now: KernelTime, out: &mut Effects) {
        let (config, policy) = (self.config, self.config.announce);
        self.learned = config.interval;
        if said(&old.config) != said(&config) {
            self.send_within(old.down, now, out);
            let interval = config.interval.duration();
            self.timers.arm(Timer::Advert, now.after(interval));
        }
        if vips(&old.config) != vips(&config) {
            out.push(Effect::ChangeAddresses {
                id: self.id(),
                repeat: policy.repeat,
            });
        }
        if old.config.announce.refresh != policy.refresh {
            match self.refresh_period() {
                Some(period) => self.timers.arm(Timer::AnnounceRefresh, now.after(period)),
                None => self.timers.disarm(Timer::AnnounceRefresh),
            }
        }
        if old.config.announce.extra != policy.extra {
            match self.elsewhere_period() {
                Some(period) => self.timers.arm(Timer::AnnounceElsewhere, now.after(period)),
                None => self.timers.disarm(Timer::AnnounceElsewhere),
            }
        }
    }
}

/// What the timers of a Backup go by.
pub(super) struct Rules {
    config: InstanceConfig,
    interval: agent_common::AdvertInterval,
    down: core::time::Duration,
    skew: core::time::Duration,
}

/// What our adverts tell others.
fn said(config: &InstanceConfig) -> impl PartialEq + use<> {
    (
        config.priority,
        config.interval,
        config.address_count,
        config.addresses_digest,
    )
}

fn vips(config: &InstanceConfig) -> (u16, u64) {
    (config.vip_count, config.vips_digest)
}
