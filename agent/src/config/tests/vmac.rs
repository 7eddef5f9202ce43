//! `use_vmac` and what goes with it.

use super::*;
use crate::config::diff::{Action, Portrait, diff};
use crate::config::model::VirtualMac;
use crate::config::print::{Secrets, print};

fn vmac(text: &str) -> VirtualMac {
    let (config, _) = accepted(text);
    let found = config.instances[0].virtual_mac.clone();
    found.unwrap_or_else(|| panic!("{text}"))
}

fn shown(text: &str) -> String {
    let VirtualMac {
        name,
        mac,
        xmit_base,
        group,
    } = vmac(text);
    format!("{name} {mac:02x?} {xmit_base} {group}")
}

#[test]
fn name_and_address_are_the_standard_ones_unless_given() {
    let v6 = with("native_ipv6\nuse_vmac").replace("192.0.2.1/24", "fe80::1/64");
    for (text, expected) in [
        (with("use_vmac"), "vrrp.5 [00, 00, 5e, 00, 01, 05] false 0"),
        (v6, "vrrp.5 [00, 00, 5e, 00, 02, 05] false 0"),
        (
            with("use_vmac v5 02:0:0:0:0:9 group 7\nvmac_xmit_base"),
            "v5 [02, 00, 00, 00, 00, 09] true 7",
        ),
        (
            with("use_vmac 02:00:00:00:01 netlink_notify_msg"),
            "vrrp.5 [02, 00, 00, 00, 01, 05] false 0",
        ),
        (
            with("use_vmac name group"),
            "group [00, 00, 5e, 00, 01, 05] false 0",
        ),
        (
            with("use_vmac\nunicast_peer {\n192.0.2.9\n}"),
            "vrrp.5 [00, 00, 5e, 00, 01, 05] true 0",
        ),
        (
            with_globals("vmac_prefix vm", "use_vmac"),
            "vm.5 [00, 00, 5e, 00, 01, 05] false 0",
        ),
        (
            with_globals("vrrp_strict\nvrrp_version 3", "use_vmac\nvmac_xmit_base"),
            "vrrp.5 [00, 00, 5e, 00, 01, 05] false 0",
        ),
    ] {
        assert_eq!(shown(&text), expected, "{text}");
    }
}

