//! What values become. Substitutes were observed with keepalived 2.2.7.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr};

use agent_common::{Family, Priority, Version};

use super::{accepted, clean, refused, with, with_globals};
use crate::config::Code;
use crate::config::model::{AnnouncePolicy, Password, Transport, V3Checksum};

fn address(text: &str) -> IpAddr {
    text.parse().expect(text)
}

fn password(text: &str) -> Option<Password> {
    let lines = format!("authentication {{\nauth_type PASS\nauth_pass {text}\n}}");
    accepted(&with(&lines)).0.instances[0].password
}

// proves: F-15, F-20, T-10
#[test]
fn defaults() {
    let instance = clean(&with(""));
    assert_eq!(
        (instance.version, instance.family),
        (Version::V2, Family::V4)
    );
    assert_eq!(
        (instance.priority, instance.interval.centis()),
        (Priority(100), 100)
    );
    assert_eq!(
        (instance.preempt, instance.preempt_delay),
        (true, Duration::ZERO)
    );
    assert_eq!((instance.down_factor, instance.assert_on_lower), (3, true));
    assert_eq!(instance.announce, AnnouncePolicy::default());
}

// proves: T-15
#[test]
fn t15_advert_int_is_substituted_as_keepalived_does() {
    for (version, text, centis, code) in [
        (2, "1", 100, None),
        (2, "255", 25_500, None),
        (2, "0.4", 100, Some(Code::Rounded)),
        (2, "0.5", 100, Some(Code::Rounded)),
        (2, "1.4", 100, Some(Code::Rounded)),
        (2, "1.5", 200, Some(Code::Rounded)),
        (2, "1.4999999", 200, Some(Code::Rounded)),
        (2, "254.6", 25_500, Some(Code::Rounded)),
        (2, "0.001", 100, Some(Code::OutOfRange)),
        (2, "255.1", 100, Some(Code::OutOfRange)),
        (2, "abc", 100, Some(Code::BadValue)),
        (3, "0.01", 1, None),
        (3, "40.95", 4095, None),
        (3, "0.014", 1, Some(Code::Rounded)),
        (3, "0.015", 2, Some(Code::Rounded)),
        (3, "0.9999", 100, Some(Code::Rounded)),
        (3, "40.954", 4095, Some(Code::Rounded)),
        (3, "40.956", 4095, Some(Code::Rounded)),
        (3, "40.96", 4095, Some(Code::OutOfRange)),
        (3, "255", 4095, Some(Code::OutOfRange)),
        (3, "0", 100, Some(Code::OutOfRange)),
    ] {
        let (config, codes) = accepted(&with(&format!("version {version}\nadvert_int {text}")));
        let got = config.instances[0].interval.centis();
        assert_eq!(
            (got, codes.first().copied()),
            (centis, code),
            "v{version} {text}"
        );
    }
}

#[test]
fn versions() {
    let v6 = |text: String| text.replace("192.0.2.1/24", "fe80::1/64");
    assert_eq!(
        clean(&with_globals("vrrp_version 3", "")).version,
        Version::V3
    );
    assert_eq!(
        clean(&with_globals("vrrp_version 3", "version 2")).version,
        Version::V2
    );
    assert_eq!(
        clean(&v6(with_globals("vrrp_version 2", ""))).version,
        Version::V3
    );
    let instance = clean(&v6(with("advert_int 0.5\nnative_ipv6")));
    assert_eq!(
        (instance.version, instance.interval.centis()),
        (Version::V3, 50)
    );
    let (config, codes) = accepted(&v6(with("version 2")));
    assert_eq!(
        (config.instances[0].version, codes),
        (Version::V3, vec![Code::VersionForced])
    );
}

// COMPAT 2.11
// proves: F-14, S-44
#[test]
fn state_master() {
    let owner = clean(&with("state MASTER\nmcast_src_ip 192.0.2.1"));
    assert_eq!(owner.priority, Priority(255));
    assert_eq!(
        clean(&with("state MASTER\npriority 100")).priority,
        Priority(100)
    );
    assert_eq!(
        accepted(&with("state MASTER\npriority x")).0.instances[0].priority,
        Priority(100)
    );
    for lines in [
        "state MASTER\npriority 100",
        "priority 255\nmcast_src_ip 192.0.2.1",
    ] {
        let (config, codes) = accepted(&with(&format!("{lines}\nnopreempt\npreempt_delay 7")));
        let instance = &config.instances[0];
        assert_eq!(
            (instance.preempt, instance.preempt_delay),
            (true, Duration::ZERO)
        );
        assert_eq!(codes, [Code::Conflict; 2]);
    }
}

