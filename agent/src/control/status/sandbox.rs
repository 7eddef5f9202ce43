//! What threads of the agent have given up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// docs/security.md says what each part means.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sandbox {
    /// False with `--no-sandbox`.
    pub enabled: bool,
    pub fast_lane: Confinement,
    pub hands: Confinement,
    pub slow_lane: Confinement,
    /// System calls that were refused, of the whole process.
    pub refused_calls: u64,
    /// The number of the last one.
    pub last_refused: Option<i32>,
}

/// Of a thread.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Confinement {
    /// That it may use, as the kernel says.
    pub capabilities: Vec<String>,
    /// `off`, `full`, `partial` (as far as the kernel knows it), `missing` or
    /// `refused`.
    pub landlock: String,
    /// As `landlock`.
    pub seccomp: String,
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            enabled,
            fast_lane,
            hands,
            slow_lane,
            refused_calls,
            last_refused,
        } = self;
        if !enabled {
            return writeln!(f, "  sandbox: off");
        }
        writeln!(f, "  sandbox, fast lane: {fast_lane}")?;
        writeln!(f, "  sandbox, hands: {hands}")?;
        writeln!(f, "  sandbox, slow lane: {slow_lane}")?;
        match last_refused {
            Some(number) => writeln!(
                f,
                "  sandbox: {refused_calls} system calls refused, the last one number {number}"
            ),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            capabilities,
            landlock,
            seccomp,
        } = self;
        let capabilities = match capabilities.is_empty() {
            true => "no capability".to_owned(),
            false => capabilities.join(" "),
        };
        write!(f, "seccomp {seccomp}, Landlock {landlock}, {capabilities}")
    }
}
