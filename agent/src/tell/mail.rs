//! Mail of states, through one server.
//!
//! Mails wait in one queue, which one task empties: one after another, each in
//! a connection of its own; where some recipients are refused, each recipient
//! in one of its own. While the server is away all wait;
//! what it cannot take now is tried again, later and later, behind the others;
//! what it refuses for good is not. Without TLS, as with keepalived: the server
//! is one of the same machine or network.

mod letter;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};
use tracing::{info, warn};

pub use self::letter::subject;
use self::letter::{Letter, MailError, Remedy};
use super::event::{Event, What};
use crate::{config::model::MailSpec, io::clock};

/// Mails that wait. Of more, the oldest is given up.
pub const WAITING: usize = 256;
/// A mail that is older is given up.
pub const OLD: Duration = Duration::from_secs(86_400);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A mail that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    pub event: Event,
    /// Since 1970.
    pub at: Duration,
    /// Those of its recipients who do not have it yet; none before the first
    /// try, when it is for all.
    pub to: Vec<String>,
}

#[derive(Clone, Debug)]
struct Waiting {
    mail: Mail,
    /// Somebody has it.
    taken: bool,
    /// Not before, and how long that was from the last try on.
    again: Option<(Instant, Duration)>,
}

impl From<Mail> for Waiting {
    fn from(mail: Mail) -> Self {
        Self {
            mail,
            taken: false,
            again: None,
        }
    }
}

/// What became of a try.
#[derive(Debug)]
enum Tried {
    /// Nobody is left.
    Done,
    /// Those who are left are refused for the moment.
    Later,
    /// There is no server.
    Wait(MailError),
}

/// What became of mails since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub sent: u64,
    pub dropped: u64,
    pub waiting: usize,
}

/// Who sends, and what it says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    pub spec: MailSpec,
    /// In the subject; the name of this host where there is none.
    pub router_id: Option<String>,
}

/// The queue and its task, which ends when this is dropped.
#[derive(Debug)]
pub struct Mailer {
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<VecDeque<Waiting>>,
    settings: Mutex<Option<Settings>>,
    /// A mail has come, or other settings.
    news: Notify,
    /// Others than those that failed.
    changed: Notify,
    /// Nothing waits any more.
    empty: Notify,
    busy: AtomicBool,
    paused: AtomicBool,
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl Mailer {
    pub fn new() -> Self {
        Self {
            shared: Arc::default(),
            task: None,
        }
    }

    /// Sends by these settings from here on; without any, nothing is sent and
    /// what waits is given up. To be called on the runtime.
    pub fn set(&mut self, settings: Option<Settings>) {
        let none = settings.is_none();
        let before = std::mem::replace(&mut *self.shared.settings(), settings);
        if before != *self.shared.settings() {
            self.shared.changed.notify_waiters();
        }
        if none {
            let gone = self.take_waiting().len();
            self.shared.drop_some(gone);
        } else if self.task.is_none() {
            self.task = Some(tokio::spawn(self.shared.clone().work()));
        }
        self.shared.news.notify_one();
    }

    /// Whether mail of `event` is sent at all.
    pub fn wants(&self, event: &Event) -> bool {
        let settings = self.shared.settings();
        settings
            .as_ref()
            .is_some_and(|settings| settings.spec.faults || event.what != What::Fault)
    }

    pub fn push(&self, mail: Mail) {
        let mut queue = self.shared.queue();
        if queue.len() >= WAITING && queue.pop_front().is_some() {
            self.shared.drop_some(1);
            warn!("{WAITING} mails wait: the oldest one is given up");
        }
        queue.push_back(mail.into());
        drop(queue);
        self.shared.news.notify_one();
    }

    /// Sends nothing more: what waits is for another agent.
    pub fn pause(&self, paused: bool) {
        self.shared.paused.store(paused, Ordering::Relaxed);
        self.shared.news.notify_one();
    }

    pub fn take_waiting(&self) -> Vec<Mail> {
        let mut queue = self.shared.queue();
        queue.drain(..).map(|waiting| waiting.mail).collect()
    }

    /// Waits until all are sent, or for so long.
    pub async fn finish(&mut self, within: Duration) {
        let sent = timeout(within, async {
            loop {
                let empty = self.shared.empty.notified();
                let idle = !self.shared.busy.load(Ordering::Relaxed);
                if idle && self.shared.queue().is_empty() {
                    return;
                }
                empty.await;
            }
        });
        if sent.await.is_err() {
            let left = self.counts().waiting;
            warn!("{left} mails are not sent: the agent ends");
        }
    }

    pub fn counts(&self) -> Counts {
        let waiting = self.shared.queue().len();
        Counts {
            sent: self.shared.sent.load(Ordering::Relaxed),
            dropped: self.shared.dropped.load(Ordering::Relaxed),
            waiting: waiting + usize::from(self.shared.busy.load(Ordering::Relaxed)),
        }
    }
}

impl Default for Mailer {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Mailer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        // Nothing that holds it can panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settings(&self) -> MutexGuard<'_, Option<Settings>> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_some(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    async fn work(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        let mut failing = false;
        loop {
            let Some((mut waiting, settings)) = self.next() else {
                self.wait().await;
                continue;
            };
            let old = clock::wall().saturating_sub(waiting.mail.at) > OLD;
            let tried = match old {
                true => Tried::Done,
                false => attempt(&mut waiting, &settings).await,
            };
            self.busy.store(false, Ordering::Relaxed);
            match tried {
                Tried::Done | Tried::Later => {
                    // Whatever it said, it is there.
                    if !old && std::mem::take(&mut failing) {
                        info!("mail is sent again");
                    }
                    pause = FIRST_PAUSE;
                }
                Tried::Wait(_) => {}
            }
            match tried {
                Tried::Done if waiting.taken => {
                    self.sent.fetch_add(1, Ordering::Relaxed);
                }
                Tried::Done => self.drop_some(1),
                Tried::Later => self.put_behind(waiting),
                Tried::Wait(error) => {
                    self.put_back(waiting);
                    if !std::mem::replace(&mut failing, true) {
                        warn!("mail is not sent, and tried again: {error}");
                    }
                    pause = match timeout(pause, self.changed.notified()).await {
                        // Other settings may help at once.
                        Ok(()) => FIRST_PAUSE,
                        Err(_) => (pause * 2).min(LONGEST_PAUSE),
                    };
                }
            }
        }
    }

