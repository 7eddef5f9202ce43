//! Newtypes whose value alone would not say what it is: unit, range or byte order.

use core::{fmt, num::NonZeroU8, time::Duration};

/// A virtual router identifier, 1..=255 (RFC 9568 5.2.3). There is no default.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// `None` for 0, which no virtual router may have.
    pub const fn new(value: u8) -> Option<Self> {
        match NonZeroU8::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Debug for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// A VRRP priority as it stands on the wire (RFC 9568 5.2.4).
///
/// 0 releases the addresses, 255 owns them, 1..=254 is everybody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Priority(pub u8);

impl Priority {
    /// Sent once by an Active router that stops taking part.
    pub const RELEASE: Self = Self(0);
    /// The default of a Backup (RFC 9568 6.1).
    pub const DEFAULT: Self = Self(100);
    /// The address owner; always preempts.
    pub const OWNER: Self = Self(255);

    pub const fn get(self) -> u8 {
        self.0
    }

    pub const fn is_release(self) -> bool {
        self.0 == Self::RELEASE.0
    }

    pub const fn is_owner(self) -> bool {
        self.0 == Self::OWNER.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// VRRP protocol version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Version {
    V2 = 2,
    V3 = 3,
}

impl Version {
    pub const fn from_nibble(nibble: u8) -> Option<Self> {
        match nibble {
            2 => Some(Self::V2),
            3 => Some(Self::V3),
            _ => None,
        }
    }
}

/// Address family of a virtual router. One VRID in two families is two
/// independent virtual routers (RFC 9568 5.2.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Family {
    V4 = 4,
    V6 = 6,
}

impl Family {
    /// Bytes of one address of this family.
    pub const fn address_len(self) -> usize {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }
}

/// An advertisement interval in centiseconds, never 0.
///
/// A v2 interval is whole seconds on the wire (1..=255) and is held here as
/// 100..=25500; a v3 interval is 1..=4095 centiseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AdvertInterval(u16);

impl AdvertInterval {
    /// 1 s, the default of both versions.
    pub const DEFAULT: Self = Self(100);
    /// The largest interval a v3 advert can carry (12 bits, 40.95 s).
    pub const MAX_V3: Self = Self(4095);

    pub const fn from_centis(centis: u16) -> Option<Self> {
        match centis {
            0 => None,
            centis => Some(Self(centis)),
        }
    }

    /// From the Adver Int field of VRRPv2; `None` for 0.
    pub const fn from_v2_seconds(seconds: u8) -> Option<Self> {
        Self::from_centis(seconds as u16 * 100)
    }

    pub const fn centis(self) -> u16 {
        self.0
    }

    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64 * 10)
    }
}

/// A point on CLOCK_MONOTONIC in nanoseconds: what `bpf_ktime_get_ns` returns
/// and what every deadline of the agent is held in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct KernelTime(pub u64);

impl KernelTime {
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Time since `earlier`, zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Saturates at the end of the clock, some 584 years after boot.
    pub const fn after(self, span: Duration) -> Self {
        let nanos = span.as_nanos();
        let nanos = if nanos > u64::MAX as u128 {
            u64::MAX
        } else {
            nanos as u64
        };
        Self(self.0.saturating_add(nanos))
    }

    /// Saturates at boot.
    pub const fn before(self, span: Duration) -> Self {
        let nanos = span.as_nanos();
        let nanos = if nanos > u64::MAX as u128 {
            u64::MAX
        } else {
            nanos as u64
        };
        Self(self.0.saturating_sub(nanos))
    }
}
