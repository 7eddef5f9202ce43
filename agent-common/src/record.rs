//! Records that cross the kernel boundary: map keys, map values and ring-buffer entries.
//!
//! Byte order: fields whose name says `_be` and all addresses are in network
//! order as they stood on the wire; every other integer is in host order.
//! Padding is explicit and zero, sizes are asserted, and an IPv4 address lies
//! in the first four bytes of a 16-byte field with the rest zero.

use bytemuck::{Pod, Zeroable};

use crate::types::KernelTime;

/// Virtual routers of one agent: VRIDs 1..=255 in two families, plus slot 0
/// which is never configured and counts what belongs to no instance.
pub const SLOTS: usize = 511;

/// The slot that counts frames of no configured instance.
pub const NO_SLOT: u32 = 0;

/// Unicast peers that one instance can have.
pub const MAX_PEERS: usize = 32;

/// Prefixes in the list of sources of one instance.
pub const MAX_ALLOWED: usize = 16;

/// An IPv4 address in the first four bytes, or an IPv6 address; network order.
pub type WireAddress = [u8; 16];

/// Key of the INSTANCES map: filled from the configuration, only looked up
/// with what a packet says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct InstanceKey {
    pub ifindex: u32,
    /// 802.1Q VLAN id of the innermost tag in the frame, 0 without a tag.
    pub vlan: u16,
    /// [`crate::Family`] as a byte.
    pub family: u8,
    pub vrid: u8,
}

const _: () = assert!(size_of::<InstanceKey>() == 8);

/// Key of the REFLECT map: filled from the configuration, only looked up with
/// what a packet says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct ReflectKey {
    pub ifindex: u32,
    /// As in [`InstanceKey`].
    pub vlan: u16,
    /// [`crate::Family`] as a byte.
    pub family: u8,
    pub _pad: u8,
    /// Your Discriminator of a probe.
    pub discriminator: u32,
}

const _: () = assert!(size_of::<ReflectKey>() == 12);

/// Whose probes are answered for a virtual router.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct ReflectTarget {
    /// Index into LEASES and REFLECTED.
    pub slot: u32,
    /// MAC address of the interface, which a probe is sent to.
    pub mac: [u8; 6],
    /// Which hook answers: [`reflect_hook`].
    pub hook: u8,
    pub _pad: u8,
    /// The address that adverts are sent from, which a probe is sent to.
    pub own: WireAddress,
}

const _: () = assert!(size_of::<ReflectTarget>() == 28);

/// Values of [`ReflectTarget::hook`].
pub mod reflect_hook {
    /// XDP sends the answer from the driver.
    pub const XDP: u8 = 1;
    /// tcx redirects it to the link that it came in on.
    pub const TCX: u8 = 2;
    /// None does: the agent itself answers.
    pub const USER: u8 = 3;
}

/// How long a virtual router may be said to be served here, in the LEASES map.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Lease {
    /// CLOCK_MONOTONIC nanoseconds; 0 for a router that is not Active.
    pub until_ns: u64,
    /// Until when another router that was heard since then serves in our
    /// place; the kernel side writes it, and a renewal takes it back.
    pub other_until_ns: u64,
}

const _: () = assert!(size_of::<Lease>() == 16);

impl Lease {
    /// Whether the agent said that it serves, and then nothing any more: it
    /// hangs. Of a router that left Active nothing is known here.
    #[inline(always)]
    pub const fn has_run_out(&self, now_ns: u64) -> bool {
        self.until_ns != 0 && self.until_ns <= now_ns
    }
}

/// Key of the FENCE map: a VIP where requests for it come in. Filled from the
/// configuration, only looked up with what a packet says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct FenceKey {
    pub ifindex: u32,
    /// As in [`InstanceKey`].
    pub vlan: u16,
    /// [`crate::Family`] as a byte.
    pub family: u8,
    pub _pad: u8,
    pub address: WireAddress,
}

const _: () = assert!(size_of::<FenceKey>() == 24);

