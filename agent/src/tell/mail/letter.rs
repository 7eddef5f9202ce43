//! One mail as it is written, and how it is given to the server.

use std::time::UNIX_EPOCH;

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    address::Envelope,
    message::{
        Mailbox,
        header::{Header, HeaderName, HeaderValue},
    },
    transport::smtp::{self, extension::ClientId},
};
use tokio::time::timeout;

use super::{Mail, Settings};
use crate::{
    script::Identity,
    tell::event::{Event, Kind},
};

#[derive(Debug, thiserror::Error)]
pub(super) enum MailError {
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

/// What to do about an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Remedy {
    /// It would be the same once more.
    GiveUp,
    /// Later; others may be taken meanwhile.
    Later,
    /// Later, and so with all others: there is no server.
    Wait,
}

impl MailError {
    pub(super) fn remedy(&self) -> Remedy {
        match self {
            Self::Address(_) | Self::Message(_) => Remedy::GiveUp,
            Self::Smtp(error) if error.is_permanent() => Remedy::GiveUp,
            Self::Smtp(error) if error.is_transient() => Remedy::Later,
            Self::Smtp(_) | Self::Silent { .. } => Remedy::Wait,
        }
    }
}

/// A mail for all of its recipients.
#[derive(Debug)]
pub(super) struct Letter {
    from: Address,
    text: Vec<u8>,
    host: String,
}

impl Letter {
    /// # Errors
    ///
    /// When it cannot be written.
    pub(super) fn of(mail: &Mail, settings: &Settings) -> Result<Self, MailError> {
        let host = host_name();
        let (message, from) = message(mail, settings, &host)?;
        let text = message.formatted();
        Ok(Self { from, text, host })
    }

    /// # Errors
    ///
    /// When it is not taken for one of these recipients; then none has it.
    pub(super) async fn send(&self, to: &[String], settings: &Settings) -> Result<(), MailError> {
        let spec = &settings.spec;
        let to = to.iter().map(|to| Ok(mailbox(to, &self.host)?.email));
        let to: Vec<Address> = to.collect::<Result<_, MailError>>()?;
        let envelope = Envelope::new(Some(self.from.clone()), to)?;
        let name = spec.helo.clone().unwrap_or_else(|| self.host.clone());
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&spec.host)
            .port(spec.port)
            .hello_name(ClientId::Domain(name))
            .timeout(Some(spec.timeout))
            .build();
        // For all of it: the connection, and what is said.
        let limit = spec.timeout * 2;
        match timeout(limit, transport.send_raw(&envelope, &self.text)).await {
            Ok(result) => result.map(drop).map_err(MailError::from),
            Err(_) => Err(MailError::Silent {
                host: spec.host.clone(),
                port: spec.port,
                seconds: limit.as_secs(),
            }),
        }
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

/// A word without `@` is a user of this machine, as keepalived takes it.
fn mailbox(text: &str, host: &str) -> Result<Mailbox, MailError> {
    let wrong = || MailError::Address(text.to_owned());
    if text.contains('@') {
        return text.parse().map_err(|_| wrong());
    }
    // Not every name of a host can be one of a domain.
    let own = |domain: &str| format!("{text}@{domain}").parse().ok();
    own(host).or_else(|| own("localhost")).ok_or_else(wrong)
}

fn message(mail: &Mail, settings: &Settings, host: &str) -> Result<(Message, Address), MailError> {
    let Settings { spec, router_id } = settings;
    let own = || Identity::own().user;
    let from = mailbox(&spec.from.clone().unwrap_or_else(own), host)?;
    let router_id = router_id.as_deref().unwrap_or(host);
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
        .from(from.clone())
        .subject(subject(&mail.event, router_id))
        .date(UNIX_EPOCH + mail.at)
        .header(XMailer);
    for to in &spec.to {
        builder = builder.to(mailbox(to, host)?);
    }
    Ok((builder.body(body)?, from.email))
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
    use super::{
        super::tests::{mail, settings},
        *,
    };
    use crate::tell::{What, Who};

    #[test]
    fn a_mail_has_keepalived_s_subject() {
        let settings = settings(&["ops@example.net", "admin@example.net"]);
        let (message, _) = message(&mail(What::Master), &settings, "router").expect("a mail");
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
        let error = message(&mail(What::Master), &settings(&["a b"]), "router");
        let error = error.expect_err("no address");
        assert_eq!(error.remedy(), Remedy::GiveUp);
        assert_eq!(error.to_string(), "'a b' is no mail address");
    }

    #[test]
    fn a_word_alone_is_a_user_of_this_machine() {
        let address = |text: &str, host: &str| mailbox(text, host).map(|one| one.to_string());
        assert_eq!(address("root", "router").expect("one"), "root@router");
        assert_eq!(address("root", "a b").expect("one"), "root@localhost");
        let whole = "Ops <ops@example.net>";
        assert_eq!(address(whole, "router").expect("one"), whole);
        assert!(address("", "router").is_err());
        assert!(address("a@", "router").is_err());
    }
}
