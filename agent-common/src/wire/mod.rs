//! Placeholder replaced by the wire layer.
pub mod vrrp {}
