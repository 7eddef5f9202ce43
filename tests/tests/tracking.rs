//! Trackers and sync groups: the same file for the agent and for keepalived,
//! and cables that are cut.

use std::{fs, net::IpAddr, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START, wait_vip},
    capture::Capture,
    keepalived::Keepalived,
    netns::Netns,
    require_agent,
    router::{Router, State},
    topology::{Host, Lan, Port, Switch},
    wait::{eventually, let_pass},
};

/// The example of the documentation is run as it stands there.
const DOCUMENT: &str = include_str!("../../docs/tracking.md");
const MAINTENANCE: &str = "/run/failoverd-maintenance";

/// Everything that counts by weight at once.
fn weights(directory: &Path) -> String {
    let path = |name: &str| directory.join(name).display().to_string();
    format!(
        "global_defs {{\nenable_script_security\nscript_user root\n}}\n\
         track_file plain {{\nfile {plain}\ninit_file 0 overwrite\n}}\n\
         track_file twice {{\nfile {twice}\nweight -2\ninit_file 0 overwrite\n}}\n\
         vrrp_script exists {{\nscript \"/usr/bin/test -e {exists}\"\ninterval 0.2\ntimeout 5\nweight -7\n}}\n\
         vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\npriority 100\n\
         version 3\nadvert_int 0.1\nvirtual_ipaddress {{\n10.77.1.100/24\n}}\n\
         track_interface {{\nt1 weight 10\nt2 weight -20\nt3 weight 30 reverse\n\
         t4 weight -40 reverse\n}}\n\
         track_file {{\nplain\ntwice\n}}\ntrack_script {{\nexists\n}}\n}}\n",
        plain = path("plain"),
        twice = path("twice"),
        exists = path("exists"),
    )
}

/// What the manual says of that file.
#[derive(Clone, Copy)]
struct World {
    links: [bool; 4],
    plain: i64,
    twice: i64,
    exists: bool,
}

impl World {
    fn priority(self) -> u8 {
        let [t1, t2, t3, t4] = self.links;
        let when = |condition: bool, weight: i64| if condition { weight } else { 0 };
        let sum = 100 + when(t1, 10) + when(!t2, -20) + when(t3, -30) + when(!t4, 40) + self.plain
            - 2 * self.twice
            + when(!self.exists, -7);
        u8::try_from(sum.clamp(1, 254)).unwrap_or(1)
    }

    fn apply(self, hosts: [&Netns; 2], directory: &Path) -> Result<()> {
        for ns in hosts {
            for (number, up) in (1..).zip(self.links) {
                let state = if up { "up" } else { "down" };
                ns.sh(&format!("ip link set p{number} {state}"))?;
            }
        }
        fs::write(directory.join("plain"), format!("{}\n", self.plain))?;
        fs::write(directory.join("twice"), format!("{}\n", self.twice))?;
        let exists = directory.join("exists");
        match self.exists {
            true => fs::write(exists, "")?,
            false if exists.exists() => fs::remove_file(exists)?,
            false => {}
        }
        Ok(())
    }
}

fn tracked_links(ns: &Netns) -> Result<()> {
    for number in 1..=4 {
        ns.sh(&format!(
            "ip link add t{number} type veth peer name p{number}"
        ))?;
        ns.sh(&format!("ip link set t{number} up"))?;
        ns.sh(&format!("ip link set p{number} up"))?;
    }
    Ok(())
}

fn last_priority(capture: &Capture) -> Option<u8> {
    capture.adverts().last().map(|(_, advert)| advert.priority)
}

