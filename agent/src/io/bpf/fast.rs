//! What the fast lane reads and writes: no allocation, no lock, no wait.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use agent_common::{
    KernelTime,
    record::{AdvertRecord, LatestSlot, Lease, WatchSlot},
};
use aya::maps::{MapData, RingBuf};
use bytemuck::Zeroable as _;

use super::{BpfError, arrival::Arrivals, sys};

/// Attempts to read a LATEST slot between two writes. A write takes less than
/// a system call, and adverts are milliseconds apart.
const LATEST_ATTEMPTS: usize = 16;

/// The maps of the fast lane; moves to its thread.
pub struct FastMaps {
    latest: OwnedFd,
    watch: OwnedFd,
    leases: OwnedFd,
    pub(super) arrivals: Arrivals,
    ring: RingBuf<MapData>,
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<FastMaps>();
};

impl FastMaps {
    pub(super) const fn new(
        latest: OwnedFd,
        watch: OwnedFd,
        leases: OwnedFd,
        arrivals: Arrivals,
        ring: RingBuf<MapData>,
    ) -> Self {
        Self {
            latest,
            watch,
            leases,
            arrivals,
            ring,
        }
    }

    /// The newest advert of the router that the slot watches. `None` when
    /// there was none yet, or the slot does not exist.
    ///
    /// Two system calls when nobody writes meanwhile.
    pub fn latest(&self, slot: u32) -> Option<AdvertRecord> {
        let mut before = self.latest_copy(slot)?;
        for _ in 0..LATEST_ATTEMPTS {
            let again = self.latest_copy(slot)?;
            if again == before && again.sequence.is_multiple_of(2) {
                return (again.sequence != 0).then_some(again.advert);
            }
            before = again;
        }
        None
    }

    fn latest_copy(&self, slot: u32) -> Option<LatestSlot> {
        let mut copy = LatestSlot::zeroed();
        let value = bytemuck::bytes_of_mut(&mut copy);
        let found = sys::map_lookup(self.latest.as_fd(), &slot.to_ne_bytes(), value);
        matches!(found, Ok(true)).then_some(copy)
    }

    /// Says whom a slot watches. One system call.
    ///
    /// A frame that arrives during the write may see half an address: then it
    /// is somebody else's, and its record comes through the ring with a
    /// wake-up.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`] for a slot that does not exist.
    pub fn watch(&self, slot: u32, watch: &WatchSlot) -> Result<(), BpfError> {
        let value = bytemuck::bytes_of(watch);
        sys::map_update(self.watch.as_fd(), &slot.to_ne_bytes(), value).map_err(|source| {
            BpfError::System {
                what: "cannot set whom to watch",
                source,
            }
        })
    }

    /// Says until when a slot may be said to be served here; `None` when it is
    /// not. One system call.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`] for a slot that does not exist.
    pub fn lease(&self, slot: u32, until: Option<KernelTime>) -> Result<(), BpfError> {
        let lease = Lease {
            until_ns: until.map_or(0, KernelTime::nanos),
            other_until_ns: 0,
        };
        let value = bytemuck::bytes_of(&lease);
        sys::map_update(self.leases.as_fd(), &slot.to_ne_bytes(), value).map_err(|source| {
            BpfError::System {
                what: "cannot renew a lease",
                source,
            }
        })
    }

    /// The next advert of the ring, oldest first.
    pub fn next_event(&mut self) -> Option<AdvertRecord> {
        loop {
            let item = self.ring.next()?;
            // Another size cannot be: one program writes, one type.
            if let Ok(record) = bytemuck::try_pod_read_unaligned(&item) {
                return Some(record);
            }
        }
    }

    /// For epoll: becomes readable when an advert came that asks for attention,
    /// and stays so until [`Self::next_event`] has given everything. poll(2)
    /// would also see the steady adverts that lie there.
    pub fn ring_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

impl std::fmt::Debug for FastMaps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            latest,
            watch,
            leases,
            arrivals,
            ring: _,
        } = self;
        f.debug_struct("FastMaps")
            .field("latest", latest)
            .field("watch", watch)
            .field("leases", leases)
            .field("arrivals", arrivals)
            .finish()
    }
}
