//! Routes and rules, as the kernel has them: numbers throughout.

use std::net::IpAddr;

use super::IfName;
use crate::config::print::{route_line, rule_line};

/// Who set a route or a rule, where the file names nobody: the number that
/// iproute2 and others know as keepalived's.
pub const ROUTE_PROTOCOL: u8 = 18;
/// The table that routes go to where the file names none (RT_TABLE_MAIN).
pub const MAIN_TABLE: u32 = 254;

/// An address with the number of its bits that count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    pub address: IpAddr,
    /// 0..=32 or 0..=128.
    pub length: u8,
}

impl Network {
    /// Whether `address` is one of its addresses.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, other, bits) = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u128::from(own.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        let hidden = u32::saturating_sub(bits, u32::from(self.length));
        (own ^ other).checked_shr(hidden).unwrap_or(0) == 0
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// What becomes of a packet that a route is found for (RTN_*).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RouteKind {
    #[default]
    Unicast,
    Local,
    Broadcast,
    Multicast,
    Blackhole,
    Unreachable,
    Prohibit,
    Throw,
}

impl RouteKind {
    pub const ALL: [(&str, Self); 8] = [
        ("unicast", Self::Unicast),
        ("local", Self::Local),
        ("broadcast", Self::Broadcast),
        ("multicast", Self::Multicast),
        ("blackhole", Self::Blackhole),
        ("unreachable", Self::Unreachable),
        ("prohibit", Self::Prohibit),
        ("throw", Self::Throw),
    ];

    pub fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(_, kind)| *kind == self)
            .map_or("unicast", |(name, _)| name)
    }

    /// Leads nowhere, and so needs neither gateway nor interface.
    pub const fn leads_nowhere(self) -> bool {
        match self {
            Self::Blackhole | Self::Unreachable | Self::Prohibit | Self::Throw => true,
            Self::Unicast | Self::Local | Self::Broadcast | Self::Multicast => false,
        }
    }
}

/// Where a route is put among those to the same destination and of the same
/// metric.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Place {
    /// There must be none yet.
    #[default]
    Alone,
    Append,
    Prepend,
}

/// One way of a route that has several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hop {
    pub via: Option<IpAddr>,
    pub device: Option<IfName>,
    /// 1..=256: its share of the traffic.
    pub weight: u16,
    /// The gateway is on the link, whatever the addresses say.
    pub onlink: bool,
}

/// A metric of a route (RTAX_*) in the kernel's unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metric {
    /// RTAX_*, 2..=17 without the name of a congestion control.
    pub kind: u8,
    pub value: u32,
    /// The kernel must not change it.
    pub locked: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    pub destination: Network,
    pub kind: RouteKind,
    pub via: Option<IpAddr>,
    pub device: Option<IfName>,
    /// Instead of `via` and `device`.
    pub hops: Vec<Hop>,
    /// The source of connections of this machine (`src`).
    pub source: Option<IpAddr>,
    pub table: u32,
    pub tos: u8,
    pub scope: Option<u8>,
    pub protocol: u8,
    /// Its priority among routes to the same destination.
    pub metric: Option<u32>,
    /// rtnetlink: source realm in the upper half.
    pub realms: Option<u32>,
    pub onlink: bool,
    pub metrics: Vec<Metric>,
    /// The congestion control, and whether it is locked.
    pub congctl: Option<(String, bool)>,
    /// IPv6: 0 medium, 1 high, 3 low (RFC 4191).
    pub preference: Option<u8>,
    /// Seconds, IPv6.
    pub expires: Option<u32>,
    pub propagate_ttl: Option<bool>,
    pub place: Place,
    /// Put back when somebody removes it: false for `no_track`.
    pub tracked: bool,
}

/// What a rule does with a packet that it fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleAction {
    Table(u32),
    Goto(u32),
    Nop,
    Blackhole,
    Unreachable,
    Prohibit,
    /// The table of the packet's VRF.
    L3mdev,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    pub v6: bool,
    /// It fits what the rest does not fit.
    pub not: bool,
    pub from: Option<Network>,
    pub to: Option<Network>,
    pub input: Option<IfName>,
    pub output: Option<IfName>,
    pub tos: u8,
    /// Mark and mask.
    pub fwmark: Option<(u32, u32)>,
    pub realms: Option<u32>,
    pub priority: u32,
    pub action: RuleAction,
    pub suppress_prefixlength: Option<u32>,
    pub suppress_group: Option<u32>,
    pub uids: Option<(u32, u32)>,
    pub tunnel: Option<u64>,
    /// IPPROTO_*.
    pub ip_protocol: Option<u8>,
    pub source_ports: Option<(u16, u16)>,
    pub destination_ports: Option<(u16, u16)>,
    pub protocol: u8,
    pub tracked: bool,
}

/// Routes and rules of an instance, or of the machine.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Paths {
    pub routes: Vec<Route>,
    pub rules: Vec<Rule>,
}

impl Paths {
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.rules.is_empty()
    }

    /// What a number of both lists together stands for, as it is written.
    pub fn line(&self, number: u16) -> Option<String> {
        let number = usize::from(number);
        let rule = || {
            let rule = self.rules.get(number.checked_sub(self.routes.len())?)?;
            Some(format!("rule {}", rule_line(rule)))
        };
        match self.routes.get(number) {
            Some(route) => Some(format!("route {}", route_line(route))),
            None => rule(),
        }
    }

    /// Interfaces that routes need. Rules name them without need.
    pub fn devices(&self) -> impl Iterator<Item = &IfName> {
        self.routes
            .iter()
            .flat_map(|route| {
                let hops = route.hops.iter().map(|hop| hop.device.as_ref());
                hops.chain([route.device.as_ref()])
            })
            .flatten()
    }
}
