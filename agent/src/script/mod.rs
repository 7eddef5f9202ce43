//! The one way in which the agent runs a program.
//!
//! A run begins as a copy of the agent's own binary, started without a copy of
//! its memory (`shim`): that one gives away everything the agent has and the
//! script must not (`shim::forget`), becomes the user, opens the program part
//! by part and checks it (`open`), and turns into it. `runner` bounds and
//! orders runs, `running` ends and reaps them. The copy is started by a thread
//! that has given up nothing (`spawner`).

pub mod identity;
mod launch;
pub mod open;
pub mod runner;
mod running;
pub mod shim;
pub mod spawner;

use std::fmt;

pub use self::{
    identity::{Identity, IdentityError},
    runner::{Lane, Runner},
};

/// What to run, and as whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// The program and its arguments, as they are: no shell sees them. A
    /// program without a slash is looked for in [`open::PATH`].
    pub words: Vec<String>,
    pub identity: Identity,
    pub rest: Rest,
}

/// What happens to processes of a script that are left when it has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// They are killed: a check must not leave one more with each run. What it
    /// writes to standard error is kept, its last line only.
    Killed,
    /// They stay, as with keepalived: for a script that starts something.
    /// Standard error goes nowhere, so that nothing of it ends with us.
    Kept,
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Exited(i32),
    /// By a signal that was not ours.
    Signalled(i32),
    /// It was sent SIGTERM, and SIGKILL will follow.
    TimedOut,
    /// It was not even begun; one sentence says why.
    CannotStart(String),
}

impl Outcome {
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Exited(0))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with status {code}"),
            Self::Signalled(number) => write!(f, "ended by signal {number}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::CannotStart(why) => f.write_str(why),
        }
    }
}

/// What is known of a run that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    pub outcome: Outcome,
    /// The last line of its standard error, printable and at most
    /// [`LAST_LINE`] bytes; empty without one.
    pub said: String,
}

/// Longest line that is kept of what a script says.
pub const LAST_LINE: usize = 200;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.said.as_str() {
            "" => self.outcome.fmt(f),
            said => write!(f, "{}: {said}", self.outcome),
        }
    }
}
