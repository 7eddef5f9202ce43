//! Every kind of diagnostic, from the shortest file that has it.

use std::collections::BTreeSet;
use std::path::Path;

use super::{codes, with, with_globals};
use crate::config::{Code, Severity, load, parse_bytes, parse_str};

fn instances(count: usize) -> String {
    let one = |n: usize| {
        format!(
            "vrrp_instance i{n} {{\ninterface e{}\nvirtual_router_id {}\nvirtual_ipaddress {{\n192.0.2.1\n}}\n}}\n",
            n / 255,
            n % 255 + 1
        )
    };
    (0..count).map(one).collect()
}

fn list(keyword: &str, count: usize) -> String {
    let lines: String = (0..count)
        .map(|n| format!("198.51.{}.{}\n", n / 250, n % 250 + 1))
        .collect();
    format!("{keyword} {{\n{lines}}}")
}

type Case = (Code, Severity, String);

fn error(code: Code, text: String) -> Case {
    (code, Severity::Error, text)
}

fn warning(code: Code, text: String) -> Case {
    (code, Severity::Warning, text)
}

fn note(code: Code, text: String) -> Case {
    (code, Severity::Note, text)
}

/// An authentication block of these lines.
fn auth(lines: &str) -> String {
    format!("authentication {{\n{lines}\n}}")
}

fn vip(line: &str) -> String {
    with(&format!("virtual_ipaddress {{\n{line}\n}}"))
}

fn of_text() -> Vec<Case> {
    use Code as C;
    vec![
        error(C::LineTooLong, with(&format!("state {}", "x".repeat(1024)))),
        error(C::NotText, with_globals("router_id a\0", "")),
        error(C::UnclosedQuote, with("state \"BACKUP")),
        error(C::UnclosedBlock, format!("{} global_defs {{", with(""))),
        error(C::StrayClose, format!("{}}}", with(""))),
        error(C::StrayOpen, format!("{}{{ a }}", with(""))),
        error(
            C::TooDeep,
            format!(
                "{}{}",
                with(""),
                "virtual_server {".repeat(17) + &"}".repeat(17)
            ),
        ),
        error(C::MissingValue, with("priority")),
        error(C::MissingValue, format!("{}vrrp_instance {{\n}}", with(""))),
        error(C::MissingValue, vip("192.0.2.9 dev")),
        error(C::MissingBlock, with("virtual_ipaddress 192.0.2.9")),
        warning(C::UnexpectedBlock, with("priority 5 {\nx y\n}")),
        warning(
            C::UnexpectedBlock,
            with("unicast_peer {\n192.0.2.3 {\n}\n}"),
        ),
        warning(C::ExtraWords, with("priority 5 nopreempt")),
        warning(C::ExtraWords, vip("192.0.2.8 192.0.2.9")),
        warning(C::ExtraWords, with("track_interface {\neth1 eth2\n}")),
        warning(
            C::ExtraWords,
            with("unicast_peer {\n192.0.2.3 192.0.2.4\n}"),
        ),
        warning(C::Repeated, with("priority 5\npriority 6")),
        warning(C::TooManyProblems, with(&"zz\n".repeat(501))),
    ]
}

fn of_keyword() -> Vec<Case> {
    use Code as C;
    vec![
        warning(C::UnknownKeyword, with("no_such_thing 1")),
        warning(C::UnknownKeyword, with("no_such_block {\npriority 0\n}")),
        warning(C::Misplaced, with("router_id x")),
        warning(C::NotYet, with("vrf eth1")),
        warning(
            C::NotYet,
            format!(
                "vrrp_sync_group G {{\ngroup {{\nVI_1\nVI_2\n}}\ntrack_bfd {{\n}}\n}}\n{}{}",
                with(""),
                with("").replace("VI_1", "VI_2").replace("_id 5", "_id 6")
            ),
        ),
        note(C::WithoutEffect, with("debug 3")),
        error(C::Refused, with("auth_hmac {\nkey 1 ascii abc\n}")),
        error(C::Refused, with(&auth("auth_type AH\nauth_pass x"))),
        error(C::Refused, with(&auth("auth_type FOO\nauth_pass x"))),
    ]
}

