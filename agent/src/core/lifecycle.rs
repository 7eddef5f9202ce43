//! Startup, faults and Shutdown of one instance.

use std::net::IpAddr;

use agent_common::{KernelTime, Priority};

use super::{
    effect::{Cause, Effect, State},
    input::Fault,
    instance::{Instance, bump},
    queue::Effects,
};

impl Instance {
    /// Startup (RFC 9568 6.4.1), or a new source address while running.
    pub(super) fn up(&mut self, source: IpAddr, now: KernelTime, out: &mut Effects) {
        if self.left {
            return;
        }
        let changed = self.source.replace(source) != Some(source);
        match self.state {
            State::Initialize => {
                self.fault = None;
                if !self.held {
                    self.startup(now, out);
                }
            }
            State::Backup => {}
            State::Active if changed => self.advert_from_new_source(now, out),
            State::Active => {}
        }
    }

    pub(super) fn startup(&mut self, now: KernelTime, out: &mut Effects) {
        self.up_at = now;
        self.last_advert = None;
        self.active = None;
        let owner = self.config.priority.is_owner();
        if owner && self.config.group.is_none() {
            self.promote(Cause::Owner, now, out);
        } else {
            self.learned = self.config.interval;
            self.enter_backup(now, now);
            // Whoever was watched before the fault may be gone.
            self.watch(None, out);
            self.transition(State::Initialize, Cause::Started, now, out);
            if owner {
                self.promote_or_want(Cause::Owner, now, out);
            }
        }
    }

    /// The instance can no longer take part.
    pub(super) fn down(&mut self, fault: Fault, now: KernelTime, out: &mut Effects) {
        if !self.left {
            self.fault = Some(fault);
            self.leave(Cause::Fault(fault), now, out);
        }
    }

    /// Shutdown (RFC 9568 6.4.2, 6.4.3): for good.
    pub(super) fn shutdown(&mut self, now: KernelTime, out: &mut Effects) {
        self.left = true;
        self.leave(Cause::Shutdown, now, out);
    }

    fn leave(&mut self, cause: Cause, now: KernelTime, out: &mut Effects) {
        let from = self.state;
        match from {
            State::Initialize => return,
            State::Backup => {}
            State::Active => self.release(out),
        }
        self.enter(State::Initialize, now);
        self.active = None;
        self.transition(from, cause, now, out);
    }

    /// Gives the VIPs up: priority 0 first, so that the next router can begin.
    pub(super) fn release(&mut self, out: &mut Effects) {
        bump(&mut self.counters.left_active);
        self.push_release(out);
        out.push(Effect::RemoveAddresses { id: self.id() });
    }

    pub(super) fn push_release(&mut self, out: &mut Effects) {
        bump(&mut self.counters.adverts_sent);
        bump(&mut self.counters.priority_zero_sent);
        out.push(Effect::SendAdvert {
            id: self.id(),
            priority: Priority::RELEASE,
        });
    }
}
