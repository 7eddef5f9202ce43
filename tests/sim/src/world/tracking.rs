//! Trackers, and a new interval for all: what changes an election while it runs.

use failoverd::core::{Fault as Down, Input};

use super::{Event, World};
use crate::{
    node::{self, Brain, Tracked, id},
    schedule::{Fault, INSTANCES, Kind},
};

impl World {
    pub(super) fn track(&mut self, router: usize, tracked: Tracked) {
        if self.kind(router) == Kind::Agent {
            self.nodes[router].tracked.push(tracked);
            self.tracked(router, tracked.instance);
        }
    }

    pub(super) fn untrack(&mut self, router: usize, fault: usize) {
        let node = &mut self.nodes[router];
        let found = node.tracked.iter().position(|t| t.fault == fault);
        if let Some(found) = found {
            let instance = node.tracked.swap_remove(found).instance;
            self.tracked(router, instance);
        }
    }

    /// The slow lane tells the core what trackers have come to.
    fn tracked(&mut self, router: usize, instance: usize) {
        let now = self.nodes[router].local(self.now);
        let node = &mut self.nodes[router];
        node.track();
        if node.brain.is_none() {
            return;
        }
        let id = id(instance);
        let priority = agent_common::Priority(node.priority[instance]);
        node.commands.push_back(Input::Priority { id, priority });
        if node.is_barred(instance) {
            let fault = Down::TrackedScript;
            node.commands.push_back(Input::Down { id, fault });
        } else if node.plight.cut == 0 && node.is_up {
            let source = node.address(instance);
            node.commands.push_back(Input::Up { id, source });
        }
        let barred = self.nodes[router].is_barred(instance);
        // Of a group, a fault of one is a fault of all.
        let grouped = self.nodes[router].is_grouped();
        for index in (0..INSTANCES).filter(|index| *index == instance || grouped) {
            let book = &mut self.books[router][index];
            book.configured = now;
            if barred {
                (book.life_sign, book.release) = (None, None);
            }
        }
        self.signal(router);
    }

    pub(super) fn roll_out(&mut self, number: usize, router: usize) {
        let Fault::Rollout { interval_cs, .. } = self.fault(number) else {
            return;
        };
        let now = self.nodes[router].local(self.now);
        let node = &mut self.nodes[router];
        node.spec.interval_cs = interval_cs;
        match &mut node.brain {
            Some(Brain::Agent(_)) => {
                for index in 0..INSTANCES {
                    let config = node.config(index);
                    node.commands.push_back(Input::Configure { config });
                    let book = &mut self.books[router][index];
                    (book.configured, book.last_send) = (now, None);
                }
            }
            Some(Brain::Reference(routers)) => {
                routers.iter_mut().for_each(|r| r.configure(interval_cs));
                let filters = std::array::from_fn(|index| node.filter(index));
                node.kernel.filters = filters;
            }
            None => {}
        }
        self.disturb();
        self.signal(router);
    }

    pub(super) fn begin_rollout(&mut self, number: usize, span: u64) {
        for router in 0..self.nodes.len() {
            let pause = self.dice().u64(0..span);
            let fault = number;
            self.at(self.now + pause, Event::Rollout { fault, router });
        }
    }

    /// A new configuration is in force in the kernel as soon as the core has it.
    pub(super) fn install(&mut self, router: usize, input: &Input) {
        if let Input::Configure { config } = input {
            let index = node::index(config.id);
            let node = &mut self.nodes[router];
            node.kernel.filters[index] = node.filter(index);
            if node.heart.is_some() {
                node.aim(index);
            }
        }
    }
}