    /// The first one that may be tried.
    fn next(&self) -> Option<(Waiting, Settings)> {
        let settings = self.settings().clone()?;
        if self.paused.load(Ordering::Relaxed) {
            return None;
        }
        let now = Instant::from_std(clock::instant());
        let mut queue = self.queue();
        let due = |waiting: &Waiting| waiting.again.is_none_or(|(at, _)| at <= now);
        let place = queue.iter().position(due)?;
        let waiting = queue.remove(place)?;
        self.busy.store(true, Ordering::Relaxed);
        Some((waiting, settings))
    }

    /// Until [`Self::next`] may have one.
    async fn wait(&self) {
        let first = match self.paused.load(Ordering::Relaxed) {
            true => None,
            false => {
                let queue = self.queue();
                let due = queue.iter().filter_map(|waiting| waiting.again);
                due.map(|(at, _)| at).min()
            }
        };
        self.empty.notify_waiters();
        match first {
            Some(at) => drop(timeout_at(at, self.news.notified()).await),
            None => self.news.notified().await,
        }
    }

    fn put_back(&self, waiting: Waiting) {
        let mut queue = self.queue();
        match queue.len() < WAITING {
            true => queue.push_front(waiting),
            false => self.drop_some(1),
        }
    }

    fn put_behind(&self, mut waiting: Waiting) {
        let pause = match waiting.again {
            Some((_, before)) => (before * 2).min(LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        waiting.again = Some((Instant::from_std(clock::instant()) + pause, pause));
        let mut queue = self.queue();
        match queue.len() < WAITING {
            true => queue.push_back(waiting),
            false => self.drop_some(1),
        }
    }
}

/// Sends it to each who does not have it; those who are left then stay in it.
async fn attempt(waiting: &mut Waiting, settings: &Settings) -> Tried {
    let mail = &mut waiting.mail;
    let letter = match Letter::of(mail, settings) {
        Ok(letter) => letter,
        Err(error) => {
            warn!("a mail is given up: {error}");
            return Tried::Done;
        }
    };
    let mut all = std::mem::take(&mut mail.to);
    match all.is_empty() {
        true => all.clone_from(&settings.spec.to),
        // A reload may have removed some.
        false => all.retain(|to| settings.spec.to.contains(to)),
    }
    // All at once, as keepalived; where one is refused nobody has it.
    if let (None, [_, _, ..]) = (waiting.again, &*all) {
        match letter.send(&all, settings).await {
            Ok(()) => {
                waiting.taken = true;
                return Tried::Done;
            }
            Err(error) => match error.remedy() {
                Remedy::GiveUp | Remedy::Later => {}
                Remedy::Wait => {
                    mail.to = all;
                    return Tried::Wait(error);
                }
            },
        }
    }
    let mut rest = all.into_iter();
    while let Some(to) = rest.next() {
        let Err(error) = letter.send(std::slice::from_ref(&to), settings).await else {
            waiting.taken = true;
            continue;
        };
        match error.remedy() {
            Remedy::GiveUp => warn!("a mail is given up for {to}: {error}"),
            Remedy::Later => {
                if waiting.again.is_none() {
                    warn!("a mail is not taken for {to}, and tried again: {error}");
                }
                mail.to.push(to);
            }
            Remedy::Wait => {
                mail.to.push(to);
                mail.to.extend(rest);
                return Tried::Wait(error);
            }
        }
    }
    match mail.to.is_empty() {
        true => Tried::Done,
        false => Tried::Later,
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::tell::Who;

    pub fn settings(to: &[&str]) -> Settings {
        Settings {
            spec: MailSpec {
                to: to.iter().map(|to| (*to).to_owned()).collect(),
                from: Some("failover@example.net".to_owned()),
                host: "192.0.2.1".to_owned(),
                port: 25,
                helo: None,
                timeout: Duration::from_secs(30),
                faults: false,
            },
            router_id: Some("lab".to_owned()),
        }
    }

    pub fn mail(what: What) -> Mail {
        Mail {
            event: Event {
                who: Who::instance("VI_1"),
                what,
                priority: 100,
            },
            at: Duration::from_secs(1_795_169_472),
            to: Vec::new(),
        }
    }

    #[tokio::test]
    async fn too_many_are_given_up_oldest_first_and_faults_where_asked() {
        let mut mailer = Mailer::new();
        assert!(
            !mailer.wants(&mail(What::Master).event),
            "nobody to send to"
        );
        mailer.pause(true);
        mailer.set(Some(settings(&["a@b"])));
        assert!(mailer.wants(&mail(What::Master).event));
        assert!(!mailer.wants(&mail(What::Fault).event));
        mailer.push(mail(What::Backup));
        for _ in 0..WAITING {
            mailer.push(mail(What::Master));
        }
        let counts = mailer.counts();
        assert_eq!((counts.waiting, counts.dropped), (WAITING, 1));
        let left = mailer.take_waiting();
        assert!(left.iter().all(|one| *one == mail(What::Master)));
    }
}
