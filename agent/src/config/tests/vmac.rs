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
        ["vrrp.5", "vrrp6.5", "vrrp4.5", "vrrp2.5", "vrrp1.5"]
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
