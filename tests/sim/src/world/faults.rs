//! How each fault begins and ends.

use failoverd::core::{Fault as Down, Input};

use super::{Event, MARGIN, World};
use crate::{
    node::{Brain, Tracked, id},
    schedule::{Attack, Fault, INSTANCES, Kind},
    time::{MS, SEC},
};

/// The supervisor starts a dead agent again after this.
const RESTART: u64 = 500 * MS;

impl World {
    pub(super) fn begin(&mut self, number: usize) {
        let fault = self.fault(number);
        self.coverage.fault(fault.name());
        self.void_vacancies();
        self.tell(|| format!("begins: {fault:?}"));
        let span = fault.span();
        if span > 0 {
            self.faults += 1;
            self.at(self.now + span, Event::End(number));
        }
        match fault {
            Fault::Pause { router, .. } => {
                self.hangs(router);
                self.nodes[router].plight.paused += 1;
            }
            Fault::Freeze { router, .. } => self.nodes[router].plight.frozen += 1,
            Fault::Starve { router, late, .. } => {
                self.nodes[router].plight.starved += 1;
                self.nodes[router].late = late;
            }
            Fault::Crash { router, .. } => {
                self.nodes[router].plight.gone += 1;
                self.vacates(router, false);
                self.ends(router);
                self.nodes[router].kill();
                let life = self.nodes[router].life;
                let pause = self.dice().u64(MS..4 * MS);
                self.at(self.now + pause, Event::CleanUp { router, life });
            }
            Fault::CrashDirty { router, .. } => {
                self.nodes[router].plight.gone += 1;
                self.vacates(router, false);
                self.ends(router);
                self.nodes[router].kill();
            }
            Fault::PowerLoss { router, .. } => {
                self.nodes[router].plight.gone += 1;
                self.nodes[router].plight.unpowered += 1;
                self.vacates(router, false);
                self.ends(router);
                self.nodes[router].kill();
                self.nodes[router].kernel.vips = Default::default();
            }
            Fault::Restart { router, .. } => {
                let says_so = self.nodes[router].plight.runs();
                self.vacates(router, says_so);
                self.stop(router);
            }
            Fault::LinkDown { router, .. } => {
                self.nodes[router].plight.cut += 1;
                let fault = Down::LinkDown;
                self.nodes[router].is_up = false;
                for book in &mut self.books[router] {
                    // Heard by an instance that takes no part any more.
                    (book.life_sign, book.release) = (None, None);
                }
                self.tell_all(router, |id| Input::Down { id, fault });
            }
            Fault::OneWay { from, to, .. } => self.network.block(from, to, true),
            Fault::Island { router, .. } => self.network.isolate(router, true),
            Fault::Weather { quality, .. } => self.network.weather(Some(quality)),
            Fault::Removed { router, vip } => self.remove(router, vip, true),
            Fault::Overrun { router, vip } => self.remove(router, vip, false),
            Fault::Refusal { router, .. } => {
                self.nodes[router].plight.refused += 1;
                self.nodes[router].kernel.refuses = self.kind(router) == Kind::Agent;
            }
            Fault::Reconfigure { router, priority } => self.configure(router, priority),
            Fault::Reload { router } => self.reload(router),
            Fault::Attack { flavour, .. } => {
                self.mirrors += u32::from(flavour == Attack::Reflect);
                self.at(self.now, Event::Forge { fault: number });
            }
            // No clock that can be stepped reaches the core: nothing to do is
            // what this is to show.
            Fault::ClockStep { .. } => {}
            Fault::Tracked {
                router,
                instance,
                priority,
                ..
            } => {
                let fault = number;
                let tracked = Tracked {
                    fault,
                    instance,
                    priority,
                };
                self.track(router, tracked);
            }
            Fault::Rollout { span, .. } => self.begin_rollout(number, span),
            Fault::Mute { router, .. } => self.nodes[router].plight.muted += 1,
            Fault::Probes { .. } => self.at(self.now, Event::Forge { fault: number }),
            Fault::FastReload { router, on } => self.reload_fast(router, on),
        }
        self.disturb();
    }

