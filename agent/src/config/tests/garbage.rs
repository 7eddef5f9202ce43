//! Anything at all as input: no panic, an end, and a model that keeps its promises.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use agent_common::{AdvertInterval, Version};

use super::seeds::ALL;
use crate::config::model::{Config, Transport};
use crate::config::{Diagnostic, IfName, Loaded, MAX_ADVERTISED, MAX_PEERS, parse_bytes};

const WORDS: &[&str] = &[
    "{",
    "}",
    "\"",
    "#",
    "!",
    "\r\n",
    "\n",
    " ",
    "\t",
    "vrrp_instance",
    "virtual_ipaddress",
    "unicast_peer",
    "track_interface",
    "weight",
    "authentication",
    "auth_type",
    "PASS",
    "auth_pass",
    "priority",
    "255",
    "256",
    "0",
    "-1",
    "advert_int",
    "0.01",
    "40.96",
    "1e9",
    "99999999999999999999",
    "version",
    "3",
    "native_ipv6",
    "state",
    "MASTER",
    "nopreempt",
    "fe80::1",
    "10.0.0.1/33",
    "255.255.255.255",
    "::/0",
    "brd",
    "+",
    "dev",
    "label",
    "scope",
    "global_defs",
    "include",
    "include *.conf",
    "@x",
    "@^x",
    "$X=1",
    "$X=${X}1",
    "$Y= \\",
    "$X",
    "${X}",
    "${_RANDOM 1 9}",
    "~SEQ",
    "~SEQ(X,1,5)",
    "~SEQx(X,1,3,99)",
    "~LST({X,Y},{1,2},{3})",
    "script",
    "'",
    "\\",
    "\\x4",
    "virtual_server",
    "real_server",
    "HTTP_GET",
    "url",
    "virtual_routes",
    "virtual_rules",
    "nexthop",
    "static_ipaddress",
    "vrrp_sync_group",
    "group",
    "vrrp_script",
    "track_script",
    "vrrp_strict",
    "auth_hmac",
    "\u{feff}",
    "\0",
    "ä",
    "virtual_router_id",
    "interface",
];

/// xorshift64*: the run repeats from its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits") % end.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[4]
    }
}

fn mutate(text: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(text.len() + 1);
    let end = (at + random.below(40)).min(text.len());
    match random.below(6) {
        0 => {
            text.drain(at..end);
        }
        1 => {
            let copy = text[at..end].to_vec();
            let to = random.below(text.len() + 1);
            text.splice(to..to, copy);
        }
        2 => {
            let byte = random.byte();
            text.insert(at, byte);
        }
        3 => {
            let other = ALL[random.below(ALL.len())].1.as_bytes();
            let from = random.below(other.len());
            text.truncate(at);
            text.extend_from_slice(&other[from..]);
        }
        4 => {
            // A word for a word keeps the file nearly right, which goes deepest.
            let word = WORDS[random.below(WORDS.len())];
            let start = text[..at]
                .iter()
                .rposition(u8::is_ascii_whitespace)
                .map_or(0, |p| p + 1);
            let length = text[start..].iter().position(u8::is_ascii_whitespace);
            let stop = length.map_or(text.len(), |length| start + length);
            text.splice(start..stop, word.bytes());
        }
        _ => {
            let word = format!(" {} ", WORDS[random.below(WORDS.len())]);
            text.splice(at..at, word.bytes());
        }
    }
}

/// What the model promises, and what a report must be.
fn check(input: &[u8]) -> bool {
    let Loaded {
        config,
        diagnostics,
        ..
    } = parse_bytes("x", input);
    assert_eq!(
        config.is_none(),
        diagnostics.iter().any(Diagnostic::is_error)
    );
    // With a line for the parts that are to come, and one for the rest.
    assert!(diagnostics.len() <= 502);
    for found in &diagnostics {
        assert!(
            !found.message.is_empty() && !found.message.contains('\n'),
            "{found:?}"
        );
        assert!(!found.rich().contains('\r'), "{found:?}");
    }
    config.as_ref().is_some_and(|config| {
        promises(config);
        !config.instances.is_empty()
    })
}

fn promises(config: &Config) {
    let mut names = HashSet::new();
    let mut routers = HashSet::new();
    for instance in &config.instances {
        assert!(names.insert(&instance.name));
        assert!(routers.insert((&instance.interface, instance.family, instance.vrid)));
        assert!(instance.priority.get() >= 1);
        assert!((1..=100).contains(&instance.down_factor));
        let centis = instance.interval.centis();
        match instance.version {
            Version::V2 => assert!(centis % 100 == 0 && centis <= 25_500),
            Version::V3 => assert!(instance.interval <= AdvertInterval::MAX_V3),
        }
        let advertised = instance.vips.iter().filter(|vip| vip.advertised).count();
        assert!(advertised <= MAX_ADVERTISED && !instance.vips.is_empty());
        assert!(advertised > 0 || instance.version == Version::V2);
        for vip in &instance.vips {
            assert!(vip.prefix <= if vip.address.is_ipv4() { 32 } else { 128 });
            assert!(!vip.address.is_multicast() && !vip.address.is_unspecified());
        }
        assert!(instance.version == Version::V2 || instance.password.is_none());
        assert!(!instance.track_interfaces.contains(&instance.interface));
        assert_eq!(
            IfName::new(instance.interface.as_str()).as_ref(),
            Some(&instance.interface)
        );
        if let Transport::Unicast { peers, .. } = &instance.transport {
            assert!((1..=MAX_PEERS).contains(&peers.len()));
        }
    }
}

