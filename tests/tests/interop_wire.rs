//! What others read in our adverts: tshark field by field, and keepalived where
//! the checksum of version 3 has two forms.

use anyhow::{Result, ensure};
use failoverd_tests::{
    agent::{self, Agent},
    capture::Capture,
    interop::{Kind, PATIENCE, Setting, Side},
    keepalived::Keepalived,
    privilege, require_root,
    router::{Router, State, VirtualRouter},
    topology::Lan,
    tshark,
    wait::eventually,
};

/// Fields of every advert, then those of one version.
const COMMON: [&str; 7] = [
    "vrrp.version",
    "vrrp.type",
    "vrrp.virt_rtr_id",
    "vrrp.prio",
    "vrrp.addr_count",
    "vrrp.checksum.status",
    "eth.dst",
];
/// tshark's word for a checksum that verifies, and for one that does not.
const GOOD: &str = "1";
const BAD: &str = "0";

/// Five adverts of `host` as tshark reads them.
fn read(capture: &Capture, fields: &[&str]) -> Result<Vec<Vec<String>>> {
    eventually(PATIENCE, "five adverts", || {
        (capture.adverts().len() >= 5).then_some(())
    })?;
    let directory = tempfile::tempdir()?;
    let pcap = directory.path().join("adverts.pcap");
    capture.write_pcap(&pcap, |frame| frame.advert().is_some())?;
    let fields: Vec<_> = COMMON.iter().chain(fields).copied().collect();
    tshark::decode(&pcap, "vrrp", &fields)
}

/// Runs the agent alone and compares each of its adverts.
fn decoded(setting: Setting, fields: &[&str], expected: &[&str]) -> Result<()> {
    require_root!("tshark");
    if !privilege::ready(agent::missing()) {
        return Ok(());
    }
    let lan = Lan::new(2)?;
    let capture = Capture::start(&lan.host(1).ns, "eth0")?;
    let agent = Agent::start(&lan.host(0).ns, &setting.router(&lan, 0, 200))?;
    agent.wait_state(State::Active, PATIENCE)?;
    let rows = read(&capture, fields)?;
    ensure!(rows.len() >= 5, "tshark sees {} adverts", rows.len());
    for row in rows {
        assert_eq!(row, expected);
    }
    Ok(())
}

// proves: F-01, F-03, F-07, F-09, F-11, F-12, F-13, F-17, F-20, F-27, F-30, K-01, X-01, X-02, X-05
#[test]
fn tshark_decodes_v2_with_a_password() -> Result<()> {
    decoded(
        Setting::V2.password("longer-than-8"),
        &[
            "vrrp.adver_int",
            "vrrp.auth_type",
            "vrrp.auth_string",
            "vrrp.ip_addr",
            "ip.ttl",
            "ip.dst",
            "ip.src",
            "ip.proto",
            "ip.dsfield",
        ],
        &[
            "2",
            "1",
            "51",
            "200",
            "1",
            GOOD,
            "01:00:5e:00:00:12",
            "1",
            "1",
            "longer-t",
            "10.77.1.100",
            "255",
            "224.0.0.18",
            "10.77.1.1",
            "112",
            "0xc0",
        ],
    )
}

// proves: F-01, F-03, F-07, F-09, F-11, F-12, F-13, F-17, F-20, F-30, K-04, X-01, X-02, X-05
#[test]
fn tshark_decodes_v3_ipv4_with_the_pseudo_header() -> Result<()> {
    decoded(
        Setting::V3,
        &[
            "vrrp.short_adver_int",
            "vrrp.ip_addr",
            "ip.ttl",
            "ip.dst",
            "ip.src",
            "ip.proto",
            "ip.dsfield",
        ],
        &[
            "3",
            "1",
            "51",
            "200",
            "1",
            GOOD,
            "01:00:5e:00:00:12",
            "10",
            "10.77.1.100",
            "255",
            "224.0.0.18",
            "10.77.1.1",
            "112",
            "0xc0",
        ],
    )
}

