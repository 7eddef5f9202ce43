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

use tokio::{sync::oneshot, time::timeout};
use tracing::{error, warn};

use super::Service;
use crate::{
    config::model::FlushOnStop,
    core::{InstanceId, State},
    io::lane::Picture,
    ipvs::{
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
        if let (Order::Make { others, .. }, Some(Order::Make { others: before, .. })) =
            (&mut order, place.as_ref())
            && *before == Others::Go
        {
            // Nobody has done it yet.
            *others = Others::Go;
        }
        *place = Some(order);
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
    /// None where nothing was ever asked for.
    desk: Option<Arc<Desk>>,
    /// Instances that are Active.
    active: BTreeSet<InstanceId>,
    /// `active` is true: a successor has to ask first.
    known: bool,
    /// There was no start before: `lvs_flush` counts.
    first: bool,
    /// Nothing is asked for any more.
    ended: bool,
}

impl Ipvs {
    pub(super) fn new(is_heir: bool) -> Self {
        Self {
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
    fn transition(&mut self, id: InstanceId, to: State) -> bool {
        match to {
            State::Active => self.active.insert(id),
            State::Initialize | State::Backup => self.active.remove(&id),
        }
    }
}

impl Service {
    /// Asks for what the configuration in force wants, where it wants anything
    /// or did so before.
    pub(super) fn set_virtual_servers(&mut self) {
        let unused = self.config.lvs.is_empty() && self.ipvs.desk.is_none();
        if unused || self.ipvs.ended {
            return;
        }
        let followed = self.followed();
        let active = followed.is_some_and(|id| self.ipvs.active.contains(&id));
        let active = self.ipvs.known.then_some(active);
        let flush = self.config.lvs.flush && self.ipvs.first;
        self.ipvs.first = false;
        let wanted = Box::new(wanted::of(&self.config, active));
        let others = if flush { Others::Go } else { Others::Stay };
        if let Some(desk) = self.ipvs.desk() {
            desk.put(Order::Make { wanted, others });
        }
    }

    /// A state that a sync daemon may follow.
    pub(super) fn follow(&mut self, id: InstanceId, to: State) {
        let news = self.ipvs.transition(id, to);
        if news && self.running && self.followed() == Some(id) {
            self.set_virtual_servers();
        }
    }

    /// The instance that the sync daemon goes with.
    fn followed(&self) -> Option<InstanceId> {
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
        let active = picture.instances.iter();
        let active = active.filter(|one| one.state == State::Active);
        let active: BTreeSet<InstanceId> = active.map(|one| one.id).collect();
        let followed = self.followed();
        let is_in = |all: &BTreeSet<InstanceId>| followed.is_some_and(|id| all.contains(&id));
        let news = !self.ipvs.known || is_in(&active) != is_in(&self.ipvs.active);
        self.ipvs.active = active;
        self.ipvs.known = true;
        if news && self.running && followed.is_some() {
            self.set_virtual_servers();
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
