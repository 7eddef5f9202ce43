//! What address lines become. Substitutes were observed with keepalived 2.2.7.

use agent_common::{Family, Version};

use super::{accepted, clean, codes, refused, with, with_globals};
use crate::config::address::{AddressOptions, FOREVER, Firewall};
use crate::config::{Code, StaticAddress, Vip};

/// The second VIP of a file, and what is said of it.
fn vip(line: &str) -> (Vip, Vec<Code>) {
    let block = format!("virtual_ipaddress_excluded {{\n{line}\n}}");
    let (config, codes) = accepted(&with(&block));
    let codes = codes.into_iter().filter(|code| *code != Code::NoPrefix);
    (config.instances[0].vips[1].clone(), codes.collect())
}

fn options(line: &str) -> AddressOptions {
    let (vip, codes) = vip(line);
    assert_eq!(codes, [], "{line}");
    vip.options
}

#[test]
fn each_option_is_kept() {
    let none = AddressOptions::default();
    for (words, expected) in [
        ("", none),
        ("home", AddressOptions { home: true, ..none }),
        (
            "-nodad",
            AddressOptions {
                detect_duplicates: true,
                ..none
            },
        ),
        (
            "mngtmpaddr",
            AddressOptions {
                manage_temporary: true,
                ..none
            },
        ),
        (
            "noprefixroute",
            AddressOptions {
                no_prefix_route: true,
                ..none
            },
        ),
        (
            "no_track",
            AddressOptions {
                untracked: true,
                ..none
            },
        ),
        (
            "preferred_lft 7",
            AddressOptions {
                preferred_lifetime: Some(7),
                ..none
            },
        ),
        (
            "preferred_lft forever",
            AddressOptions {
                preferred_lifetime: Some(FOREVER),
                ..none
            },
        ),
    ] {
        let found = options(&format!("fd00::1/64 {words}"));
        assert_eq!(found, expected, "{words}");
        // As the words of a diff it says the same.
        assert_eq!(found.words().trim_start(), words);
    }
    assert!(options("224.0.0.200 autojoin").autojoin);
    assert!(options("ff02::77 autojoin").autojoin);
}

#[test]
fn a_peer_brings_the_prefix() {
    for (line, peer, prefix, expected) in [
        ("10.0.0.1 peer 10.0.9.1", Some("10.0.9.1"), 32, vec![]),
        ("10.0.0.1 peer 10.0.9.1/30", Some("10.0.9.1"), 30, vec![]),
        ("fd00::1 peer fd01::1", Some("fd01::1"), 128, vec![]),
        (
            "10.0.0.1/24 peer 10.0.9.1",
            Some("10.0.9.1"),
            32,
            vec![Code::Conflict],
        ),
        (
            "10.0.0.1/24 peer fd00::1",
            None,
            24,
            vec![Code::WrongFamily],
        ),
        ("10.0.0.1/24 peer x", None, 24, vec![Code::BadValue]),
        (
            "10.0.0.1/24 peer 10.0.9.1/33",
            None,
            24,
            vec![Code::BadValue],
        ),
    ] {
        let (vip, codes) = vip(line);
        let peer = peer.map(|peer| peer.parse().unwrap());
        assert_eq!(
            (vip.options.peer, vip.prefix, codes),
            (peer, prefix, expected),
            "{line}"
        );
    }
}

/// What the kernel would refuse, or nobody would notice.
#[test]
fn what_does_not_fit_the_address_is_left_out_and_told() {
    for (line, expected) in [
        ("10.0.0.1/24 home", Code::WrongFamily),
        ("10.0.0.1/24 -nodad", Code::WrongFamily),
        ("10.0.0.1/24 mngtmpaddr", Code::WrongFamily),
        ("10.0.0.1/24 preferred_lft 5", Code::WrongFamily),
        ("10.0.0.1/24 autojoin", Code::Conflict),
        ("fd00::1/64 autojoin", Code::Conflict),
        ("fd00::1/65 mngtmpaddr", Code::Conflict),
        ("fd00::1/64 nodad", Code::ExtraWords),
        ("fd00::1/64 track_group x", Code::ExtraWords),
        ("fd00::1/64 preferred_lft x", Code::BadValue),
    ] {
        let (vip, codes) = vip(line);
        assert_eq!(vip.options, AddressOptions::default(), "{line}");
        assert_eq!(codes.first(), Some(&expected), "{line}");
    }
    let group = with("virtual_ipaddress_excluded {\n224.0.0.200\n}");
    assert_eq!(refused(&group)[0].code, Code::BadAddress);
}

