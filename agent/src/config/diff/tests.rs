//! Instances are matched as peers know them, and every value is compared.

use super::*;
use crate::config::parse_str;

fn portrait(text: &str) -> Portrait {
    let loaded = parse_str("test.conf", text);
    (&loaded.config.expect("a configuration")).into()
}

/// One instance with `lines` on top of what it must have.
fn instance(name: &str, vrid: u8, lines: &str) -> String {
    let vips = match lines.contains("virtual_ipaddress {") {
        true => "",
        false => "virtual_ipaddress {\n10.0.0.1/24\n}\n",
    };
    format!(
        "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n{lines}\n{vips}}}\n"
    )
}

fn one(lines: &str) -> Portrait {
    portrait(&instance("VI_1", 51, lines))
}

fn between(old: &Portrait, new: &Portrait) -> (Action, Vec<String>) {
    let changes = diff(old, new);
    let [delta] = changes.instances.as_slice() else {
        panic!("{changes:?}");
    };
    let lines = delta.changes.iter().map(ToString::to_string).collect();
    (delta.action, lines)
}

#[test]
fn the_same_file_changes_nothing() {
    let file = format!(
        "{}{}",
        instance(
            "VI_1",
            51,
            "priority 150\nadvert_int 2\nauthentication {\nauth_type PASS\nauth_pass abc\n}"
        ),
        instance("VI_2", 52, "unicast_peer {\n10.0.0.9\n}"),
    );
    let changes = diff(&portrait(&file), &portrait(&file));
    assert!(changes.is_empty(), "{changes:?}");
    assert_eq!(changes.to_string(), "2 instances unchanged\n");
}

/// Every value that can be written, in a file with it and one without.
#[test]
fn each_keyword_is_a_change_of_its_own() {
    for (lines, expected) in [
        ("priority 150", "priority: 100 -> 150"),
        ("advert_int 2", "advert_int: 1 s -> 2 s"),
        ("nopreempt", "preempt: true -> false"),
        ("preempt_delay 5", "preempt_delay: 0 s -> 5 s"),
        ("down_timer_adverts 5", "down_timer_adverts: 3 -> 5"),
        (
            "higher_prio_send_advert off",
            "higher_prio_send_advert: true -> false",
        ),
        ("garp_master_repeat 2", "garp_master_repeat: 5 -> 2"),
        ("garp_master_delay 1", "garp_master_delay: 5 s -> 1 s"),
        ("garp_master_refresh 9", "garp_master_refresh: +9 s"),
        ("track_interface {\neth1\n}", "track_interface: +eth1"),
        ("mcast_src_ip 10.0.0.2", "mcast_src_ip: +10.0.0.2"),
    ] {
        let (action, changes) = between(&one(""), &one(lines));
        assert_eq!(
            (action, changes),
            (Action::Changed, vec![expected.to_owned()]),
            "{lines}"
        );
        let (action, changes) = between(&one(lines), &one(""));
        assert_eq!((action, changes.len()), (Action::Changed, 1), "{lines}");
    }
}

#[test]
fn vips_are_compared_one_by_one() {
    let with = |vips: &str| one(&format!("virtual_ipaddress {{\n{vips}\n}}"));
    let (action, changes) = between(
        &with("10.0.0.1/24\n10.0.0.2/24\n10.0.0.3"),
        &with("10.0.0.1/24\n10.0.0.2/25 dev eth1\n10.0.0.4"),
    );
    assert_eq!(action, Action::Changed);
    let expected =
        "virtual_ipaddress: -10.0.0.2/24 -10.0.0.3/32 +10.0.0.2/25 dev eth1 +10.0.0.4/32";
    assert_eq!(changes, [expected]);
    let (action, changes) = between(&with("10.0.0.1\n10.0.0.2"), &with("10.0.0.2\n10.0.0.1"));
    assert_eq!(
        (action, changes),
        (
            Action::Changed,
            vec!["virtual_ipaddress: another order".to_owned()]
        )
    );
}

