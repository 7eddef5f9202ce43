//! Every way that adverts can take into the agent, and what must not pass it.

use std::{fmt, net::IpAddr, os::fd::AsFd, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    agent::{self, Agent, call},
    agents::{
        self, Agents, DOWN, INTERVAL, SOON, START, backend, counter, instance, never, outcome,
        unclaimed,
    },
    forge::{self, Sender},
    netns::Netns,
    packet::Packet,
    privilege, require_root,
    router::{Router, State, VirtualRouter},
    sys::{self, bpf::PassProgram, netlink},
    topology::{Host, Lan},
    wait::{eventually, let_pass},
};

fn ready() -> bool {
    privilege::ready(agent::missing())
}

/// A backend and the name it has in the status.
#[derive(Clone, Copy)]
struct Backend {
    flag: &'static str,
    name: &'static str,
}

const BACKENDS: [Backend; 4] = [
    Backend {
        flag: "native",
        name: "xdp-native",
    },
    Backend {
        flag: "generic",
        name: "xdp-generic",
    },
    Backend {
        flag: "tcx",
        name: "tcx",
    },
    Backend {
        flag: "raw",
        name: "raw-socket",
    },
];

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

// R-22, and the backend forced by its flag
#[test]
fn native_xdp_elects_and_tells_vlans_apart() -> Result<()> {
    elects_and_tells_vlans_apart(BACKENDS[0])
}

#[test]
fn generic_xdp_elects_and_tells_vlans_apart() -> Result<()> {
    elects_and_tells_vlans_apart(BACKENDS[1])
}

#[test]
fn tcx_elects_and_tells_vlans_apart() -> Result<()> {
    elects_and_tells_vlans_apart(BACKENDS[2])
}

#[test]
fn a_raw_socket_elects_and_tells_vlans_apart() -> Result<()> {
    elects_and_tells_vlans_apart(BACKENDS[3])
}

fn elects_and_tells_vlans_apart(forced: Backend) -> Result<()> {
    require_root!("ethtool");
    if !ready() {
        return Ok(());
    }
    let lan = Lan::new(3)?;
    tags_in_frame(&lan, true)?;
    let pair = Agents::start_on(lan, &["--backend", forced.flag], |_, _, _| {})?;
    for agent in [&pair.active, &pair.backup] {
        assert_eq!(backend(&agent.status()?), forced.name);
    }
    let attached = pair.lan.host(1).ns.sh("ip -o link show eth0")?;
    let is_xdp = forced.name.starts_with("xdp");
    assert_eq!(attached.contains("xdp"), is_xdp, "{attached}");

    // Higher than the Active: where it counts, the Active leaves.
    let client = pair.client();
    let plain = forge::advert(client.port.v4.into(), 250, INTERVAL, &[pair.lan.vip()]);
    tagged_adverts_do_not_count(&pair, &plain)?;
    if !is_xdp {
        tags_in_frame(&pair.lan, false)?;
        tagged_adverts_do_not_count(&pair, &plain)?;
    }
    // A VLAN id of 0 is a priority only; that frame is untagged, and counts.
    let priority = Packet {
        tags: vec![(0x8100, 0xe000)],
        ..plain
    };
    forge::socket(client)?.send(&priority.frame())?;
    pair.active.wait_state(State::Backup, SOON)?;
    pair.active.wait_state(State::Active, SOON)?;
    pair.backup_hears()?;

    pair.lan.cut_silently(0)?;
    pair.backup.wait_state(State::Active, SOON)?;
    assert!(pair.lan.host(1).has_address(pair.lan.vip())?);
    Ok(())
}

/// Where a tag is that comes out of the switch: in the frame, as on a wire, or
/// beside it, as one veth tells the other unless told not to.
fn tags_in_frame(lan: &Lan, in_frame: bool) -> Result<()> {
    let offload = if in_frame { "off" } else { "on" };
    for host in &lan.hosts {
        lan.switch.ns.sh(&format!(
            "ethtool -K {} txvlan {offload} tx-vlan-stag-hw-insert {offload}",
            host.port.switch_side
        ))?;
    }
    Ok(())
}