#[test]
fn static_addresses_of_all_blocks_count_once() {
    let text = format!(
        "static_ipaddress {{\n192.0.2.5/24 dev lo no_track\n192.0.2.5/24 dev lo\n192.0.2.6\n}}\n\
         {}static_ipaddress {{\nfd00::1/64 dev eth1\n}}\n",
        with("")
    );
    let (config, codes) = accepted(&text);
    assert_eq!(codes, [Code::Duplicate, Code::Incomplete]);
    let found: Vec<_> = config
        .static_addresses
        .iter()
        .map(|StaticAddress(vip)| {
            let device = vip.device.as_ref().map(ToString::to_string);
            (vip.address.to_string(), vip.prefix, device.unwrap())
        })
        .collect();
    let expected = [
        ("192.0.2.5", 24, "lo"),
        ("192.0.2.6", 32, "eth0"),
        ("fd00::1", 64, "eth1"),
    ];
    let expected = expected.map(|(a, p, d)| (a.to_owned(), p, d.to_owned()));
    assert_eq!(found, expected);
    let StaticAddress(first) = &config.static_addresses[0];
    assert!(first.options.untracked);
    let wrong = format!("static_ipaddress {{\nx dev lo\n}}\n{}", with(""));
    assert_eq!(refused(&wrong)[0].code, Code::BadAddress);
}

#[test]
fn a_static_address_without_dev_is_on_the_default_interface() {
    let addresses = "static_ipaddress {\n192.0.2.5/24\n192.0.2.6/24 dev lo\n}\n";
    let global = "global_defs {\ndefault_interface eth7\n}\n";
    // Wherever it stands, as with keepalived, which reads global_defs first.
    for text in [
        format!("{global}{addresses}{}", with("")),
        format!("{addresses}{global}{}", with("")),
    ] {
        let (config, codes) = accepted(&text);
        assert_eq!(codes, [], "{text}");
        let devices = config.static_addresses.iter();
        let devices = devices.map(|StaticAddress(vip)| vip.device.clone().unwrap().to_string());
        assert_eq!(devices.collect::<Vec<_>>(), ["eth7", "lo"], "{text}");
    }
    // An instance has to name its own.
    let without = with("").replace("interface eth0", "");
    let found = refused(&format!("{global}{without}"));
    assert_eq!(found[0].code, Code::MissingInterface);
    let wrong = format!("global_defs {{\ndefault_interface a/b\n}}\n{}", with(""));
    assert_eq!(refused(&wrong)[0].code, Code::BadInterface);
}

#[test]
fn a_track_group_tells_its_instances_of_its_addresses() {
    let text = |group: &str, more: &str| {
        format!(
            "static_ipaddress {{\n192.0.2.5/24 dev lo track_group {group} {more}\n}}\n\
             track_group G {{\ngroup {{\nVI_1\n}}\n}}\n{}",
            with("")
        )
    };
    let (config, codes) = accepted(&text("G", ""));
    assert_eq!(codes, []);
    assert_eq!(
        config.instances[0].tracked_addresses,
        config.static_addresses
    );
    for (text, expected) in [
        (text("H", ""), Code::UnknownName),
        (text("G", "no_track"), Code::Conflict),
        (
            text("G", "").replace("VI_1\n}\n}", "}\n}"),
            Code::Incomplete,
        ),
    ] {
        let (config, codes) = accepted(&text);
        assert_eq!(codes, [expected], "{text}");
        assert_eq!(config.instances[0].tracked_addresses, []);
    }
}

#[test]
fn the_last_of_accept_and_no_accept_counts_but_not_for_the_owner() {
    for (lines, accept) in [
        ("", true),
        ("accept", true),
        ("no_accept", false),
        ("no_accept\naccept", true),
        ("accept\nno_accept", false),
    ] {
        assert_eq!(clean(&with(lines)).accept, accept, "{lines}");
    }
    let (config, codes) = accepted(&with("priority 255\nno_accept"));
    assert!(config.instances[0].accept);
    assert!(codes.contains(&Code::Conflict), "{codes:?}");
}

#[test]
fn the_firewall_is_what_global_defs_say() {
    let (config, _) = accepted(&with(""));
    assert_eq!(config.firewall, Firewall::default());
    let globals = "nftables mine\nnftables_priority -7\nnftables_ifindex\nnftables_counters";
    let (config, codes) = accepted(&with_globals(globals, "no_accept"));
    assert_eq!(codes, []);
    let expected = Firewall {
        table: "mine".into(),
        priority: -7,
        by_index: true,
        counters: true,
    };
    assert_eq!(config.firewall, expected);
    let (config, codes) = accepted(&with_globals("nftables", ""));
    assert_eq!((config.firewall, codes), (Firewall::default(), vec![]));
    for bad in ["nftables 7up", "nftables a/b", "nftables_priority x"] {
        let (config, codes) = accepted(&with_globals(bad, ""));
        assert_eq!(
            (config.firewall, codes),
            (Firewall::default(), vec![Code::BadValue])
        );
    }
}

// F-17: only a v2 advert may carry no address.
// proves: F-17
#[test]
fn f17_no_vips_where_that_is_said_and_in_v2_only() {
    let bare = |lines: &str| {
        format!("vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 5\n{lines}\n}}\n")
    };
    let instance = clean(&bare("no_virtual_ipaddress"));
    assert_eq!(
        (instance.version, instance.family),
        (Version::V2, Family::V4)
    );
    assert_eq!(instance.vips, []);
    for lines in [
        "",
        "no_virtual_ipaddress\nversion 3",
        "no_virtual_ipaddress\nnative_ipv6",
    ] {
        let found = codes(&bare(lines));
        assert!(found.contains(&Code::NoVip), "{lines}: {found:?}");
    }
}