/// As observed with keepalived.
#[test]
fn names_that_are_taken_are_not_given_twice() {
    let one = |name: &str, lines: &str| with(lines).replace("VI_1", name);
    let text = [
        one("A", "use_vmac"),
        one("B", "use_vmac").replace("192.0.2.1/24", "fe80::1/64"),
        one("C", "use_vmac").replace("eth0", "eth1"),
        one("D", "use_vmac").replace("eth0", "eth2"),
        one("E", "use_vmac vrrp1.5").replace("eth0", "eth3"),
    ]
    .concat();
    let (config, _) = accepted(&text);
    let names = config.instances.iter().map(|one| one.virtual_mac.as_ref());
    let names: Vec<_> = names.map(|vmac| vmac.unwrap().name.to_string()).collect();
    assert_eq!(
        names,
        ["vrrp.5", "vrrp6.5", "vrrp2.5", "vrrp3.5", "vrrp1.5"]
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let one = |name: &str, vrid: &str, lines: &str| {
        with(lines).replace("VI_1", name).replace("_id 5", vrid)
    };
    for text in [
        with("use_vmac 01:00:5e:00:00:12"),
        with("use_vmac name"),
        with("use_vmac group x"),
        with("use_vmac eth0"),
        with_globals("vmac_prefix much_too_long", "use_vmac"),
        one("A", "_id 5", "use_vmac a") + &one("B", "_id 6", "use_vmac a"),
        one("A", "_id 5", "use_vmac 02:00:00:00:00:01")
            + &one("B", "_id 6", "use_vmac 02:00:00:00:00:01"),
    ] {
        assert_eq!(refused(&text).len(), 1, "{text}");
    }
}

#[test]
fn vips_of_the_family_are_on_it_and_others_are_not() {
    let lines = "use_vmac\nvirtual_ipaddress_excluded {\n192.0.2.2/24 dev eth1\nfe80::9/64\n}";
    let (config, _) = accepted(&with(lines));
    let instance = &config.instances[0];
    let homes = instance.vips.iter().map(|vip| instance.home(vip).as_str());
    assert_eq!(homes.collect::<Vec<_>>(), ["vrrp.5", "eth1", "eth0"]);
}

#[test]
fn it_comes_back_when_printed_and_another_one_is_another_router() {
    let lines = "use_vmac v5 02:00:00:00:00:09 group 7\nvmac_xmit_base\nvmac_garp_intvl 10";
    let (config, _) = accepted(&with(lines));
    assert!(config.instances[0].announce.extra.is_some());
    let text = print(&config, Secrets::Shown);
    assert_eq!(accepted(&text).0.instances, config.instances, "{text}");
    let (other, _) = accepted(&with("use_vmac"));
    let portrait = |config: &Config| Portrait::from(config);
    let changes = diff(&portrait(&config), &portrait(&other));
    assert_eq!(changes.instances[0].action, Action::Replaced);
    let (_, codes) = accepted(&with("vmac_xmit_base"));
    assert_eq!(codes, [Code::Conflict]);
    let (none, _) = accepted(&with("vmac_garp_intvl 10"));
    assert_eq!(none.instances[0].announce.extra, None);
}

/// Which interface each VIP is on, and which there are besides the own one.
fn placed(text: &str) -> (Vec<String>, Vec<String>) {
    let (config, _) = accepted(text);
    let instance = &config.instances[0];
    let homes = instance
        .vips
        .iter()
        .map(|vip| instance.home(vip).to_string());
    let links = instance.vip_macs.iter().map(|link| {
        let kind = link.mac[4];
        format!("{} {} {kind}", link.name, link.base)
    });
    // Another agent reads the same out of what is printed.
    let text = print(&config, Secrets::Shown);
    assert_eq!(accepted(&text).0, config, "{text}");
    (homes.collect(), links.collect())
}

const ELSEWHERE: &str = "virtual_ipaddress_excluded {\n192.0.2.2/24 dev eth0\n\
     192.0.2.3/24 dev eth1\n192.0.2.4/24 dev eth1\nfd00::1/64\nfd00::2/64 dev eth1\n}";

/// As observed with keepalived.
#[test]
fn vips_elsewhere_have_interfaces_of_their_own_when_asked_for() {
    let (homes, links) = placed(&with(&format!("use_vmac\nuse_vmac_addr\n{ELSEWHERE}")));
    let expected = [
        "vrrp.5", "vrrp.5", "vrrp1.5", "vrrp1.5", "vrrp6.5", "vrrp2.5",
    ];
    assert_eq!(homes, expected);
    assert_eq!(
        links,
        ["vrrp1.5 eth1 1", "vrrp6.5 eth0 2", "vrrp2.5 eth1 2"]
    );

    let some = ELSEWHERE
        .replace("192.0.2.3/24 dev eth1", "192.0.2.3/24 dev eth1 use_vmac")
        .replace("fd00::1/64", "fd00::1/64 use_vmac");
    let (homes, links) = placed(&with(&some));
    let expected = ["eth0", "eth0", "vrrp.5", "eth1", "vrrp6.5", "eth1"];
    assert_eq!(homes, expected);
    assert_eq!(links, ["vrrp.5 eth1 1", "vrrp6.5 eth0 2"]);

    let text = with_globals(
        "vmac_prefix own\nvmac_addr_prefix other",
        &format!("use_vmac 02:00:00:00:00:09\nuse_vmac_addr\n{ELSEWHERE}"),
    );
    let (homes, links) = placed(&text);
    assert_eq!(homes[..2], ["own.5", "own.5"]);
    assert_eq!(homes[2..], ["other.5", "other.5", "other6.5", "other1.5"]);
    // The MAC address that is given is for its family.
    assert_eq!(
        links,
        ["other.5 eth1 0", "other6.5 eth0 2", "other1.5 eth1 2"]
    );
}

/// keepalived makes a second interface there, which cannot come up.
#[test]
fn a_vip_that_is_there_already_needs_no_other() {
    let lines = "use_vmac\nvirtual_ipaddress_excluded {\n192.0.2.2/24 use_vmac\n}";
    let (config, codes) = accepted(&with(lines));
    assert!(config.instances[0].vip_macs.is_empty());
    assert_eq!(codes, [Code::Conflict]);
    let two = with("virtual_ipaddress_excluded {\n192.0.2.2/24 dev eth1 use_vmac\n}")
        + &with("use_vmac")
            .replace("VI_1", "VI_2")
            .replace("eth0", "eth1");
    assert_eq!(refused(&two)[0].code, Code::Duplicate);
}

#[test]
fn who_tracks_one_tracks_the_link_below() {
    let text = with("use_vmac\ntrack_interface {\nvrrp.6\n}")
        + &with("use_vmac\ntrack_interface {\nvrrp.5 weight 10\nvrrp.6\n}")
            .replace("VI_1", "VI_2")
            .replace("_id 5", "_id 6")
            .replace("eth0", "eth1");
    let (config, codes) = accepted(&text);
    let [first, second] = &config.instances[..] else {
        panic!("{config:?}");
    };
    assert_eq!(first.track_interfaces.len(), 1);
    assert_eq!(first.track_interfaces[0].as_str(), "eth1");
    // It is on that itself.
    assert!(second.track_interfaces.is_empty());
    assert_eq!(&*second.tracks[0].tracker.name, "eth0");
    assert_eq!(codes, [Code::Conflict; 3]);
}

/// keepalived 2.2.7 takes `name` for the name.
#[test]
fn a_name_is_printed_bare_unless_it_means_something_else() {
    for (asked, expected) in [
        ("use_vmac", "use_vmac vrrp.5\n"),
        ("use_vmac name group", "use_vmac name group\n"),
    ] {
        let (config, _) = accepted(&with(asked));
        let text = print(&config, Secrets::Shown);
        assert!(text.contains(expected), "{text}");
        assert_eq!(accepted(&text).0, config, "{text}");
    }
}