/// Sends `plain` in other VLANs: seen, and nothing comes of it.
fn tagged_adverts_do_not_count(pair: &Agents, plain: &Packet) -> Result<()> {
    const TIMES: u64 = 5;
    let kinds = [
        vec![(0x8100, 7)],
        vec![(0x88a8, 7)],
        vec![(0x8100, 4094)],
        // A priority tag inside: still of VLAN 7.
        vec![(0x88a8, 7), (0x8100, 0xe000)],
    ];
    let count = TIMES * kinds.len() as u64;
    let socket = forge::socket(pair.client())?;
    let before = pair.transitions();
    let heard = unclaimed(&pair.active.status()?, "unknown_vrid");
    for tags in kinds {
        let tagged = Packet {
            tags,
            ..plain.clone()
        };
        for _ in 0..TIMES {
            socket.send(&tagged.frame())?;
        }
    }
    eventually(SOON, "the tagged adverts are seen", || {
        let now = unclaimed(&pair.active.status().ok()?, "unknown_vrid");
        (now >= heard + count).then_some(())
    })?;
    never(DOWN, "a transition by a tagged advert", || {
        (pair.transitions() != before).then(|| pair.transitions())
    })
}

/// A machine with a foreign XDP program of that mode on its interface.
struct Taken {
    lan: Lan,
    program: PassProgram,
}

impl Taken {
    const GENERIC: u32 = 1 << 1;
    const NATIVE: u32 = 1 << 2;

    fn new(mode: u32) -> Result<Self> {
        let lan = Lan::new(2)?;
        let program = PassProgram::load()?;
        lan.host(1).ns.enter(|| {
            let index = sys::interface_index("eth0")?;
            Ok(netlink::attach_xdp(index, program.0.as_fd(), mode)?)
        })?;
        let taken = Self { lan, program };
        assert!(taken.is_attached()?);
        Ok(taken)
    }

    fn host(&self) -> &Host {
        self.lan.host(1)
    }

    fn is_attached(&self) -> Result<bool> {
        let link = self.host().ns.sh("ip -d -o link show eth0")?;
        let id = format!("prog/xdp id {} ", self.program.id()?);
        Ok(link.contains(&id))
    }
}

// B1
#[test]
fn a_foreign_xdp_program_stays_and_tcx_takes_the_adverts() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    for mode in [Taken::NATIVE, Taken::GENERIC] {
        let taken = Taken::new(mode)?;
        let router = |priority| VirtualRouter::new(priority, taken.lan.vip()).every(INTERVAL);
        let active = Agent::start(&taken.lan.host(0).ns, &router(200))?;
        active.wait_state(State::Active, START)?;
        let mut backup = Agent::start(&taken.host().ns, &router(100))?;
        backup.wait_state(State::Backup, START)?;
        backup
            .process()
            .wait_line("eth0: receiving adverts through tcx", SOON)?;
        backup
            .process()
            .wait_line("which we do not replace", SOON)?;
        let status = backup.status()?;
        assert_eq!(backend(&status), "tcx");
        let refused = status["links"][0]["refused"].to_string();
        assert!(refused.contains("xdp-native"), "{refused}");
        assert!(refused.contains("xdp-generic"), "{refused}");
        eventually(SOON, "adverts through tcx", || {
            (outcome(&backup.status().ok()?, "accepted") > 10).then_some(())
        })?;
        assert_eq!(backup.transitions().len(), 1);
        assert!(taken.is_attached()?, "the foreign program is gone");
        backup.stop()?;
        assert!(taken.is_attached()?, "the foreign program went with us");
    }
    Ok(())
}