/// Until when first packets are waited for, in the AWAITED map, and for whom:
/// all that a frame costs which is nobody's business is to read that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Awaited {
    /// CLOCK_MONOTONIC nanoseconds; 0 while nobody waits.
    pub until_ns: u64,
    /// The only slot that waits, or [`NO_SLOT`] for several.
    pub slot: u32,
    pub _pad: u32,
}

const _: () = assert!(size_of::<Awaited>() == 16);

/// The first IP packet for a VIP of a slot since it became Active, in the
/// ARRIVALS map.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Arrival {
    /// CLOCK_MONOTONIC nanoseconds; 0 until there was one. The kernel side
    /// writes it once.
    pub at_ns: u64,
    /// Which of its transitions is meant; 0 for none.
    pub serial: u32,
    /// The only destination MAC address that counts, since switches flood what
    /// was meant for the one before; all zero for any.
    pub mac: [u8; 6],
    pub _pad: [u8; 6],
}

const _: () = assert!(size_of::<Arrival>() == 24);

/// What was kept from a hung machine, in the FENCED map: one value per slot
/// and CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub struct FenceCounters {
    /// ARP requests and Neighbor Solicitations for VIPs.
    pub questions: u64,
    /// IP packets to VIPs, while another router serves.
    pub packets: u64,
}

/// What became of probes, in the REFLECTED map: one value per slot and CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub struct ReflectCounters {
    /// Answered that it is in service.
    pub up: u64,
    /// Answered that it is not: not Active.
    pub down: u64,
    /// Answered that it is not, although it is Active: the lease has run out.
    pub stale: u64,
    /// Not to our addresses, or malformed (slot 0): left to others.
    pub passed: u64,
}

/// Bits of [`InstanceFilter::flags`].
pub mod filter_flags {
    /// Adverts come from configured peers by unicast, not to the group.
    pub const UNICAST: u8 = 1 << 0;
    /// Unicast: the source must be one of the peers.
    pub const CHECK_SOURCE: u8 = 1 << 1;
    /// v2 authentication type 1: the password must match.
    pub const AUTH_PASS: u8 = 1 << 2;
    /// The local router owns the addresses and ignores every advert
    /// (RFC 9568 7.1 as published; erratum 8298 only logs).
    pub const OWNER_IGNORES: u8 = 1 << 3;
    /// v3/IPv6: our own first address is not link-local, so that of others
    /// need not be either. Refusing what we send ourselves would make
    /// every router of such a configuration Active.
    pub const ANY_FIRST_ADDRESS: u8 = 1 << 4;
    /// Unicast: a v3/IPv4 checksum over 224.0.0.18 in place of the real
    /// destination is good as well, as keepalived sent until 1.3.6 (K-06).
    pub const OLD_CHECKSUM: u8 = 1 << 5;
}

/// Addresses that adverts may come from: those that agree with `address` in
/// every bit of `mask`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct AllowedPrefix {
    pub address: WireAddress,
    pub mask: WireAddress,
}

impl AllowedPrefix {
    /// The first `length` bits of `address` count.
    pub const fn new(address: WireAddress, length: u8) -> Self {
        let hidden = 128_u32.saturating_sub(length as u32);
        let mask = match u128::MAX.checked_shl(hidden) {
            Some(mask) => mask,
            None => 0,
        };
        Self {
            address,
            mask: mask.to_be_bytes(),
        }
    }
}

const _: () = assert!(size_of::<AllowedPrefix>() == 32);

