//! What is wrong with a rejected advert, in words.

use agent_common::Outcome;

/// One sentence without its full stop.
pub fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "valid",
        Outcome::Foreign => "not VRRP",
        Outcome::UnknownVrid => "the VRID is 0",
        Outcome::Fragment => "a fragment, which only the receiving host can put together",
        Outcome::ExtensionChain => "too many IPv6 extension headers",
        Outcome::Oversize => "longer than an advert can be",
        Outcome::Truncated => "the frame ends before its headers do",
        Outcome::IpHeader => "the IP header is malformed",
        Outcome::IpChecksum => "the IPv4 header checksum is wrong",
        Outcome::IpLength => "the IP header states more bytes than came",
        Outcome::Ttl => "the TTL or hop limit is not 255: it came through a router",
        Outcome::BadSource => "the source address cannot send adverts",
        Outcome::OwnSource => "our own advert came back",
        Outcome::Destination => "the destination is not the VRRP group",
        Outcome::DestinationMac => "the destination MAC address is not that of the group",
        Outcome::AuthHeader => "an IPsec authentication header, which nobody verifies",
        Outcome::Version => "the VRRP version does not exist for this family",
        Outcome::Type => "the VRRP type is not 1",
        Outcome::Incomplete => "shorter than its address count asks for",
        Outcome::Trailing => "bytes follow the message",
        Outcome::Checksum => "the VRRP checksum is wrong in every known form",
        Outcome::NoAddresses => "no virtual address",
        Outcome::IntervalZero => "the advertisement interval is 0",
        Outcome::IntervalMismatch => "the interval differs from the configured one",
        Outcome::NotLinkLocal => "the first IPv6 address is not link-local",
        Outcome::AuthType => "an authentication type that is neither none nor PASS",
        Outcome::AuthFailed => "the password is wrong",
        Outcome::UnknownPeer => "not a configured unicast peer",
        Outcome::PeerTtl => "the TTL or hop limit is not within that of the peer",
        Outcome::SourceNotAllowed => "not one of the addresses that adverts may come from",
        Outcome::OwnerIgnores => "ignored by the owner of the addresses",
        Outcome::RingFull => "valid, but the ring buffer was full",
        Outcome::OverBudget => "beyond the budget against floods",
    }
}
