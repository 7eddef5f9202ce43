//! What can be wrong with the flags of one instance: a sentence each.

use std::net::IpAddr;

use agent_common::Family;

use crate::config::{MAX_ADVERTISED, MAX_PEERS, family_name};

/// One thing wrong with the command line: what, where, and what to do.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
pub enum UsageError {
    #[error(
        "--iface is missing: name the interface on which adverts are sent, or give --config FILE"
    )]
    NoInterface,
    #[error(
        "--iface '{0}' cannot be the name of an interface: use 1 to 15 characters without slash, colon or space"
    )]
    BadInterface(String),
    #[error(
        "--vrid is missing: there is no default, give the number (1 to 255) that all routers of these VIPs use"
    )]
    NoVrid,
    #[error("--vrid '{0}' is not a virtual router identifier: give a number of 1 to 255")]
    BadVrid(String),
    #[error(
        "--priority '{0}' is not a priority: give a number of 1 to 254, or 255 for the owner of the address"
    )]
    BadPriority(String),
    #[error("--version '{0}' is not a version of VRRP: give 2 or 3")]
    BadVersion(String),
    #[error("--version 2 has no IPv6: leave --version out, or give 3")]
    Version2WithIpv6,
    #[error("--vip '{0}' {1}: give ADDRESS or ADDRESS/LENGTH")]
    BadVip(String, &'static str),
    #[error(
        "--vip '{0}' has a wrong prefix length: give a number of 0 to {1}, or none for a host address"
    )]
    BadPrefix(String, u8),
    #[error("--vip {vip} is {}, but the first VIP is {}: give the two families an instance each", family_name(*.family), family_name(*.first))]
    VipFamily {
        vip: IpAddr,
        family: Family,
        first: Family,
    },
    #[error(
        "{count} addresses with --vip, but an advert carries at most {MAX_ADVERTISED}: use several instances or --config"
    )]
    TooManyVips { count: usize },
    #[error("--advert-int '{0}' is not a time: give for example 10ms, 0.5s or 1s")]
    BadInterval(String),
    #[error(
        "--advert-int '{0}' is out of range for version 2: give 1 to 255 whole seconds, or use --version 3"
    )]
    IntervalV2(String),
    #[error(
        "--advert-int '{0}' is out of range for version 3: give 10ms to 40.95s in steps of 10ms"
    )]
    IntervalV3(String),
    #[error("{flag} '{text}' {why}: give one IP address")]
    BadAddress {
        flag: &'static str,
        text: String,
        why: &'static str,
    },
    #[error("{flag} {address} is not {} as the VIPs are: give an address of their family", family_name(*.vips))]
    UnicastFamily {
        flag: &'static str,
        address: IpAddr,
        vips: Family,
    },
    #[error(
        "--unicast-src without --unicast-peer: list the other routers with --unicast-peer, or leave it out for multicast"
    )]
    NoPeers,
    #[error(
        "{count} addresses with --unicast-peer, at most {MAX_PEERS}: use multicast, or fewer routers"
    )]
    TooManyPeers { count: usize },
    #[error("--unicast-peer {0} is our own --unicast-src: give the other routers only")]
    PeerIsSource(IpAddr),
    #[error("{flag} '{text}' is not a time of {range}: give for example 1ms, 200ms or 1s")]
    BadFastTime {
        flag: &'static str,
        text: String,
        range: &'static str,
    },
    #[error(
        "--fast-multiplier '{0}' is not a number of 2 to 20: give how many probes in a row may be lost before an Active is down"
    )]
    BadMultiplier(String),
    #[error("--auth-pass is empty: give 1 to 8 characters, or leave it out")]
    EmptyPassword,
    #[error("--auth-pass needs version 2, and {0}: leave it out, version 3 has no authentication")]
    PasswordWithV3(&'static str),
}
