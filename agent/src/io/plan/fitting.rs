//! How many VIPs an advert has room for.

use std::borrow::Cow;

use agent_common::{Family, Version};

use crate::config::{Instance, MAX_ADVERTISED};

/// An Ethernet header, an IP header and that of the advert. keepalived takes
/// the first off the MTU too, and routers of one group must cut alike.
const HEADERS_V4: usize = 14 + 20 + 8;
const HEADERS_V6: usize = 14 + 40 + 8;
/// Authentication data at the end of a v2 advert (RFC 3768 5.3.10).
const AUTHENTICATION: usize = 8;

/// How many addresses an advert has room for on a link with this MTU; at most
/// [`MAX_ADVERTISED`].
pub(super) fn room(version: Version, family: Family, mtu: u32) -> usize {
    let mtu = usize::try_from(mtu).unwrap_or(usize::MAX);
    let (headers, address) = match family {
        Family::V4 => (HEADERS_V4, 4),
        Family::V6 => (HEADERS_V6, 16),
    };
    let authentication = match version {
        Version::V2 => AUTHENTICATION,
        Version::V3 => 0,
    };
    let room = mtu.saturating_sub(headers + authentication) / address;
    room.clamp(1, MAX_ADVERTISED)
}

/// The instance as its adverts can be on a link with this MTU: VIPs that they
/// have no room for are held, but not advertised. The first ones of the file
/// stay, so that routers with one list cut alike.
pub fn fitting(instance: &Instance, mtu: u32) -> Cow<'_, Instance> {
    let mut room = room(instance.version, instance.family, mtu);
    if instance.advertised().count() <= room {
        return Cow::Borrowed(instance);
    }
    let mut instance = instance.clone();
    for vip in instance.vips.iter_mut().filter(|vip| vip.advertised) {
        vip.advertised = room > 0;
        room = room.saturating_sub(1);
    }
    Cow::Owned(instance)
}
