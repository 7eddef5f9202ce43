//! The heartbeat in this world: the production heart in the process of a router,
//! and the reflector in the kernel of another one.

use std::net::IpAddr;

use agent_common::{KernelTime, wire::probe::question};
use failoverd::{
    core::{Input, InstanceId},
    heart::{Answer, Heart, News, Outcome, Probe, Tenure},
};

use super::{Event, World};
use crate::{
    check::Rule,
    network::{Frame, Port},
    node::{self, Brain, id},
    probe::{ASKER_PORT, Datagram, End, LINK},
    schedule::INSTANCES,
    time::At,
};

/// What the checkers know of a router's heartbeat: from what went over the
/// link, never from the heart's own books.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeartBook {
    /// Since when frames come in and go out.
    pub linked_since: At,
    /// Since when its kernel has said Up of an instance, for as long as the
    /// lease is fresh.
    pub up_since: [Option<At>; INSTANCES],
    /// Before the input that is being handled: whom it puts up with, and
    /// whether its heartbeat counts.
    pub watched: [Option<IpAddr>; INSTANCES],
    pub armed: [bool; INSTANCES],
    /// Of two that answer for a VIP, this is one, since then.
    pub beside_since: [Option<At>; INSTANCES],
}

impl World {
    fn heart(&mut self, router: usize) -> Option<&mut Heart> {
        self.nodes[router].heart.as_deref_mut()
    }

    /// The order of the driver's round: all answers are read before anybody is
    /// found down.
    pub(super) fn judge_heart(&mut self, router: usize, now: KernelTime) {
        let node = &mut self.nodes[router];
        let (Some(heart), Some(Brain::Agent(machine))) = (&mut node.heart, &node.brain) else {
            return;
        };
        if !heart.is_wanted(machine, now) {
            return;
        }
        while let Some((from, said)) = node.kernel.answers.pop_front() {
            let ifindex = LINK.ifindex;
            let answer = Answer {
                ifindex,
                from,
                said,
            };
            heart.answer(&answer, now);
        }
        heart.judge(now);
        self.tell_heart(router, now);
    }

    pub(super) fn tell_heart(&mut self, router: usize, now: KernelTime) {
        loop {
            let node = &mut self.nodes[router];
            let (Some(heart), Some(Brain::Agent(machine))) = (&mut node.heart, &node.brain) else {
                return;
            };
            let Some(outcome) = heart.poll_outcome() else {
                return;
            };
            let input = heart.heed(&outcome, machine, now);
            self.coverage.heart(name(&outcome));
            self.tell(|| format!("router {router}: {outcome:?}"));
            if let Some(input) = input {
                self.feed(router, input, now);
            }
        }
    }

    pub(super) fn heart_heard(&mut self, router: usize, input: &Input, now: KernelTime) {
        let Input::Advert { id, advert } = *input else {
            return;
        };
        if let Some(heart) = self.heart(router) {
            heart.heard(id, advert.source, advert.stamp, now);
            self.tell_heart(router, now);
        }
    }

    /// Take-overs for want of adverts wait for as long as the Active says Up.
    pub(super) fn veto(&mut self, router: usize, now: KernelTime) {
        for index in 0..INSTANCES {
            let node = &mut self.nodes[router];
            let (Some(heart), Some(Brain::Agent(machine))) = (&mut node.heart, &node.brain) else {
                return;
            };
            if let Some(input) = heart.hold_back(id(index), machine, now) {
                self.coverage.heart("take-over held");
                self.feed(router, input, now);
            }
        }
    }

    /// What the heart needs to know of an input that the core has had.
    pub(super) fn follow_up(&mut self, router: usize, input: &Input, now: KernelTime) {
        let id = match input {
            Input::Configure { config } => config.id,
            Input::Up { id, .. } => *id,
            Input::Retire { .. }
            | Input::Down { .. }
            | Input::Advert { .. }
            | Input::Priority { .. }
            | Input::Heart { .. }
            | Input::Timeout
            | Input::AddressLost { .. }
            | Input::AddressClaimed { .. }
            | Input::Shutdown { .. } => return,
        };
        let index = node::index(id);
        let node = &mut self.nodes[router];
        if node.heart.is_none() {
            return;
        }
        let serves = node.is_active(index);
        let tenure = match serves && node.lease[index].is_some() {
            true => Tenure::Renewed,
            false => Tenure::Ended,
        };
        self.tenure(router, id, Some(tenure));
        let plan = self.nodes[router].plan(index);
        if let Some(heart) = self.heart(router) {
            heart.configure(id, plan, now);
        }
        self.follow(router, id, now);
    }

    pub(super) fn follow(&mut self, router: usize, id: InstanceId, now: KernelTime) {
        let node = &mut self.nodes[router];
        if let (Some(heart), Some(Brain::Agent(machine))) = (&mut node.heart, &node.brain) {
            heart.follow(id, machine.accepted(id), now);
        }
    }

