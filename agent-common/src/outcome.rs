//! The verdict on a frame. One enum for both backends; its number is the index
//! of the per-CPU counter, its name the label of the metric.

macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        /// What became of a frame.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u32)]
        pub enum Outcome { $($(#[$doc])* $name,)* }

        impl Outcome {
            /// All outcomes in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// A stable snake_case name for JSON, metrics and logs.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }
    };
}

outcomes! {
    /// A valid advert of a configured instance.
    Accepted = "accepted",
    /// Not VRRP: passes untouched and uncounted.
    Foreign = "foreign",
    /// VRRP for a virtual router that is not configured here.
    UnknownVrid = "unknown_vrid",
    /// A fragment; the slow path sees it reassembled.
    Fragment = "fragment",
    /// An extension header chain longer than we walk; slow path.
    ExtensionChain = "extension_chain",
    /// Longer than the fast path copies; slow path.
    Oversize = "oversize",
    /// The frame ends before its headers do.
    Truncated = "truncated",
    /// IPv4 header length below 5 words, or version nibble not 4 / 6.
    IpHeader = "ip_header",
    /// The IPv4 header checksum does not verify.
    IpChecksum = "ip_checksum",
    /// The IP length reaches past the frame.
    IpLength = "ip_length",
    /// TTL or hop limit is not 255.
    Ttl = "ttl",
    /// Source zero, loopback, multicast or broadcast.
    BadSource = "bad_source",
    /// Our own advert come back.
    OwnSource = "own_source",
    /// Destination neither the group nor, in unicast mode, our address.
    Destination = "destination",
    /// Destination MAC neither the group's nor ours.
    DestinationMac = "destination_mac",
    /// An IPsec AH header, which we do not verify (F-28).
    AuthHeader = "auth_header",
    /// Version nibble differs from the configured version.
    Version = "version",
    /// Type nibble is not 1.
    Type = "type",
    /// Shorter than the address count asks for.
    Incomplete = "incomplete",
    /// Bytes follow the message inside the IP payload.
    Trailing = "trailing",
    /// The VRRP checksum verifies in no accepted form.
    Checksum = "checksum",
    /// v3 with no address.
    NoAddresses = "no_addresses",
    /// Interval 0.
    IntervalZero = "interval_zero",
    /// v2 interval differs from ours.
    IntervalMismatch = "interval_mismatch",
    /// v3/IPv6: the first address is not link-local.
    NotLinkLocal = "not_link_local",
    /// v2 authentication type differs.
    AuthType = "auth_type",
    /// v2 password differs.
    AuthFailed = "auth_failed",
    /// Unicast mode: not one of the configured peers.
    UnknownPeer = "unknown_peer",
    /// Unicast mode: TTL or hop limit outside of what the peer may have.
    PeerTtl = "peer_ttl",
    /// Not from one of the prefixes of `allowed_sources`.
    SourceNotAllowed = "source_not_allowed",
    /// We own the addresses and ignore adverts, as configured.
    OwnerIgnores = "owner_ignores",
    /// Valid, but the ring buffer was full: only LATEST has it.
    RingFull = "ring_full",
    /// Dropped: beyond the budget against floods.
    OverBudget = "over_budget",
}

impl Outcome {
    pub const COUNT: usize = Self::ALL.len();

    /// The number in counters and records.
    pub const fn index(self) -> u32 {
        self as u32
    }

    pub fn from_index(index: u32) -> Option<Self> {
        Self::ALL.get(index as usize).copied()
    }
}

/// The counters of one slot, indexed by [`Outcome::index`].
pub type OutcomeCounters = [u64; Outcome::COUNT];
