//! Mail of states, through one server.
//!
//! Mails wait in one queue, which one task empties: one after another, each in
//! a connection of its own. What the server cannot take now is tried again,
//! later and later; what it refuses for good is not. Without TLS, as with
//! keepalived: the server is one of the same machine or network.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{Header, HeaderName, HeaderValue},
    },
    transport::smtp::{self, extension::ClientId},
};
use tokio::{sync::Notify, task::JoinHandle, time::timeout};
use tracing::{info, warn};

use super::event::{Event, Kind, What};
use crate::{config::model::MailSpec, io::clock, script::Identity};

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
    queue: Mutex<VecDeque<Mail>>,
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

#[derive(Debug, thiserror::Error)]
enum MailError {
    #[error("'{0}' is no mail address")]
    Address(String),
    #[error("cannot be written: {0}")]
    Message(#[from] lettre::error::Error),
    #[error(transparent)]
    Smtp(#[from] smtp::Error),
    #[error("{host} port {port} does not answer within {seconds} s")]
    Silent {
        host: String,
        port: u16,
        seconds: u64,
    },
}

impl MailError {
    /// It would be the same once more.
    fn is_final(&self) -> bool {
        match self {
            Self::Address(_) | Self::Message(_) => true,
            Self::Smtp(error) => error.is_permanent(),
            Self::Silent { .. } => false,
        }
    }
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
        queue.push_back(mail);
        drop(queue);
        self.shared.news.notify_one();
    }

    /// Sends nothing more: what waits is for another agent.
    pub fn pause(&self, paused: bool) {
        self.shared.paused.store(paused, Ordering::Relaxed);
        self.shared.news.notify_one();
    }

    pub fn take_waiting(&self) -> Vec<Mail> {
        self.shared.queue().drain(..).collect()
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
    fn queue(&self) -> MutexGuard<'_, VecDeque<Mail>> {
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
            let Some((mail, settings)) = self.next() else {
                self.empty.notify_waiters();
                self.news.notified().await;
                continue;
            };
            let result = match clock::wall().saturating_sub(mail.at) > OLD {
                true => Ok(false),
                false => send(&mail, &settings).await.map(|()| true),
            };
            self.busy.store(false, Ordering::Relaxed);
            match result {
                Ok(true) => {
                    self.sent.fetch_add(1, Ordering::Relaxed);
                    if std::mem::take(&mut failing) {
                        info!("mail is sent again");
                    }
                    pause = FIRST_PAUSE;
                }
                Ok(false) => self.drop_some(1),
                Err(error) if error.is_final() => {
                    warn!("a mail is given up: {error}");
                    self.drop_some(1);
                }
                Err(error) => {
                    self.put_back(mail);
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

    fn next(&self) -> Option<(Mail, Settings)> {
        let settings = self.settings().clone()?;
        if self.paused.load(Ordering::Relaxed) {
            return None;
        }
        let mail = self.queue().pop_front()?;
        self.busy.store(true, Ordering::Relaxed);
        Some((mail, settings))
    }

    fn put_back(&self, mail: Mail) {
        let mut queue = self.queue();
        match queue.len() < WAITING {
            true => queue.push_front(mail),
            false => self.drop_some(1),
        }
    }
}

async fn send(mail: &Mail, settings: &Settings) -> Result<(), MailError> {
    let spec = &settings.spec;
    let message = message(mail, settings)?;
    let name = spec.helo.clone().unwrap_or_else(host_name);
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&spec.host)
        .port(spec.port)
        .hello_name(ClientId::Domain(name))
        .timeout(Some(spec.timeout))
        .build();
    // For all of it: the connection, and what is said.
    let limit = spec.timeout * 2;
    match timeout(limit, transport.send(message)).await {
        Ok(result) => result.map(drop).map_err(MailError::from),
        Err(_) => Err(MailError::Silent {
            host: spec.host.clone(),
            port: spec.port,
            seconds: limit.as_secs(),
        }),
    }
}

/// keepalived's subject, which filters go by.
pub fn subject(event: &Event, router_id: &str) -> String {
    let Event { who, what, .. } = event;
    let kind = match who.kind {
        Kind::Instance => "Instance",
        Kind::Group => "Group",
    };
    let (name, state) = (&who.name, what.word());
    format!("[{router_id}] VRRP {kind} {name} - Entering {state} state")
}

fn message(mail: &Mail, settings: &Settings) -> Result<Message, MailError> {
    let Settings { spec, router_id } = settings;
    let address = |text: &str| -> Result<Mailbox, MailError> {
        let address = text.parse();
        address.map_err(|_| MailError::Address(text.to_owned()))
    };
    let host = host_name();
    let own = || format!("{}@{host}", Identity::own().user);
    let from = spec.from.clone().unwrap_or_else(own);
    let router_id = router_id.as_deref().unwrap_or(&host);
    let Event {
        who,
        what,
        priority,
    } = &mail.event;
    let micros = u64::try_from(mail.at.as_micros()).unwrap_or(u64::MAX);
    let time = crate::dump::calendar::iso(micros);
    let priority = match who.kind {
        Kind::Instance => format!(", priority {priority}"),
        Kind::Group => String::new(),
    };
    let body = format!("{time} {who} {}{priority}, on {host}\n", what.word());
    let mut builder = Message::builder()
        .from(address(&from)?)
        .subject(subject(&mail.event, router_id))
        .date(UNIX_EPOCH + mail.at)
        .header(XMailer);
    for to in &spec.to {
        builder = builder.to(address(to)?);
    }
    Ok(builder.body(body)?)
}

/// `X-Mailer`.
#[derive(Clone, Copy, Debug)]
struct XMailer;

impl Header for XMailer {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Mailer")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "failoverd".to_owned())
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tell::Who;

    fn settings(to: &[&str]) -> Settings {
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

    fn mail(what: What) -> Mail {
        Mail {
            event: Event {
                who: Who::instance("VI_1"),
                what,
                priority: 100,
            },
            at: Duration::from_secs(1_795_169_472),
        }
    }

    #[test]
    fn a_mail_has_keepalived_s_subject() {
        let settings = settings(&["ops@example.net", "admin@example.net"]);
        let message = message(&mail(What::Master), &settings).expect("a mail");
        let text = String::from_utf8(message.formatted()).expect("text");
        for line in [
            "From: failover@example.net\r\n",
            "To: ops@example.net, admin@example.net\r\n",
            "Subject: [lab] VRRP Instance VI_1 - Entering MASTER state\r\n",
            "Date: Fri, 20 Nov 2026 10:11:12 +0000\r\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        let group = Event {
            who: Who::group("G1"),
            ..mail(What::Fault).event
        };
        assert_eq!(
            subject(&group, "r"),
            "[r] VRRP Group G1 - Entering FAULT state"
        );
    }

    #[test]
    fn what_is_no_address_is_named() {
        let error = message(&mail(What::Master), &settings(&["a b"]));
        let error = error.expect_err("no address");
        assert!(error.is_final());
        assert_eq!(error.to_string(), "'a b' is no mail address");
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
