//! The control socket: JSON lines over a unix stream socket.
//!
//! One request a line, one answer a line. A request is
//! `{"command":"status"}`; the answer is [`status::Status`] or `{"error":"…"}`.

pub mod client;
pub mod server;
pub mod status;

use serde::{Deserialize, Serialize};

/// Where the socket is unless told otherwise.
pub const DEFAULT_PATH: &str = "/run/failoverd/control.sock";

/// A request longer than this is refused.
pub const MAX_REQUEST: usize = 64 << 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Request {
    Status,
}

/// The answer to what cannot be answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    pub error: String,
}