fn of_value() -> Vec<Case> {
    use Code as C;
    vec![
        warning(C::BadValue, with("state master")),
        warning(C::BadValue, with("priority abc")),
        warning(C::BadValue, with("advert_int 1s")),
        warning(C::BadValue, with("lower_prio_no_advert ON")),
        warning(C::BadValue, with("garp_master_repeat x")),
        warning(C::BadValue, vip("192.0.2.9 scope bogus")),
        warning(C::BadValue, vip("192.0.2.9/24 brd x")),
        warning(C::OutOfRange, with("priority 0")),
        warning(C::OutOfRange, with("advert_int 256")),
        warning(C::OutOfRange, with("version 3\nadvert_int 41")),
        warning(C::OutOfRange, with("garp_master_repeat 0")),
        warning(C::OutOfRange, vip("192.0.2.9/33")),
        warning(C::OutOfRange, vip("192.0.2.9 brd +")),
        warning(C::Rounded, with("advert_int 0.5")),
        error(C::BadAddress, vip("192.0.2.010")),
        error(C::BadAddress, with("unicast_src_ip x")),
        error(C::BadAddress, with("unicast_peer {\n224.0.0.1\n}")),
        error(
            C::BadInterface,
            with("").replace("eth0", "a_name_too_long_"),
        ),
        error(C::BadInterface, with("track_interface {\na/b\n}")),
        error(C::BadInterface, vip("192.0.2.9 dev a/b")),
        error(C::BadInterface, vip("192.0.2.9 label a_name_too_long_")),
        error(C::WrongFamily, vip("fe80::1")),
        error(C::WrongFamily, with("unicast_peer {\nfe80::1\n}")),
        error(C::WrongFamily, with("mcast_src_ip fe80::1")),
    ]
}

fn of_instance() -> Vec<Case> {
    use Code as C;
    let twice = |more: &str| format!("{}{}", with(""), with(more).replace("VI_1", "VI_2"));
    vec![
        error(C::Duplicate, twice("")),
        error(
            C::Duplicate,
            twice("")
                .replace("VI_2", "VI_1")
                .replacen("_id 5", "_id 6", 1),
        ),
        warning(C::Duplicate, vip("192.0.2.1")),
        warning(
            C::Duplicate,
            with("unicast_peer {\n192.0.2.3\n192.0.2.3\n}"),
        ),
        warning(
            C::Duplicate,
            with("unicast_src_ip 192.0.2.3\nunicast_peer {\n192.0.2.3\n192.0.2.4\n}"),
        ),
        error(C::MissingVrid, with("").replace("virtual_router_id 5", "")),
        error(C::MissingVrid, with("").replace("_id 5", "_id 0")),
        error(C::MissingVrid, with("").replace("_id 5", "_id 256")),
        error(C::MissingInterface, with("").replace("interface eth0", "")),
        error(C::NoVip, with("").replace("192.0.2.1/24", "")),
        error(
            C::NoVip,
            with("version 3").replace("virtual_ipaddress", "virtual_ipaddress_excluded"),
        ),
        error(C::TooManyPeers, with(&list("unicast_peer", 33))),
        warning(C::TooManyVips, with(&list("virtual_ipaddress", 255))),
        error(C::TooManyInstances, instances(511)),
        warning(C::NoPeers, with("unicast_src_ip 192.0.2.2")),
        warning(C::NoPeers, with("unicast_peer {\n}")),
        warning(
            C::PasswordTruncated,
            with(&auth("auth_type PASS\nauth_pass 123456789")),
        ),
        warning(
            C::PasswordUnused,
            with(&format!(
                "version 3\n{}",
                auth("auth_type PASS\nauth_pass x")
            )),
        ),
        warning(C::PasswordUnused, with(&auth("auth_type PASS"))),
        warning(C::PasswordUnused, with(&auth("auth_pass x"))),
        warning(C::Conflict, with("state MASTER\npriority 100\nnopreempt")),
        warning(
            C::Conflict,
            with("priority 255\nnopreempt\nmcast_src_ip 192.0.2.1"),
        ),
        warning(
            C::Conflict,
            with("state MASTER\npriority 100\npreempt_delay 5"),
        ),
        warning(
            C::VersionForced,
            with("version 2").replace("192.0.2.1/24", "fe80::1"),
        ),
        warning(
            C::NotLinkLocal,
            with("").replace("192.0.2.1/24", "2001:db8::1"),
        ),
        note(C::OwnInterface, with("track_interface {\neth0\n}")),
        warning(C::NoInstance, "global_defs {\nrouter_id x\n}".into()),
    ]
}

