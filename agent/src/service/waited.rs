//! `startup_script` and `shutdown_script`: programs that are waited for.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{interval, timeout};
use tracing::{info, warn};

use super::{
    Service,
    telling::{LAST_LINES, LAST_MAILS, LAST_SCRIPTS},
};
use crate::{
    config::model::Waited,
    script::{Identity, Lane, Outcome, Program, Rest, Runner},
    supervise::notify,
};

/// What a program that is ended has for it, its SIGTERM included.
const GRACE: Duration = Duration::from_secs(3);

/// What everything else takes until the agent is ready, of what systemd is
/// asked for.
const START: Duration = Duration::from_secs(90);
const LEAST_PERIOD: Duration = Duration::from_millis(10);

/// Runs it to its end, or until its time is up. What comes of it is for the
/// log only, as with keepalived.
async fn run(what: &str, program: &Waited) {
    let Waited {
        hook,
        timeout: limit,
    } = program;
    let name = hook.words.first().cloned().unwrap_or_default();
    info!("Running {what} script {name}");
    let run_as = hook.run_as.clone();
    let found = tokio::task::spawn_blocking(move || Identity::of(run_as.as_ref()));
    let identity = match found.await {
        Ok(Ok(identity)) => identity,
        Ok(Err(error)) => return warn!("{what} script {name} is not run: {error}"),
        Err(_) => return,
    };
    let program = Program {
        words: hook.words.clone(),
        identity,
        rest: Rest::Kept,
    };
    let lane = Lane::new();
    let ended = Runner::new().run(&lane, &program, *limit).await;
    match &ended.outcome {
        Outcome::Exited(0) => info!("{what} script {name} succeeded"),
        Outcome::TimedOut => {
            warn!("{what} script {name} timed out after {} s", limit.as_secs());
            let _ = timeout(GRACE, lane.is_free()).await;
        }
        Outcome::Exited(_) | Outcome::Signalled(_) | Outcome::CannotStart(_) => {
            warn!("{what} script {name}: {ended}");
        }
    }
}

/// As [`run`], before the agent is there: systemd is told that we live, and
/// how long it may take.
pub(super) async fn run_first(program: &Waited) {
    let micros = program.timeout.saturating_add(GRACE + START).as_micros();
    let micros = u32::try_from(micros).unwrap_or(u32::MAX);
    notify::tell(&[NotifyState::ExtendTimeoutUsec(micros)]);
    let script = run("startup", program);
    let Some(period) = sd_notify::watchdog_enabled() else {
        return script.await;
    };
    tokio::pin!(script);
    let mut ticks = interval((period / 2).max(LEAST_PERIOD));
    loop {
        tokio::select! {
            () = &mut script => return,
            _ = ticks.tick() => notify::tell(&[NotifyState::Watchdog]),
        }
    }
}

impl Service {
    /// Everything is given up: tells others, and runs the last script.
    pub(super) async fn conclude(&mut self) {
        let last = self.config.tell.shutdown.clone();
        let script = last.as_ref().map_or(Duration::ZERO, |last| last.timeout);
        let within = LAST_SCRIPTS + LAST_MAILS + 2 * LAST_LINES + script + GRACE;
        if let Some(guard) = &mut self.guard {
            guard.tell_ending(within);
        }
        let micros = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
        notify::tell(&[NotifyState::ExtendTimeoutUsec(micros)]);
        self.telling.finish().await;
        if let Some(last) = last {
            run("shutdown", &last).await;
        }
    }
}
