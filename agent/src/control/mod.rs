//! The control socket: JSON lines over a unix stream socket.
//!
//! One request a line, one answer a line. A request is
//! `{"command":"status"}`, and the answer is [`status::Status`];
//! `{"command":"reload"}`, and the answer is what was changed, [`Changes`];
//! `{"command":"config"}`, and the answer is the configuration in force, a
//! [`Portrait`]; `{"command":"upgrade","binary":"/path"}`, answered with an
//! [`Upgraded`] when the new agent runs. Any of them can be `{"error":"…"}`.

pub mod client;
pub mod server;
pub mod status;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    config::diff::{Changes, Portrait},
    upgrade::Upgraded,
};

/// Where the socket is unless told otherwise.
pub const DEFAULT_PATH: &str = "/run/failoverd/control.sock";

/// A request longer than this is refused.
pub const MAX_REQUEST: usize = 64 << 10;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Request {
    Status,
    /// Read the configuration file again.
    Reload,
    /// The configuration in force.
    Config,
    /// Let a new binary take over; without a path the one that is running now,
    /// or what took its place.
    Upgrade {
        #[serde(default)]
        binary: Option<PathBuf>,
    },
}

/// What a request is answered with.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    Status(Box<status::Status>),
    Reloaded(Changes),
    Config(Portrait),
    Upgraded(Upgraded),
}

/// The answer to what cannot be answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    pub error: String,
}
