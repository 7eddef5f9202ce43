//! Routes and rules: what is written, what is understood, and what is printed.

use crate::config::parse_str;
use crate::config::print::{Secrets, print, route_line, rule_line};

fn file(routes: &str, rules: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n\
         192.0.2.1/24\n}}\nvirtual_routes {{\n{routes}\n}}\nvirtual_rules {{\n{rules}\n}}\n}}\n"
    )
}

#[test]
fn a_line_says_in_numbers_what_the_file_says() {
    for (given, expected) in [
        (
            "default via 192.0.2.9 dev eth0",
            "0.0.0.0/0 via 192.0.2.9 dev eth0",
        ),
        (
            "src 192.0.2.1 to 10.1.2.3/16 dev eth0",
            "10.1.0.0/16 dev eth0 src 192.0.2.1",
        ),
        (
            "10.0.0.0/8 gw 192.0.2.9 oif eth0 table main",
            "10.0.0.0/8 via 192.0.2.9 dev eth0",
        ),
        (
            "10.0.0.0/8 dev eth0 scope link priority 3",
            "10.0.0.0/8 dev eth0 scope 253 metric 3",
        ),
        (
            "local 10.0.0.0/8 dev eth0",
            "local 10.0.0.0/8 dev eth0 scope 254",
        ),
        (
            "inet6 default via fe80::1 dev eth0",
            "::/0 via fe80::1 dev eth0",
        ),
        (
            "10.0.0.0/8 via inet6 fe80::1 dev eth0",
            "10.0.0.0/8 via fe80::1 dev eth0",
        ),
        (
            "10.0.0.0/8 dev eth0 rtt 2s rttvar 5ms mtu lock 1400 quickack 1 features ecn",
            "10.0.0.0/8 dev eth0 mtu lock 1400 rtt 2000 rttvar 5 features ecn quickack 1",
        ),
        (
            "10.0.0.0/8 nexthop via 192.0.2.8 weight 2 nexthop dev eth0 onlink no_track",
            "10.0.0.0/8 no_track nexthop via 192.0.2.8 weight 2 nexthop dev eth0 onlink",
        ),
        (
            "10.0.0.0/8 via 192.0.2.8 or 192.0.2.9",
            "10.0.0.0/8 nexthop via 192.0.2.8 nexthop via 192.0.2.9",
        ),
        (
            "blackhole 10.0.0.0/8 realms 3/4 pref low append",
            "blackhole 10.0.0.0/8 realms 3/4 pref low append",
        ),
        (
            "2001:db8::/32 dev eth0 expires 9 ttl-propagate disabled congctl lock cubic",
            "2001:db8::/32 dev eth0 congctl lock cubic expires 9 ttl-propagate disabled",
        ),
    ] {
        let loaded = parse_str("a", &file(given, ""));
        let config = loaded.config.unwrap();
        let lines: Vec<_> = config.instances[0]
            .paths
            .routes
            .iter()
            .map(route_line)
            .collect();
        assert_eq!(lines, [expected], "{given}: {:?}", loaded.diagnostics);
        let again = parse_str("a", &print(&config, Secrets::Shown)).config;
        assert_eq!(again, Some(config), "{given}");
    }
}

#[test]
fn a_rule_says_in_numbers_what_the_file_says() {
    for (given, expected) in [
        (
            "from 10.1.0.0/16 lookup main order 7",
            "from 10.1.0.0/16 priority 7 table 254",
        ),
        ("table 5", "priority 16384 table 5"),
        ("inet6 blackhole pref 3", "inet6 priority 3 blackhole"),
        (
            "not from all to 10.0.0.0/8 iif a oif b fwmark 7 realms 3 goto 9 priority 8",
            "not to 10.0.0.0/8 iif a oif b fwmark 0x7/0xffffffff realms 3 priority 8 goto 9",
        ),
        (
            "table 5 sup_pl 8 sup_group 2 uidrange 1-9 tunnel-id 7 ipproto tcp sport 80 dport 1-2 pref 4",
            "priority 4 table 5 suppress_prefixlength 8 suppress_ifgroup 2 uidrange 1-9 tunnel-id 7 \
             ipproto 6 sport 80 dport 1-2",
        ),
        (
            "l3mdev type prohibit tos 8 no_track protocol boot pref 2",
            "tos 8 priority 2 prohibit protocol 3 no_track",
        ),
    ] {
        let loaded = parse_str("a", &file("", given));
        let config = loaded.config.unwrap();
        let lines: Vec<_> = config.instances[0]
            .paths
            .rules
            .iter()
            .map(rule_line)
            .collect();
        assert_eq!(lines, [expected], "{given}: {:?}", loaded.diagnostics);
        let again = parse_str("a", &print(&config, Secrets::Shown)).config;
        assert_eq!(again, Some(config), "{given}");
    }
}

/// A wrong line is left out, as with keepalived, and nothing else is.
#[test]
fn a_wrong_line_takes_no_other_along() {
    for wrong in [
        "10.0.0.0/8",
        "10.0.0.0/8 dev",
        "10.0.0.0/33 dev eth0",
        "10.0.0.0/8 dev eth0 mtu x",
        "10.0.0.0/8 dev eth0 hoplimit 256",
        "10.0.0.0/8 dev eth0 rtt 4294967295s",
        "2001:db8::/32 via 192.0.2.1",
        "10.0.0.0/8 nexthop weight 3",
        "10.0.0.0/8 nexthop dev eth0 weight 0",
        "10.0.0.0/8 dev eth0 table 4294967296",
    ] {
        let loaded = parse_str("a", &file(&format!("{wrong}\n10.9.0.0/16 dev eth0"), ""));
        let routes = loaded
            .config
            .map(|config| config.instances[0].paths.routes.len());
        assert_eq!(routes, Some(1), "{wrong}");
        assert_eq!(
            loaded.diagnostics.len(),
            1,
            "{wrong}: {:?}",
            loaded.diagnostics
        );
    }
}
