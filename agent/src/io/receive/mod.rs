//! Adverts that reach the agent through sockets instead of the ring buffer.
//!
//! `raw` is the backend where no BPF program could be attached; `slow` reads
//! what the kernel had to reassemble first. Both use the parser and the
//! verdict of agent-common, so they decide as XDP does.

pub mod claims;
pub mod membership;
pub mod probes;
pub mod raw;
pub mod refusal;
pub mod slow;
pub mod witness;

use agent_common::{
    Outcome,
    record::{AdvertRecord, InstanceFilter, InstanceKey, NO_SLOT},
};

use self::refusal::Sender;

/// Room for the longest advert: 255 IPv6 addresses with their headers.
pub(crate) const BUFFER: usize = 8192;

/// Bytes of a socket; adverts wait here while the fast lane does not run.
const RECEIVE_BUFFER: u32 = 4 << 20;

/// Finds the filter of a key, as XDP does in its map.
pub trait Filters {
    fn filter(&self, key: &InstanceKey) -> Option<&InstanceFilter>;
}

/// What became of one packet, and which slot counts it.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    pub slot: u32,
    pub outcome: Outcome,
    /// With [`Outcome::Accepted`] only.
    pub advert: Option<AdvertRecord>,
    /// Where the headers could be read.
    pub sender: Option<Sender>,
}

impl Verdict {
    fn rejected(slot: u32, outcome: Outcome) -> Self {
        Self {
            slot,
            outcome,
            advert: None,
            sender: None,
        }
    }

    /// The verdict on a located message.
    fn judge(
        frame: &[u8],
        located: Result<agent_common::wire::Located, Outcome>,
        filters: &impl Filters,
        stamp_ns: u64,
    ) -> Self {
        let located = match located {
            Ok(located) => located,
            Err(outcome) => return Self::rejected(NO_SLOT, outcome),
        };
        let sender = Some(Sender::of(&located));
        let Some(filter) = filters.filter(&located.key) else {
            return Self {
                sender,
                ..Self::rejected(NO_SLOT, Outcome::UnknownVrid)
            };
        };
        match agent_common::wire::judge(frame, &located, filter, stamp_ns) {
            Ok(record) => Self {
                slot: filter.slot,
                outcome: Outcome::Accepted,
                advert: Some(record),
                sender,
            },
            Err(outcome) => Self {
                sender,
                ..Self::rejected(filter.slot, outcome)
            },
        }
    }
}
