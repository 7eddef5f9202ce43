//! The fence: a machine whose agent hangs answers for its VIPs no longer than
//! its lease, so that it and its successor never both do (M11).

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use agent_common::wire::checksum::Sum;
use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START, instance, wait_vip},
    capture::{Capture, Frame},
    clock::{Deadline, monotonic, nanos},
    process::Line,
    require_agent, require_macvlan,
    router::{Router, State},
    sys::PacketSocket,
    topology::{Host, Lan, Switch},
    wait::{eventually, let_pass},
};

const LEASE: Duration = Duration::from_millis(200);
/// Between two requests of the host.
const SPACING: Duration = Duration::from_millis(2);
/// The kernel of the answering machine is quick, but the machine is shared.
const SLACK: Duration = Duration::from_millis(60);
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86DD;

fn conf(priority: u8, lines: &str, vips: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n priority {priority}\n \
         version 3\n advert_int 0.01\n {lines}\n virtual_ipaddress {{\n {vips}\n }}\n}}\n"
    )
}

fn start(host: &Host, text: &str, state: State) -> Result<Agent> {
    let agent = Agent::start_conf(&host.ns, text, "VI_1")?;
    agent.wait_state(state, START)?;
    Ok(agent)
}

fn ethernet(destination: [u8; 6], client: &Host, kind: u16, rest: &[u8]) -> Vec<u8> {
    let mut frame = destination.to_vec();
    frame.extend(client.port.mac.0);
    frame.extend(kind.to_be_bytes());
    frame.extend(rest);
    frame
}

/// An ARP request or a Neighbor Solicitation of the client.
fn question(client: &Host, vip: IpAddr) -> Vec<u8> {
    match vip {
        IpAddr::V4(vip) => {
            let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1];
            arp.extend(client.port.mac.0);
            arp.extend(client.port.v4.octets());
            arp.extend([0; 6]);
            arp.extend(vip.octets());
            ethernet([0xFF; 6], client, ARP, &arp)
        }
        IpAddr::V6(vip) => {
            let [.., a, b, c] = vip.octets();
            let group = Ipv6Addr::new(
                0xff02,
                0,
                0,
                0,
                0,
                1,
                0xff00 | u16::from(a),
                u16::from_be_bytes([b, c]),
            );
            let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
            message.extend(vip.octets());
            message.extend([1, 1]);
            message.extend(client.port.mac.0);
            let sum = Sum::new()
                .add_address(&client.port.link_local.octets())
                .add_address(&group.octets())
                .add_u16(32)
                .add_u16(58)
                .add_slice(&message)
                .finish();
            message[2..4].copy_from_slice(&sum.to_be_bytes());
            let mut packet = vec![0x60, 0, 0, 0, 0, 32, 58, 255];
            packet.extend(client.port.link_local.octets());
            packet.extend(group.octets());
            packet.extend(message);
            ethernet([0x33, 0x33, 0xff, a, b, c], client, IPV6, &packet)
        }
    }
}

/// Whether a frame is the answer of a machine to [`question`].
fn is_answer(frame: &Frame, client: &Host, vip: IpAddr) -> bool {
    let bytes = &frame.bytes;
    if !frame.outgoing || bytes.get(..6) != Some(&client.port.mac.0[..]) {
        return false;
    }
    match vip {
        IpAddr::V4(vip) => {
            bytes.get(12..14) == Some(&ARP.to_be_bytes())
                && bytes.get(20..22) == Some(&[0, 2])
                && bytes.get(28..32) == Some(&vip.octets())
        }
        IpAddr::V6(vip) => {
            bytes.get(12..14) == Some(&IPV6.to_be_bytes())
                && bytes.get(54) == Some(&136)
                && bytes.get(62..78) == Some(&vip.octets())
        }
    }
}

/// A host that asks for a VIP all the time, and what each router says.
struct Asker<'a> {
    client: &'a Host,
    vip: IpAddr,
    socket: PacketSocket,
    routers: Vec<Capture>,
}

impl<'a> Asker<'a> {
    fn new(lan: &'a Lan, routers: usize, vip: IpAddr) -> Result<Self> {
        let client = lan.host(lan.hosts.len() - 1);
        let captures = (0..routers).map(|at| Capture::start(&lan.host(at).ns, "eth0"));
        Ok(Self {
            client,
            vip,
            socket: client.ns.packet_socket("eth0", 0)?,
            routers: captures.collect::<Result<_>>()?,
        })
    }

    fn ask(&self) -> Result<()> {
        self.socket.send(&question(self.client, self.vip))?;
        let_pass(SPACING)
    }

    /// How often that was.
    fn ask_for(&self, span: Duration) -> Result<usize> {
        let deadline = Deadline::after(span);
        let mut asked = 0;
        while !deadline.expired() {
            self.ask()?;
            asked += 1;
        }
        Ok(asked)
    }

    /// When a router answered.
    fn answers(&self, router: usize) -> Vec<u64> {
        let frames = self.routers[router].frames();
        let answers = frames
            .iter()
            .filter(|frame| is_answer(frame, self.client, self.vip));
        answers.map(|frame| frame.time).collect()
    }

