//! `allowed_sources` and `max_learned_interval`: who is believed, and how much.

use super::*;
use crate::config::model::PacketPolicy;

fn policy(lines: &str) -> (PacketPolicy, Vec<Code>) {
    let (config, problems) = accepted(&with(lines));
    (config.instances[0].packets.clone(), problems)
}

fn sources(lines: &str) -> Vec<String> {
    let (policy, problems) = policy(lines);
    assert_eq!(problems, self::policy("").1, "{lines}");
    policy
        .allowed_sources
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn sources_add_up_over_words_and_lines() {
    assert_eq!(sources(""), [""; 0]);
    let lines = "allowed_sources 192.0.2.1 198.51.100.7/24\nallowed_sources 192.0.2.2 192.0.2.1";
    let expected = ["192.0.2.1/32", "198.51.100.0/24", "192.0.2.2/32"];
    assert_eq!(sources(lines), expected);
}

/// Another list than the one meant lets in an attacker, or makes two Actives.
#[test]
fn sources_that_cannot_be_read_are_errors() {
    let many = (1..=17).map(|n| format!(" 192.0.2.{n}"));
    let many = format!("allowed_sources{}", many.collect::<String>());
    for (line, code) in [
        ("allowed_sources", Code::MissingValue),
        ("allowed_sources any", Code::BadAddress),
        ("allowed_sources 192.0.2.1 router-b", Code::BadAddress),
        ("allowed_sources 192.0.2.0/33", Code::BadAddress),
        ("allowed_sources 2001:db8::/64", Code::WrongFamily),
        (many.as_str(), Code::TooManyPeers),
    ] {
        let found = refused(&with(line));
        assert!(
            found.iter().any(|found| found.code == code),
            "{line}: {found:?}"
        );
    }
}

#[test]
fn a_peer_outside_of_the_list_is_said() {
    let peers = "unicast_peer {\n192.0.2.2\n192.0.2.3\n}\n";
    let (_, silent) = policy(&format!("{peers}allowed_sources 192.0.2.0/24"));
    let (_, told) = policy(&format!("{peers}allowed_sources 192.0.2.2"));
    assert_eq!(told.len(), silent.len() + 1, "{told:?}");
}

fn limit(globals: &str, lines: &str) -> (Option<u16>, usize) {
    let (config, problems) = accepted(&with_globals(globals, lines));
    let limit = config.instances[0].packets.max_learned;
    (limit.map(|limit| limit.centis()), problems.len())
}

#[test]
fn an_interval_is_in_seconds_or_with_its_unit() {
    let silent = limit("", "version 3").1;
    for (line, centis) in [
        ("", None),
        ("max_learned_interval 2", Some(200)),
        ("max_learned_interval 1.5", Some(150)),
        ("max_learned_interval 1500ms", Some(150)),
        ("max_learned_interval 1.001", Some(101)),
        ("max_learned_interval 40.95", Some(4095)),
        ("max_learned_interval 4\nadvert_int 4", Some(400)),
    ] {
        let found = limit("", &format!("version 3\n{line}"));
        assert_eq!(found, (centis, silent), "{line}");
    }
    for line in ["", " 0", " 41", " fast", " 3h"] {
        let text = with(&format!("version 3\nmax_learned_interval{line}"));
        assert!(!refused(&text).is_empty(), "{line}");
    }
}

#[test]
fn a_limit_is_at_least_the_own_interval_and_for_those_who_learn() {
    let silent = limit("", "version 3").1;
    let global = "vrrp_max_learned_interval 3";
    assert_eq!(limit(global, "version 3"), (Some(300), silent));
    assert_eq!(
        limit(global, "version 3\nmax_learned_interval 2"),
        (Some(200), silent)
    );
    assert_eq!(limit(global, "version 2"), (None, silent));
    assert_eq!(
        limit("", "version 2\nmax_learned_interval 2"),
        (None, silent + 1)
    );
    let short = "version 3\nadvert_int 2\nmax_learned_interval 1";
    assert_eq!(limit("", short), (Some(200), silent + 1));
}
