//! Virtual servers: when the kernel is to have which.
//!
//! A thread of its own speaks to the kernel, which holds its locks for as long
//! as it likes. Of what it is to do only the newest is kept: it compares all of
//! it with what there is in any case.

mod worker;

use std::{
    collections::BTreeSet,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use agent_common::KernelTime;
use tokio::{sync::oneshot, time::timeout};
use tracing::{error, warn};

use super::Service;
use crate::{
    config::model::FlushOnStop,
    core::{InstanceId, State},
    io::lane::Picture,
    ipvs::{
        Daemon,
        reconcile::{Others, Wanted},
        wanted,
    },
};

/// What the removal of all services has at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the thread is to do next.
#[derive(Debug)]
enum Order {
    /// Has the kernel have this. `others`: what becomes of entries that we
    /// never asked for.
    Make { wanted: Box<Wanted>, others: Others },
    /// Changes the sync daemons, and nothing else: what somebody does to
    /// servers meanwhile, as to drain them, outlives a fail-over.
    Daemons(Option<Vec<Daemon>>),
    /// Removes what is ours, or everything, and ends.
    End {
        others: Others,
        done: oneshot::Sender<()>,
    },
}

/// Room for one order.
#[derive(Debug, Default)]
struct Desk {
    order: Mutex<Option<Order>>,
    came: Condvar,
}

impl Desk {
    /// In the place of the one that waits, if one does.
    fn put(&self, mut order: Order) {
        let mut place = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        match (&mut order, place.as_mut()) {
            (Order::Make { others, .. }, Some(Order::Make { others: before, .. })) => {
                if *before == Others::Go {
                    // Nobody has done it yet.
                    *others = Others::Go;
                }
                *place = Some(order);
            }
            (Order::Daemons(daemons), Some(Order::Make { wanted, .. })) => {
                wanted.daemons = daemons.take();
            }
            // Nothing comes after it.
            (Order::Daemons(_), Some(Order::End { .. })) => {}
            (
                Order::Make { .. } | Order::End { .. },
                Some(Order::Daemons(_) | Order::End { .. }) | None,
            )
            | (Order::End { .. }, Some(Order::Make { .. }))
            | (Order::Daemons(_), Some(Order::Daemons(_)) | None) => *place = Some(order),
        }
        self.came.notify_one();
    }

    fn take(&self) -> Order {
        let mut place = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match place.take() {
                Some(order) => return order,
                None => {
                    let waited = self.came.wait(place);
                    place = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// The slow lane's side.
#[derive(Debug)]
pub(super) struct Ipvs {
    /// `--ipvs`; without it nothing is ever asked of the kernel.
    pub(super) wanted: bool,
    /// None where nothing was ever asked for.
    desk: Option<Arc<Desk>>,
    /// Instances that are Active.
    active: BTreeSet<InstanceId>,
    /// `active` is true: a successor has to ask first.
    known: bool,
    /// When the last report of a state was of: what a picture shows that was
    /// made before is over.
    changed: Option<KernelTime>,
    /// There was no start before: `lvs_flush` counts.
    first: bool,
    /// Nothing is asked for any more.
    ended: bool,
}

impl Ipvs {
    pub(super) fn new(wanted: bool, is_heir: bool) -> Self {
        Self {
            wanted,
            changed: None,
            desk: None,
            active: BTreeSet::new(),
            known: !is_heir,
            first: !is_heir,
            ended: false,
        }
    }

    /// The desk of the thread, which is started where it is not there.
    fn desk(&mut self) -> Option<&Arc<Desk>> {
        if self.desk.is_none() {
            let desk = Arc::new(Desk::default());
            let its = Arc::clone(&desk);
            let thread = std::thread::Builder::new()
                .name("failoverd-ipvs".to_owned())
                .spawn(move || worker::run(&its));
            match thread {
                Ok(_) => self.desk = Some(desk),
                Err(error) => warn!("virtual servers are not set up: no thread for them: {error}"),
            }
        }
        self.desk.as_ref()
    }

    /// True where that is news.
    fn transition(&mut self, id: InstanceId, to: State, at: KernelTime) -> bool {
        self.changed = self.changed.max(Some(at));
        match to {
            State::Active => self.active.insert(id),
            State::Initialize | State::Backup => self.active.remove(&id),
        }
    }
}

/// What a picture has to tell of the followed instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    /// It is older than what a report has told since: another one is needed.
    Old,
    News,
    Nothing,
}

impl Ipvs {
    /// Takes the states of all instances.
    fn look(&mut self, picture: &Picture, followed: Option<InstanceId>) -> Seen {
        if self.changed.is_some_and(|changed| picture.at < changed) {
            return Seen::Old;
        }
        let active = picture.instances.iter();
        let active = active.filter(|one| one.state == State::Active);
        let active: BTreeSet<InstanceId> = active.map(|one| one.id).collect();
        let is_in = |all: &BTreeSet<InstanceId>| followed.is_some_and(|id| all.contains(&id));
        let news = !self.known || is_in(&active) != is_in(&self.active);
        self.active = active;
        self.known = true;
        if news { Seen::News } else { Seen::Nothing }
    }
}

impl Service {
    /// Asks for what the configuration in force wants, where it wants anything
    /// or did so before.
    pub(super) fn set_virtual_servers(&mut self) {
        let unused = self.config.lvs.is_empty() && self.ipvs.desk.is_none();
        if unused || self.ipvs.ended || !self.ipvs.wanted {
            return;
        }
        let active = self.is_followed_active();
        let flush = self.config.lvs.flush && self.ipvs.first;
        self.ipvs.first = false;
        let wanted = Box::new(wanted::of(&self.config, active));
        let others = if flush { Others::Go } else { Others::Stay };
        if let Some(desk) = self.ipvs.desk() {
            desk.put(Order::Make { wanted, others });
        }
    }

    /// None where nobody knows yet.
    fn is_followed_active(&self) -> Option<bool> {
        let followed = self.followed();
        let active = followed.is_some_and(|id| self.ipvs.active.contains(&id));
        self.ipvs.known.then_some(active)
    }

    /// The daemons of the state that the followed instance is in.
    fn set_sync_daemons(&mut self) {
        if self.ipvs.ended || !self.ipvs.wanted {
            return;
        }
        let daemons = wanted::sync_daemons(&self.config, self.is_followed_active());
        if let Some(desk) = self.ipvs.desk() {
            desk.put(Order::Daemons(daemons));
        }
    }

    /// A state that a sync daemon may follow, of a moment.
    pub(super) fn follow(&mut self, id: InstanceId, to: State, at: KernelTime) {
        let news = self.ipvs.transition(id, to, at);
        if news && self.running && self.followed() == Some(id) {
            self.set_sync_daemons();
        }
    }

    /// The instance that the sync daemon goes with.
    fn followed(&self) -> Option<InstanceId> {
        if !self.ipvs.wanted {
            return None;
        }
        let daemon = self.config.lvs.sync_daemon.as_ref()?;
        let name = daemon.instance.as_ref()?;
        let mut all = self.config.instances.iter().zip(&self.seats);
        all.find(|(instance, _)| instance.name == *name)
            .map(|(_, seat)| seat.id)
    }

    /// Has the fast lane asked where its instances stand, if that matters here.
    pub(super) fn ask_whom_to_follow(&self) {
        if self.followed().is_some() {
            // A full queue: reports are lost then too, and that is seen.
            let _ = self.pending.inspect(&self.lane);
        }
    }

    /// As [`Self::follow`], of all instances: after reports were lost, or as
    /// the successor of another agent.
    pub(super) fn follow_all(&mut self, picture: &Picture) {
        let followed = self.followed();
        match self.ipvs.look(picture, followed) {
            Seen::Old => self.ask_whom_to_follow(),
            Seen::News if self.running && followed.is_some() => self.set_sync_daemons(),
            Seen::News | Seen::Nothing => {}
        }
    }

    /// Removes what is ours from the kernel.
    pub(super) async fn end_virtual_servers(&mut self) {
        self.ipvs.ended = true;
        let Some(desk) = self.ipvs.desk.take() else {
            return;
        };
        let others = match self.config.lvs.flush_on_stop {
            FlushOnStop::All => Others::Go,
            FlushOnStop::No | FlushOnStop::Services => Others::Stay,
        };
        let (done, ended) = oneshot::channel();
        desk.put(Order::End { others, done });
        if timeout(PATIENCE, ended).await.is_err() {
            error!("virtual servers were not removed in time: some may be left");
        }
    }
}