/// The same file on two machines that never meet: keepalived and the agent
/// send the same priorities through a sequence of changes.
#[test]
fn effective_priorities_are_those_of_keepalived() -> Result<()> {
    require_agent!("keepalived");
    let directory = tempfile::tempdir()?;
    let lans = [Lan::new(1)?, Lan::new(1)?];
    let hosts = [&lans[0].host(0).ns, &lans[1].host(0).ns];
    hosts.iter().try_for_each(|ns| tracked_links(ns))?;
    let mut world = World {
        links: [true; 4],
        plain: 0,
        twice: 0,
        exists: true,
    };
    world.apply(hosts, directory.path())?;
    let conf = weights(directory.path());
    let captures = [
        Capture::start(hosts[0], "eth0")?,
        Capture::start(hosts[1], "eth0")?,
    ];
    let agent = Agent::start_conf(hosts[0], &conf, "VI_1")?;
    let keepalived = Keepalived::start_with(hosts[1], &conf, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    keepalived.wait_state(State::Active, START)?;
    let mut seen = std::collections::BTreeSet::new();
    for step in 0..36_u32 {
        // Each bit has its own rhythm; the numbers go far out of the range.
        match step % 7 {
            0..=3 => {
                let link = (step % 4) as usize;
                world.links[link] = !world.links[link];
            }
            4 => world.plain = [5, -60, 200, -200, 0, 17][(step / 7 % 6) as usize],
            5 => world.twice = [3, -4, 60, -90, 0, 1][(step / 7 % 6) as usize],
            _ => world.exists = !world.exists,
        }
        world.apply(hosts, directory.path())?;
        let expected = world.priority();
        for (capture, who) in captures.iter().zip(["the agent", "keepalived"]) {
            let what = format!("step {step}: {expected} from {who}");
            let found = eventually(SOON, &what, || {
                (last_priority(capture)? == expected).then_some(())
            });
            found.with_context(|| format!("it sends {:?}", last_priority(capture)))?;
        }
        seen.insert(expected);
    }
    ensure!(seen.len() > 12, "{seen:?}");
    let status = agent.status()?;
    let instance = &status["instances"][0];
    ensure!(instance["base_priority"] == 100, "{instance}");
    ensure!(instance["priority"] == world.priority(), "{instance}");
    let trackers = instance["trackers"].as_array().context("trackers")?;
    ensure!(trackers.len() == 7, "{instance}");
    let sum: i64 = trackers
        .iter()
        .filter_map(|t| t["contribution"].as_i64())
        .sum();
    ensure!(
        (100 + sum).clamp(1, 254) == i64::from(world.priority()),
        "{instance}"
    );
    Ok(())
}

/// A tracker without a weight: a fault and its end, beside keepalived.
#[test]
fn a_tracker_without_a_weight_is_a_fault_while_it_is_bad() -> Result<()> {
    require_agent!("keepalived");
    let directory = tempfile::tempdir()?;
    let lans = [Lan::new(1)?, Lan::new(1)?];
    let hosts = [&lans[0].host(0).ns, &lans[1].host(0).ns];
    hosts.iter().try_for_each(|ns| tracked_links(ns))?;
    let file = directory.path().join("down");
    fs::write(&file, "0\n")?;
    let conf = format!(
        "track_file down {{\nfile {}\nweight 0\n}}\n\
         vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\npriority 100\n\
         version 3\nadvert_int 0.1\nvirtual_ipaddress {{\n10.77.1.100/24\n}}\n\
         track_interface {{\nt1\nt2 weight 0 reverse\n}}\ntrack_file {{\ndown\n}}\n}}\n",
        file.display()
    );
    hosts
        .iter()
        .try_for_each(|ns| ns.sh("ip link set p2 down").map(drop))?;
    let agent = Agent::start_conf(hosts[0], &conf, "VI_1")?;
    let keepalived = Keepalived::start_with(hosts[1], &conf, "VI_1")?;
    let both: [&dyn Router; 2] = [&agent, &keepalived];
    let expect = |state| {
        both.iter()
            .try_for_each(|one| one.wait_state(state, START).map(drop))
    };
    expect(State::Active)?;
    let sh = |line: &str| hosts.iter().try_for_each(|ns| ns.sh(line).map(drop));
    sh("ip link set p1 down")?;
    expect(State::Fault)?;
    sh("ip link set p1 up")?;
    expect(State::Active)?;
    sh("ip link set p2 up")?;
    expect(State::Fault)?;
    sh("ip link set p2 down")?;
    expect(State::Active)?;
    fs::write(&file, "1\n")?;
    expect(State::Fault)?;
    fs::write(&file, "0\n")?;
    expect(State::Active)
}

/// Two machines with a cable to each of two switches.
struct Gateways {
    lan: Lan,
    outside: Switch,
    ports: Vec<Port>,
}

impl Gateways {
    fn new() -> Result<Self> {
        let lan = Lan::new(2)?;
        let mut outside = Switch::new(2)?;
        let ports = (0..2)
            .map(|index| outside.connect(&lan.host(index).ns, "eth1"))
            .collect::<Result<_>>()?;
        Ok(Self {
            lan,
            outside,
            ports,
        })
    }

    fn host(&self, index: usize) -> &Host {
        self.lan.host(index)
    }

    /// Both VIPs are on one machine and not on the other.
    fn all_on(&self, index: usize) -> Result<()> {
        for vip in VIPS {
            let vip: IpAddr = vip.parse()?;
            wait_vip(self.host(index), vip, true, START)?;
            wait_vip(self.host(1 - index), vip, false, START)?;
        }
        Ok(())
    }
}

const VIPS: [&str; 2] = ["10.77.1.100", "10.77.2.100"];

fn example(priority: u8, file: &Path) -> Result<String> {
    let text = DOCUMENT.split("```").nth(1).context("the example")?;
    ensure!(text.contains("priority 200") && text.contains(MAINTENANCE));
    let text = text.replace("priority 200", &format!("priority {priority}"));
    Ok(text.replace(MAINTENANCE, &file.display().to_string()))
}

enum Other {
    Agent(Agent),
    Keepalived(Keepalived),
}

impl Other {
    fn router(&self) -> &dyn Router {
        match self {
            Self::Agent(agent) => agent,
            Self::Keepalived(keepalived) => keepalived,
        }
    }
}

/// The file of the documentation, through all that it promises.
fn cables_and_maintenance(start: fn(&Netns, &str) -> Result<Other>) -> Result<()> {
    let net = Gateways::new()?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("maintenance");
    let first = Agent::start_conf(&net.host(0).ns, &example(200, &file)?, "inside")?;
    first.wait_state(State::Active, START)?;
    net.all_on(0)?;
    let unused = directory.path().join("other");
    let second = start(&net.host(1).ns, &example(150, &unused)?)?;
    second.router().wait_state(State::Backup, START)?;

    net.outside.cut_cable(&net.ports[0])?;
    net.all_on(1).context("one cable of the Active was cut")?;
    ensure!(first.state() == Some(State::Fault), "{:?}", first.state());
    net.outside.mend(&net.ports[0])?;
    net.all_on(0).context("the cable is back")?;

    // Without a carrier that falls: only adverts of one network are missing.
    net.outside.cut_silently(&net.ports[1])?;
    let_pass(Duration::from_secs(2))?;
    net.all_on(0).context("the Backup cannot have both")?;
    net.outside.mend(&net.ports[1])?;

    fs::write(&file, "100\n")?;
    net.all_on(1).context("maintenance")?;
    fs::write(&file, "0\n")?;
    net.all_on(0).context("maintenance is over")?;
    let status = first.status()?;
    for instance in status["instances"].as_array().context("instances")? {
        ensure!(instance["group"] == "gateway", "{instance}");
        ensure!(instance["trackers"][0]["state"] == "0", "{instance}");
    }
    Ok(())
}

#[test]
fn the_example_of_the_documentation_with_two_agents() -> Result<()> {
    require_agent!();
    cables_and_maintenance(|ns, conf| Ok(Other::Agent(Agent::start_conf(ns, conf, "inside")?)))
}

#[test]
fn the_example_of_the_documentation_with_keepalived_as_the_peer() -> Result<()> {
    require_agent!("keepalived");
    cables_and_maintenance(|ns, conf| {
        Ok(Other::Keepalived(Keepalived::start_with(
            ns, conf, "inside",
        )?))
    })
}