#[test]
fn preemption() {
    assert!(!clean(&with("nopreempt")).preempt);
    assert!(clean(&with("nopreempt\npreempt")).preempt);
    assert!(!clean(&with("preempt\nnopreempt")).preempt);
    let delay = |text: &str| {
        accepted(&with(&format!("preempt_delay {text}")))
            .0
            .instances[0]
            .preempt_delay
    };
    assert_eq!(delay("0.5"), Duration::from_millis(500));
    assert_eq!(delay("1000"), Duration::from_secs(1000));
    assert_eq!(delay("1001"), Duration::ZERO);
}

// proves: F-27
#[test]
fn f27_passwords() {
    assert_eq!(password("abc"), Some(Password(*b"abc\0\0\0\0\0")));
    assert_eq!(password("12345678"), Some(Password(*b"12345678")));
    assert_eq!(password("123456789"), Some(Password(*b"12345678")));
    assert_eq!(password("\"a b#c\""), Some(Password(*b"a b#c\0\0\0")));
    clean(&with(
        "authentication {\nauth_type PASS\nauth_pass 12345678\n}",
    ));
    assert_eq!(password("a!b"), Some(Password(*b"a\0\0\0\0\0\0\0")));
    assert_eq!(password("'q"), Some(Password(*b"'q\0\0\0\0\0\0")));
    assert_eq!(password("\"\""), None);
}

#[test]
fn switches() {
    assert!(!clean(&with("lower_prio_no_advert")).assert_on_lower);
    assert!(clean(&with("lower_prio_no_advert false")).assert_on_lower);
    let global = "vrrp_lower_prio_no_advert\nvrrp_higher_prio_send_advert on\nvrrp_owner_ignore_adverts yes\nv3_checksum_as_v2 true\nvrrp_down_timer_adverts 4";
    let instance = clean(&with_globals(global, ""));
    assert!(
        !instance.assert_on_lower && instance.higher_prio_send_advert && instance.owner_ignores
    );
    assert_eq!(
        (instance.v3_checksum, instance.down_factor),
        (V3Checksum::MessageOnly, 4)
    );
    let own = "lower_prio_no_advert off\nhigher_prio_send_advert no\nowner_ignore_adverts off\nv3_checksum_as_v2 off\ndown_timer_adverts 5";
    let instance = clean(&with_globals(global, own));
    assert!(
        instance.assert_on_lower && !instance.higher_prio_send_advert && !instance.owner_ignores
    );
    assert_eq!(
        (instance.v3_checksum, instance.down_factor),
        (V3Checksum::PseudoHeader, 5)
    );
}

#[test]
fn announcements_inherit_as_in_keepalived() {
    let seconds = Duration::from_secs;
    let default = AnnouncePolicy::default();
    let global = "vrrp_garp_master_delay 7\nvrrp_garp_master_repeat 3";
    assert_eq!(
        clean(&with_globals(global, "")).announce,
        AnnouncePolicy {
            repeat: 3,
            delay: seconds(7),
            lower_prio_repeat: 3,
            lower_prio_delay: seconds(7),
            ..default
        }
    );
    let own = "garp_master_delay 9\ngarp_master_repeat 2\ngarp_master_refresh 60\ngarp_master_refresh_repeat 4";
    assert_eq!(
        clean(&with(own)).announce,
        AnnouncePolicy {
            repeat: 2,
            delay: seconds(9),
            refresh: Some(seconds(60)),
            refresh_repeat: 4,
            ..default
        }
    );
    let own = "garp_master_delay 0\ngarp_lower_prio_delay 1\ngarp_lower_prio_repeat 0\ngarp_master_refresh 0";
    let announce = clean(&with_globals("vrrp_garp_master_refresh 10", own)).announce;
    assert_eq!(
        announce,
        AnnouncePolicy {
            delay: seconds(0),
            lower_prio_repeat: 0,
            lower_prio_delay: seconds(1),
            ..default
        }
    );
    let many = accepted(&with("garp_master_repeat 300")).0.instances[0]
        .announce
        .repeat;
    assert_eq!(many, 255);
}

#[test]
fn vip_options() {
    let vips = |lines: &str| {
        let text = with(&format!("virtual_ipaddress {{\n{lines}\n}}"));
        accepted(&text).0.instances.remove(0).vips.split_off(1)
    };
    let vip = vips("192.0.2.9/25 brd + dev eth1 scope link label eth1:9").remove(0);
    assert_eq!((vip.prefix, vip.scope), (25, 253));
    assert_eq!(vip.broadcast, Some(Ipv4Addr::new(192, 0, 2, 127)));
    assert_eq!(
        vip.device.map(|device| device.to_string()).as_deref(),
        Some("eth1")
    );
    assert_eq!(vip.label.as_deref(), Some("eth1:9"));
    assert_eq!(
        vips("192.0.2.9/24 brd -")[0].broadcast,
        Some(Ipv4Addr::new(192, 0, 2, 0))
    );
    assert_eq!(
        vips("192.0.2.9/0 broadcast +")[0].broadcast,
        Some(Ipv4Addr::BROADCAST)
    );
    assert_eq!(vips("192.0.2.9 scope 200")[0].scope, 200);
    assert_eq!(vips("192.0.2.9")[0].prefix, 32);
    assert_eq!(vips("192.0.2.9/33")[0].prefix, 32);
}

