//! Five published deployments, their files unchanged: a pair elects, the
//! address is where it belongs, and moves when the Active goes.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::{self, Agent},
    clock::monotonic,
    interop::{Kind, PATIENCE, Side},
    keepalived::Keepalived,
    netns::Netns,
    privilege,
    probe::Probe,
    require_root,
    router::{Router, State},
    topology::{Host, Switch},
    wait::eventually,
};

/// A deployment of two machines.
struct Seed {
    /// File and instance name of each, the better one first.
    nodes: [(&'static str, &'static str); 2],
    interface: &'static str,
    /// The machines' own addresses.
    addresses: [&'static str; 2],
    vip: &'static str,
}

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../data/seeds/", $name))
    };
}

const OPENSTACK: Seed = Seed {
    nodes: [
        (file!("openstack-1.conf"), "VI01"),
        (file!("openstack-2.conf"), "VI02"),
    ],
    interface: "ens3",
    addresses: ["10.0.0.130/24", "10.0.0.131/24"],
    vip: "10.0.0.136",
};

const LVS: Seed = Seed {
    nodes: [
        (file!("lvs-1.conf"), "HA_Group"),
        (file!("lvs-2.conf"), "HA_Group"),
    ],
    interface: "ens33",
    addresses: ["192.168.192.10/24", "192.168.192.11/24"],
    vip: "192.168.192.200",
};

const FABRIC: Seed = Seed {
    nodes: [
        (file!("fabric-1.conf"), "VI_1"),
        (file!("fabric-2.conf"), "VI_1"),
    ],
    interface: "enp0s8",
    addresses: ["100.65.0.1/24", "100.65.0.2/24"],
    vip: "100.65.0.10",
};

const DUMMY: Seed = Seed {
    nodes: [
        (file!("dummy-1.conf"), "service-100"),
        (file!("dummy-2.conf"), "service-100"),
    ],
    interface: "eth0",
    addresses: ["192.0.2.5/24", "192.0.2.6/24"],
    vip: "192.0.2.100",
};

const POSTGRES: Seed = Seed {
    nodes: [
        (file!("postgres-1.conf"), "Postgres_VIP"),
        (file!("postgres-2.conf"), "Postgres_VIP"),
    ],
    interface: "ens18",
    addresses: ["10.0.1.62/8", "10.0.1.63/8"],
    vip: "10.0.2.100",
};

/// The machines of a seed, and a client.
struct Site {
    // Before the machines: daemons end before their namespaces go.
    sides: [Option<Side>; 2],
    probe: Probe,
    hosts: [Host; 2],
    _client: Host,
    _switch: Switch,
    kinds: [Kind; 2],
    seed: Seed,
    vip: IpAddr,
}

impl Site {
    fn new(seed: Seed, kinds: [Kind; 2]) -> Result<Self> {
        let mut switch = Switch::new(1)?;
        let mut machine = |address: Option<&str>| -> Result<Host> {
            let ns = Netns::new()?;
            let port = switch.connect(&ns, seed.interface)?;
            if let Some(address) = address {
                // Only the address of the deployment, so that it is the source.
                ns.sh(&format!("ip -4 addr flush dev {}", seed.interface))?;
                ns.sh(&format!("ip addr add {address} dev {}", seed.interface))?;
            }
            // In place of a dummy interface, which not every kernel has.
            ns.sh("ip link add dummy0 type veth peer name dummy0-end")?;
            ns.sh("ip link set dummy0-end up")?;
            ns.sh("ip link set dummy0 up")?;
            Ok(Host { ns, port })
        };
        let hosts = [
            machine(Some(seed.addresses[0]))?,
            machine(Some(seed.addresses[1]))?,
        ];
        let client = machine(None)?;
        let vip: IpAddr = seed.vip.parse().context("VIP")?;
        let probe = Probe::start(&client, vip, Duration::from_millis(2))?;
        Ok(Self {
            sides: [None, None],
            probe,
            hosts,
            _client: client,
            _switch: switch,
            kinds,
            seed,
            vip,
        })
    }

    fn start(&mut self, index: usize) -> Result<()> {
        let (conf, instance) = self.seed.nodes[index];
        let ns = &self.hosts[index].ns;
        let side = match self.kinds[index] {
            Kind::Agent => Side::Agent(Agent::start_conf(ns, conf, instance)?),
            Kind::Keepalived => Side::Keepalived(Keepalived::start_with(ns, conf, instance)?),
            Kind::Frr => unreachable!("FRR reads no keepalived.conf"),
        };
        self.sides[index] = Some(side);
        Ok(())
    }

    fn side(&self, index: usize) -> Result<&Side> {
        self.sides[index].as_ref().context("it is not running")
    }

    fn wait(&self, index: usize, state: State) -> Result<()> {
        let waited = self.side(index)?.router().wait_state(state, PATIENCE);
        let whom = || format!("node {} ({:?})", index + 1, self.kinds[index]);
        waited.with_context(whom).map(drop)
    }

    /// Node `index` alone has the VIP and answers for it.
    fn serves(&self, index: usize) -> Result<()> {
        let mac = self.hosts[index].port.mac;
        self.probe.wait_answer(monotonic(), Some(mac), PATIENCE)?;
        for host in [0, 1] {
            eventually(PATIENCE, "the VIP on one node alone", || {
                let has = self.hosts[host].has_address(self.vip).ok()?;
                (has == (host == index)).then_some(())
            })?;
        }
        Ok(())
    }
}

