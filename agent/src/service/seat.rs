//! What the slow lane believes of each instance.

use crate::{
    core::{Fault, InstanceConfig, InstanceId},
    io::plan::Essence,
};

/// What the slow lane believes of an instance.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) id: InstanceId,
    /// The configuration that the fast lane has.
    pub(super) told: Option<InstanceConfig>,
    pub(super) installed: Option<Essence>,
    pub(super) fault: Option<Fault>,
    /// The fast lane may have another view by now: whatever we find, tell it.
    pub(super) unsure: bool,
}

impl Seat {
    pub(super) fn new(id: InstanceId) -> Self {
        Self {
            id,
            told: None,
            installed: None,
            fault: None,
            unsure: false,
        }
    }
}
