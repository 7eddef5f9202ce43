//! A VIP as keepalived writes it: `10.0.0.1/24 dev eth0 scope global set`.

use std::net::IpAddr;

use crate::config::{Instance, Vip, address::FOREVER, model::AddressOptions};

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
    let AddressOptions {
        peer,
        home,
        detect_duplicates,
        manage_temporary,
        no_prefix_route,
        autojoin,
        // It is in the name of the interface.
        use_vmac: _,
        untracked,
        preferred_lifetime,
    } = &vip.options;
    // The length is the peer's where there is one.
    if vip.prefix != host && peer.is_none() {
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
    if let Some(peer) = peer {
        push(&format!(" peer {peer}/{}", vip.prefix));
    }
    for (on, word) in [
        (home, " home"),
        (detect_duplicates, " -nodad"),
        (manage_temporary, " mngtmpaddr"),
        (no_prefix_route, " noprefixroute"),
        (autojoin, " autojoin"),
        (untracked, " no_track"),
    ] {
        if *on {
            push(word);
        }
    }
    if vip.address.is_ipv6() {
        match preferred_lifetime {
            Some(0) => push(" deprecated"),
            None if vip.prefix == host => push(" deprecated"),
            Some(FOREVER) | None => push(" preferred_lft forever"),
            Some(seconds) => push(&format!(" preferred_lft {seconds}")),
        }
    }
    if set {
        push(" set");
    }
    if set && !instance.accept {
        push(" nftable_set");
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
