//! The process of a router gets to run: the driver's round, around the core.

use agent_common::{KernelTime, Priority};
use failoverd::{
    core::{Cause, Effect, Input, InstanceId, State},
    heart::Tenure,
};

use super::{Event, World};
use crate::{
    check::Rule,
    kernel::Watch,
    network::{Advert, Bend, Frame, Port},
    node::{self, Brain, Step, id},
    reference::Outcome,
    schedule::{INSTANCES, Kind, VIPS},
    time::{MS, SEC},
};

impl World {
    pub(super) fn wake(&mut self, router: usize) {
        if !self.nodes[router].plight.runs() {
            return;
        }
        match self.nodes[router].brain {
            Some(Brain::Agent(_)) => {
                self.round(router);
                self.check_coupling(router);
            }
            Some(Brain::Reference(_)) => self.reference_round(router),
            None => return,
        }
        self.arm(router);
    }

    /// Commands, announcements of the kernel, adverts, then deadlines: the
    /// order of the driver.
    fn round(&mut self, router: usize) {
        let now = self.nodes[router].local(self.now);
        while let Some(input) = self.nodes[router].commands.pop_front() {
            self.feed(router, input, now);
        }
        while let Some((instance, vip)) = self.nodes[router].kernel.removed.pop_front() {
            let id = id(instance);
            let vip = vip as u16;
            self.feed(router, Input::AddressLost { id, vip }, now);
        }
        while let Some(record) = self.nodes[router].kernel.read() {
            let id = id(record.instance);
            let advert = record.advert;
            self.feed(router, Input::Advert { id, advert }, now);
        }
        self.judge_heart(router, now);
        let due = self.nodes[router].deadline();
        if due.is_some_and(|due| due <= self.now) {
            for id in self.expiring(router, now) {
                if let Some(advert) = self.nodes[router].kernel.latest(node::index(id)) {
                    self.feed(router, Input::Advert { id, advert }, now);
                }
            }
            self.veto(router, now);
            self.feed(router, Input::Timeout, now);
        }
        self.send_probes(router, now);
    }

    fn expiring(&self, router: usize, now: KernelTime) -> Vec<InstanceId> {
        match &self.nodes[router].brain {
            Some(Brain::Agent(machine)) => machine.expiring(now).collect(),
            Some(Brain::Reference(_)) | None => Vec::new(),
        }
    }

    pub(super) fn feed(&mut self, router: usize, input: Input, now: KernelTime) {
        self.install(router, &input);
        self.look_before(router, now);
        let (steps, effects) = self.nodes[router].feed(input, now);
        self.note(&(router, &effects));
        self.check_steps(router, &steps, &effects, now);
        for effect in effects {
            self.carry_out(router, effect, &steps);
        }
        self.follow_up(router, &input, now);
        self.heart_heard(router, &input, now);
    }