/// What keepalived passes over in silence.
fn of_traps() -> Vec<Case> {
    use Code as C;
    let globals_last = |lines: &str| format!("{}global_defs {{\n{lines}\n}}", with(""));
    vec![
        warning(C::Strict, with_globals("vrrp_strict", "preempt_delay 5")),
        error(C::Strict, with("strict_mode\nunicast_peer {\n192.0.2.2\n}")),
        warning(C::Strict, with("strict_mode on\nstate MASTER\npriority 9")),
        warning(
            C::OutOfRange,
            with("unicast_peer {\n192.0.2.2 min_ttl 256\n}"),
        ),
        warning(C::Conflict, with("unicast_ttl 5")),
        warning(C::Order, globals_last("vrrp_garp_master_delay 7")),
        note(C::NoPrefix, with("").replace("/24", "")),
        warning(C::NotOwner, with("priority 255")),
        warning(C::NotOwner, with("state MASTER\nmcast_src_ip 192.0.2.2")),
        warning(
            C::ExtraWords,
            with("virtual_routes {\n10.0.0.0/8 viaa 192.0.2.9 dev eth0\n}")
                .replace("viaa 192.0.2.9", "viaa"),
        ),
        warning(C::Incomplete, with("virtual_routes {\n10.0.0.0/8\n}")),
        warning(
            C::Incomplete,
            with("virtual_rules {\nfrom 10.0.0.0/8 table 5\n}"),
        ),
        warning(
            C::BadAddress,
            with("virtual_rules {\nfrom x table 5 pref 9\n}"),
        ),
        error(
            C::Refused,
            with("virtual_routes {\n10.0.0.0/8 dev eth0 encap ip dst 192.0.2.9\n}"),
        ),
        warning(
            C::WrongFamily,
            with("virtual_rules {\nfrom 10.0.0.0/8 to 2001:db8::/32 table 5 pref 9\n}"),
        ),
        warning(
            C::BadValue,
            with("virtual_routes {\n10.0.0.0/8 dev eth0 table no_such_table\n}"),
        ),
    ]
}

fn of_language() -> Vec<Case> {
    use Code as C;
    let before = |text: &str| format!("{text}\n{}", with(""));
    vec![
        error(C::IncludeMissing, before("include other.conf")),
        error(C::TooMuch, format!("{}$A=$A\n$A", with(""))),
        error(C::BadSequence, before("~SEQ(I,1,0,2) x")),
        warning(C::Definition, before("$_PWD=x")),
    ]
}

/// What nothing acts on yet: the one line that says so comes first.
fn of_later_parts() -> Vec<Case> {
    use Code as C;
    let after = |text: &str| format!("{}{text}", with(""));
    let script = |lines: &str| after(&format!("vrrp_script s {{\nscript /x\n{lines}\n}}"));
    let server = |lines: &str, real: &str| {
        after(&format!(
            "virtual_server 192.0.2.80 80 {{\nprotocol TCP\nlvs_sched rr\nlvs_method DR\n{lines}\nreal_server 192.0.2.81 80 {{\n{real}\n}}\n}}"
        ))
    };
    vec![
        warning(C::UnknownName, with("track_script {\nfoo\n}")),
        warning(
            C::Order,
            format!(
                "{}vrrp_script foo {{\nscript /x\n}}",
                with("track_script {\nfoo\n}")
            ),
        ),
        warning(C::OutOfRange, script("weight 300")),
        warning(C::BadValue, script("rise x")),
        warning(C::Incomplete, after("vrrp_script s {\n}")),
        warning(C::Incomplete, after("virtual_server_group G {\n}")),
        warning(C::BadAddress, after("virtual_server_group G {\nx\n}")),
        warning(C::UnknownKeyword, server("nat_mask 255.0.0.0", "")),
        warning(
            C::UnknownKeyword,
            server("", "TCP_CHECK {\nnb_get_retry 3\n}"),
        ),
        warning(
            C::Deprecated,
            server("", "HTTP_GET {\nnb_get_retry 3\nurl {\npath /\n}\n}"),
        ),
        warning(C::BadValue, server("lb_kind FOO", "")),
        warning(
            C::BadValue,
            server("persistence_granularity 255.0.255.0", ""),
        ),
        warning(C::OutOfRange, server("", "TCP_CHECK {\nconnect_port 0\n}")),
        warning(C::Incomplete, server("", "HTTP_GET {\n}")),
        warning(
            C::Conflict,
            server("", "UDP_CHECK {\nmin_reply_length 9\nmax_reply_length 8\n}"),
        ),
        error(C::MissingValue, server("quorum", "")),
        error(C::MissingBlock, server("", "TCP_CHECK")),
        warning(
            C::Duplicate,
            after("track_file f {\nfile /x\n}\ntrack_file f {\nfile /y\n}"),
        ),
        warning(C::OutOfRange, with("track_interface {\neth1 weight 254\n}")),
    ]
}