    pub(super) fn end(&mut self, number: usize) {
        self.faults -= 1;
        self.void_vacancies();
        self.tell(|| format!("ends: {:?}", self.fault(number)));
        match self.fault(number) {
            Fault::Pause { router, .. } => {
                self.nodes[router].plight.paused -= 1;
                self.resume(router);
            }
            Fault::Freeze { router, .. } => {
                self.nodes[router].plight.frozen -= 1;
                self.resume(router);
            }
            Fault::Starve { router, .. } => {
                self.nodes[router].plight.starved -= 1;
                self.resume(router);
            }
            Fault::Crash { router, span } => {
                let rest = RESTART.saturating_sub(span);
                self.calm_at = self.calm_at.max(self.now + rest + MS);
                self.at(self.now + rest, Event::Start { router });
            }
            Fault::CrashDirty { router, .. } | Fault::Restart { router, .. } => {
                self.at(self.now, Event::Start { router });
            }
            Fault::PowerLoss { router, .. } => {
                self.nodes[router].plight.unpowered -= 1;
                self.at(self.now, Event::Start { router });
            }
            Fault::LinkDown { router, .. } => {
                self.nodes[router].plight.cut -= 1;
                self.link_is_back(router);
            }
            Fault::OneWay { from, to, .. } => self.network.block(from, to, false),
            Fault::Island { router, .. } => self.network.isolate(router, false),
            Fault::Weather { .. } => self.network.weather(None),
            Fault::Refusal { router, .. } => {
                let plight = &mut self.nodes[router].plight;
                plight.refused -= 1;
                self.nodes[router].kernel.refuses = plight.refused > 0;
                // The slow lane looks again within a second.
                self.calm_at = self.calm_at.max(self.now + 2 * SEC);
            }
            Fault::Attack { flavour, .. } => {
                self.mirrors -= u32::from(flavour == Attack::Reflect);
            }
            Fault::Tracked { router, .. } => self.untrack(router, number),
            Fault::Mute { router, .. } => self.nodes[router].plight.muted -= 1,
            Fault::Rollout { .. }
            | Fault::Removed { .. }
            | Fault::Overrun { .. }
            | Fault::Reconfigure { .. }
            | Fault::Reload { .. }
            | Fault::Probes { .. }
            | Fault::FastReload { .. }
            | Fault::ClockStep { .. } => {}
        }
        self.mended(number);
        self.disturb();
        if self.stray_until > self.now {
            self.at(self.stray_until + 1, Event::Settle);
        }
    }

    /// What was put off is done now.
    fn resume(&mut self, router: usize) {
        for book in &mut self.books[router] {
            book.runnable_since = self.now;
            // The slow lane, too, looks at what it missed.
            book.unsure_until = book.unsure_until.max(self.now + 20 * MS);
        }
        self.signal(router);
        self.arm(router);
        // What it finds may have it wait for long: a forged interval.
        self.at(self.now + MARGIN, Event::Settle);
    }

    pub(super) fn start(&mut self, router: usize) {
        let plight = &mut self.nodes[router].plight;
        // The first start has no fault behind it.
        plight.gone = plight.gone.saturating_sub(1);
        if plight.gone > 0 {
            return;
        }
        self.nodes[router].start();
        for book in &mut self.books[router] {
            book.restart(self.now);
        }
        let life = self.nodes[router].life;
        let pause = self.dice().u64(MS..5 * MS);
        self.at(self.now + pause, Event::Up { router, life });
        self.disturb();
    }

    fn link_is_back(&mut self, router: usize) {
        let life = self.nodes[router].life;
        let pause = self.dice().u64(5 * MS..8 * MS);
        self.at(self.now + pause, Event::Up { router, life });
    }

