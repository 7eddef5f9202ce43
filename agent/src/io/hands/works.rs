//! What an instance has the hands do, serialised beforehand.

use std::net::IpAddr;

use crate::io::{
    announce::AnnouncePlan,
    netlink::{batch::AddressPlan, paths::PathPlan},
};

/// VIPs, routes and announcements of one instance on the links that it has.
#[derive(Debug)]
pub struct Works {
    pub addresses: AddressPlan,
    pub paths: PathPlan,
    pub announce: AnnouncePlan,
    /// Each VIP and its link, by number.
    pub vips: Vec<(u32, IpAddr)>,
    /// The link of the instance itself.
    pub ifindex: u32,
    /// Some VIPs are on links that are up only while they are there.
    pub has_links: bool,
}
