//! Where the VIPs of an instance are asked for.

use std::net::IpAddr;

use crate::io::netlink::survey::Link;

/// Each VIP on the links where requests for it come in, each once.
///
/// What is asked of an interface with a virtual MAC address (`virtual_links`)
/// comes in on the link below it. And a kernel that is not told otherwise
/// answers for any of its addresses on any link (`arp_ignore` 0): on that of
/// the instance it would, were the VIP on another one.
pub(super) fn places<'a>(
    link: &Link,
    virtual_links: &[u32],
    vips: impl Iterator<Item = (IpAddr, &'a Link)>,
) -> Vec<(u32, IpAddr)> {
    let on = |(address, home): (IpAddr, &Link)| {
        let ours = virtual_links.contains(&home.ifindex);
        let below = home.macvlan_of.filter(|_| ours);
        [
            (below.unwrap_or(home.ifindex), address),
            (link.ifindex, address),
        ]
    };
    let mut places: Vec<_> = vips.flat_map(on).collect();
    places.sort_unstable();
    places.dedup();
    places
}
