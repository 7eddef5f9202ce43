//! A bridge in a namespace of its own, and machines on it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    netns::Netns,
    sys::{self, bridge::BridgePort},
    wait::eventually,
};

/// For a carrier to come back.
const CARRIER: Duration = Duration::from_secs(5);

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    pub const BROADCAST: Self = Self([0xff; 6]);
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One machine's cable to one switch, with the addresses on it.
#[derive(Clone, Debug)]
pub struct Port {
    /// Name of the switch's end.
    pub switch_side: String,
    /// Name of the machine's end.
    pub interface: String,
    pub mac: Mac,
    pub v4: Ipv4Addr,
    pub v6: Ipv6Addr,
    /// Made by the kernel from the MAC (EUI-64).
    pub link_local: Ipv6Addr,
}

/// A machine.
#[derive(Debug)]
pub struct Host {
    pub ns: Netns,
    /// Its cable to the (first) switch.
    pub port: Port,
}

/// Which frames of a cable a one-way fault takes, seen from the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// What the machine sends is lost: it is mute.
    FromHost,
    /// What is sent to the machine is lost: it is deaf.
    ToHost,
}

/// What a one-way fault drops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    Everything,
    /// VRRP only, IPv4 and IPv6, untagged.
    Adverts,
    /// ARP and neighbour discovery only: lost GARPs and NAs.
    Announcements,
}

/// A switch: a bridge without STP and without multicast snooping.
#[derive(Debug)]
pub struct Switch {
    pub ns: Netns,
    /// Distinguishes the address ranges of several switches in one test.
    number: u8,
    ports: u8,
}

impl Switch {
    /// `number` goes into every address on it.
    ///
    /// # Errors
    /// Without root, or where the kernel has no bridges.
    pub fn new(number: u8) -> Result<Self> {
        let ns = Netns::new()?;
        ns.sh("ip link add br0 type bridge stp_state 0 mcast_snooping 0 forward_delay 0")?;
        // The bridge itself takes no part: no addresses, no MLD reports.
        ns.sysctl("net/ipv6/conf/br0/disable_ipv6", "1")?;
        ns.sysctl("net/ipv6/conf/default/disable_ipv6", "1")?;
        ns.sh("ip link set br0 up")?;
        Ok(Self {
            ns,
            number,
            ports: 0,
        })
    }

    /// Lays a cable to a machine, whose end is `interface`, up and with addresses.
    ///
    /// # Errors
    /// When the name is taken or too long.
    pub fn connect(&mut self, machine: &Netns, interface: &str) -> Result<Port> {
        self.ports += 1;
        let (number, index) = (self.number, self.ports);
        let link = u16::from(number);
        let port = Port {
            switch_side: format!("p{index}"),
            interface: interface.to_owned(),
            mac: Mac([2, 0, 0, 0, number, index]),
            v4: Ipv4Addr::new(10, 77, number, index),
            v6: Ipv6Addr::new(0xfd77, link, 0, 0, 0, 0, 0, index.into()),
            link_local: Ipv6Addr::new(
                0xfe80,
                0,
                0,
                0,
                0,
                0xff,
                0xfe00,
                (link << 8) | u16::from(index),
            ),
        };
        self.lay(machine, &port)?;
        Ok(port)
    }

    fn lay(&self, machine: &Netns, port: &Port) -> Result<()> {
        let Port {
            switch_side,
            interface,
            mac,
            v4,
            v6,
            link_local: _,
        } = port;
        self.ns.sh(&format!(
            "ip link add {switch_side} type veth peer name {interface} address {mac} netns {}",
            machine.name()
        ))?;
        self.ns
            .sh(&format!("ip link set {switch_side} master br0 up"))?;
        machine.sh(&format!("ip addr add {v4}/24 dev {interface}"))?;
        machine.sh(&format!("ip addr add {v6}/64 dev {interface} nodad"))?;
        machine.sh(&format!("ip link set {interface} up"))?;
        // It comes a little later, and what looks before sees a link that is down.
        eventually(CARRIER, "carrier on the machine", || {
            let link = machine.sh(&format!("ip link show dev {interface}")).ok()?;
            link.contains("state UP").then_some(())
        })
    }

    /// Pulls the cable: the machine loses the carrier.
    pub fn cut_cable(&self, port: &Port) -> Result<()> {
        self.ns
            .sh(&format!("ip link set {} down", port.switch_side))
            .map(drop)
    }

    /// Undoes [`Self::cut_cable`] and [`Self::cut_silently`].
    pub fn mend(&self, port: &Port) -> Result<()> {
        self.ns
            .sh(&format!("ip link set {} up", port.switch_side))?;
        // The carrier comes back a little after this, and a port without
        // carrier cannot forward.
        eventually(CARRIER, "carrier on the switch", || {
            self.set_forwarding(port, true).ok()
        })
    }

    /// Loses every frame of the cable both ways while the carrier stays, as a
    /// switch in between that dies does.
    pub fn cut_silently(&self, port: &Port) -> Result<()> {
        self.set_forwarding(port, false)
    }

    /// A switch for [`Self::cut_silently`] that takes one system call.
    ///
    /// # Errors
    /// When the port is not there.
    pub fn cutter(&self, port: &Port) -> Result<BridgePort> {
        self.ns.enter(|| {
            let index = sys::interface_index(&port.switch_side).context("port")?;
            BridgePort::open(index).context("netlink socket")
        })
    }

