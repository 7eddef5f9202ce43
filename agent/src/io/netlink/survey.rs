//! A picture of all links and addresses, asked for in the slow lane.

use std::net::IpAddr;

use futures_util::StreamExt;
use rtnetlink::{
    Handle,
    packet_core::{NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload},
    packet_route::{
        RouteNetlinkMessage,
        address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage},
        link::{
            AfSpecInet, AfSpecUnspec, InfoKind, InfoPortKind, LinkAttribute, LinkInfo, LinkMessage,
        },
    },
};

use super::monitor;

/// Dumps that may be disturbed one after the other.
const ATTEMPTS: usize = 10;

/// One link as the kernel has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    pub ifindex: u32,
    pub name: String,
    /// Up and with a carrier.
    pub usable: bool,
    /// It may be down for a while before that counts: whoever needs it must
    /// not give up at the first sign.
    pub patient: bool,
    /// All zero where the link has no Ethernet address.
    pub mac: [u8; 6],
    pub mtu: u32,
    /// For a VLAN device: the link it is on.
    pub vlan_of: Option<u32>,
    /// IPv4: the removal of an address leaves the others of its subnet.
    pub promotes: bool,
    /// For a macvlan interface: the link it is on.
    pub macvlan_of: Option<u32>,
    /// The VRF device that it belongs to.
    pub vrf: Option<u32>,
    /// IFLA_IFALIAS, empty without one.
    pub alias: String,
}

/// One address as the kernel has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    pub ifindex: u32,
    pub address: IpAddr,
    pub prefix: u8,
    /// The other end, where the address is one of two of a link.
    pub peer: Option<IpAddr>,
    /// Who set it (Linux 5.18), 0 where nobody says.
    pub protocol: u8,
    pub secondary: bool,
    /// Not usable as a source yet, or never: tentative or failed detection.
    pub tentative: bool,
}

/// Links and addresses at one time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct World {
    pub links: Vec<Link>,
    pub addresses: Vec<Address>,
    /// net.ipv6.conf.all.forwarding: the R flag of our NAs (D-21).
    pub forwards_v6: bool,
}

impl World {
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// Addresses of a link in the kernel's order: the primary one comes first.
    pub fn addresses_on(&self, ifindex: u32) -> impl Iterator<Item = &Address> {
        self.addresses
            .iter()
            .filter(move |address| address.ifindex == ifindex)
    }
}

/// Asks the kernel; a dump that was disturbed by a change is asked for again.
pub async fn survey(handle: &Handle) -> Result<World, rtnetlink::Error> {
    let mut world = World::default();
    let links = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let addresses = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    for question in [links, addresses] {
        for answer in dump(handle, question).await? {
            match answer {
                RouteNetlinkMessage::NewLink(found) => world.links.push(link(found)),
                RouteNetlinkMessage::NewAddress(found) => world.addresses.extend(address(found)),
                _ => {}
            }
        }
    }
    Ok(World {
        forwards_v6: std::fs::read("/proc/sys/net/ipv6/conf/all/forwarding")
            .is_ok_and(|value| value.trim_ascii() == b"1"),
        ..world
    })
}

/// One dump. What the kernel marks as interrupted may lack an entry that was
/// there all the time, which would be a fault of whoever needs it.
async fn dump(
    handle: &Handle,
    question: RouteNetlinkMessage,
) -> Result<Vec<RouteNetlinkMessage>, rtnetlink::Error> {
    let mut answers = Vec::new();
    for _ in 0..ATTEMPTS {
        answers.clear();
        let mut disturbed = false;
        let mut request = NetlinkMessage::from(question.clone());
        request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut responses = handle.clone().request(request)?;
        while let Some(response) = responses.next().await {
            disturbed |= response.header.flags & NLM_F_DUMP_INTR != 0;
            match response.payload {
                NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                NetlinkPayload::Error(error) => {
                    return Err(rtnetlink::Error::NetlinkError(error));
                }
                _ => {}
            }
        }
        if !disturbed {
            break;
        }
    }
    // Changes without end: the next of them makes us look again.
    Ok(answers)
}

fn link(message: LinkMessage) -> Link {
    let mut link = Link {
        ifindex: message.header.index,
        name: String::new(),
        usable: monitor::usable(message.header.flags.bits()),
        patient: false,
        mac: [0; 6],
        mtu: 0,
        vlan_of: None,
        promotes: false,
        macvlan_of: None,
        vrf: None,
        alias: String::new(),
    };
    let (mut below, mut is_vlan, mut is_macvlan) = (None, false, false);
    let (mut above, mut in_vrf) = (None, false);
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Address(bytes) => link.mac = bytes.try_into().unwrap_or_default(),
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::AfSpecUnspec(specs) => link.promotes = promotes(&specs),
            LinkAttribute::IfAlias(alias) => link.alias = alias,
            LinkAttribute::Link(ifindex) => below = Some(ifindex),
            LinkAttribute::Controller(ifindex) => above = Some(ifindex),
            LinkAttribute::LinkInfo(infos) => {
                let is = |kind| infos.contains(&LinkInfo::Kind(kind));
                is_vlan = is(InfoKind::Vlan);
                is_macvlan = is(InfoKind::MacVlan);
                in_vrf = infos.contains(&LinkInfo::PortKind(InfoPortKind::Vrf));
            }
            _ => {}
        }
    }
    link.vlan_of = below.filter(|_| is_vlan);
    link.macvlan_of = below.filter(|_| is_macvlan);
    link.vrf = above.filter(|_| in_vrf);
    link
}

fn promotes(specs: &[AfSpecUnspec]) -> bool {
    let inet = specs.iter().find_map(|spec| match spec {
        AfSpecUnspec::Inet(inet) => Some(inet),
        _ => None,
    });
    inet.into_iter()
        .flatten()
        .any(|conf| matches!(conf, AfSpecInet::DevConf(conf) if conf.promote_secondaries != 0))
}

fn address(message: AddressMessage) -> Option<Address> {
    let mut flags = AddressFlags::from_bits_retain(u32::from(message.header.flags.bits()));
    let (mut local, mut other, mut protocol) = (None, None, 0);
    for attribute in message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(address),
            AddressAttribute::Address(address) => other = Some(address),
            AddressAttribute::Flags(all) => flags = all,
            AddressAttribute::Protocol(by) => protocol = by.into(),
            _ => {}
        }
    }
    Some(Address {
        ifindex: message.header.index,
        address: local.or(other)?,
        prefix: message.header.prefix_len,
        peer: other.filter(|other| local.is_some_and(|local| local != *other)),
        protocol,
        secondary: message.header.flags.contains(AddressHeaderFlags::Secondary),
        tentative: flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed),
    })
}
