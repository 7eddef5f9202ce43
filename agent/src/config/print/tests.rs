//! What is printed is read back as the same model.

mod any;

use proptest::prelude::*;

use super::{Secrets, print};
use crate::config::model::{Config, Transport};
use crate::config::tests::{corpus, seeds};
use crate::config::{Loaded, parse_str};

/// Reads a text that must be good.
fn read(text: &str) -> Loaded {
    let loaded = parse_str("printed.conf", text);
    assert!(loaded.config.is_some(), "{text}\n{:#?}", loaded.diagnostics);
    loaded
}

#[track_caller]
fn comes_back(config: &Config) {
    let text = print(config, Secrets::Shown);
    let again = read(&text).config;
    assert_eq!(again.as_ref(), Some(config), "{text}");
    assert_eq!(print(config, Secrets::Shown), text);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_model_comes_back(config in any::config()) {
        comes_back(&config);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_virtual_servers_come_back(lvs in any::lvs()) {
        let (_, text) = seeds::ALL.first().expect("a seed");
        let seed = parse_str("seed", text).config.expect("good");
        comes_back(&Config { lvs, ..seed });
    }
}

#[test]
fn every_seed_comes_back() {
    for (name, text) in seeds::ALL {
        let config = parse_str(name, text).config;
        comes_back(&config.unwrap_or_else(|| panic!("{name}")));
    }
}

#[test]
fn every_usable_file_of_the_corpus_comes_back() {
    let usable = corpus().into_iter().filter_map(|(_, text)| {
        let config = parse_str("c.conf", text).config?;
        comes_back(&config);
        Some(())
    });
    assert!(usable.count() > 100);
}

/// Whoever reads it sees where every default came from.
#[test]
fn in_full() {
    let text = r#"
$HALF=0.5
global_defs {
    vrrp_version 3
    vrrp_garp_master_repeat 2
}
vrrp_instance "VI 1" {
    interface eth0
    virtual_router_id 5
    advert_int $HALF
    nopreempt
    virtual_ipaddress_excluded { 198.51.100.7 }
    virtual_ipaddress { 192.0.2.1/24 dev eth1 label eth1:1 scope link brd + }
    unicast_peer { 192.0.2.8
192.0.2.9 }
}
"#;
    let expected = r#"vrrp_instance "VI 1" {
    interface eth0
    virtual_router_id 5
    version 3
    priority 100
    advert_int 0.5
    nopreempt
    down_timer_adverts 3
    garp_master_delay 5
    garp_master_repeat 2
    garp_master_refresh 0
    garp_master_refresh_repeat 1
    garp_lower_prio_delay 5
    garp_lower_prio_repeat 2
    unicast_peer {
        192.0.2.8
        192.0.2.9
    }
    check_unicast_src on
    virtual_ipaddress_excluded {
        198.51.100.7/32
    }
    virtual_ipaddress {
        192.0.2.1/24 brd 192.0.2.255 dev eth1 scope link label eth1:1
    }
}
"#;
    let config = read(text).config.expect("checked");
    assert_eq!(print(&config, Secrets::Shown), expected);
    comes_back(&config);
}

#[test]
fn a_password_is_shown_when_asked_only() {
    let text = crate::config::tests::with("authentication {\nauth_type PASS\nauth_pass hunter2\n}");
    let config = read(&text).config.expect("checked");
    let hidden = print(&config, Secrets::Hidden);
    assert!(!hidden.contains("hunter2"), "{hidden}");
    assert!(hidden.contains("# auth_pass"), "{hidden}");
    let mut without = config.clone();
    without.instances[0].password = None;
    assert_eq!(read(&hidden).config, Some(without));
    assert!(print(&config, Secrets::Shown).contains("auth_pass hunter2\n"));
}

#[test]
fn words_that_only_quotes_can_hold() {
    for name in [
        "",
        "a b",
        "a#b",
        "a!b",
        "{",
        "}",
        "@a",
        "~SEQ(A,1,2)",
        "'",
        "\\",
        "a\u{a0}",
        "tab\there",
        "include",
    ] {
        let text = crate::config::tests::with("").replace("VI_1", &format!("\"{name}\""));
        let config = read(&text).config.expect("checked");
        assert_eq!(config.instances[0].name, name);
        comes_back(&config);
    }
}

/// Only put together can a name be one that a definition would replace.
#[test]
fn a_dollar_stays_one() {
    let text = format!(
        "$D=$\n{}",
        crate::config::tests::with("").replace("VI_1", "\"${D}{_HASH}$x\"")
    );
    let config = read(&text).config.expect("checked");
    assert_eq!(config.instances[0].name, "${_HASH}$x");
    comes_back(&config);
}

#[test]
fn names_as_long_as_a_line() {
    for length in [1000, 1008, 1009, 1010] {
        let text = crate::config::tests::with("")
            .replace("VI_1 {", &format!("{}\n{{", "n".repeat(length)));
        let config = read(&text).config.expect("checked");
        comes_back(&config);
    }
}

/// A password is 8 bytes, which may end within a character.
#[test]
fn passwords_that_end_within_a_character() {
    for password in [
        "passwor\u{df}",
        "passwor\u{a9}",
        "passwo\u{800}",
        "passwor\u{10ffff}",
        "passwo\u{1f600}",
        "passw\u{10000}",
        "passwor\u{d7ff}",
        "passwor\u{e000}",
    ] {
        let text = crate::config::tests::with(&format!(
            "authentication {{\nauth_type PASS\nauth_pass {password}\n}}"
        ));
        let config = read(&text).config.expect("checked");
        comes_back(&config);
    }
}

/// The order of VIPs is that of adverts, and excluded ones may stand between.
#[test]
fn the_order_of_vips_stays() {
    let text = crate::config::tests::with(
        "virtual_ipaddress_excluded {\n192.0.2.7\n2001:db8::1\n}\nvirtual_ipaddress {\n192.0.2.3/24\n}",
    );
    let config = read(&text).config.expect("checked");
    let order: Vec<bool> = config.instances[0]
        .vips
        .iter()
        .map(|vip| vip.advertised)
        .collect();
    assert_eq!(order, [true, false, false, true]);
    comes_back(&config);
}

#[test]
fn the_generator_makes_all_kinds() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut unicast = 0;
    let mut passwords = 0;
    let mut excluded_first = 0;
    for _ in 0..200 {
        let tree = any::config().new_tree(&mut runner).expect("a model");
        for one in proptest::strategy::ValueTree::current(&tree).instances {
            unicast += usize::from(matches!(one.transport, Transport::Unicast { .. }));
            passwords += usize::from(one.password.is_some());
            excluded_first += usize::from(one.vips.first().is_some_and(|vip| !vip.advertised));
        }
    }
    assert!(
        unicast > 50 && passwords > 20 && excluded_first > 20,
        "{unicast} {passwords} {excluded_first}"
    );
}
