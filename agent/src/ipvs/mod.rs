//! IPVS: what a virtual server is, its messages, and what leads from the one
//! state of the kernel to another.
//!
//! Pure: bytes and tables, no sockets. `io::netlink::ipvs` speaks to the
//! kernel, `service::ipvs` decides when.

pub mod decode;
pub mod encode;
pub mod reconcile;
pub mod show;
mod types;
pub mod wanted;

pub use types::{
    Checksum, Connections, Daemon, Destination, DestinationKey, Forward, Picture, Pool, Protocol,
    Role, Service, ServiceKey, Table, Timeouts, Traffic, Tunnel, granularity, prefix_of,
};

/// Attributes of include/uapi/linux/ip_vs.h, by what they are inside of.
pub(crate) mod attribute {
    /// Of a message.
    pub mod message {
        pub const SERVICE: u16 = 1;
        pub const DESTINATION: u16 = 2;
        pub const DAEMON: u16 = 3;
        pub const TIMEOUT_TCP: u16 = 4;
        pub const TIMEOUT_TCP_FIN: u16 = 5;
        pub const TIMEOUT_UDP: u16 = 6;
    }
    pub mod service {
        pub const FAMILY: u16 = 1;
        pub const PROTOCOL: u16 = 2;
        pub const ADDRESS: u16 = 3;
        pub const PORT: u16 = 4;
        pub const MARK: u16 = 5;
        pub const SCHEDULER: u16 = 6;
        pub const FLAGS: u16 = 7;
        pub const TIMEOUT: u16 = 8;
        pub const NETMASK: u16 = 9;
        pub const ENGINE: u16 = 11;
        pub const TRAFFIC: u16 = 12;
    }
    pub mod destination {
        pub const ADDRESS: u16 = 1;
        pub const PORT: u16 = 2;
        pub const METHOD: u16 = 3;
        pub const WEIGHT: u16 = 4;
        pub const UPPER: u16 = 5;
        pub const LOWER: u16 = 6;
        pub const ACTIVE: u16 = 7;
        pub const INACTIVE: u16 = 8;
        pub const PERSISTENT: u16 = 9;
        pub const FAMILY: u16 = 11;
        pub const TRAFFIC: u16 = 12;
        pub const TUNNEL: u16 = 13;
        pub const TUNNEL_PORT: u16 = 14;
        pub const TUNNEL_FLAGS: u16 = 15;
    }
    pub mod daemon {
        pub const ROLE: u16 = 1;
        pub const INTERFACE: u16 = 2;
        pub const SYNC_ID: u16 = 3;
        pub const MAX_LENGTH: u16 = 4;
        pub const GROUP: u16 = 5;
        pub const GROUP6: u16 = 6;
        pub const PORT: u16 = 7;
        pub const TTL: u16 = 8;
    }
    pub mod traffic {
        pub const CONNECTIONS: u16 = 1;
        pub const PACKETS_IN: u16 = 2;
        pub const PACKETS_OUT: u16 = 3;
        pub const BYTES_IN: u16 = 4;
        pub const BYTES_OUT: u16 = 5;
    }
}

/// Forwarding methods, as the kernel numbers them.
pub(crate) mod method {
    pub const MASK: u32 = 7;
    pub const MASQUERADE: u32 = 0;
    pub const LOCAL: u32 = 1;
    pub const TUNNEL: u32 = 2;
    pub const ROUTE: u32 = 3;
    pub const BYPASS: u32 = 4;
}

#[cfg(test)]
mod tests;
