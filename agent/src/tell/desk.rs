//! Notify scripts: one after another for each instance and each group.
//!
//! Every instance and group has a queue of its own, so that what happened
//! first is told first, and a script that hangs holds up nobody else's. A
//! script may take as long as it likes while nothing waits for it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout_at},
};
use tracing::{info, warn};

use super::event::{Event, Who};
use crate::{
    config::model::Hook,
    io::clock,
    script::{Ended, Identity, Lane, Outcome, Program, Rest, Runner},
};

/// Scripts that wait for each instance and each group. Of more, the oldest is
/// left out.
pub const WAITING: usize = 64;
/// How long a script may hold up the next one.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The same once the agent ends: the last ones have little time.
pub const LAST_PATIENCE: Duration = Duration::from_secs(3);
/// How often is looked whether one is held up.
const LOOK: Duration = Duration::from_secs(1);
/// Nothing is ever ended for having run for so long.
const NO_LIMIT: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A script that is to be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Job {
    pub event: Event,
    pub hook: Hook,
}

/// All queues.
#[derive(Clone, Debug)]
pub struct Desk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    runner: Runner,
    queues: Mutex<BTreeMap<Who, Queue>>,
    /// Nothing is begun.
    paused: AtomicBool,
    /// Somebody has become idle.
    idle: Notify,
    counted: Counted,
    /// In milliseconds.
    patience: AtomicU64,
}

#[derive(Debug, Default)]
struct Counted {
    run: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

/// What became of notify scripts since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub run: u64,
    /// Of those, how many did not end with 0.
    pub failed: u64,
    /// Never run: too many waited, or the agent ended.
    pub dropped: u64,
    /// Those that run among them.
    pub waiting: usize,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Job>,
    /// Also of a run that was given up and has not ended yet.
    lane: Lane,
    busy: bool,
}

impl Queue {
    fn len(&self) -> usize {
        self.waiting.len().saturating_add(usize::from(self.busy))
    }
}

impl Desk {
    pub fn new(runner: Runner) -> Self {
        Self::patient_for(runner, PATIENCE)
    }

    /// As [`Self::new`], with another patience than [`PATIENCE`].
    pub fn patient_for(runner: Runner, patience: Duration) -> Self {
        Self(Arc::new(Shared {
            runner,
            queues: Mutex::default(),
            paused: AtomicBool::new(false),
            idle: Notify::new(),
            counted: Counted::default(),
            patience: AtomicU64::new(millis(patience)),
        }))
    }

    /// Puts a script at the end of the queue of what its event is about. To be
    /// called on the runtime.
    pub fn push(&self, job: Job) {
        let who = job.event.who.clone();
        let mut queues = self.0.queues();
        let queue = queues.entry(who.clone()).or_default();
        if queue.waiting.len() >= WAITING
            && let Some(oldest) = queue.waiting.pop_front()
        {
            self.0.counted.dropped.fetch_add(1, Ordering::Relaxed);
            warn!(
                "{who} {WAITING} notify scripts wait: the one for {} is not run",
                oldest.event.what.word()
            );
        }
        queue.waiting.push_back(job);
        self.begin(who, queue);
    }

    /// From here on what is waiting stays where it is.
    pub fn pause(&self) {
        self.0.paused.store(true, Ordering::Relaxed);
    }

    pub fn resume(&self) {
        self.0.paused.store(false, Ordering::Relaxed);
        for (who, queue) in self.0.queues().iter_mut() {
            self.begin(who.clone(), queue);
        }
    }

    /// Whom a script is running for just now.
    pub fn busy(&self) -> Option<Who> {
        let queues = self.0.queues();
        let mut busy = queues.iter().filter(|(_, queue)| queue.busy);
        busy.next().map(|(who, _)| who.clone())
    }

    /// Takes what waits away, in order for each.
    pub fn take_waiting(&self) -> Vec<Job> {
        let mut queues = self.0.queues();
        let all = queues.values_mut();
        all.flat_map(|queue| std::mem::take(&mut queue.waiting))
            .collect()
    }

    /// Waits until nothing runs or waits; false when that takes too long. What
    /// holds up another one is ended after [`LAST_PATIENCE`].
    pub async fn finish(&self, within: Duration) -> bool {
        let patience = millis(LAST_PATIENCE);
        self.0.patience.fetch_min(patience, Ordering::Relaxed);
        let until = Instant::from_std(clock::instant()) + within;
        loop {
            let idle = self.0.idle.notified();
            if self.busy().is_none() {
                return true;
            }
            if timeout_at(until, idle).await.is_err() {
                let lost = self.take_waiting().len();
                let lost = u64::try_from(lost).unwrap_or(u64::MAX);
                self.0.counted.dropped.fetch_add(lost, Ordering::Relaxed);
                return false;
            }
        }
    }