    fn answers_since(&self, router: usize, time: u64) -> usize {
        let answers = self.answers(router);
        answers.iter().filter(|at| **at >= time).count()
    }

    /// Until a router answers.
    fn wait(&self, router: usize) -> Result<()> {
        let from = monotonic();
        eventually(SOON, "an answer", || {
            self.ask().ok()?;
            (self.answers_since(router, from) > 0).then_some(())
        })
    }
}

/// The Active hangs, the Backup takes over, the Active wakes up again; for how
/// long both answered, and since when the hung one did not any more.
fn hang(lan: &Lan, vip: IpAddr, text: impl Fn(u8) -> String) -> Result<(Agent, u64, u64)> {
    let first = start(lan.host(0), &text(200), State::Active)?;
    let second = start(lan.host(1), &text(100), State::Backup)?;
    let asker = Asker::new(lan, 2, vip)?;
    asker.wait(0)?;
    let frozen = monotonic();
    first.freeze(true)?;
    let deadline = Deadline::after(START);
    while second.state() != Some(State::Active) {
        ensure!(!deadline.expired(), "no take-over");
        asker.ask_for(Duration::from_millis(20))?;
    }
    asker.wait(1)?;
    let taken = monotonic();
    let asked = asker.ask_for(LEASE * 4)?;
    let last = asker.answers(0).into_iter().max().context("an answer")?;
    let heard = asker.answers_since(1, taken);
    ensure!(heard * 2 > asked, "the successor: {heard} of {asked}");
    let woken = monotonic();
    first.freeze(false)?;
    first.wait_state(State::Active, START)?;
    second.wait_state(State::Backup, START)?;
    wait_vip(lan.host(1), vip, false, SOON)?;
    asker.wait(0)?;
    // Both know where they are, and have done what follows; now there is one.
    let settled = monotonic();
    let asked = asker.ask_for(LEASE * 2)?;
    let heard = asker.answers_since(0, settled);
    ensure!(heard * 2 > asked, "the Active: {heard} of {asked}");
    let others = asker.answers_since(1, settled);
    ensure!(others == 0, "{others} answers of the Backup");
    Ok((first, last.saturating_sub(frozen), woken - frozen))
}

fn never_both(lan: &Lan, vip: IpAddr, text: impl Fn(u8) -> String) -> Result<()> {
    let (first, answered, hung) = hang(lan, vip, text)?;
    let most = nanos(LEASE + SLACK);
    ensure!(
        answered <= most,
        "hung for {hung} ns, answered for {answered} ns"
    );
    let status = first.status()?;
    let fast = &instance(&status)["fast_detect"];
    let kept = fast["fenced_questions"].as_u64().context("a count")?;
    ensure!(kept > 0 && fast["fenced"] == false, "{fast}");
    first
        .process()
        .wait_line("longer than its lease", SOON)
        .map(drop)
}

#[test]
fn a_hung_active_answers_no_arp_beside_its_successor() -> Result<()> {
    require_agent!();
    let lan = Lan::new(3)?;
    let vip = lan.vip();
    never_both(&lan, vip, |priority| {
        conf(priority, "fast_detect on", &format!("{vip}/24"))
    })
}

#[test]
fn nor_a_neighbour_solicitation() -> Result<()> {
    require_agent!();
    let lan = Lan::new(3)?;
    let vips = format!("{}/64\n {}/64", lan.vip6_link_local(), lan.vip6());
    never_both(&lan, lan.vip6(), |priority| {
        conf(priority, "native_ipv6\n fast_detect on", &vips)
    })
}

/// What the tests above are against: otherwise they prove nothing.
#[test]
fn without_fast_detect_both_answer() -> Result<()> {
    require_agent!();
    let lan = Lan::new(3)?;
    let vip = lan.vip();
    let text = |priority| conf(priority, "", &format!("{vip}/24"));
    let (_, answered, _) = hang(&lan, vip, text)?;
    ensure!(answered > nanos(LEASE + SLACK), "{answered} ns");
    Ok(())
}

/// Requests come in on the link below the interface that has the VIP. Both
/// routers answer from one MAC address: who sent it is seen on their links.
#[test]
fn nor_with_a_virtual_mac_address() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    let vip = lan.vip();
    never_both(&lan, vip, |priority| {
        conf(priority, "use_vmac\n fast_detect on", &format!("{vip}/24"))
    })
}

fn ping(client: &Host, vip: IpAddr, count: u32) -> Result<usize> {
    let line = format!("ping -n -i 0.05 -W 1 -c {count} {vip}");
    // It ends with an error where nothing comes back.
    let said = client
        .ns
        .sh(&line)
        .unwrap_or_else(|error| format!("{error:#}"));
    Ok(said.matches(" ttl=").count())
}