    pub(super) fn up(&mut self, router: usize, life: u64) {
        let node = &self.nodes[router];
        if node.life != life || node.plight.cut > 0 {
            return;
        }
        match &node.brain {
            Some(Brain::Agent(_)) => self.give_link(router),
            Some(Brain::Reference(_)) => self.start_reference(router),
            None => {}
        }
        self.disturb();
        self.remember_incumbent(router);
    }

    fn give_link(&mut self, router: usize) {
        let node = &mut self.nodes[router];
        node.is_up = true;
        for index in 0..INSTANCES {
            let id = id(index);
            let source = node.address(index);
            let input = match node.is_barred(index) {
                true => Input::Down {
                    id,
                    fault: Down::TrackedScript,
                },
                false => Input::Up { id, source },
            };
            node.commands.push_back(input);
        }
        self.signal(router);
    }

    pub(super) fn clean_up(&mut self, router: usize, life: u64) {
        let node = &mut self.nodes[router];
        if node.plight.frozen > 0 {
            self.at(self.now + MS, Event::CleanUp { router, life });
        } else if node.brain.is_none() {
            node.kernel.vips = Default::default();
        }
    }

    /// Somebody removes a VIP; the agent hears of it, or finds out.
    fn remove(&mut self, router: usize, vip: usize, heard: bool) {
        let node = &mut self.nodes[router];
        // Of the peers, only keepalived hears of it.
        let standing = node.plight.frozen > 0 || node.plight.unpowered > 0;
        if !standing && node.spec.kind == Kind::Keepalived && node.plight.runs() {
            return self.rob(router, vip);
        }
        if standing
            || node.spec.kind != Kind::Agent
            || !std::mem::take(&mut node.kernel.vips[0][vip])
        {
            return;
        }
        let book = &mut self.books[router][0];
        book.unsure_until = book.unsure_until.max(self.now + 20 * MS);
        if heard {
            node.kernel.removed.push_back((0, vip));
            self.signal(router);
        } else {
            let life = node.life;
            let pause = self.dice().u64(MS..12 * MS);
            self.at(self.now + pause, Event::Resync { router, life });
        }
    }

    fn rob(&mut self, router: usize, vip: usize) {
        let now = self.nodes[router].local(self.now);
        let node = &mut self.nodes[router];
        let there = std::mem::take(&mut node.kernel.vips[0][vip]);
        if let (true, Some(Brain::Reference(routers))) = (there, &mut node.brain) {
            let outcome = routers[0].robbed(now);
            self.do_as(router, 0, outcome);
            self.arm(router);
        }
    }

    fn configure(&mut self, router: usize, priority: u8) {
        let now = self.nodes[router].local(self.now);
        let node = &mut self.nodes[router];
        if !matches!(node.brain, Some(Brain::Agent(_))) || node.spec.priority[0] == 255 {
            return;
        }
        node.base[0] = priority;
        node.track();
        self.books[router][0].configured = now;
        let config = self.nodes[router].config(0);
        self.nodes[router]
            .commands
            .push_back(Input::Configure { config });
        self.signal(router);
    }

    pub(super) fn reload(&mut self, router: usize) {
        for index in 0..INSTANCES {
            let config = self.nodes[router].config(index);
            self.nodes[router]
                .commands
                .push_back(Input::Configure { config });
        }
        self.signal(router);
    }

    pub(super) fn tell_all(
        &mut self,
        router: usize,
        input: impl Fn(failoverd::core::InstanceId) -> Input,
    ) {
        match &self.nodes[router].brain {
            Some(Brain::Agent(_)) => {
                for index in 0..INSTANCES {
                    self.nodes[router].commands.push_back(input(id(index)));
                }
            }
            Some(Brain::Reference(_)) => self.stop_reference(router),
            None => {}
        }
        self.signal(router);
    }
}
