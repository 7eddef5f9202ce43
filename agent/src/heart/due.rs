//! When the heartbeat has something to do.

use agent_common::KernelTime;

use super::{Heart, stream::Stream};

impl Heart {
    /// When there is something to judge or to send.
    pub fn poll_timeout(&self) -> Option<KernelTime> {
        if self.held {
            return None;
        }
        let streams = self.streams.iter().take(self.used).flatten();
        streams.map(Stream::due).min()
    }

    /// Whether [`Self::judge`] has a silence to judge at `now`.
    pub fn is_judging(&self, now: KernelTime) -> bool {
        let mut streams = self.streams.iter().take(self.used).flatten();
        !self.held && streams.any(|stream| stream.is_judged(now))
    }
}