#[test]
fn require_xdp_ends_with_5_and_changes_nothing_where_the_slot_is_taken() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    let taken = Taken::new(Taken::NATIVE)?;
    let host = taken.host();
    let before = picture(&host.ns)?;
    let router = VirtualRouter::new(200, taken.lan.vip()).every(INTERVAL);
    let directory = tempfile::tempdir()?;
    let control = directory.path().join("control").display().to_string();
    let mut arguments = router.agent_arguments();
    arguments.extend(["--require-xdp".to_owned(), "--control".to_owned(), control]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = call(Some(&host.ns), &arguments, START)?;
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let sentences: Vec<_> = ended
        .output
        .iter()
        .filter(|line| line.starts_with("failoverd: "))
        .collect();
    assert_eq!(sentences.len(), 1, "{ended:?}");
    assert!(sentences[0].contains("--require-xdp"), "{sentences:?}");
    assert!(taken.is_attached()?);
    assert_eq!(picture(&host.ns)?, before);
    Ok(())
}

/// Links, addresses and memberships, as text.
fn picture(ns: &Netns) -> Result<String> {
    Ok([
        ns.sh("ip -d -o link show")?,
        ns.sh("ip -o addr show")?,
        ns.sh("ip maddr show dev eth0")?,
    ]
    .concat())
}

// A steady Backup wakes for its own deadlines alone.
#[test]
fn steady_adverts_do_not_wake_a_backup_on_xdp() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    let pair = Agents::start(&["--require-xdp"], |_, _, _| {})?;
    let accepted = |status: &serde_json::Value| outcome(status, "accepted");
    // The first adverts of a router do wake.
    eventually(SOON, "the Backup is steady", || {
        (accepted(&pair.backup.status().ok()?) > 10).then_some(())
    })?;
    let wakeups = |status: &serde_json::Value| status["fast_lane"]["wakeups"].as_u64();
    let before = pair.backup.status()?;
    let_pass(25 * INTERVAL)?;
    let after = pair.backup.status()?;
    let adverts = accepted(&after) - accepted(&before);
    assert!(adverts >= 20, "{adverts} adverts");
    // The question itself is one.
    let wakeups = wakeups(&after).unwrap_or(0) - wakeups(&before).unwrap_or(0) - 1;
    assert!(wakeups > 0, "no deadline in {adverts} intervals");
    // A checkpoint comes 2.1 intervals after the newest advert at the last one,
    // which is less than one interval old.
    assert!(
        wakeups * 14 <= (adverts + 2) * 10,
        "{wakeups} for {adverts} adverts"
    );
    Ok(())
}

// N18: what is wrong, foreign or lower changes counters and nothing else.
#[test]
fn a_flood_moves_nothing_and_is_counted() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    flood(&["--require-xdp"], 200)
}

#[test]
fn a_smaller_flood_on_a_raw_socket_moves_nothing_and_is_counted() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    flood(&["--backend", "raw"], 20)
}

/// `thousands` of frames at 100 a millisecond at most, all of them refused.
fn flood(flags: &[&str], thousands: u64) -> Result<()> {
    let interval = Duration::from_millis(10);
    let pair = Agents::start(flags, |_, _, router| router.interval = interval)?;
    let client = pair.client();
    let source = IpAddr::from(client.port.v4);
    let vips = [pair.lan.vip()];
    let lower = forge::advert(source, 50, interval, &vips);
    let mut broken = forge::advert(source, 250, interval, &vips);
    broken.message[6] ^= 0xff;
    let mut frames: Vec<_> = (100..=200)
        .map(|vrid| lower.clone().with_byte(1, vrid).frame())
        .collect();
    frames.push(broken.frame());
    frames.push(lower.frame());
    let socket = forge::socket(client)?;
    let before = pair.transitions();
    let statuses = [pair.active.status()?, pair.backup.status()?];
    let mut frames = [&frames[101], &frames[102]]
        .into_iter()
        .cycle()
        .zip(frames[..101].iter().cycle())
        .flat_map(|(ours, foreign)| [ours, foreign]);
    let mut sent = 0;
    for _ in 0..thousands * 10 {
        for frame in frames.by_ref().take(100) {
            // A full queue loses a frame of the flood.
            sent += u64::from(socket.send(frame).is_ok());
        }
        let_pass(Duration::from_millis(1))?;
    }
    never(20 * interval, "a transition", || {
        (pair.transitions() != before).then(|| pair.transitions())
    })?;
    assert_eq!(pair.transitions(), before);
    for (agent, old) in [&pair.active, &pair.backup].into_iter().zip(&statuses) {
        let status = agent.status()?;
        let more = |count: fn(&serde_json::Value, &str) -> u64, name| {
            count(&status, name) - count(old, name)
        };
        let foreign = more(unclaimed, "unknown_vrid") + more(unclaimed, "over_budget");
        let wrong = more(outcome, "checksum") + more(outcome, "over_budget");
        assert!(foreign > sent / 4, "{foreign} of {sent}: {status}");
        assert!(more(outcome, "checksum") > 0, "{status}");
        assert!(
            foreign + wrong + more(outcome, "accepted") > sent / 2,
            "{sent}: {status}"
        );
        assert!(counter(&status, "notices_suppressed") > 0, "{status}");
    }
    // S-46: no answer for each.
    let asserted = counter(&pair.active.status()?, "adverts_sent");
    assert!(asserted < sent / 10, "{asserted} adverts for {sent}");
    Ok(())
}

