//! Scripts, FIFOs and mail that tell of what happens.
//!
//! That single words are good is checked by [`crate::config::survey`], which
//! reports; here what is good is taken.

use std::{path::PathBuf, time::Duration};

use lettre::message::Mailbox;

use super::global::run_as as user_of;
use super::track::split;
use crate::config::diagnostic::Code;
use crate::config::lexer::{Span, Word};
use crate::config::model::{Deleted, FifoSpec, Hook, MailSpec, Notify, RunAs, Tell, Waited};
use crate::config::sink::Sink;
use crate::config::tree::Statement;

/// keepalived's, for `startup_script` and `shutdown_script`.
const WAITED: u64 = 10;
/// keepalived's, for a mail server.
const CONNECT: u64 = 30;
const SMTP: u16 = 25;

/// What an instance or a sync group says.
#[derive(Clone, Debug, Default)]
pub struct Given {
    notify: Notify,
    priority_changes: Option<bool>,
    mail: Option<bool>,
}

impl Given {
    pub fn set(&mut self, keyword: &str, statement: &Statement) {
        let notify = &mut self.notify;
        let slot = match keyword {
            "notify" => &mut notify.any,
            "notify_master" => &mut notify.master,
            "notify_backup" => &mut notify.backup,
            "notify_fault" => &mut notify.fault,
            "notify_stop" => &mut notify.stop,
            "notify_master_rx_lower_pri" => &mut notify.lower_priority,
            "notify_deleted" => {
                notify.deleted = Deleted::Told(hook(statement));
                return;
            }
            "notify_priority_changes" => {
                self.priority_changes = switch(statement).or(self.priority_changes);
                return;
            }
            "smtp_alert" => {
                self.mail = switch(statement).or(self.mail);
                return;
            }
            _ => return,
        };
        *slot = hook(statement);
    }

    /// With what `global_defs` say where it says nothing.
    pub fn finish(self, globals: &Globals, user: Option<&RunAs>) -> Notify {
        let mut notify = self.notify;
        let deleted = match &mut notify.deleted {
            Deleted::Told(hook) => hook.as_mut(),
            Deleted::AsFault => None,
        };
        let hooks = [
            &mut notify.any,
            &mut notify.master,
            &mut notify.backup,
            &mut notify.fault,
            &mut notify.stop,
            &mut notify.lower_priority,
        ];
        let hooks = hooks.into_iter().filter_map(Option::as_mut);
        hooks.chain(deleted).for_each(|hook| default(hook, user));
        Notify {
            priority_changes: self
                .priority_changes
                .or(globals.priority_changes)
                .unwrap_or(false),
            mail: self
                .mail
                .or(globals.mail_vrrp)
                .or(globals.mail)
                .unwrap_or(false),
            ..notify
        }
    }
}

/// What `global_defs` say.
#[derive(Clone, Debug, Default)]
pub struct Globals {
    fifos: [Fifo; 2],
    states_on_reload: bool,
    startup: Option<Hook>,
    startup_timeout: Option<Duration>,
    shutdown: Option<Hook>,
    shutdown_timeout: Option<Duration>,
    mail_to: Vec<Word>,
    mail_place: Span,
    mail_from: Option<Word>,
    server: Option<(String, u16)>,
    helo: Option<String>,
    connect: Option<Duration>,
    no_faults: bool,
    mail: Option<bool>,
    mail_vrrp: Option<bool>,
    priority_changes: Option<bool>,
    /// Of sync groups, by name.
    groups: Vec<(String, Given)>,
}

#[derive(Clone, Debug, Default)]
struct Fifo {
    path: Option<(Word, Option<RunAs>)>,
    script: Option<(Hook, Span)>,
}

impl Globals {
    pub fn set(&mut self, keyword: &str, statement: &Statement) {
        let first = statement.arguments().first();
        let text = || first.map(|word| word.text.clone());
        let [both, vrrp] = &mut self.fifos;
        match keyword {
            "notify_fifo" => both.set_path(statement),
            "vrrp_notify_fifo" => vrrp.set_path(statement),
            "notify_fifo_script" => both.set_script(statement),
            "vrrp_notify_fifo_script" => vrrp.set_script(statement),
            "fifo_write_vrrp_states_on_reload" => self.states_on_reload = true,
            "vrrp_notify_priority_changes" => {
                self.priority_changes = switch(statement).or(self.priority_changes);
            }
            "startup_script" => self.startup = hook(statement),
            "shutdown_script" => self.shutdown = hook(statement),
            "startup_script_timeout" => self.startup_timeout = seconds(statement, 1000),
            "shutdown_script_timeout" => self.shutdown_timeout = seconds(statement, 1000),
            "notification_email" => {
                self.mail_place = statement.span();
                let entries = statement.block.iter().flatten();
                let words = entries.flat_map(|entry| &entry.words);
                self.mail_to.extend(words.cloned());
            }
            "notification_email_from" => self.mail_from = first.cloned(),
            "smtp_server" => {
                let port = statement.arguments().get(1);
                let port = port.and_then(|port| port.text.parse().ok());
                self.server = text().map(|host| (host, port.unwrap_or(SMTP)));
            }
            "smtp_helo_name" => self.helo = text(),
            "smtp_connect_timeout" => self.connect = seconds(statement, 4294),
            "smtp_alert" => self.mail = switch(statement).or(self.mail),
            "smtp_alert_vrrp" => self.mail_vrrp = switch(statement).or(self.mail_vrrp),
            "no_email_faults" => self.no_faults = true,
            _ => {}
        }
    }