    fn carry_out(&mut self, router: usize, effect: Effect, steps: &[Step]) {
        match effect {
            Effect::SendAdvert { id, priority } => {
                self.check_send(router, node::index(id), priority);
                self.check_resume(router, node::index(id), priority, steps);
                self.send(router, node::index(id), priority);
                let reached = self.nodes[router].plight.cut == 0;
                self.tenure(router, id, Tenure::after_advert(priority, reached));
            }
            Effect::AddAddresses { id } => {
                self.add(router, node::index(id), 0..VIPS);
            }
            Effect::RemoveAddresses { id } => {
                self.nodes[router].kernel.vips[node::index(id)] = [false; VIPS];
            }
            Effect::RestoreAddress { id, vip } => {
                let vip = usize::from(vip);
                self.add(router, node::index(id), vip..vip + 1);
                self.announce(router, node::index(id), 1);
            }
            // The list of VIPs stays the same in this world.
            Effect::ChangeAddresses { .. }
            | Effect::AnnounceElsewhere { .. }
            | Effect::PriorityChanged { .. }
            | Effect::GroupTransition { .. } => {}
            Effect::Announce { id, repeat } => self.announce(router, node::index(id), repeat),
            Effect::Watch { id, active } => {
                self.nodes[router].kernel.watch[node::index(id)] = Watch {
                    active,
                    wake_always: active.is_none(),
                };
                self.follow(router, id, self.nodes[router].local(self.now));
            }
            Effect::Transition {
                id,
                from,
                to,
                cause,
                ..
            } => {
                self.coverage.transition(from, to, &cause);
                self.tell(|| format!("router {router} {id:?}: {from:?} -> {to:?}, {cause:?}"));
                if matches!(cause, Cause::AddressesTaken) {
                    self.disturb();
                }
                match (from, &cause) {
                    (State::Active, Cause::Outranked { .. }) => {
                        self.leaves_untold(router, node::index(id));
                    }
                    (State::Active, _) => self.leaves(router, node::index(id)),
                    (State::Initialize | State::Backup, _) => {}
                }
                if to == State::Active {
                    self.left_unheard[node::index(id)] = false;
                }
                self.tenure(router, id, Tenure::after_leaving(from));
                self.follow(router, id, self.nodes[router].local(self.now));
                self.check_transition(router, node::index(id), to, &cause, steps);
            }
            Effect::Notice { notice, .. } => self.coverage.notice(&notice),
        }
    }

    fn send(&mut self, router: usize, instance: usize, priority: Priority) {
        let spec = &self.nodes[router].spec;
        let advert = Advert {
            host: spec.host,
            instance,
            priority,
            interval: node::interval(spec.interval_cs),
            bend: Bend::Straight,
        };
        self.remember(advert);
        self.coverage.adverts += 1;
        self.broadcast(Port::Router(router), Frame::Advert(advert));
    }

    fn add(&mut self, router: usize, instance: usize, vips: std::ops::Range<usize>) {
        let node = &mut self.nodes[router];
        if node.kernel.refuses {
            let life = node.life;
            self.books[router][instance].unsure_until = self.now + 3 * SEC;
            self.at(self.now + SEC, Event::Resync { router, life });
            return;
        }
        for vip in vips {
            self.nodes[router].kernel.vips[instance][vip] = true;
        }
    }

    fn announce(&mut self, router: usize, instance: usize, repeat: u8) {
        for _ in 0..repeat {
            for vip in 0..VIPS {
                let frame = Frame::Garp {
                    router,
                    instance,
                    vip,
                };
                self.broadcast(Port::Router(router), frame);
            }
        }
    }

    /// The slow lane: VIPs of an Active that are missing are told, and those
    /// of others removed.
    pub(super) fn resync(&mut self, router: usize, life: u64) {
        let node = &mut self.nodes[router];
        if node.life != life {
            return;
        }
        if !node.plight.runs() {
            return self.at(self.now + 10 * MS, Event::Resync { router, life });
        }
        for instance in 0..INSTANCES {
            for vip in 0..VIPS {
                let node = &mut self.nodes[router];
                match (node.is_active(instance), node.kernel.vips[instance][vip]) {
                    (true, false) => {
                        let id = id(instance);
                        let vip = vip as u16;
                        node.commands.push_back(Input::AddressLost { id, vip });
                    }
                    (false, true) => node.kernel.vips[instance][vip] = false,
                    (true, true) | (false, false) => {}
                }
            }
        }
        self.signal(router);
    }

    /// Stopped in good order; the fault's end starts it again.
    pub(super) fn stop(&mut self, router: usize) {
        let now = self.nodes[router].local(self.now);
        // A process that cannot run is killed after a while, with the same end.
        let runs = self.nodes[router].plight.runs();
        self.nodes[router].plight.gone += 1;
        match self.nodes[router].brain {
            Some(Brain::Agent(_)) if runs => {
                for index in 0..INSTANCES {
                    self.feed(router, Input::Shutdown { id: id(index) }, now);
                }
            }
            Some(Brain::Reference(_)) => self.stop_reference(router),
            Some(Brain::Agent(_)) | None => {}
        }
        self.ends(router);
        self.nodes[router].kill();
        self.nodes[router].kernel.vips = Default::default();
    }

