//! VIPs that the kernel takes and nobody can use. keepalived takes them too, so
//! they are warnings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why hosts will not reach this VIP, or too much will go to it.
pub fn useless(address: IpAddr, prefix: u8) -> Option<&'static str> {
    if address.is_loopback() {
        return Some("is a loopback address: no other machine can reach it");
    }
    if prefix == 0 {
        return Some("has prefix length 0: the whole internet would be taken for its network");
    }
    match address {
        IpAddr::V4(address) => useless_v4(address, prefix),
        IpAddr::V6(address) => useless_v6(address, prefix),
    }
}

fn useless_v4(address: Ipv4Addr, prefix: u8) -> Option<&'static str> {
    match address.octets()[0] {
        0 => return Some("is in 0.0.0.0/8: no machine can have it"),
        240.. => {
            return Some("is in 240.0.0.0/4, which is reserved: most machines do not reach it");
        }
        _ => {}
    }
    let hosts = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    let host = address.to_bits() & hosts;
    // A /31 has two hosts and nothing else (RFC 3021).
    if prefix >= 31 {
        return None;
    }
    if host == 0 {
        return Some("is the address of its own network");
    }
    (host == hosts).then_some("is the broadcast address of its own network")
}

fn useless_v6(address: Ipv6Addr, prefix: u8) -> Option<&'static str> {
    if address.to_ipv4_mapped().is_some() {
        return Some("is an IPv4 address in IPv6 form, which is never sent on a network");
    }
    let hosts = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    // A /127 has two hosts and nothing else (RFC 6164).
    (prefix < 127 && address.to_bits() & hosts == 0)
        .then_some("is the anycast address of all routers of its network")
}

#[cfg(test)]
mod tests {
    use super::useless;

    #[test]
    fn what_nobody_can_use_and_what_one_can() {
        for (vip, bad) in [
            ("127.0.0.5/8", true),
            ("::1/128", true),
            ("::ffff:10.0.0.1/96", true),
            ("240.1.2.3/24", true),
            ("0.1.2.3/8", true),
            ("10.0.0.5/0", true),
            ("fe80::5/0", true),
            ("10.0.0.0/24", true),
            ("10.0.0.255/24", true),
            ("fd00::/64", true),
            ("10.0.0.255/16", false),
            ("10.0.0.0/32", false),
            ("10.0.0.4/31", false),
            ("10.0.0.5/31", false),
            ("fd00::/128", false),
            ("fd00::/127", false),
            ("fe80::5/64", false),
            ("192.0.2.100/24", false),
        ] {
            let (address, prefix) = vip.split_once('/').expect(vip);
            let found = useless(address.parse().expect(vip), prefix.parse().expect(vip));
            assert_eq!(found.is_some(), bad, "{vip}: {found:?}");
        }
    }
}
