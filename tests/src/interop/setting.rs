//! What both sides of a test are configured with.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use crate::{
    router::VirtualRouter,
    topology::{Host, Lan},
};

/// One combination of what VRRP leaves to the operator.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub version: u8,
    pub interval: Duration,
    pub ipv6: bool,
    pub unicast: bool,
    /// Authentication type 1 of version 2.
    pub password: Option<&'static str>,
}

impl Setting {
    /// Version 2, 1 s, IPv4, multicast, no authentication.
    pub const V2: Self = Self {
        version: 2,
        interval: Duration::from_secs(1),
        ipv6: false,
        unicast: false,
        password: None,
    };

    /// Version 3, 100 ms, IPv4, multicast.
    pub const V3: Self = Self {
        version: 3,
        interval: Duration::from_millis(100),
        ..Self::V2
    };

    #[must_use]
    pub const fn password(self, password: &'static str) -> Self {
        Self {
            password: Some(password),
            ..self
        }
    }

    #[must_use]
    pub const fn every_ms(self, milliseconds: u64) -> Self {
        Self {
            interval: Duration::from_millis(milliseconds),
            ..self
        }
    }

    #[must_use]
    pub const fn ipv6(self) -> Self {
        Self { ipv6: true, ..self }
    }

    #[must_use]
    pub const fn unicast(self) -> Self {
        Self {
            unicast: true,
            ..self
        }
    }

    /// The addresses in the order in which they are advertised. IPv6: a
    /// link-local one first (RFC 9568 5.2.9).
    pub fn vips(&self, lan: &Lan) -> Vec<(IpAddr, u8)> {
        if self.ipv6 {
            let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x77, 0x100);
            vec![(link_local.into(), 64), (lan.vip6(), 64)]
        } else {
            vec![(lan.vip(), 24)]
        }
    }

    /// The address that the client asks for.
    pub fn probed(&self, lan: &Lan) -> IpAddr {
        if self.ipv6 { lan.vip6() } else { lan.vip() }
    }

    /// The virtual router on host `own` (0 or 1), with the other of the two as
    /// its unicast peer.
    pub fn router(&self, lan: &Lan, own: usize, priority: u8) -> VirtualRouter {
        let address = |host: &Host| -> IpAddr {
            if self.ipv6 {
                host.port.v6.into()
            } else {
                host.port.v4.into()
            }
        };
        let mut router = VirtualRouter::new(priority, self.probed(lan)).every(self.interval);
        router.vips = self.vips(lan);
        router.version = self.version;
        router.password = self.password.map(str::to_owned);
        if self.unicast {
            let peer = address(lan.host(1 - own));
            router.unicast = Some((address(lan.host(own)), vec![peer]));
        }
        router
    }
}
