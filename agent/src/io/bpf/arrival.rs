//! The first packet for a VIP after its instance became Active.

use std::{
    os::fd::{AsFd as _, OwnedFd},
    time::Duration,
};

use agent_common::{
    KernelTime,
    record::{Arrival, Awaited, NO_SLOT},
};
use bytemuck::Zeroable as _;

use super::{BpfError, FastMaps, Kernel, error::failed, sys};

/// For how long the first packet is waited for.
pub const AWAITED_FOR: Duration = Duration::from_secs(10);

/// What the fast lane says whose packets are waited for by.
#[derive(Debug)]
pub(super) struct Arrivals {
    pub awaited: OwnedFd,
    pub arrivals: OwnedFd,
}

/// Whose first packet is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expected {
    pub slot: u32,
    /// The transition that is meant, from 1.
    pub serial: u32,
    /// The destination MAC address that it has to have; all zero for any.
    pub mac: [u8; 6],
    /// Others are waited for as well.
    pub among_others: bool,
}

impl FastMaps {
    /// Waits for the first packet to a VIP of the slot, until `until`. Two
    /// system calls.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`] for a slot that does not exist.
    pub fn expect(&self, expected: Expected, until: KernelTime) -> Result<(), BpfError> {
        let Expected {
            slot,
            serial,
            mac,
            among_others,
        } = expected;
        let arrival = Arrival {
            serial,
            mac,
            ..Arrival::default()
        };
        let value = bytemuck::bytes_of(&arrival);
        let failed = failed("cannot wait for the first packet");
        let Arrivals { awaited, arrivals } = &self.arrivals;
        sys::map_update(arrivals.as_fd(), &slot.to_ne_bytes(), value).map_err(&failed)?;
        let all = Awaited {
            until_ns: until.nanos(),
            slot: if among_others { NO_SLOT } else { slot },
            _pad: 0,
        };
        let value = bytemuck::bytes_of(&all);
        sys::map_update(awaited.as_fd(), &0_u32.to_ne_bytes(), value).map_err(failed)
    }
}

impl Kernel {
    /// When the first packet to a VIP of the slot came after this transition;
    /// `None` where none has.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`].
    pub fn arrival(&self, slot: u32, serial: u32) -> Result<Option<KernelTime>, BpfError> {
        let mut arrival = Arrival::zeroed();
        let value = bytemuck::bytes_of_mut(&mut arrival);
        sys::map_lookup(self.arrivals.as_fd(), &slot.to_ne_bytes(), value)
            .map_err(failed("cannot read when the first packet came"))?;
        let seen = arrival.serial == serial && arrival.at_ns != 0;
        Ok(seen.then_some(KernelTime(arrival.at_ns)))
    }
}