    /// A `vrrp_sync_group`; of two with one name the first counts.
    pub fn group(&mut self, block: &Statement) {
        let Some(name) = block.arguments().first() else {
            return;
        };
        let mut given = Given::default();
        for statement in block.block.iter().flatten() {
            given.set(statement.keyword(), statement);
        }
        self.groups.push((name.text.clone(), given));
    }

    pub fn finish(mut self, user: Option<&RunAs>, sink: &mut Sink) -> Tell {
        let mut groups = std::collections::BTreeMap::new();
        for (name, given) in std::mem::take(&mut self.groups) {
            let notify = given.finish(&self, user);
            if notify != Notify::default() {
                groups.entry(name).or_insert(notify);
            }
        }
        let waited = |hook: Option<Hook>, timeout: Option<Duration>| {
            let mut hook = hook?;
            default(&mut hook, user);
            let timeout = timeout.unwrap_or(Duration::from_secs(WAITED));
            Some(Waited { hook, timeout })
        };
        let mail = self.mail_spec(sink);
        let [both, vrrp] = self.fifos;
        let fifo = both.finish("notify_fifo", None, user, sink);
        let vrrp_fifo = vrrp.finish("vrrp_notify_fifo", fifo.as_ref(), user, sink);
        Tell {
            fifo,
            vrrp_fifo,
            states_on_reload: self.states_on_reload,
            startup: waited(self.startup, self.startup_timeout),
            shutdown: waited(self.shutdown, self.shutdown_timeout),
            mail,
            groups,
        }
    }

    fn mail_spec(&mut self, sink: &mut Sink) -> Option<MailSpec> {
        let to = std::mem::take(&mut self.mail_to);
        if to.is_empty() {
            return None;
        }
        let to = to.into_iter().filter_map(|word| address(word, sink));
        let to: Vec<String> = to.collect();
        let from = self.mail_from.take().and_then(|word| address(word, sink));
        if to.is_empty() {
            return None;
        }
        let Some((host, port)) = self.server.take() else {
            let message = "notification_email without smtp_server: no mail is sent";
            sink.trap(Code::Incomplete, self.mail_place, message)
                .help("say who takes the mail: smtp_server HOST [PORT]");
            return None;
        };
        Some(MailSpec {
            to,
            from,
            host,
            port,
            helo: self.helo.take(),
            timeout: self.connect.unwrap_or(Duration::from_secs(CONNECT)),
            faults: !self.no_faults,
        })
    }
}

impl Fifo {
    fn set_path(&mut self, statement: &Statement) {
        let path = statement.arguments().first().cloned();
        self.path = path.map(|path| (path, user_behind(statement)));
    }

    fn set_script(&mut self, statement: &Statement) {
        self.script = hook(statement).map(|hook| (hook, statement.span()));
    }

    fn finish(
        self,
        keyword: &str,
        other: Option<&FifoSpec>,
        user: Option<&RunAs>,
        sink: &mut Sink,
    ) -> Option<FifoSpec> {
        let Some((word, owner)) = self.path else {
            if let Some((_, span)) = self.script {
                let message = format!("{keyword}_script without {keyword}: it is not run");
                sink.trap(Code::Incomplete, span, message);
            }
            return None;
        };
        let path = PathBuf::from(&word.text);
        if !path.is_absolute() {
            let message = format!(
                "{keyword} '{}' is not used: its path is relative",
                word.text
            );
            sink.trap(Code::BadValue, word.span, message)
                .help("write the whole path, from / on");
            return None;
        }
        if other.is_some_and(|other| other.path == path) {
            let message = format!("{keyword} '{}' is the other FIFO as well", word.text);
            sink.trap(Code::Duplicate, word.span, message)
                .help("the other one gets all lines of this: remove it, or use another path");
            return None;
        }
        let script = self.script.map(|(mut hook, _)| {
            default(&mut hook, user);
            hook
        });
        Some(FifoSpec {
            path,
            owner: owner.or_else(|| user.cloned()),
            script,
        })
    }
}

/// A command line in one word, then perhaps a user and a group.
fn hook(statement: &Statement) -> Option<Hook> {
    let words = split(&statement.arguments().first()?.text);
    words.first()?;
    Some(Hook {
        words,
        run_as: user_behind(statement),
    })
}

/// What a mail can be sent to or from; a word without `@` is a user of this
/// machine.
fn address(word: Word, sink: &mut Sink) -> Option<String> {
    let Word { text, span, .. } = word;
    let whole = match text.contains('@') {
        true => text.clone(),
        false => format!("{text}@localhost"),
    };
    if whole.parse::<Mailbox>().is_err() {
        let message = format!("'{text}' is no mail address: it is not used");
        sink.trap(Code::BadValue, span, message)
            .help("write USER@DOMAIN, or a user of this machine");
        return None;
    }
    Some(text)
}

/// The user behind the first word.
fn user_behind(statement: &Statement) -> Option<RunAs> {
    let rest = statement.arguments().get(1..)?;
    user_of(rest)
}

fn default(hook: &mut Hook, user: Option<&RunAs>) {
    hook.run_as = hook.run_as.take().or_else(|| user.cloned());
}

fn switch(statement: &Statement) -> Option<bool> {
    match statement.arguments().first().map(|word| word.text.as_str()) {
        None | Some("on" | "true" | "yes") => Some(true),
        Some("off" | "false" | "no") => Some(false),
        Some(_) => None,
    }
}

fn seconds(statement: &Statement, most: u64) -> Option<Duration> {
    let number: u64 = statement.arguments().first()?.text.parse().ok()?;
    (1..=most)
        .contains(&number)
        .then(|| Duration::from_secs(number))
}
