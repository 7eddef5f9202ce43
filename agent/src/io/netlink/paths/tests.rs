//! Routes and rules as bytes, beside what iproute2 makes of the same words.

use super::*;
use crate::config::parse_str;

fn plan(route: &str, rule: &str) -> PathPlan {
    let text = format!(
        "static_routes {{\n{route}\n}}\nstatic_rules {{\n{rule}\n}}\nvrrp_instance VI_1 {{\n\
         interface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n192.0.2.1\n}}\n}}\n"
    );
    let config = parse_str("a", &text).config.expect("a configuration");
    PathPlan::new(&config.static_paths, |name| {
        (name.as_str() == "eth0").then_some(7)
    })
}

#[test]
fn a_route_waits_for_its_interface() {
    assert!(!plan("10.0.0.0/8 dev eth0", "").is_incomplete());
    let waiting = plan("10.0.0.0/8 dev eth1", "");
    assert!(waiting.is_incomplete() && waiting.is_empty());
}

#[test]
fn only_the_last_message_asks_for_an_answer_and_each_has_its_number() {
    let plan = plan(
        "10.1.0.0/16 dev eth0\n10.2.0.0/16 dev eth0",
        "from 10.1.0.0/16 table 9 priority 5",
    );
    let found: Vec<_> = crate::io::netlink::monitor::messages(plan.all.as_bytes())
        .map(|message| (message.kind, message.sequence & 0xffff))
        .collect();
    assert_eq!(found, [(24, 0), (24, 1), (32, 2)]);
    let removals: Vec<u16> = crate::io::netlink::monitor::messages(plan.remove.as_bytes())
        .map(|message| message.kind)
        .collect();
    assert_eq!(removals, [33, 25, 25], "rules go before their tables");
}

#[test]
fn a_removal_is_known_by_what_a_route_is_known_by() {
    let with = plan("10.1.0.0/16 dev eth0 mtu 1400 realms 3", "");
    let without = plan("10.1.0.0/16 dev eth0", "");
    let removal = |plan: &PathPlan| plan.removals().next().map(<[u8]>::to_vec);
    assert_eq!(removal(&with), removal(&without));
    assert_ne!(with, without);
}

#[test]
fn nothing_but_removals_is_sent_for_somebody_else() {
    let plan = plan("10.1.0.0/16 dev eth0", "");
    let mut socket = CommandSocket::open().unwrap();
    for message in [plan.all.as_bytes(), &[], &[0; 16]] {
        let refused = socket.remove_path(message).map_err(|error| error.kind());
        assert_eq!(refused, Err(io::ErrorKind::InvalidInput));
    }
}