    pub(super) fn start_reference(&mut self, router: usize) {
        let now = self.nodes[router].local(self.now);
        for index in 0..INSTANCES {
            if let Some(Brain::Reference(routers)) = &mut self.nodes[router].brain {
                let outcome = routers[index].startup(now);
                self.do_as(router, index, outcome);
            }
        }
        self.arm(router);
    }

    pub(super) fn stop_reference(&mut self, router: usize) {
        for index in 0..INSTANCES {
            if let Some(Brain::Reference(routers)) = &mut self.nodes[router].brain {
                let outcome = routers[index].shutdown();
                self.do_as(router, index, outcome);
            }
        }
    }

    fn reference_round(&mut self, router: usize) {
        let now = self.nodes[router].local(self.now);
        self.nodes[router].commands.clear();
        while let Some(advert) = self.nodes[router].inbox.pop_front() {
            let Some(Brain::Reference(routers)) = &mut self.nodes[router].brain else {
                return;
            };
            let outcome = routers[advert.instance].advert(&advert, now);
            self.do_as(router, advert.instance, outcome);
        }
        for index in 0..INSTANCES {
            if let Some(Brain::Reference(routers)) = &mut self.nodes[router].brain {
                let outcome = routers[index].timeout(now);
                self.do_as(router, index, outcome);
            }
        }
    }

    pub(super) fn do_as(&mut self, router: usize, instance: usize, outcome: Outcome) {
        if let Some(priority) = outcome.send {
            self.send(router, instance, Priority(priority));
        }
        if let Some(on) = outcome.vips {
            self.nodes[router].kernel.vips[instance] = [on; VIPS];
            if on {
                self.announce(router, instance, 1);
            }
        }
    }

    /// Invariant 22: what waited is read before anything is claimed. An order of
    /// the slow lane is carried out first; it is not what a pause brings.
    fn check_resume(&mut self, router: usize, instance: usize, priority: Priority, steps: &[Step]) {
        let claims = steps.get(instance).is_some_and(|step| {
            let ordered = matches!(step.input, Input::Configure { .. });
            step.after.state == State::Active && !ordered
        });
        let kernel = &self.nodes[router].kernel;
        if claims && kernel.outranking(instance, priority).is_some() {
            self.fail(
                Rule::Resume,
                Some(router),
                "sent an advert while a better one waited to be read".to_owned(),
            );
        }
    }

    /// Nobody is about to take over from `active` for what an earlier fault has
    /// kept from him: all others have heard it in the last interval.
    fn is_heard(&self, active: usize, index: usize) -> bool {
        let address = self.nodes[active].address(index);
        let others = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != active);
        let mut others = others.filter_map(|(_, node)| Some((node, node.snapshot(index)?)));
        others.all(|(node, snapshot)| {
            let beat = node::interval(node.spec.interval_cs).duration();
            let deadline = snapshot
                .deadline
                .map(|deadline| node.spec.clock.when(deadline));
            let far = deadline.is_some_and(|at| at > self.now + 2 * beat.as_nanos() as u64);
            snapshot.state != State::Backup || snapshot.active == Some(address) && far
        })
    }

    /// Whom a newcomer must leave alone: the only Active of a calm world in
    /// which nobody preempts.
    pub(super) fn remember_incumbent(&mut self, newcomer: usize) {
        let preempts = self.nodes.iter().any(|node| {
            node.spec.preempt || node.priority.contains(&255) || node.spec.kind != Kind::Agent
        });
        if preempts || self.faults > 0 || !self.is_clear() {
            return;
        }
        for index in 0..INSTANCES {
            let mut active =
                (0..self.nodes.len()).filter(|router| self.nodes[*router].is_active(index));
            if let (Some(only), None) = (active.next(), active.next())
                && only != newcomer
                && self.nodes[only].plight.is_well()
                && self.is_heard(only, index)
            {
                self.incumbent[index] = Some(only);
            }
        }
    }
}