macro_rules! require_both {
    () => {
        require_root!("keepalived");
        if !privilege::ready(agent::missing()) {
            return Ok(());
        }
    };
}

/// The better node is Active, leaves, and comes back.
fn elects_and_moves(seed: Seed, kinds: [Kind; 2]) -> Result<()> {
    require_both!();
    let mut site = Site::new(seed, kinds)?;
    site.start(0)?;
    site.start(1)?;
    site.wait(0, State::Active)?;
    site.wait(1, State::Backup)?;
    site.serves(0)?;
    let mut active = site.sides[0].take().context("node 1")?;
    active.stop()?;
    drop(active);
    site.wait(1, State::Active)?;
    site.serves(1)?;
    site.start(0)?;
    site.wait(0, State::Active)?;
    site.wait(1, State::Backup)?;
    site.serves(0)?;
    for index in [0, 1] {
        let side = site.side(index)?;
        let complaints: Vec<_> = side
            .complaints()
            .into_iter()
            .filter(|line| !of_the_configuration(line))
            .collect();
        ensure!(complaints.is_empty(), "{complaints:#?}");
    }
    Ok(())
}

/// What either says of the file, before it runs.
fn of_the_configuration(line: &str) -> bool {
    ["keepalived.conf", "smtp", "Ignoring track_interface"]
        .iter()
        .any(|sign| line.contains(sign))
}

macro_rules! seeds {
    ($($name:ident = $seed:expr;)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn two_agents() -> Result<()> {
                elects_and_moves($seed, [Kind::Agent; 2])
            }

            #[test]
            fn agent_replaces_the_first() -> Result<()> {
                elects_and_moves($seed, [Kind::Agent, Kind::Keepalived])
            }

            #[test]
            fn agent_replaces_the_second() -> Result<()> {
                elects_and_moves($seed, [Kind::Keepalived, Kind::Agent])
            }
        })*
    };
}

seeds! {
    openstack = OPENSTACK;
    lvs = LVS;
    fabric = FABRIC;
    dummy = DUMMY;
}

/// As published, the first node sends by unicast and the second listens to the
/// group: neither hears the other, and both serve. That is so with keepalived,
/// which does not say a word about it; an agent has to name what it refuses.
fn both_serve(kinds: [Kind; 2]) -> Result<Site> {
    let mut site = Site::new(POSTGRES, kinds)?;
    for index in [0, 1] {
        site.start(index)?;
        site.wait(index, State::Active)?;
    }
    let since = monotonic();
    for index in [0, 1] {
        let mac = site.hosts[index].port.mac;
        site.probe.wait_answer(since, Some(mac), PATIENCE)?;
        ensure!(site.hosts[index].has_address(site.vip)?);
    }
    Ok(site)
}

#[test]
fn postgres_as_published_splits_a_pair_of_keepalived() -> Result<()> {
    require_both!();
    let site = both_serve([Kind::Keepalived; 2])?;
    for index in [0, 1] {
        assert_eq!(site.side(index)?.accepted()?, Some(0));
    }
    Ok(())
}

fn postgres_splits_visibly(kinds: [Kind; 2]) -> Result<()> {
    require_both!();
    let site = both_serve(kinds)?;
    for index in [0, 1] {
        let Side::Agent(agent) = site.side(index)? else {
            continue;
        };
        let from = site.seed.addresses[1 - index].trim_end_matches("/8");
        let line = format!("advert refused: destination from {from} vrid 51");
        let line = agent.process().wait_line(&line, PATIENCE)?;
        ensure!(line.text.contains("one side uses multicast"), "{line:?}");
        let status = agent.status()?;
        let outcomes = &status["instances"][0]["outcomes"];
        ensure!(outcomes["destination"].as_u64() >= Some(1), "{outcomes}");
        ensure!(outcomes["accepted"].is_null(), "{outcomes}");
    }
    Ok(())
}

#[test]
fn postgres_as_published_splits_a_pair_of_agents_visibly() -> Result<()> {
    postgres_splits_visibly([Kind::Agent; 2])
}

#[test]
fn postgres_as_published_splits_agent_and_keepalived_visibly() -> Result<()> {
    postgres_splits_visibly([Kind::Agent, Kind::Keepalived])
}

#[test]
fn postgres_as_published_splits_keepalived_and_agent_visibly() -> Result<()> {
    postgres_splits_visibly([Kind::Keepalived, Kind::Agent])
}

/// The second file on two nodes: the same priority, so whoever was first
/// stays, and the other one takes over.
fn postgres_second_file_twice(kinds: [Kind; 2]) -> Result<()> {
    require_both!();
    let seed = Seed {
        nodes: [POSTGRES.nodes[1]; 2],
        ..POSTGRES
    };
    let mut site = Site::new(seed, kinds)?;
    site.start(0)?;
    site.wait(0, State::Active)?;
    site.start(1)?;
    site.wait(1, State::Backup)?;
    site.serves(0)?;
    let mut active = site.sides[0].take().context("node 1")?;
    active.stop()?;
    site.wait(1, State::Active)?;
    site.serves(1)
}

#[test]
fn postgres_second_file_on_keepalived_and_agent() -> Result<()> {
    postgres_second_file_twice([Kind::Keepalived, Kind::Agent])
}

#[test]
fn postgres_second_file_on_agent_and_keepalived() -> Result<()> {
    postgres_second_file_twice([Kind::Agent, Kind::Keepalived])
}
