//! Waiting for a condition with a deadline: the one place of the lab that sleeps.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Result, bail};

use crate::clock::Deadline;

/// Polling costs at most this much on top of the event itself.
const POLL: Duration = Duration::from_millis(2);

static STOPPED: AtomicBool = AtomicBool::new(false);

/// Makes every wait of this process end with an error, so that guards unwind
/// and clean up. Async-signal-safe.
pub fn stop_all() {
    STOPPED.store(true, Ordering::Relaxed);
}

pub fn stopped() -> bool {
    STOPPED.load(Ordering::Relaxed)
}

/// The first `Some` of `condition`.
///
/// # Errors
/// When `within` has passed, or after [`stop_all`]; `what` says what was missed.
pub fn eventually<T>(
    within: Duration,
    what: &str,
    mut condition: impl FnMut() -> Option<T>,
) -> Result<T> {
    let deadline = Deadline::after(within);
    loop {
        // Looked at before the deadline: a starved test still sees what happened in time.
        let expired = deadline.expired();
        if let Some(found) = condition() {
            return Ok(found);
        }
        if stopped() {
            bail!("interrupted while waiting for {what}");
        }
        if expired {
            bail!("{what}: not within {within:?}");
        }
        pause(POLL);
    }
}

/// Like [`eventually`] but also after [`stop_all`]: for clean-up.
pub fn regardless<T>(within: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Deadline::after(within);
    loop {
        let expired = deadline.expired();
        if let Some(found) = condition() {
            return Some(found);
        }
        if expired {
            return None;
        }
        pause(POLL);
    }
}

/// Lets `span` pass, for conditions whose content is that nothing happens.
///
/// # Errors
/// After [`stop_all`].
pub fn let_pass(span: Duration) -> Result<()> {
    let deadline = Deadline::after(span);
    while !deadline.expired() {
        if stopped() {
            bail!("interrupted");
        }
        pause(deadline.remaining().min(Duration::from_millis(20)));
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the poll of the lab, bounded by a deadline"
)]
fn pause(span: Duration) {
    std::thread::sleep(span);
}