#[test]
fn excluded_vips_may_be_of_the_other_family() {
    let instance = clean(&with("virtual_ipaddress_excluded {\n2001:db8::1/64\n}"));
    assert_eq!(instance.family, Family::V4);
    let held: Vec<_> = instance
        .vips
        .iter()
        .map(|vip| (vip.prefix, vip.advertised))
        .collect();
    assert_eq!(held, [(24, true), (64, false)]);
}

// proves: F-17
#[test]
fn f17_surplus_vips_are_held_but_not_advertised() {
    let lines: String = (0..300)
        .map(|n| format!("198.51.{}.{}\n", n / 200, n % 200 + 1))
        .collect();
    let (config, _) = accepted(&with(&format!("virtual_ipaddress {{\n{lines}}}")));
    let vips = &config.instances[0].vips;
    assert_eq!(vips.len(), 301);
    assert!(vips[..255].iter().all(|vip| vip.advertised));
    assert!(vips[255..].iter().all(|vip| !vip.advertised));
}

// proves: R-26
#[test]
fn r26_unicast_checks_the_source_unless_told_not_to() {
    let peers = "unicast_peer {\n192.0.2.3\n}";
    let check = |globals: &str, more: &str| match clean(&with_globals(
        globals,
        &format!("{peers}\n{more}"),
    ))
    .transport
    {
        Transport::Unicast { check_source, .. } => check_source,
        Transport::Multicast { .. } => panic!("multicast"),
    };
    assert!(check("", ""));
    assert!(!check("", "check_unicast_src off"));
    assert!(!check("vrrp_check_unicast_src off", ""));
    assert!(check("vrrp_check_unicast_src off", "check_unicast_src"));
}

#[test]
fn sources() {
    let transport = |lines: &str| accepted(&with(lines)).0.instances.remove(0).transport;
    let source = Some(address("192.0.2.7"));
    assert_eq!(
        transport("mcast_src_ip 192.0.2.7"),
        Transport::Multicast { source }
    );
    assert_eq!(
        transport("unicast_src_ip 192.0.2.7"),
        Transport::Multicast { source }
    );
    let unicast = transport("unicast_src_ip 192.0.2.7\nunicast_peer\n{\n192.0.2.8\n192.0.2.7\n}");
    let peers = vec![address("192.0.2.8")];
    assert_eq!(
        unicast,
        Transport::Unicast {
            source,
            peers,
            check_source: true
        }
    );
}

#[test]
fn global_defs_count_wherever_they_stand() {
    let text = format!(
        "{}global_defs {{\nvrrp_version 3\nrouter_id \"a b\"\n}}",
        with("")
    );
    let (config, _) = accepted(&text);
    assert_eq!(config.router_id.as_deref(), Some("a b"));
    assert_eq!(config.instances[0].version, Version::V3);
}

#[test]
fn one_vrid_in_two_families_and_on_two_interfaces() {
    let other = |from: &str, to: &str| with("").replace("VI_1", to).replace(from, to);
    let text = with("") + &other("eth0", "eth1") + &other("192.0.2.1/24", "fe80::1");
    assert_eq!(accepted(&text).0.instances.len(), 3);
}

#[test]
fn only_the_odd_vip_is_wrong() {
    let errors = refused(&with("virtual_ipaddress {\nfe80::1\n192.0.2.8\n}"));
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].line, errors[0].code), (8, Code::WrongFamily));
}

#[test]
fn a_script_runs_as_its_user_else_as_script_user() {
    let text = "global_defs {\n script_user alice staff\n enable_script_security\n}\n\
        vrrp_script own {\n script /bin/true\n user bob\n}\n\
        vrrp_script other {\n script /bin/true\n}\n\
        vrrp_instance VI {\n interface eth0\n virtual_router_id 5\n\
        virtual_ipaddress {\n 192.0.2.1\n }\n track_script {\n own\n other\n }\n}\n";
    let config = crate::config::parse_str("a.conf", text).config;
    let users: Vec<_> = config
        .iter()
        .flat_map(|config| &config.trackers.scripts)
        .filter_map(|script| script.run_as.as_ref())
        .map(|run_as| (run_as.user.as_str(), run_as.group.as_deref()))
        .collect();
    assert_eq!(users, [("bob", None), ("alice", Some("staff"))]);
}
