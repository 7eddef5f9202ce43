//! Access to the bytes of a frame, checked at every read.

use core::net::IpAddr;

use super::vrrp;
use crate::{record::WireAddress, types::Family};

/// Bytes that can be read at an offset.
pub trait Bytes {
    /// The `N` bytes at `at`; `None` when they are not all readable.
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]>;

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        let [byte] = self.bytes::<1>(at)?;
        Some(byte)
    }

    /// A 16-bit field in network order, as a host integer.
    #[inline(always)]
    fn be16(&self, at: usize) -> Option<u16> {
        self.bytes::<2>(at).map(u16::from_be_bytes)
    }
}

/// A frame or a packet whose length is known.
pub trait Frame: Bytes {
    /// No message of more bytes than this comes out of such a frame: a bound
    /// of loops for the BPF verifier.
    const LONGEST_MESSAGE: usize = vrrp::MAX_LEN;

    /// Bytes that were received, which may be more than can be read here.
    fn received(&self) -> usize;

    /// Bytes that can be read: less than [`Frame::received`] where only the
    /// start of a long frame was copied.
    #[inline(always)]
    fn readable(&self) -> usize {
        self.received()
    }

    /// `value`, of which nothing is known to the BPF verifier any more.
    ///
    /// The verifier follows every path with all it knows of every number. Where
    /// paths meet again, what it has learned on the way keeps them apart, and
    /// loops multiply them. A number that it knows nothing of lets it see that
    /// they are the same. Elsewhere this does nothing.
    #[inline(always)]
    fn opaque(&self, value: usize) -> usize {
        value
    }
}

impl Frame for [u8] {
    fn received(&self) -> usize {
        self.len()
    }
}

impl Bytes for [u8] {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.get(at..)?.first_chunk::<N>().copied()
    }
}

/// The 16-byte form of an address that records and maps carry.
#[inline(always)]
pub const fn wire_v4(address: [u8; 4]) -> WireAddress {
    let [a, b, c, d] = address;
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// [`wire_v4`] or the IPv6 octets.
pub const fn wire_address(address: IpAddr) -> WireAddress {
    match address {
        IpAddr::V4(v4) => wire_v4(v4.octets()),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The way back from [`wire_address`].
pub fn ip_address(family: Family, address: WireAddress) -> IpAddr {
    match family {
        Family::V4 => {
            let [a, b, c, d, ..] = address;
            IpAddr::from([a, b, c, d])
        }
        Family::V6 => IpAddr::from(address),
    }
}

pub const fn family_of(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

/// Equality without a call to `memcmp`, which the BPF target does not have.
#[inline(always)]
pub fn same_address(a: &WireAddress, b: &WireAddress) -> bool {
    u128::from_ne_bytes(*a) == u128::from_ne_bytes(*b)
}
