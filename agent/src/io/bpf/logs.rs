//! Log lines of the kernel half, on their way to the `log` crate.

use agent_common::Outcome;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::mpsc,
};

use super::{BpfError, Kernel};
use crate::io::receive::refusal::{Refusal, Sender, explain};

impl Kernel {
    /// Delivers what the kernel half logs to the `log` crate for as long as
    /// the future is polled: spawn it on the slow lane. Only the first call
    /// gets the lines. Refusals go to `tell` instead, if there is one, unless
    /// it is full.
    ///
    /// # Errors
    ///
    /// [`BpfError`] when the lines were taken before, or outside a runtime.
    pub fn log_task(
        &mut self,
        tell: Option<mpsc::Sender<Refusal>>,
    ) -> Result<impl Future<Output = ()> + Send + 'static, BpfError> {
        let failed = |source| BpfError::System {
            what: "cannot poll the log",
            source,
        };
        // Registering without a runtime would panic.
        tokio::runtime::Handle::try_current()
            .map_err(|outside| failed(std::io::Error::other(outside)))?;
        let logger = EbpfLogger::init_with_logger(&mut self.object, Named(tell))
            .map_err(|error| BpfError::from_loader(&error))?;
        // SAFETY: the descriptor is that of the ring, which the logger owns and
        // never closes or exchanges while it lives.
        let registered = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) };
        let mut logger = registered.map_err(|refused| failed(refused.into_parts().1))?;
        Ok(async move {
            while let Ok(mut guard) = logger.readable_mut().await {
                guard.get_inner_mut().flush();
                guard.clear_ready();
            }
        })
    }
}

/// Puts the name of an outcome where the kernel half can only say its number.
struct Named(Option<mpsc::Sender<Refusal>>);

const NUMBER: &str = "outcome ";

impl Log for Named {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        log::logger().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let text = record.args().to_string();
        if let (Some(tell), Some(refusal)) = (&self.0, refusal(&text))
            && tell.try_send(refusal).is_ok()
        {
            return;
        }
        let text = named(&text);
        log::logger().log(
            &Record::builder()
                .metadata(record.metadata().clone())
                .args(format_args!("{text}"))
                .module_path(record.module_path())
                .file(record.file())
                .line(record.line())
                .build(),
        );
    }

    fn flush(&self) {
        log::logger().flush();
    }
}

/// What a line of the kernel half says of a refusal; `None` for another line.
fn refusal(text: &str) -> Option<Refusal> {
    let mut words = text.strip_prefix("advert refused: ")?.split(' ');
    let mut value = |name| {
        let known = words.next() == Some(name);
        words.next().filter(|_| known)
    };
    let outcome = Outcome::from_index(value("outcome")?.parse().ok()?)?;
    let sender = match value("from") {
        Some(source) => Some(Sender {
            source: source.parse().ok()?,
            vrid: value("vrid")?.parse().ok()?,
            ifindex: value("ifindex")?.parse().ok()?,
        }),
        None => None,
    };
    Some(Refusal { outcome, sender })
}

fn named(text: &str) -> String {
    let Some((before, after)) = text.split_once(NUMBER) else {
        return text.to_owned();
    };
    let (number, rest) = after.split_once(' ').unwrap_or((after, ""));
    match number.parse().ok().and_then(Outcome::from_index) {
        Some(outcome) => {
            let label = outcome.label();
            let why = explain(outcome).map(|why| format!(": {why}"));
            format!("{before}{label} {rest}{}", why.unwrap_or_default())
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: L-02
    #[test]
    fn l02_an_outcome_is_named() {
        let number = Outcome::Checksum.index();
        let line = format!("advert refused: outcome {number} from 192.0.2.1 vrid 3");
        assert_eq!(
            named(&line),
            "advert refused: checksum from 192.0.2.1 vrid 3: damaged, or a form of the \
             checksum that nobody should send"
        );
        assert_eq!(named("outcome 4000 from"), "outcome 4000 from");
        assert_eq!(named("else"), "else");
    }

    #[test]
    fn a_refusal_is_read_from_its_line() {
        let number = Outcome::Checksum.index();
        let line = format!("advert refused: outcome {number} from fe80::1 vrid 3 ifindex 9");
        let sender = Sender {
            source: "fe80::1".parse().unwrap(),
            vrid: 3,
            ifindex: 9,
        };
        let read = |sender| Refusal {
            outcome: Outcome::Checksum,
            sender,
        };
        assert_eq!(refusal(&line), Some(read(Some(sender))));
        let unread = format!("advert refused: outcome {number} ifindex 9");
        assert_eq!(refusal(&unread), Some(read(None)));
        assert_eq!(refusal("advert refused: outcome x ifindex 9"), None);
        assert_eq!(refusal("else"), None);
    }
}
