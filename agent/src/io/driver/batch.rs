//! Verdicts between the socket that they come from and the core.

use crate::io::receive::Verdict;

/// Verdicts of one go at a socket, on the stack.
pub(super) struct Batch {
    verdicts: [Option<Verdict>; Self::SIZE],
    len: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            verdicts: [None; Self::SIZE],
            len: 0,
        }
    }
}

impl Batch {
    const SIZE: usize = 64;

    pub(super) fn room(&self) -> usize {
        Self::SIZE - self.len
    }

    pub(super) fn push(&mut self, verdict: Verdict) {
        if let Some(slot) = self.verdicts.get_mut(self.len) {
            *slot = Some(verdict);
            self.len += 1;
        }
    }

    pub(super) fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.verdicts.iter().take(self.len).copied().flatten()
    }
}