/// What the verdict on an advert needs to know of the instance it is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct InstanceFilter {
    /// Index into LATEST, WATCH and the counters; 1..SLOTS.
    pub slot: u32,
    /// [`crate::Version`] as a byte.
    pub version: u8,
    /// See [`filter_flags`].
    pub flags: u8,
    /// v2: the local Adver Int in seconds, which an advert must equal.
    pub v2_seconds: u8,
    /// Entries of `peers` in use.
    pub peer_count: u8,
    /// v2 password: the first 8 bytes, zero padded.
    pub auth: [u8; 8],
    /// The address that the agent sends adverts from, so that a reflected
    /// advert of its own is known; all zero while there is none.
    pub own: WireAddress,
    /// The destination an advert must have: the multicast group, or in
    /// unicast mode the local unicast address.
    pub destination: WireAddress,
    /// MAC address of the interface.
    pub mac: [u8; 6],
    /// Our own priority: adverts at or above it have a budget of their own, so
    /// that a flood of lower ones cannot hide a new Active.
    pub priority: u8,
    /// Entries of `allowed` in use; with 0 adverts may come from anybody.
    pub allowed_count: u8,
    pub peers: [WireAddress; MAX_PEERS],
    /// Least TTL or hop limit that adverts of the peer may come with, 0 for any.
    pub min_ttl: [u8; MAX_PEERS],
    /// How far below 255 the greatest one lies, 0 for any.
    pub ttl_headroom: [u8; MAX_PEERS],
    /// Where adverts may come from, by multicast as by unicast.
    pub allowed: [AllowedPrefix; MAX_ALLOWED],
}

const _: () = assert!(size_of::<InstanceFilter>() == 56 + 18 * MAX_PEERS + 32 * MAX_ALLOWED);

/// Bits of [`AdvertRecord::flags`].
pub mod advert_flags {
    /// The v3/IPv4 checksum verified with the pseudo-header of RFC 5798.
    pub const PSEUDO_HEADER: u8 = 1 << 0;
    /// Read through the slow path: reassembled from fragments.
    pub const REASSEMBLED: u8 = 1 << 1;
    /// Unicast: it verified only with 224.0.0.18 in the pseudo-header.
    pub const OLD_CHECKSUM: u8 = 1 << 2;
}

/// A valid advert: the entry of the ring buffer and the content of a LATEST slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub struct AdvertRecord {
    /// When the frame reached the hook, CLOCK_MONOTONIC nanoseconds.
    pub stamp_ns: u64,
    pub source: WireAddress,
    pub slot: u32,
    /// Order-independent digest of the address list, see
    /// [`crate::wire::vrrp::address_digest`].
    pub addresses_digest: u32,
    /// Max Advertise Interval in centiseconds (v2: seconds times 100), never 0.
    pub interval_cs: u16,
    pub priority: u8,
    /// [`crate::Version`] as a byte.
    pub version: u8,
    /// [`crate::Family`] as a byte.
    pub family: u8,
    pub address_count: u8,
    /// See [`advert_flags`].
    pub flags: u8,
    pub _pad: u8,
}

const _: () = assert!(size_of::<AdvertRecord>() == 40);

impl AdvertRecord {
    pub const fn stamp(&self) -> KernelTime {
        KernelTime(self.stamp_ns)
    }
}

/// A LATEST slot: the newest advert of the router that the agent watches.
///
/// Written by XDP whatever the state of the ring buffer, so that a full ring
/// cannot hide a living Active. `sequence` is odd while a CPU writes; a reader
/// takes two copies and trusts them when they are equal and even.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub struct LatestSlot {
    pub sequence: u64,
    pub advert: AdvertRecord,
}

const _: () = assert!(size_of::<LatestSlot>() == 48);

/// What the agent tells the kernel side about one instance, in the WATCH map.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub struct WatchSlot {
    /// The router whose adverts keep the Active_Down_Timer at bay. Its steady
    /// adverts do not wake the agent, have LATEST to themselves and are not
    /// subject to the budget. All zero: nobody yet, every advert wakes.
    pub active: WireAddress,
    /// 1: every advert wakes the agent (it is Active, or not in Backup).
    pub wake_always: u8,
    pub _pad: [u8; 7],
}

const _: () = assert!(size_of::<WatchSlot>() == 24);

impl WatchSlot {
    /// Watch nobody: the state of a slot that was never written.
    pub const NOBODY: Self = Self {
        active: [0; 16],
        wake_always: 0,
        _pad: [0; 7],
    };
}