    fn set_forwarding(&self, port: &Port, forwarding: bool) -> Result<()> {
        // The states of IEEE 802.1D as the bridge numbers them.
        let state = if forwarding { 3 } else { 0 };
        self.ns
            .sh(&format!(
                "bridge link set dev {} state {state}",
                port.switch_side
            ))
            .map(drop)
    }

    /// Loses frames of one direction only, until [`Self::mend_one_way`].
    pub fn cut_one_way(&self, port: &Port, direction: Direction, loss: Loss) -> Result<()> {
        let hook = match direction {
            Direction::FromHost => "ingress",
            Direction::ToHost => "egress",
        };
        let matches: &[&str] = match loss {
            Loss::Everything => &[""],
            Loss::Adverts => &["ip protocol 112", "ip6 nexthdr 112"],
            Loss::Announcements => &["ether type arp", "ip6 nexthdr icmpv6"],
        };
        let table = format!("netdev {}_{hook}", port.switch_side);
        let mut script = format!(
            "add table {table}; add chain {table} c {{ type filter hook {hook} device \"{}\" priority 0; }};",
            port.switch_side
        );
        for rule in matches {
            script.push_str(&format!(" add rule {table} c {rule} counter drop;"));
        }
        self.ns
            .exec(["nft", &script])
            .map(drop)
            .context("one-way loss")
    }

    /// Undoes every [`Self::cut_one_way`] of the switch.
    pub fn mend_one_way(&self) -> Result<()> {
        self.ns.sh("nft flush ruleset").map(drop)
    }

    /// Deletes the machine's interface (and so the cable).
    pub fn delete_interface(&self, machine: &Netns, port: &Port) -> Result<()> {
        machine
            .sh(&format!("ip link del {}", port.interface))
            .map(drop)
    }

    /// Makes the interface again: the same name, MAC and addresses, another index.
    pub fn recreate_interface(&self, machine: &Netns, port: &Port) -> Result<()> {
        self.lay(machine, port)
    }
}

/// A switch with machines, each on `eth0`.
#[derive(Debug)]
pub struct Lan {
    // Before the switch: a namespace that goes takes its end of the cable along.
    pub hosts: Vec<Host>,
    pub switch: Switch,
}

impl Lan {
    /// `count` machines on one switch.
    ///
    /// # Errors
    /// As [`Switch::new`].
    pub fn new(count: usize) -> Result<Self> {
        let mut lan = Self {
            hosts: Vec::new(),
            switch: Switch::new(1)?,
        };
        for _ in 0..count {
            lan.add_host()?;
        }
        Ok(lan)
    }

    /// One more machine; its index.
    ///
    /// # Errors
    /// As [`Switch::new`].
    pub fn add_host(&mut self) -> Result<usize> {
        let ns = Netns::new()?;
        let port = self.switch.connect(&ns, "eth0")?;
        self.hosts.push(Host { ns, port });
        Ok(self.hosts.len() - 1)
    }

    /// The machine with that index, from 0.
    ///
    /// # Panics
    /// When there are fewer: a mistake in the test.
    pub fn host(&self, index: usize) -> &Host {
        &self.hosts[index]
    }

    /// An address of the LAN that no machine has.
    pub fn vip(&self) -> IpAddr {
        Ipv4Addr::new(10, 77, self.switch.number, 100).into()
    }

    /// Likewise, IPv6.
    pub fn vip6(&self) -> IpAddr {
        Ipv6Addr::new(0xfd77, self.switch.number.into(), 0, 0, 0, 0, 0, 0x100).into()
    }

    /// The link-local address that a virtual router in IPv6 has as its first
    /// (RFC 9568 5.2.9).
    pub fn vip6_link_local(&self) -> IpAddr {
        let number = self.switch.number.into();
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, number, 0x100).into()
    }

    pub fn cut_cable(&self, index: usize) -> Result<()> {
        self.switch.cut_cable(&self.host(index).port)
    }

    pub fn cut_silently(&self, index: usize) -> Result<()> {
        self.switch.cut_silently(&self.host(index).port)
    }

    pub fn mend(&self, index: usize) -> Result<()> {
        self.switch.mend(&self.host(index).port)
    }

    pub fn cut_one_way(&self, index: usize, direction: Direction, loss: Loss) -> Result<()> {
        self.switch
            .cut_one_way(&self.host(index).port, direction, loss)
    }

    pub fn mend_one_way(&self) -> Result<()> {
        self.switch.mend_one_way()
    }

    pub fn delete_interface(&self, index: usize) -> Result<()> {
        let host = self.host(index);
        self.switch.delete_interface(&host.ns, &host.port)
    }

    pub fn recreate_interface(&self, index: usize) -> Result<()> {
        let host = self.host(index);
        self.switch.recreate_interface(&host.ns, &host.port)
    }

    /// Which machine's interface has that MAC.
    pub fn host_of(&self, mac: Mac) -> Option<usize> {
        self.hosts.iter().position(|host| host.port.mac == mac)
    }
}

impl Host {
    /// Whether the kernel of this machine has the address now.
    ///
    /// # Errors
    /// When `ip` fails.
    pub fn has_address(&self, address: IpAddr) -> Result<bool> {
        let out = self.ns.sh("ip -o addr show")?;
        let with_length = format!("{address}/");
        Ok(out
            .split_whitespace()
            .any(|word| word.starts_with(&with_length)))
    }
}
