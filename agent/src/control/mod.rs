//! The control socket: JSON lines over a unix stream socket.
//!
//! One request a line, one answer a line. A request is
//! `{"command":"status"}`, and the answer is [`status::Status`];
//! `{"command":"reload"}`, and the answer is what was changed, [`Changes`];
//! `{"command":"config"}`, and the answer is the configuration in force, a
//! [`Portrait`]; `{"command":"upgrade","binary":"/path"}`, answered with an
//! [`Upgraded`] when the new agent runs; `{"command":"events"}`, answered with a
//! line for each event from then on ([`crate::tell::feed::Record`]);
//! `{"command":"history"}`, with `"instance":"NAME"` and `"last":N` where wanted,
//! and the answer is a [`History`]. Any of them can be `{"error":"…"}`.
//! `status`, `events` and `history` are for whoever the permissions of the socket let in,
//! the rest is for root and the socket's group (`peer`).

pub mod client;
pub mod events;
mod peer;
pub mod server;
pub mod status;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    config::diff::{Changes, Portrait},
    flight::Record,
    upgrade::Upgraded,
};

/// Where the socket is unless told otherwise.
pub const DEFAULT_PATH: &str = "/run/failoverd/control.sock";

/// How the answer begins to who may not ask for that.
pub(crate) const NOT_PERMITTED: &str = "not permitted";

/// A request longer than this is refused.
pub const MAX_REQUEST: usize = 64 << 10;

/// Characters of what a client is told about a request that is none.
const LONGEST_REASON: usize = 200;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Request {
    Status,
    /// Read the configuration file again.
    Reload,
    /// The configuration in force.
    Config,
    /// What happens from now on, until the agent ends.
    Events,
    /// The last changes of state.
    History(HistoryFilter),
    /// Let a new binary take over; without a path the one that is running now,
    /// or what took its place.
    Upgrade {
        #[serde(default)]
        binary: Option<PathBuf>,
    },
}

impl Request {
    /// One line of a client, with or without its end.
    ///
    /// # Errors
    ///
    /// What the client is answered.
    pub fn parse(line: &[u8]) -> Result<Self, Refusal> {
        // The reason repeats what is not known, which may be long.
        let short = |text: String| text.chars().take(LONGEST_REASON).collect::<String>();
        serde_json::from_slice(line).map_err(|error| Refusal {
            error: short(format!("not a request: {error}")),
        })
    }
}

/// What a request is answered with.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    Status(Box<status::Status>),
    Reloaded(Changes),
    Config(Portrait),
    Upgraded(Upgraded),
    History(History),
}

/// Which records are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryFilter {
    pub instance: Option<String>,
    /// No more than so many, the last ones.
    pub last: Option<usize>,
}

/// The last changes of state, oldest first. An interface: fields are added,
/// never renamed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct History {
    pub version: String,
    pub records: Vec<Record>,
}

/// The answer to what cannot be answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line_of_json_and_nothing_else() {
        assert_eq!(
            Request::parse(b"{\"command\":\"reload\"}\n"),
            Ok(Request::Reload)
        );
        let long = format!("{{\"command\":\"{}\"}}", "x".repeat(10_000));
        for line in ["", "{", "{\"command\":\"no\"}", "\u{0}", &long] {
            let refusal = Request::parse(line.as_bytes()).expect_err(line);
            assert!(refusal.error.starts_with("not a request: "), "{refusal:?}");
            assert!(refusal.error.len() <= LONGEST_REASON, "{refusal:?}");
        }
        assert!(Request::parse(b"\xff").is_err());
    }
}
