//! All routers and what is on its way between them, as a model to explore.

use stateright::{Model, Property};

use crate::{
    DELAY, Faults, INTERVAL, ROUTERS, down,
    router::{Kind, Plight, Role, Router},
};

/// On its way to one router.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Message {
    pub from: u8,
    pub to: u8,
    pub release: bool,
    /// Ticks on the way.
    pub age: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct State {
    pub routers: [Router; ROUTERS],
    /// In an order that says nothing.
    pub messages: Vec<Message>,
    pub left: Faults,
    /// Ticks for which two serve, and for which nobody does, since the last
    /// fault.
    pub two: u8,
    pub nobody: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Act {
    Tick,
    Deliver(Message),
    Lose(Message),
    Double(Message),
    Crash(usize),
    Start(usize),
    Leave(usize),
    Hold(usize, Plight),
    Resume(usize),
}

/// The model: which faults there may be, and whether the rule for Backups that
/// overslept is in force.
#[derive(Clone, Copy, Debug)]
pub struct Election {
    pub faults: Faults,
    pub grants: bool,
    /// Only Backups are stopped and frozen, beside an Active that goes on.
    pub backups_only: bool,
}

/// One interval for the next advert, its way, and the answer's.
const TWO_AT_MOST: u8 = INTERVAL + 2 * DELAY + 1;
/// The Active_Down_Interval of the worst, and a message's way.
const NOBODY_AT_MOST: u8 = down(0) + DELAY + 1;

impl State {
    fn send(&mut self, from: usize, kind: Kind) {
        for to in (0..ROUTERS).filter(|to| *to != from) {
            // Frozen, or gone: nobody is there to hear it.
            let router = &self.routers[to];
            if router.role == Role::Gone || router.plight == Plight::Frozen {
                continue;
            }
            self.messages.push(Message {
                from: from as u8,
                to: to as u8,
                release: kind == Kind::Release,
                age: 0,
            });
        }
        self.messages.sort_unstable();
        self.messages.dedup();
    }

    fn remove(&mut self, message: Message) {
        self.messages.retain(|other| *other != message);
    }

    fn forget(&mut self, router: usize) {
        self.messages
            .retain(|message| usize::from(message.to) != router);
    }

    fn deliver(&mut self, message: Message) {
        let (from, to) = (usize::from(message.from), usize::from(message.to));
        let kind = if message.release {
            Kind::Release
        } else {
            Kind::Advert
        };
        let router = &mut self.routers[to];
        match router.plight {
            Plight::Runs => {
                if router.read(to, from, kind) {
                    self.send(to, Kind::Advert);
                }
            }
            Plight::Stopped => router.waiting[from] = Some(kind),
            Plight::Frozen => {}
        }
    }

    fn tick(&mut self) {
        for message in &mut self.messages {
            message.age += 1;
        }
        for number in 0..ROUTERS {
            if self.routers[number].tick() && self.routers[number].expire(number) {
                self.send(number, Kind::Advert);
            }
        }
        let serving = self.routers.iter().filter(|router| router.serves()).count();
        let able = self.routers.iter().any(Router::is_up);
        let count = |on: bool, ticks: u8| if on { (ticks + 1).min(20) } else { 0 };
        self.two = count(serving > 1, self.two);
        self.nobody = count(serving == 0 && able, self.nobody);
    }

    /// From here on it counts anew.
    fn disturb(&mut self) {
        (self.two, self.nobody) = (0, 0);
    }
}

impl Model for Election {
    type State = State;
    type Action = Act;

    fn init_states(&self) -> Vec<State> {
        let start = |routers| State {
            routers,
            messages: Vec::new(),
            left: self.faults,
            two: 0,
            nobody: 0,
        };
        let backups = [0, 1, 2].map(Router::backup);
        let steady = [Router::backup(0), Router::backup(1), Router::active(2)];
        match self.backups_only {
            true => vec![start(steady)],
            false => vec![start(backups), start(steady)],
        }
    }

    fn actions(&self, state: &State, actions: &mut Vec<Act>) {
        if state.messages.iter().all(|message| message.age < DELAY) {
            actions.push(Act::Tick);
        }
        for message in &state.messages {
            actions.push(Act::Deliver(*message));
            if state.left.losses > 0 {
                actions.push(Act::Lose(*message));
            }
            if state.left.duplicates > 0 {
                actions.push(Act::Double(*message));
            }
        }
        for (number, router) in state.routers.iter().enumerate() {
            match (router.role, router.plight) {
                (Role::Gone, _) => actions.push(Act::Start(number)),
                (_, Plight::Stopped | Plight::Frozen) => actions.push(Act::Resume(number)),
                (_, Plight::Runs) => {
                    if state.left.crashes > 0 {
                        actions.extend([Act::Crash(number), Act::Leave(number)]);
                    }
                    if self.backups_only && router.role != Role::Backup {
                        continue;
                    }
                    if state.left.stops > 0 {
                        actions.push(Act::Hold(number, Plight::Stopped));
                    }
                    if state.left.freezes > 0 {
                        actions.push(Act::Hold(number, Plight::Frozen));
                    }
                }
            }
        }
    }

    fn next_state(&self, last: &State, action: Act) -> Option<State> {
        let mut state = last.clone();
        match action {
            Act::Tick => {
                state.tick();
                return Some(state);
            }
            Act::Deliver(message) => {
                state.remove(message);
                state.deliver(message);
                return Some(state);
            }
            Act::Lose(message) => {
                state.remove(message);
                state.left.losses -= 1;
            }
            Act::Double(message) => {
                state.deliver(message);
                state.left.duplicates -= 1;
            }
            Act::Crash(number) | Act::Leave(number) => {
                let active = state.routers[number].role == Role::Active;
                state.routers[number] = Router::gone(number);
                state.forget(number);
                state.left.crashes -= 1;
                if active && matches!(action, Act::Leave(_)) {
                    state.send(number, Kind::Release);
                }
            }
            Act::Start(number) => state.routers[number] = Router::backup(number),
            Act::Hold(number, plight) => {
                state.routers[number].plight = plight;
                match plight {
                    Plight::Frozen => {
                        state.forget(number);
                        state.left.freezes -= 1;
                    }
                    Plight::Stopped | Plight::Runs => state.left.stops -= 1,
                }
            }
            Act::Resume(number) => {
                if state.routers[number].resume(number, self.grants) {
                    state.send(number, Kind::Advert);
                }
            }
        }
        state.disturb();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("two that serve are soon one", |_, state: &State| {
                state.two <= TWO_AT_MOST
            }),
            Property::always("somebody serves soon", |_, state: &State| {
                state.nobody <= NOBODY_AT_MOST
            }),
            Property::always(
                "a Backup that was held up makes no second Active",
                |model: &Self, state: &State| {
                    let Faults {
                        losses, crashes, ..
                    } = model.faults;
                    let alone = model.backups_only && losses == 0 && crashes == 0;
                    let active = |router: &&Router| router.role == Role::Active;
                    !alone || state.routers.iter().filter(active).count() == 1
                },
            ),
            Property::sometimes("the best one serves alone", |_, state: &State| {
                state.routers.map(|router| router.serves()) == [false, false, true]
            }),
        ]
    }
}