//
#[test]
fn a_fragmented_ipv6_advert_counts_on_xdp() -> Result<()> {
    fragmented_adverts_count(&["--require-xdp"], true)
}

#[test]
fn a_fragmented_ipv6_advert_counts_on_a_raw_socket() -> Result<()> {
    fragmented_adverts_count(&["--backend", "raw"], true)
}

#[test]
fn a_fragmented_ipv4_advert_counts_on_xdp() -> Result<()> {
    fragmented_adverts_count(&["--require-xdp"], false)
}

#[test]
fn a_fragmented_ipv4_advert_counts_on_a_raw_socket() -> Result<()> {
    fragmented_adverts_count(&["--backend", "raw"], false)
}

/// A Backup stays one for as long as fragments of an Active's advert come.
fn fragmented_adverts_count(flags: &[&str], ipv6: bool) -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    const COUNT: u8 = 200;
    // Sent five times as often, so that a late sender is no silent Active.
    let interval = Duration::from_millis(500);
    let lan = Lan::new(2)?;
    let sender = &lan.host(1).port;
    let (source, vips): (IpAddr, Vec<IpAddr>) = if ipv6 {
        let vip = |n| IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, u16::from(n)]);
        (sender.link_local.into(), (1..=COUNT).map(vip).collect())
    } else {
        let vip = |n| IpAddr::from([10, 77, 2, n]);
        (sender.v4.into(), (1..=COUNT).map(vip).collect())
    };
    let packet = forge::advert(source, 200, interval, &vips);
    // 3208 and 808 bytes of VRRP: three fragments.
    let size = if ipv6 { 1400 } else { 400 };
    let stream = Sender::start(lan.host(1), interval / 5, move |round| {
        forge::fragments(&packet, size, round)
    })?;
    let mut router = VirtualRouter::new(100, vips[0]).every(interval);
    router.vips = vec![(vips[0], if ipv6 { 64 } else { 24 })];
    let backup = agents::start(lan.host(0), &router, flags)?;
    backup.wait_state(State::Backup, START)?;
    eventually(SOON, "fragments are accepted", || {
        (outcome(&backup.status().ok()?, "accepted") > 3).then_some(())
    })?;
    let down = instance(&backup.status()?)["active_down_interval_ms"].clone();
    let down = Duration::from_secs_f64(down.as_f64().unwrap_or(0.0) / 1e3);
    assert!(down > 3 * interval, "{down:?}");
    never(down + interval, "a transition", || {
        (backup.state() != Some(State::Backup)).then(|| backup.transitions())
    })?;
    let status = backup.status()?;
    let active = instance(&status)["active"].as_str().unwrap_or_default();
    assert_eq!(active, source.to_string(), "{status}");
    // It was those that held it back.
    drop(stream);
    backup.wait_state(State::Active, SOON)?;
    Ok(())
}