    pub fn counts(&self) -> Counts {
        let Counted {
            run,
            failed,
            dropped,
        } = &self.0.counted;
        Counts {
            run: run.load(Ordering::Relaxed),
            failed: failed.load(Ordering::Relaxed),
            dropped: dropped.load(Ordering::Relaxed),
            waiting: self.0.queues().values().map(Queue::len).sum(),
        }
    }

    fn begin(&self, who: Who, queue: &mut Queue) {
        if !queue.busy && !queue.waiting.is_empty() && !self.0.paused.load(Ordering::Relaxed) {
            queue.busy = true;
            tokio::spawn(self.0.clone().work(who));
        }
    }
}

impl Shared {
    fn queues(&self) -> MutexGuard<'_, BTreeMap<Who, Queue>> {
        // Nothing that holds it can panic.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs what is in a queue until it is empty.
    async fn work(self: Arc<Self>, who: Who) {
        while let Some((job, lane)) = self.next(&who) {
            let ended = self.run(&who, &lane, &job).await;
            self.counted.run.fetch_add(1, Ordering::Relaxed);
            if !ended.outcome.is_success() {
                self.counted.failed.fetch_add(1, Ordering::Relaxed);
            }
            self.tell(&job, &ended);
        }
        self.idle.notify_waiters();
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.patience.load(Ordering::Relaxed))
    }

    fn next(&self, who: &Who) -> Option<(Job, Lane)> {
        let mut queues = self.queues();
        let queue = queues.get_mut(who)?;
        let paused = self.paused.load(Ordering::Relaxed);
        let job = queue.waiting.pop_front_if(|_| !paused);
        queue.busy = job.is_some();
        Some((job?, queue.lane.clone()))
    }

    fn is_waited_for(&self, who: &Who) -> bool {
        let queues = self.queues();
        let own = queues.get(who).is_some_and(|own| !own.waiting.is_empty());
        own || self.runner.is_full()
    }

    async fn run(&self, who: &Who, lane: &Lane, job: &Job) -> Ended {
        let run_as = job.hook.run_as.clone();
        let found = tokio::task::spawn_blocking(move || Identity::of(run_as.as_ref()));
        let identity = match found.await {
            Ok(Ok(identity)) => identity,
            Ok(Err(error)) => return not_begun(error.to_string()),
            Err(_) => return not_begun("the agent is stopping".to_owned()),
        };
        let program = Program {
            words: job.hook.words.clone(),
            identity,
            rest: Rest::Kept,
        };
        // Only what has begun can hold others up.
        let Some(turn) = self.runner.turn(lane).await else {
            return not_begun("the agent is stopping".to_owned());
        };
        let run = self.runner.run_in(turn, &program, NO_LIMIT);
        tokio::pin!(run);
        let mut held_up = Duration::ZERO;
        loop {
            tokio::select! {
                biased;
                ended = &mut run => return ended,
                () = sleep(LOOK) => {}
            }
            held_up = match self.is_waited_for(who) {
                true => held_up + LOOK,
                false => Duration::ZERO,
            };
            if held_up >= self.patience() {
                // Its lane stays taken until all of it has ended.
                return Ended {
                    outcome: Outcome::TimedOut,
                    said: String::new(),
                };
            }
        }
    }

    fn tell(&self, job: &Job, ended: &Ended) {
        let Event { who, what, .. } = &job.event;
        let program = job.hook.words.first().map_or("", String::as_str);
        let what = what.word();
        match &ended.outcome {
            Outcome::Exited(0) => {}
            Outcome::Exited(_) | Outcome::Signalled(_) => {
                info!("{who} notify script {program} for {what}: {ended}");
            }
            Outcome::TimedOut => warn!(
                "{who} notify script {program} for {what} has held up the next one for {} s: \
                 it is ended",
                self.patience().as_secs()
            ),
            Outcome::CannotStart(why) => {
                warn!("{who} notify script {program} for {what} is not run: {why}");
            }
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn not_begun(why: String) -> Ended {
    Ended {
        outcome: Outcome::CannotStart(why),
        said: String::new(),
    }
}
