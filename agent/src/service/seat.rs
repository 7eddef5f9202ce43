//! What the slow lane believes of each instance.

use agent_common::{
    KernelTime,
    record::{InstanceFilter, InstanceKey},
};

use crate::{
    core::{Fault, InstanceConfig, InstanceId},
    io::{clock, plan::Essence},
};

/// What the slow lane believes of an instance.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) id: InstanceId,
    /// The configuration that the fast lane has.
    pub(super) told: Option<InstanceConfig>,
    pub(super) installed: Option<Essence>,
    pub(super) fault: Option<Fault>,
    /// `fault` comes from a tracker, or would.
    pub(super) tracked_fault: bool,
    /// What the XDP program was told.
    pub(super) placed: Option<(InstanceKey, InstanceFilter)>,
    /// VIPs that its adverts have no room for, which was said.
    pub(super) surplus: usize,
    /// The fast lane may have another view by now: whatever we find, tell it.
    pub(super) unsure: bool,
    /// Since when there is this instance: in its first state until another.
    pub(super) began: KernelTime,
}

impl Seat {
    pub(super) fn new(id: InstanceId) -> Self {
        Self {
            id,
            told: None,
            installed: None,
            fault: None,
            tracked_fault: false,
            placed: None,
            surplus: 0,
            unsure: false,
            began: clock::now(),
        }
    }
}