// proves: F-02, F-04, F-08, F-10, F-11, F-12, F-13, F-17, F-22, F-24, F-30, K-02, X-01, X-02, X-05
#[test]
fn tshark_decodes_v3_ipv6() -> Result<()> {
    decoded(
        Setting::V3.ipv6(),
        &[
            "vrrp.short_adver_int",
            "vrrp.ipv6_addr",
            "ipv6.hlim",
            "ipv6.dst",
            "ipv6.src",
            "ipv6.nxt",
            "ipv6.tclass",
        ],
        &[
            "3",
            "1",
            "51",
            "200",
            "2",
            GOOD,
            "33:33:00:00:00:12",
            "10",
            "fe80::77:100,fd77:1::100",
            "255",
            "ff02::12",
            "fe80::ff:fe00:101",
            "112",
            "0x000000c0",
        ],
    )
}

/// A keepalived.conf in which the checksum has no pseudo-header.
fn as_v2(router: &VirtualRouter) -> String {
    router
        .keepalived_conf()
        .replace("vrrp_version 3\n", "vrrp_version 3\n  v3_checksum_as_v2\n")
}

/// The same file, by either daemon.
fn start(kind: Kind, lan: &Lan, index: usize, priority: u8) -> Result<Side> {
    let conf = as_v2(&Setting::V3.router(lan, index, priority));
    ensure!(conf.contains("as_v2"), "{conf}");
    let ns = &lan.host(index).ns;
    Ok(match kind {
        Kind::Agent => Side::Agent(Agent::start_conf(ns, &conf, "VI_1")?),
        Kind::Keepalived | Kind::Frr => {
            Side::Keepalived(Keepalived::start_with(ns, &conf, "VI_1")?)
        }
    })
}

/// What keepalived before 2.3 says of the option.
const UNKNOWN: &str = "Unknown keyword 'v3_checksum_as_v2'";

/// RFC 1071; 0xffff over a message that includes its checksum.
fn ones_complement(bytes: &[u8]) -> u32 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let sum: u32 = words.sum();
    (sum & 0xffff) + (sum >> 16)
}

fn without_pseudo_header(kinds: [Kind; 2]) -> Result<()> {
    require_root!("keepalived", "tshark");
    if !privilege::ready(agent::missing()) {
        return Ok(());
    }
    let lan = Lan::new(3)?;
    let first = start(kinds[0], &lan, 0, 200)?;
    first.router().wait_state(State::Active, PATIENCE)?;
    let capture = Capture::start(&lan.host(2).ns, "eth0")?;
    let second = start(kinds[1], &lan, 1, 100)?;
    second.router().wait_state(State::Backup, PATIENCE)?;
    for side in [&first, &second] {
        let lines = side.router().process().lines();
        if lines.iter().any(|line| line.text.contains(UNKNOWN)) {
            failoverd_tests::privilege::say_skipped(
                "the keepalived of this machine is too old for the option",
            );
            return Ok(());
        }
    }
    let heard = second.accepted()?;
    eventually(PATIENCE, "accepted adverts", || {
        let now = second.accepted().ok()??;
        (now >= heard.unwrap_or(0) + 4).then_some(())
    })?;
    // tshark knows the other form only: so this is really the one that was asked for.
    let rows = read(&capture, &[])?;
    ensure!(rows.iter().all(|row| row[5] == BAD), "{rows:?}");
    let adverts = capture.frames().into_iter();
    for frame in adverts.filter(|frame| frame.advert().is_some()) {
        // Ethernet and an IPv4 header without options.
        assert_eq!(ones_complement(&frame.bytes[34..46]), 0xffff);
    }
    assert_eq!(second.router().state(), Some(State::Backup));
    second.content()?;
    drop(first);
    second.router().wait_state(State::Active, PATIENCE)?;
    Ok(())
}

// proves: K-03, K-05, R-06
#[test]
fn r06_two_agents_with_v3_checksum_as_v2() -> Result<()> {
    without_pseudo_header([Kind::Agent, Kind::Agent])
}

// proves: K-03, K-05, R-06
#[test]
fn r06_keepalived_accepts_our_v3_checksum_as_v2() -> Result<()> {
    without_pseudo_header([Kind::Agent, Kind::Keepalived])
}

// proves: K-05, R-06
#[test]
fn r06_we_accept_the_v3_checksum_as_v2_of_keepalived() -> Result<()> {
    without_pseudo_header([Kind::Keepalived, Kind::Agent])
}
