//! How many runs there are at once, and in which order.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::sleep,
};

use super::{Ended, Outcome, Program, running::Running};

/// Runs at once, of all scripts; others wait for their turn.
pub const MAX_RUNS: usize = 64;

/// Runs that must not overlap: they take place one after another, in the
/// order in which they were asked for. One per tracked script; one per
/// instance for what is notified.
#[derive(Clone, Debug)]
pub struct Lane(Arc<Semaphore>);

impl Lane {
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Waits until the run of this moment is over, killed processes included.
    pub async fn is_free(&self) {
        let _ = self.0.acquire().await;
    }
}

impl Default for Lane {
    fn default() -> Self {
        Self::new()
    }
}

/// Leave to run, which nobody else has meanwhile.
#[derive(Debug)]
pub struct Turn([OwnedSemaphorePermit; 2]);

/// Runs programs; copies share their limits.
#[derive(Clone, Debug)]
pub struct Runner {
    agent: Arc<Path>,
    slots: Arc<Semaphore>,
}

impl Runner {
    /// Of a process that is the agent: its binary helps to start programs,
    /// and is found also when its file was replaced meanwhile.
    pub fn new() -> Self {
        Self::through(PathBuf::from("/proc/self/exe"))
    }

    /// Of another process than the agent, with the agent's binary.
    pub fn through(agent: PathBuf) -> Self {
        Self {
            agent: agent.into(),
            slots: Arc::new(Semaphore::new(MAX_RUNS)),
        }
    }

    /// As many run as may: the next one has to wait.
    pub fn is_full(&self) -> bool {
        self.slots.available_permits() == 0
    }

    /// Runs `program` in `lane` and says how it ended, at the latest after
    /// `timeout` from its start; waiting for its turn does not count. What has
    /// timed out is then ended: SIGTERM to its process group, SIGKILL after
    /// 2 s, and until that is over the lane stays occupied. The same happens
    /// when the future is dropped.
    ///
    /// To be called on a runtime, on a thread that lives as long as the agent:
    /// the script gets a SIGTERM when that thread ends.
    pub async fn run(&self, lane: &Lane, program: &Program, timeout: Duration) -> Ended {
        match self.turn(lane).await {
            Some(turn) => self.run_in(turn, program, timeout).await,
            None => cannot_start("the agent is stopping".to_owned()),
        }
    }

    /// Waits for the turn of the next run in `lane`, for [`Self::run_in`];
    /// `None` when there will be none.
    pub async fn turn(&self, lane: &Lane) -> Option<Turn> {
        let lane = Arc::clone(&lane.0).acquire_owned().await.ok()?;
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        Some(Turn([lane, slot]))
    }

    /// As [`Self::run`], of one whose turn it is: it starts at once.
    pub async fn run_in(&self, turn: Turn, program: &Program, timeout: Duration) -> Ended {
        let Turn(permits) = turn;
        let running = match Running::start(&self.agent, program) {
            Ok(running) => running,
            Err(error) => return cannot_start(format!("cannot start a process: {error}")),
        };
        let (answer, ended) = oneshot::channel();
        // On its own, so that it goes on when nobody waits for it any more.
        tokio::spawn(attend(running, timeout, answer, permits));
        let lost = |_| cannot_start("the agent is stopping".to_owned());
        ended.await.unwrap_or_else(lost)
    }
}

impl Default for Runner {
    fn default() -> Self {
        Self::new()
    }
}

fn cannot_start(why: String) -> Ended {
    Ended {
        outcome: Outcome::CannotStart(why),
        said: String::new(),
    }
}

async fn attend(
    mut running: Running,
    timeout: Duration,
    mut answer: oneshot::Sender<Ended>,
    _permits: [OwnedSemaphorePermit; 2],
) {
    let ended = tokio::select! {
        biased;
        () = running.ended() => Some(running.reap()),
        () = sleep(timeout) => None,
        () = answer.closed() => None,
    };
    // Said at once: who waits for it has waited for long enough.
    let over = ended.is_some();
    let ended = ended.unwrap_or(Ended {
        outcome: Outcome::TimedOut,
        said: String::new(),
    });
    let _ = answer.send(ended);
    if !over {
        running.terminate().await;
    }
}
