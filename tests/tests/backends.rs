//! Every way that adverts can take into the agent, and what must not pass it.

use std::{fmt, os::fd::AsFd};

use anyhow::Result;
use failoverd_tests::{
    agent::{Agent, call},
    agents::{Agents, DOWN, INTERVAL, SOON, START, backend, never, outcome, picture, unclaimed},
    forge,
    packet::Packet,
    require_agent,
    router::{Router, State, VirtualRouter},
    sys::{self, bpf::PassProgram, netlink},
    topology::{Host, Lan},
    wait::eventually,
};

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
// proves
#[test]
fn native_xdp_elects_and_tells_vlans_apart() -> Result<()> {
    elects_and_tells_vlans_apart(BACKENDS[0])
}

// proves
#[test]
fn generic_xdp_elects_and_tells_vlans_apart() -> Result<()> {
    elects_and_tells_vlans_apart(BACKENDS[1])
}

// proves
#[test]
fn tcx_elects_and_tells_vlans_apart() -> Result<()> {
    elects_and_tells_vlans_apart(BACKENDS[2])
}

// proves
#[test]
fn a_raw_socket_elects_and_tells_vlans_apart() -> Result<()> {
    elects_and_tells_vlans_apart(BACKENDS[3])
}

fn elects_and_tells_vlans_apart(forced: Backend) -> Result<()> {
    require_agent!("ethtool");
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

// the first tagged advert may pass for an untagged one; it is the last.
// proves: R-22
#[test]
fn a_tag_that_xdp_cannot_see_ends_xdp_on_that_link() -> Result<()> {
    require_agent!("ethtool");
    let lan = Lan::new(3)?;
    tags_in_frame(&lan, false)?;
    let pair = Agents::start_on(lan, &[], |_, _, _| {})?;
    assert_eq!(backend(&pair.active.status()?), "xdp-native");

    let client = pair.client();
    let tagged = Packet {
        tags: vec![(0x8100, 7)],
        ..forge::advert(client.port.v4.into(), 250, INTERVAL, &[pair.lan.vip()])
    };
    forge::socket(client)?.send(&tagged.frame())?;
    for agent in [&pair.active, &pair.backup] {
        eventually(SOON, "a backend that sees tags", || {
            let status = agent.status().ok()?;
            let sees_tags = ["tcx", "raw-socket"].contains(&backend(&status));
            sees_tags.then_some(())
        })?;
    }
    pair.active.wait_state(State::Active, SOON)?;
    pair.backup_hears()?;
    tagged_adverts_do_not_count(
        &pair,
        &Packet {
            tags: Vec::new(),
            ..tagged
        },
    )
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
    require_agent!();
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
    require_agent!();
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