/// Hosts that have its MAC address are served as long as nobody else serves.
#[test]
fn packets_pass_until_another_one_serves() -> Result<()> {
    require_agent!();
    let lan = Lan::new(3)?;
    let (vip, client) = (lan.vip(), lan.host(2));
    let text = |priority| conf(priority, "fast_detect on", &format!("{vip}/24"));
    let first = start(lan.host(0), &text(200), State::Active)?;
    let mac = lan.host(0).port.mac;
    // Whatever anybody announces.
    let permanent = format!("ip neigh replace {vip} lladdr {mac} dev eth0 nud permanent");
    client.ns.sh(&permanent)?;
    let asker = Asker::new(&lan, 2, vip)?;
    asker.wait(0)?;
    first.freeze(true)?;
    asker.ask_for(LEASE * 2)?;
    let fenced = monotonic();
    asker.ask_for(LEASE)?;
    assert_eq!(asker.answers_since(0, fenced), 0, "fenced, and alone");
    assert_eq!(ping(client, vip, 5)?, 5);
    let second = start(lan.host(1), &text(100), State::Active)?;
    assert_eq!(ping(client, vip, 5)?, 0, "another one serves");
    first.freeze(false)?;
    first.wait_state(State::Active, START)?;
    second.wait_state(State::Backup, START)?;
    assert_eq!(ping(client, vip, 5)?, 5);
    let status = first.status()?;
    let packets = &instance(&status)["fast_detect"]["fenced_packets"];
    assert!(
        packets.as_u64().is_some_and(|count| count >= 5),
        "{packets}"
    );
    Ok(())
}

/// A link where the instance hears no adverts; also after the agent was
/// exchanged for another, whose leases are its own.
#[test]
fn vips_elsewhere_are_fenced_through_an_upgrade() -> Result<()> {
    require_agent!();
    let mut lan = Lan::new(1)?;
    let mut other = Switch::new(2)?;
    other.connect(&lan.host(0).ns, "eth1")?;
    let ns = failoverd_tests::netns::Netns::new()?;
    let port = other.connect(&ns, "eth0")?;
    lan.hosts.push(Host { ns, port });
    let vip: IpAddr = [10, 77, 2, 100].into();
    let vips = format!("{}/24\n {vip}/24 dev eth1", lan.vip());
    let text = conf(200, "fast_detect on", &vips);
    let agent = start(lan.host(0), &text, State::Active)?;
    let mut asker = Asker::new(&lan, 0, vip)?;
    asker.routers.push(Capture::start(&lan.host(0).ns, "eth1")?);
    asker.wait(0)?;
    let ended = agent.ask("upgrade", &[])?;
    ensure!(ended.code == Some(0), "{ended:?}");
    let upgraded = monotonic();
    let asked = asker.ask_for(LEASE * 4)?;
    let heard = asker.answers_since(0, upgraded);
    ensure!(heard * 2 > asked, "after the upgrade: {heard} of {asked}");
    let status = agent.status()?;
    let kept = &instance(&status)["fast_detect"]["fenced_questions"];
    assert_eq!(kept.as_u64(), Some(0));
    agent.freeze(true)?;
    asker.ask_for(LEASE * 2)?;
    let fenced = monotonic();
    asker.ask_for(LEASE)?;
    assert_eq!(asker.answers_since(0, fenced), 0);
    // Where a link has room for one program, the earlier agent's goes first.
    let lines = agent.process().lines();
    let doubt = |line: &&Line| line.text.contains("will be answered for");
    let doubt = lines.iter().find(doubt);
    assert!(doubt.is_none(), "{doubt:?}");
    agent.freeze(false)?;
    asker.wait(0)
}

/// Whoever leaves Active is not fenced: then the VIPs are gone, or somebody
/// else's. An Active that leaves fast detection goes on answering Backups that
/// ask, who take over when it hangs, so it stays fenced as well.
#[test]
fn who_is_active_is_fenced_and_nobody_else() -> Result<()> {
    require_agent!();
    let lan = Lan::new(3)?;
    let vip = lan.vip();
    let text = |priority, fast| conf(priority, fast, &format!("{vip}/24"));
    let first = start(lan.host(0), &text(200, "fast_detect on"), State::Active)?;
    let asker = Asker::new(&lan, 2, vip)?;
    asker.wait(0)?;
    first.write_conf(&text(200, ""))?;
    ensure!(first.reload()?.code == Some(0));
    first.freeze(true)?;
    asker.ask_for(LEASE + SLACK)?;
    let fenced = monotonic();
    asker.ask_for(LEASE)?;
    ensure!(asker.answers_since(0, fenced) == 0, "not fenced any more");
    first.freeze(false)?;
    asker.wait(0)?;
    first.write_conf(&text(200, "fast_detect on"))?;
    ensure!(first.reload()?.code == Some(0));
    // A Backup that hangs, where an administrator has put the VIP by hand.
    let second = start(lan.host(1), &text(250, "fast_detect on"), State::Active)?;
    first.wait_state(State::Backup, START)?;
    first.freeze(true)?;
    lan.host(0)
        .ns
        .sh(&format!("ip addr add {vip}/24 dev eth0"))?;
    asker.ask_for(LEASE * 2)?;
    asker.wait(0)?;
    first.freeze(false)?;
    drop(second);
    Ok(())
}
