//! A VIP as keepalived writes it: `10.0.0.1/24 dev eth0 scope global set`.

use std::net::IpAddr;

use crate::config::{Instance, Vip};

/// `set` says that the address is on the interface as far as we know.
pub fn text(vip: &Vip, instance: &Instance, set: bool) -> String {
    let mut text = vip.address.to_string();
    let host = match vip.address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    let mut push = |part: &str| {
        text.push_str(part);
    };
    if vip.prefix != host {
        push(&format!("/{}", vip.prefix));
    }
    if let Some(broadcast) = vip.broadcast {
        push(&format!(" brd {broadcast}"));
    }
    let device = instance.home(vip);
    push(&format!(" dev {device} scope {}", scope(vip.scope)));
    if let Some(label) = &vip.label {
        push(&format!(" label {label}"));
    }
    if vip.address.is_ipv6() {
        push(match vip.prefix == host {
            true => " deprecated",
            false => " preferred_lft forever",
        });
    }
    if set {
        push(" set");
    }
    text
}

/// By iproute2's names where there is one.
fn scope(scope: u8) -> String {
    match scope {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        255 => "nowhere".to_owned(),
        number => number.to_string(),
    }
}