#[test]
fn what_is_not_active_yet_is_checked_all_the_same() {
    let mut wrong = Vec::new();
    for (code, severity, text) in of_later_parts() {
        let loaded = parse_str("test.conf", &text);
        let found: Vec<_> = loaded
            .diagnostics
            .iter()
            .map(|d| (d.code, d.severity))
            // Trackers and groups do work by now.
            .filter(|(found, _)| {
                !matches!(found, Code::NoPrefix | Code::NotYet | Code::VirtualServers)
            })
            .collect();
        if found != [(code, severity)] || loaded.config.is_some() != (severity != Severity::Error) {
            wrong.push(format!("{code:?} {severity:?}: {found:?}\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// proves: F-13, F-15, F-28, F-29
#[test]
fn each_kind_has_a_file_with_that_and_nothing_else() {
    // Those of files and of the machine have tests of their own.
    let mut seen = BTreeSet::from([
        Code::Unreadable,
        Code::FileTooBig,
        Code::IncludeCycle,
        Code::TooManyIncludes,
        Code::ScriptMissing,
        Code::InsecureScript,
    ]);
    seen.extend(of_later_parts().into_iter().map(|(code, ..)| code));
    let mut wrong = Vec::new();
    let cases = [
        of_text(),
        of_language(),
        of_keyword(),
        of_value(),
        of_instance(),
        of_traps(),
        vec![warning(
            Code::VirtualServers,
            with("")
                + "\nvirtual_server 192.0.2.80 80 {\nprotocol TCP\nlvs_sched rr\nlvs_method DR\nreal_server 192.0.2.81 80 {\n}\n}",
        )],
    ];
    for (code, severity, text) in cases.into_iter().flatten() {
        seen.insert(code);
        let loaded = parse_str("test.conf", &text);
        let found: Vec<_> = loaded
            .diagnostics
            .iter()
            .map(|d| (d.code, d.severity))
            .filter(|(found, _)| *found != Code::NoPrefix || code == Code::NoPrefix)
            .filter(|(found, _)| *found != Code::TooManyProblems || code == Code::TooManyProblems)
            .collect();
        // These two need others before them.
        let good = if matches!(code, Code::TooManyProblems | Code::TooDeep) {
            found.last() == Some(&(code, severity))
        } else {
            found == [(code, severity)]
        };
        if !good || loaded.config.is_some() != (severity != Severity::Error) {
            wrong.push(format!("{code:?} {severity:?}: {found:?}\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: BTreeSet<_> = Code::ALL.iter().copied().collect();
    assert_eq!(seen, all);
}

#[test]
fn files_that_cannot_be_read() {
    for path in ["/nonexistent/file", "/", "/dev/zero"] {
        let loaded = load(Path::new(path));
        assert_eq!(loaded.config, None);
        let [found] = loaded.diagnostics.as_slice() else {
            panic!("{loaded:?}")
        };
        assert_eq!((found.code, found.line), (Code::Unreadable, 0), "{path}");
        assert!(
            found
                .to_string()
                .starts_with(&format!("({path}) cannot be read: ")),
            "{found}"
        );
    }
    let big = parse_bytes("f", &vec![b'\n'; (4 << 20) + 1]);
    assert_eq!(
        big.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(),
        [Code::FileTooBig]
    );
}

#[test]
fn all_problems_of_a_file_come_at_once_and_in_order() {
    let text = with("priority 0\nprority 5\nauth_hmac {\n}\nvirtual_ipaddress {\nx\n}\nstate y");
    use Code as C;
    assert_eq!(
        codes(&text),
        [
            C::OutOfRange,
            C::UnknownKeyword,
            C::Refused,
            C::BadAddress,
            C::BadValue
        ]
    );
}

#[test]
fn a_near_miss_gets_the_keyword_that_was_meant() {
    let loaded = parse_str("a.conf", &with("  prority 5"));
    let [found] = loaded.diagnostics.as_slice() else {
        panic!("{loaded:?}")
    };
    assert_eq!(
        found.to_string(),
        "(a.conf: Line 7) Unknown keyword 'prority'"
    );
    let rich = "warning: Unknown keyword 'prority' [unknown-keyword]\n --> a.conf:7:3\n  |\n7 |   prority 5\n  |   ^^^^^^^\n  = help: did you mean priority?";
    assert_eq!(found.rich(), rich);
}

#[test]
fn no_password_gets_into_a_diagnostic() {
    for line in [
        "auth_pass hunter2 hunter2",
        "auth_pass hunter2hunter2",
        "auth_pas hunter2",
    ] {
        let text = with(&format!("authentication {{\nauth_type PASS\n{line}\n}}"));
        let found = parse_str("f", &text).diagnostics;
        assert!(!found.is_empty());
        for one in found {
            assert!(
                !format!("{} {one:?}", one.rich()).contains("hunter2"),
                "{one:?}"
            );
        }
    }
}