#[test]
fn mutated_seeds_never_panic() {
    let mut random = Random(0x5EED_1234_ABCD_0001);
    let mut usable = 0;
    for round in 0..6000 {
        let mut text = ALL[round % ALL.len()].1.as_bytes().to_vec();
        for _ in 0..=random.below(6) {
            mutate(&mut text, &mut random);
        }
        usable += usize::from(check(&text));
    }
    // Otherwise the promises were hardly ever looked at.
    assert!(usable > 600, "{usable}");
}

#[test]
fn random_bytes_and_words_never_panic() {
    let mut random = Random(0x5EED_1234_ABCD_0002);
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..random.below(300)).map(|_| random.byte()).collect();
        check(&bytes);
        let words: Vec<&str> = (0..random.below(200))
            .map(|_| WORDS[random.below(WORDS.len())])
            .collect();
        check(words.join(" ").as_bytes());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test is about how long parsing takes"
)]
fn timed(input: &[u8]) -> Duration {
    let start = Instant::now();
    check(input);
    start.elapsed()
}

fn servers() -> String {
    let one = |n: usize| {
        format!(
            "virtual_server 10.0.{}.{} 80 {{\nprotocol TCP\nlvs_sched rr\nlvs_method DR\nreal_server 10.1.0.1 80 {{\nHTTP_GET {{\nurl {{\npath /\n}}\n}}\n}}\n}}\n",
            n / 256,
            n % 256
        )
    };
    (0..10_000).map(one).collect()
}

fn large_inputs() -> Vec<(&'static str, String)> {
    let inside = |entry: &dyn Fn(usize) -> String, keyword: &str| {
        let lines: String = (0..40_000).map(entry).collect();
        format!("vrrp_instance A {{\ninterface e\nvirtual_router_id 1\n{keyword} {{\n{lines}}}\n}}")
    };
    let ipv6 = |n: usize| format!("fe80::{:x}:{:x}\n", n >> 16, n & 0xffff);
    let instances: String = (0..10_000)
        .map(|n| format!("vrrp_instance i{n} {{\ninterface e{n}\nvirtual_router_id 1\nvirtual_ipaddress {{\n192.0.2.1\n}}\n}}\n"))
        .collect();
    vec![
        ("open", "{".repeat(1 << 20)),
        ("open lines", "a {\n".repeat(1 << 18)),
        ("close", "}".repeat(1 << 20)),
        ("quotes", "\"\n".repeat(1 << 19)),
        ("unknown", "prioritx 1\n".repeat(1 << 17)),
        (
            "unknown long",
            format!("{}\n", "p".repeat(40)).repeat(1 << 15),
        ),
        ("words", ("a ".repeat(400) + "\n").repeat(2000)),
        ("empty lines", "\n".repeat(4 << 20)),
        ("one line", "x".repeat(4 << 20)),
        ("not text", "\0 ".repeat(400).repeat(1000)),
        ("vips", inside(&ipv6, "virtual_ipaddress")),
        ("excluded", inside(&ipv6, "virtual_ipaddress_excluded")),
        ("peers", inside(&ipv6, "unicast_peer")),
        ("tracked", inside(&|n| format!("t{n}\n"), "track_interface")),
        ("instances", instances),
        ("definitions", "$A=b\nx $A\n".repeat(100_000)),
        (
            "uses",
            ("x ".to_owned() + &"$A ".repeat(300) + "\n").repeat(4000),
        ),
        ("dollars", ("$".repeat(1000) + "\n").repeat(4000)),
        ("open braces", ("${A".repeat(300) + "\n").repeat(4000)),
        ("sequence", "~SEQ(I,1,999999) x\n".repeat(10)),
        (
            "sequences",
            "~SEQ(I,1,100) ~SEQ(J,1,100) a${I}b${J}\n".repeat(1000),
        ),
        (
            "continued",
            "$A= \\\n".to_owned() + &"x \\\n".repeat(1 << 18),
        ),
        ("lists", "~LST({A,B},{1,2},{3,4}) x$A\n".repeat(30_000)),
        (
            "escapes",
            ("script ".to_owned() + &"\\x41'a'\"b\"".repeat(80) + "\n").repeat(4000),
        ),
        ("servers", servers()),
        (
            "routes",
            inside(
                &|n| format!("10.{}.0.0/16 dev e{n}\n", n % 256),
                "virtual_routes",
            ),
        ),
        ("trackers", inside(&|n| format!("s{n}\n"), "track_script")),
    ]
}

/// One of them in `SHARES`, so that the tests run beside each other.
fn ends_quickly(share: usize) {
    for (name, input) in large_inputs().into_iter().skip(share).step_by(SHARES) {
        let took = timed(input.as_bytes());
        // A debug build on a busy machine; anything quadratic takes minutes.
        assert!(took < Duration::from_secs(10), "{name}: {took:?}");
        println!("{name}: {took:?}");
    }
}

const SHARES: usize = 3;

#[test]
fn a_megabyte_of_anything_ends_quickly_1() {
    ends_quickly(0);
}

#[test]
fn a_megabyte_of_anything_ends_quickly_2() {
    ends_quickly(1);
}

#[test]
fn a_megabyte_of_anything_ends_quickly_3() {
    ends_quickly(2);
}
