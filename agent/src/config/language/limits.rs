//! What bounds the language: nothing in a configuration can take forever.

use crate::config::diagnostic::Code;
use crate::config::sink::Sink;
use crate::config::text::Span;

/// Definitions, sequences and what they became, within each other.
pub const MAX_NESTING: usize = 32;
/// Uses of definitions and steps of sequences, all together.
pub const MAX_STEPS: u32 = 1_000_000;
/// Bytes of all lines after everything was carried out: more than 10,000
/// instances, and more than one main file.
pub const MAX_TEXT: usize = 8 << 20;
/// Bytes of one value, and of one line while it is expanded.
pub const MAX_VALUE: usize = 64 << 10;
/// Files, each time they are included.
pub const MAX_FILES: usize = 1000;
/// Files within each other.
pub const MAX_FILE_DEPTH: usize = 16;

/// What is left of the bounds.
#[derive(Debug)]
pub struct Budget {
    steps: u32,
    bytes: usize,
    stopped: bool,
}

/// There is no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spent;

impl Default for Budget {
    fn default() -> Self {
        Self {
            steps: MAX_STEPS,
            bytes: MAX_TEXT,
            stopped: false,
        }
    }
}

impl Budget {
    pub fn take_step(&mut self) -> Result<(), Spent> {
        self.steps = self.steps.checked_sub(1).ok_or(Spent)?;
        Ok(())
    }

    pub fn take_bytes(&mut self, bytes: usize) -> Result<(), Spent> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Spent)?;
        Ok(())
    }

    /// True after [`Self::stop`]: the rest of the configuration is not read.
    pub const fn is_spent(&self) -> bool {
        self.stopped
    }

    /// Reports, once, why reading ends here.
    pub fn stop(&mut self, sink: &mut Sink, span: Span, message: String, help: &str) {
        if !self.stopped {
            self.stopped = true;
            sink.error(Code::TooMuch, span, message).help(help);
        }
    }
}
