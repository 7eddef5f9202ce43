//! What the supervisor does in ways that depend on how it was called.

use std::{ffi::CStr, fmt, io, os::fd::BorrowedFd};

use crate::logging::say_last;

/// How it behaves towards whoever called it. Never waits for anybody.
pub trait Manner {
    /// What `ps` shows of the supervisor.
    fn name(&self) -> &'static CStr;
    /// Starts an agent again that died.
    fn starts_again(&self) -> bool;
    /// Takes this signal for a wish to end.
    fn stops_at(&self, signal: i32) -> bool {
        matches!(signal, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT)
    }
    /// The agent with this pid runs; another one before it is not it any more.
    fn ready(&mut self, agent: u32);
    /// The agent has ended, and there is none.
    fn gone(&mut self);
    /// A sentence for whoever looks after the machine. Must not wait.
    fn say(&mut self, message: fmt::Arguments<'_>);
    /// What a new binary of the supervisor needs to know, for [`Self::go_on`].
    fn leave(&self) -> String {
        String::new()
    }
    /// Descriptors that stay open until the new binary has said that the agent
    /// is [`Self::ready`].
    fn held(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }
    /// As the same process with an earlier binary, which left this.
    ///
    /// # Errors
    ///
    /// When it is not understood.
    fn go_on(&mut self, _left: &str) -> io::Result<()> {
        Ok(())
    }
}

/// As `failoverd run` does.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Manner for Plain {
    fn name(&self) -> &'static CStr {
        c"fo-guard"
    }

    fn starts_again(&self) -> bool {
        true
    }

    fn ready(&mut self, _agent: u32) {}

    fn gone(&mut self) {}

    fn say(&mut self, message: fmt::Arguments<'_>) {
        say_last(format_args!("failoverd: {message}"));
    }
}
