//! Refusals of the socket backends, told as the kernel half tells its own: the
//! first of each kind, then one in ten seconds (invariant 28: a peer that is
//! heard but not accepted has to be visible).

use std::net::IpAddr;

use agent_common::{Family, KernelTime, Outcome, wire::Located};

/// As in the kernel half.
const QUIET_SECONDS: u64 = 10;

/// Who sent what was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sender {
    pub source: IpAddr,
    pub vrid: u8,
    pub ifindex: u32,
}

/// An advert that was refused, as it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub outcome: Outcome,
    /// Where the headers could be read.
    pub sender: Option<Sender>,
}

impl Sender {
    pub(super) fn of(located: &Located) -> Self {
        Self {
            source: source_of(located),
            vrid: located.key.vrid,
            ifindex: located.key.ifindex,
        }
    }
}

/// The address that a message came from.
pub fn source_of(located: &Located) -> IpAddr {
    match (located.family, located.message.source) {
        (Family::V4, [a, b, c, d, ..]) => IpAddr::from([a, b, c, d]),
        (Family::V6, source) => IpAddr::from(source),
    }
}

/// When a refusal of each kind was last told.
#[derive(Debug)]
pub struct Quiet([Option<KernelTime>; Outcome::COUNT]);

impl Default for Quiet {
    fn default() -> Self {
        Self([None; Outcome::COUNT])
    }
}

impl Quiet {
    /// Whether this one is to be told now.
    pub fn breaks(&mut self, outcome: Outcome, now: KernelTime) -> bool {
        if !worth_telling(outcome) {
            return false;
        }
        let Some(last) = self.0.get_mut(outcome.index() as usize) else {
            return false;
        };
        let due = last.is_none_or(|last| now.since(last).as_secs() >= QUIET_SECONDS);
        if due {
            *last = Some(now);
        }
        due
    }
}

/// Neither what was accepted nor what is nobody's mistake: other virtual
/// routers on the link, and what the slow path will read.
fn worth_telling(outcome: Outcome) -> bool {
    !matches!(
        outcome,
        Outcome::Accepted
            | Outcome::Foreign
            | Outcome::UnknownVrid
            | Outcome::Fragment
            | Outcome::ExtensionChain
            | Outcome::Oversize
    )
}

/// What an operator should make of a refusal; `None` where the label says all.
pub fn explain(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Accepted
        | Outcome::Foreign
        | Outcome::UnknownVrid
        | Outcome::Fragment
        | Outcome::ExtensionChain
        | Outcome::Oversize
        | Outcome::RingFull
        | Outcome::OverBudget
        | Outcome::Truncated
        | Outcome::IpHeader
        | Outcome::IpChecksum
        | Outcome::IpLength
        | Outcome::Incomplete => None,
        Outcome::Ttl => Some("it was forwarded, or is forged: adverts have TTL 255"),
        Outcome::BadSource => Some("no router can have this address"),
        Outcome::OwnSource => Some(
            "it carries our own address: a loop, a cloned machine, or the address is used twice",
        ),
        Outcome::Destination => {
            Some("one side uses multicast and the other unicast, or another group or address")
        }
        Outcome::DestinationMac => Some("the frame was not for us: the switch floods"),
        Outcome::AuthHeader => Some("IPsec AH is not supported"),
        Outcome::Version => Some("the sender speaks another VRRP version than configured here"),
        Outcome::Type => Some("not an advertisement"),
        Outcome::Trailing => Some("longer than its addresses, as with an authentication trailer"),
        Outcome::Checksum => Some("damaged, or a form of the checksum that nobody should send"),
        Outcome::NoAddresses => Some("it names no address"),
        Outcome::IntervalZero => Some("its interval is 0"),
        Outcome::IntervalMismatch => {
            Some("its advert interval differs from ours, which VRRPv2 forbids: both become Active")
        }
        Outcome::NotLinkLocal => Some("its first IPv6 address is not link-local, ours is"),
        Outcome::AuthType => Some("one side uses a password and the other none"),
        Outcome::AuthFailed => Some("the password differs"),
        Outcome::UnknownPeer => Some("the sender is none of the configured unicast peers"),
        Outcome::PeerTtl => Some("it came from nearer or farther than min_ttl and max_ttl allow"),
        Outcome::SourceNotAllowed => Some("the sender is not in allowed_sources"),
        Outcome::OwnerIgnores => Some("we own the address and ignore others, as configured"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    // proves: L-02
    #[test]
    fn l02_one_of_each_kind_in_ten_seconds() {
        let mut quiet = Quiet::default();
        let mut tell = |outcome, at| quiet.breaks(outcome, KernelTime(at));
        assert!(tell(Outcome::AuthFailed, SECOND));
        assert!(!tell(Outcome::AuthFailed, 10 * SECOND));
        assert!(tell(Outcome::Version, 10 * SECOND));
        assert!(tell(Outcome::AuthFailed, 11 * SECOND));
    }

    // proves: L-02
    #[test]
    fn l02_what_is_nobodys_mistake_is_not_told() {
        let mut quiet = Quiet::default();
        for outcome in [Outcome::Accepted, Outcome::UnknownVrid, Outcome::Fragment] {
            assert!(!quiet.breaks(outcome, KernelTime(SECOND)));
        }
    }
}