    pub(super) fn tenure(&mut self, router: usize, id: InstanceId, tenure: Option<Tenure>) {
        let (at, index) = (self.now, node::index(id));
        let node = &mut self.nodes[router];
        let now = node.local(at);
        let lease = &mut node.kernel.leases[index];
        let since = &mut self.hearts[router].up_since[index];
        match (tenure, node.lease[index]) {
            (None, _) | (Some(Tenure::Renewed), None) => {}
            (Some(Tenure::Ended), _) => {
                (lease.until_ns, *since) = (0, None);
            }
            (Some(Tenure::Renewed), Some(span)) => {
                if lease.until_ns <= now.0 {
                    *since = Some(at);
                }
                lease.until_ns = now.after(span).0;
            }
        }
    }

    pub(super) fn send_probes(&mut self, router: usize, now: KernelTime) {
        let at = self.now;
        loop {
            let linked = self.nodes[router].plight.is_linked();
            let Some(heart) = self.heart(router) else {
                return;
            };
            if heart.poll_timeout().is_none_or(|due| due > now) {
                return;
            }
            let Some(probe) = heart.poll_probe(now) else {
                return;
            };
            match linked {
                true => heart.sent(&probe, now),
                false => heart.unsent(&probe),
            }
            if linked {
                self.ask_kernel(router, &probe);
            }
            self.tell_heart(router, now);
            debug_assert_eq!(at, self.now);
        }
    }

    fn ask_kernel(&mut self, router: usize, probe: &Probe) {
        self.coverage.heart("probe");
        let from = End {
            host: self.nodes[router].spec.host,
            address: probe.source,
            port: ASKER_PORT,
        };
        let remote = probe.place.remote;
        let has = |node: &node::Node| (0..INSTANCES).any(|index| node.address(index) == remote);
        // The kernel takes it, and nobody says where that address is.
        let Some(to) = self.nodes.iter().position(has) else {
            return;
        };
        let to = End {
            host: self.nodes[to].spec.host,
            address: remote,
            port: agent_common::wire::bfd::REFLECTOR_PORT,
        };
        let datagram = Datagram::new(from, to, &question(&probe.question));
        self.last_probe = Some(datagram);
        self.carry(Port::Router(router), datagram);
    }

    /// To the router that has its MAC address.
    pub(super) fn carry(&mut self, from: Port, datagram: Datagram) {
        let mine = |node: &node::Node| node.spec.host == datagram.host();
        let Some(to) = self.nodes.iter().position(mine).map(Port::Router) else {
            return;
        };
        let good = self.network.is_good();
        let arrivals = self.network.pass(from, to, self.now, &mut self.rng);
        for at in arrivals.into_iter().flatten() {
            if !good {
                self.stray_until = self.stray_until.max(at);
            }
            let what = self.keep(Frame::Probe(datagram));
            self.at(at, Event::Deliver { to, what });
        }
    }

    /// The reflector first, then whoever listens.
    pub(super) fn receive(&mut self, router: usize, datagram: Datagram) {
        let node = &mut self.nodes[router];
        let (true, Some(Brain::Agent(_))) = (node.plight.is_linked(), &node.brain) else {
            return;
        };
        let now = node.spec.clock.local(self.now);
        let reflected = datagram.probe().ok().and_then(|probe| {
            let state = node.kernel.reflect(&probe, now)?;
            datagram.answered(&probe, state)
        });
        if let Some(answer) = reflected {
            self.coverage.heart("answer");
            if answer.turns > 1 {
                let what = format!("a frame was sent on {} times", answer.turns);
                self.fail(Rule::Reflection, Some(router), what);
            }
            self.last_answer = Some(answer);
            return self.carry(Port::Router(router), answer);
        }
        for index in 0..INSTANCES {
            if let Some((from, said)) = datagram.said(node.address(index)) {
                return node.kernel.answer(from, said);
            }
        }
    }

    /// `fast_detect` comes or goes.
    pub(super) fn reload_fast(&mut self, router: usize, on: bool) {
        if !self.schedule.setting.heart
            || !matches!(self.nodes[router].brain, Some(Brain::Agent(_)))
        {
            return;
        }
        let known = self.schedule.routers.iter().find_map(|spec| spec.fast);
        let node = &mut self.nodes[router];
        node.fast = on.then(|| node.spec.fast.or(known)).flatten();
        self.reload(router);
    }
}

const fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Down { why, .. } => match why {
            failoverd::core::Lost::Silence => "down: silence",
            failoverd::core::Lost::AdminDown => "down: does not serve",
        },
        Outcome::Up { .. } => "up after all",
        Outcome::News { news, .. } => match news {
            News::Answers => "answers",
            News::NoAnswer => "no answer",
            News::TooLate { .. } => "too late",
            News::Disproved { .. } => "false alarm",
        },
    }
}
