//! Adverts in: from the ring of the kernel side, and from sockets.

use std::io;

use agent_common::KernelTime;

use super::{Driver, Ports, batch::Batch, slot};
use crate::io::{
    bpf::FastMaps,
    lane::Report,
    receive::{Verdict, refusal::Refusal},
};

/// Batches read from one socket before the others get their turn.
const ROUNDS: usize = 128;

/// Records read from the ring in one round: more than it holds, so that all
/// that came before the round is read and no wake-up is lost; a bound, so that
/// nobody who sends faster than we read keeps deadlines waiting.
const RECORDS: usize = 8192;

impl Driver {
    pub(super) fn drain_adverts(&mut self, now: KernelTime) {
        self.drain_ring(now);
        self.drain_sockets(now);
    }

    /// Whether something is about to be concluded from what did not come: then
    /// the sockets are read, whether one has said so in time or not. A tick that
    /// sends a probe, and nothing else, needs none of them.
    pub(super) fn is_judging(&self, now: KernelTime) -> bool {
        let deadline = self.machine.poll_timeout();
        deadline.is_some_and(|deadline| deadline <= now) || self.heart.is_judging(now)
    }

    pub(super) fn drain_ring(&mut self, now: KernelTime) {
        for _ in 0..RECORDS {
            let Some(record) = self.sockets.maps.as_mut().and_then(FastMaps::next_event) else {
                break;
            };
            if let Some(seat) = slot(&record).and_then(|id| self.ports.seat(id)) {
                seat.ring_stamp = seat.ring_stamp.max(record.stamp_ns);
            }
            self.advert(&record, now);
        }
    }

    /// The sockets are taken out while their verdicts are handled, because
    /// handling needs the whole driver; moving a vector allocates nothing.
    pub(super) fn drain_sockets(&mut self, now: KernelTime) {
        let mut receivers = std::mem::take(&mut self.receivers);
        for receiver in &mut receivers {
            self.drain_socket(now, |ports, batch| {
                receiver.drain(ports, batch.room(), |v| batch.push(v))
            });
        }
        self.receivers = receivers;
        let mut slow = std::mem::take(&mut self.sockets.slow);
        for receiver in &mut slow {
            self.drain_socket(now, |ports, batch| {
                receiver.drain(ports, batch.room(), |v| batch.push(v))
            });
        }
        self.sockets.slow = slow;
    }

    /// All that `read` gives by and by. Bounded: a flood that no BPF program
    /// stops must not keep our own adverts waiting.
    fn drain_socket(
        &mut self,
        now: KernelTime,
        mut read: impl FnMut(&Ports, &mut Batch) -> io::Result<bool>,
    ) {
        for _ in 0..ROUNDS {
            let mut batch = Batch::default();
            let drained = read(&self.ports, &mut batch);
            self.handle_batch(&batch, now);
            match drained {
                Ok(more) if more => {}
                Ok(_) => break,
                Err(_) => {
                    self.counters.receive_errors += 1;
                    break;
                }
            }
        }
    }

    fn handle_batch(&mut self, batch: &Batch, now: KernelTime) {
        for verdict in batch.verdicts() {
            let outcome = verdict.outcome.index() as usize;
            let slot = self.outcomes.get_mut(verdict.slot as usize);
            if let Some(count) = slot.and_then(|counters| counters.get_mut(outcome)) {
                *count = count.saturating_add(1);
            }
            if let Some(record) = &verdict.advert {
                self.advert(record, now);
            } else if self.quiet.breaks(verdict.outcome, now) {
                let Verdict {
                    outcome, sender, ..
                } = verdict;
                self.lane
                    .report(Report::Refused(Refusal { outcome, sender }));
            }
        }
    }
}
