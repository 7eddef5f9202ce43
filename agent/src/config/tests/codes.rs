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

fn cases() -> Vec<(Code, Severity, String)> {
    use Code as C;
    use Severity::{Error, Note, Warning};
    let twice = |more: &str| format!("{}{}", with(""), with(more).replace("VI_1", "VI_2"));
    vec![
        (
            C::LineTooLong,
            Error,
            with(&format!("state {}", "x".repeat(1024))),
        ),
        (C::NotText, Error, with_globals("router_id a\0", "")),
        (C::UnclosedQuote, Error, with("state \"BACKUP")),
        (
            C::UnclosedBlock,
            Error,
            format!("{} global_defs {{", with("")),
        ),
        (C::StrayClose, Error, format!("{}}}", with(""))),
        (C::StrayOpen, Error, format!("{}{{ a }}", with(""))),
        (
            C::TooDeep,
            Error,
            format!(
                "{}{}",
                with(""),
                "virtual_server {".repeat(17) + &"}".repeat(17)
            ),
        ),
        (C::UnknownKeyword, Warning, with("no_such_thing 1")),
        (
            C::UnknownKeyword,
            Warning,
            with("no_such_block {\npriority 0\n}"),
        ),
        (C::Misplaced, Warning, with("router_id x")),
        (C::NotYet, Warning, with("track_script {\nfoo\nbar\n}")),
        (C::NotYet, Warning, with("dont_track_primary")),
        (
            C::NotYet,
            Warning,
            with("track_interface {\neth1 weight 10\n}"),
        ),
        (
            C::NotYet,
            Warning,
            with("unicast_peer {\n192.0.2.2 min_ttl 3 max_ttl 4\n}"),
        ),
        (
            C::NotYet,
            Warning,
            with("virtual_ipaddress {\n192.0.2.9 peer 192.0.2.8\n}"),
        ),
        (
            C::NotYet,
            Warning,
            format!("vrrp_sync_group G {{\ngroup {{\nVI_1\n}}\n}}\n{}", with("")),
        ),
        (C::WithoutEffect, Note, with("debug 3")),
        (
            C::WithoutEffect,
            Note,
            with_globals("vrrp_skip_check_adv_addr", ""),
        ),
        (C::Refused, Error, with("auth_hmac {\nkey 1 ascii abc\n}")),
        (
            C::Refused,
            Error,
            with("authentication {\nauth_type AH\nauth_pass x\n}"),
        ),
        (
            C::Refused,
            Error,
            with("authentication {\nauth_type FOO\nauth_pass x\n}"),
        ),
        (
            C::Refused,
            Error,
            format!("include other.conf\n{}", with("")),
        ),
        (C::Refused, Error, with("@node1 priority 5")),
        (C::Refused, Error, format!("$PRIO=5\n{}", with(""))),
        (
            C::Refused,
            Error,
            with("virtual_ipaddress {\n~SEQ(x, 1, 2) 192.0.2.$x\n}"),
        ),
        (
            C::Refused,
            Error,
            format!("net_namespace blue\n{}", with("")),
        ),
        (C::MissingValue, Error, with("priority")),
        (
            C::MissingValue,
            Error,
            format!("{}vrrp_instance {{\n}}", with("")),
        ),
        (
            C::MissingValue,
            Error,
            with("virtual_ipaddress {\n192.0.2.9 dev\n}"),
        ),
        (C::MissingBlock, Error, with("virtual_ipaddress 192.0.2.9")),
        (C::UnexpectedBlock, Warning, with("priority 5 {\nx y\n}")),
        (
            C::UnexpectedBlock,
            Warning,
            with("unicast_peer {\n192.0.2.3 {\n}\n}"),
        ),
        (C::ExtraWords, Warning, with("priority 5 nopreempt")),
        (
            C::ExtraWords,
            Warning,
            with("virtual_ipaddress {\n192.0.2.8 192.0.2.9\n}"),
        ),
        (
            C::ExtraWords,
            Warning,
            with("track_interface {\neth1 eth2\n}"),
        ),
        (
            C::ExtraWords,
            Warning,
            with("unicast_peer {\n192.0.2.3 192.0.2.4\n}"),
        ),
        (C::Repeated, Warning, with("priority 5\npriority 6")),
        (C::BadValue, Warning, with("state master")),
        (C::BadValue, Warning, with("priority abc")),
        (C::BadValue, Warning, with("advert_int 1s")),
        (C::BadValue, Warning, with("lower_prio_no_advert ON")),
        (C::BadValue, Warning, with("garp_master_repeat x")),
        (
            C::BadValue,
            Warning,
            with("virtual_ipaddress {\n192.0.2.9 scope bogus\n}"),
        ),
        (
            C::BadValue,
            Warning,
            with("virtual_ipaddress {\n192.0.2.9/24 brd x\n}"),
        ),
        (C::OutOfRange, Warning, with("priority 0")),
        (C::OutOfRange, Warning, with("advert_int 256")),
        (C::OutOfRange, Warning, with("version 3\nadvert_int 41")),
        (C::OutOfRange, Warning, with("garp_master_repeat 0")),
        (
            C::OutOfRange,
            Warning,
            with("virtual_ipaddress {\n192.0.2.9/33\n}"),
        ),
        (
            C::OutOfRange,
            Warning,
            with("virtual_ipaddress {\n192.0.2.9 brd +\n}"),
        ),
        (C::Rounded, Warning, with("advert_int 0.5")),
        (
            C::BadAddress,
            Error,
            with("virtual_ipaddress {\n192.0.2.010\n}"),
        ),
        (C::BadAddress, Error, with("unicast_src_ip x")),
        (C::BadAddress, Error, with("unicast_peer {\n224.0.0.1\n}")),
        (
            C::BadInterface,
            Error,
            with("").replace("eth0", "a_name_too_long_"),
        ),
        (C::BadInterface, Error, with("track_interface {\na/b\n}")),
        (
            C::BadInterface,
            Error,
            with("virtual_ipaddress {\n192.0.2.9 dev a/b\n}"),
        ),
        (
            C::BadInterface,
            Error,
            with("virtual_ipaddress {\n192.0.2.9 label a_name_too_long_\n}"),
        ),
        (
            C::WrongFamily,
            Error,
            with("virtual_ipaddress {\nfe80::1\n}"),
        ),
        (C::WrongFamily, Error, with("unicast_peer {\nfe80::1\n}")),
        (C::WrongFamily, Error, with("mcast_src_ip fe80::1")),
        (C::Duplicate, Error, twice("")),
        (
            C::Duplicate,
            Error,
            twice("")
                .replace("VI_2", "VI_1")
                .replacen("_id 5", "_id 6", 1),
        ),
        (
            C::Duplicate,
            Warning,
            with("virtual_ipaddress {\n192.0.2.1\n}"),
        ),
        (
            C::Duplicate,
            Warning,
            with("unicast_peer {\n192.0.2.3\n192.0.2.3\n}"),
        ),
        (
            C::Duplicate,
            Warning,
            with("unicast_src_ip 192.0.2.3\nunicast_peer {\n192.0.2.3\n192.0.2.4\n}"),
        ),
        (
            C::MissingVrid,
            Error,
            with("").replace("virtual_router_id 5", ""),
        ),
        (C::MissingVrid, Error, with("").replace("_id 5", "_id 0")),
        (C::MissingVrid, Error, with("").replace("_id 5", "_id 256")),
        (
            C::MissingInterface,
            Error,
            with("").replace("interface eth0", ""),
        ),
        (C::NoVip, Error, with("").replace("192.0.2.1/24", "")),
        (
            C::NoVip,
            Error,
            with("version 3").replace("virtual_ipaddress", "virtual_ipaddress_excluded"),
        ),
        (C::TooManyPeers, Error, with(&list("unicast_peer", 33))),
        (
            C::TooManyVips,
            Warning,
            with(&list("virtual_ipaddress", 255)),
        ),
        (C::TooManyInstances, Error, instances(511)),
        (C::NoPeers, Warning, with("unicast_src_ip 192.0.2.2")),
        (C::NoPeers, Warning, with("unicast_peer {\n}")),
        (
            C::PasswordTruncated,
            Warning,
            with("authentication {\nauth_type PASS\nauth_pass 123456789\n}"),
        ),
        (
            C::PasswordUnused,
            Warning,
            with("version 3\nauthentication {\nauth_type PASS\nauth_pass x\n}"),
        ),
        (
            C::PasswordUnused,
            Warning,
            with("authentication {\nauth_type PASS\n}"),
        ),
        (
            C::PasswordUnused,
            Warning,
            with("authentication {\nauth_pass x\n}"),
        ),
        (
            C::Conflict,
            Warning,
            with("state MASTER\npriority 100\nnopreempt"),
        ),
        (C::Conflict, Warning, with("priority 255\nnopreempt")),
        (C::Conflict, Warning, with("state MASTER\npreempt_delay 5")),
        (
            C::VersionForced,
            Warning,
            with("version 2").replace("192.0.2.1/24", "fe80::1"),
        ),
        (
            C::NotLinkLocal,
            Warning,
            with("").replace("192.0.2.1/24", "2001:db8::1"),
        ),
        (C::OwnInterface, Note, with("track_interface {\neth0\n}")),
        (
            C::NoInstance,
            Warning,
            "global_defs {\nrouter_id x\n}".into(),
        ),
        (C::TooManyProblems, Warning, with(&"zz\n".repeat(501))),
    ]
}

#[test]
fn each_kind_has_a_file_with_that_and_nothing_else() {
    let mut seen = BTreeSet::from([Code::Unreadable, Code::FileTooBig]);
    let mut wrong = Vec::new();
    for (code, severity, text) in cases() {
        seen.insert(code);
        let loaded = parse_str("test.conf", &text);
        let found: Vec<_> = loaded
            .diagnostics
            .iter()
            .map(|d| (d.code, d.severity))
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