/// COMPAT 2.17: by VRID, family, interface and kind of transport.
#[test]
fn another_name_is_the_same_virtual_router() {
    let (action, changes) = between(
        &one("priority 150"),
        &portrait(&instance("VI_9", 51, "priority 150")),
    );
    assert_eq!(
        (action, changes),
        (Action::Changed, vec!["name: VI_1 -> VI_9".to_owned()])
    );
}

#[test]
fn names_that_change_places_change_nothing_else() {
    let old = portrait(&(instance("A", 1, "") + &instance("B", 2, "")));
    let new = portrait(&(instance("B", 1, "") + &instance("A", 2, "")));
    let changes = diff(&old, &new);
    for (index, delta) in changes.instances.iter().enumerate() {
        assert_eq!(
            (delta.action, delta.old, delta.new),
            (Action::Changed, Some(index), Some(index))
        );
        assert_eq!(delta.changes.len(), 1);
    }
}

#[test]
fn what_cannot_change_in_place_is_replaced() {
    for new in [
        one("version 3"),
        one("unicast_peer {\n10.0.0.9\n}"),
        portrait(&instance("VI_1", 51, "").replace("eth0", "eth1")),
        portrait(&instance("VI_1", 52, "")),
        one("virtual_ipaddress {\nfe80::1\n}"),
    ] {
        let (action, _) = between(&one(""), &new);
        assert_eq!(action, Action::Replaced, "{new:?}");
        let (action, _) = between(&new, &one(""));
        assert_eq!(action, Action::Replaced, "{new:?}");
    }
}

#[test]
fn what_goes_comes_first_and_the_rest_in_the_new_order() {
    let old = ["A", "B", "C"].into_iter().zip(1..);
    let old: String = old.map(|(name, vrid)| instance(name, vrid, "")).collect();
    let new = [("D", 4, ""), ("C", 3, "priority 9"), ("A", 1, "")];
    let new: String = new
        .map(|(name, vrid, lines)| instance(name, vrid, lines))
        .concat();
    let changes = diff(&portrait(&old), &portrait(&new));
    let found: Vec<_> = changes
        .instances
        .iter()
        .map(|delta| (delta.name.as_str(), delta.action, delta.old, delta.new))
        .collect();
    let expected = [
        ("B", Action::Removed, Some(1), None),
        ("D", Action::Added, None, Some(0)),
        ("C", Action::Changed, Some(2), Some(1)),
        ("A", Action::Unchanged, Some(0), Some(2)),
    ];
    assert_eq!(found, expected);
    assert!(!changes.is_empty());
}

#[test]
fn a_password_is_compared_and_never_shown() {
    let with = |password: &str| {
        one(&format!(
            "authentication {{\nauth_type PASS\nauth_pass {password}\n}}"
        ))
    };
    let (action, changes) = between(&with("secret1"), &with("secret2"));
    assert_eq!(
        (action, changes),
        (Action::Changed, vec!["auth_pass: another one".to_owned()])
    );
    let (_, changes) = between(&one(""), &with("secret1"));
    assert_eq!(changes, ["auth_pass: +(not shown)"]);
    let portrait = serde_json::to_string(&with("secret1")).unwrap();
    assert!(!portrait.contains("secret1"), "{portrait}");
    let fingerprint = &with("secret1").instances[0].values[SECRET][0];
    let changes = serde_json::to_string(&diff(&one(""), &with("secret1"))).unwrap();
    assert!(!changes.contains(fingerprint), "{changes}");
}

#[test]
fn a_portrait_survives_the_control_socket() {
    let portrait = one("priority 150\nunicast_peer {\n10.0.0.9\n}");
    let line = serde_json::to_string(&portrait).unwrap();
    assert_eq!(serde_json::from_str::<Portrait>(&line).unwrap(), portrait);
}
