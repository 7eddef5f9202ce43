//! Five published deployments, and the machines that they need.

use std::{env, net::IpAddr, time::Duration};

use anyhow::{Context, Result, bail};
use failoverd_tests::{
    agent::Agent,
    clock::monotonic,
    interop::{Kind, PATIENCE, Side},
    keepalived::Keepalived,
    netns::Netns,
    probe::Probe,
    router::State,
    topology::{Host, Switch},
    wait::eventually,
};

/// Set where the kernel has to have dummy interfaces.
const REAL_DUMMY: &str = "FAILOVERD_REQUIRE_DUMMY";

/// A deployment of two machines.
pub struct Seed {
    /// File and instance name of each, the better one first.
    pub nodes: [(&'static str, &'static str); 2],
    pub interface: &'static str,
    /// Of a machine that uses the service.
    pub client: &'static str,
    /// The machines' own addresses.
    pub addresses: [&'static str; 2],
    pub vip: &'static str,
}

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../data/seeds/", $name))
    };
}

pub const OPENSTACK: Seed = Seed {
    nodes: [
        (file!("openstack-1.conf"), "VI01"),
        (file!("openstack-2.conf"), "VI02"),
    ],
    interface: "ens3",
    client: "10.0.0.150/24",
    addresses: ["10.0.0.130/24", "10.0.0.131/24"],
    vip: "10.0.0.136",
};

pub const LVS: Seed = Seed {
    nodes: [
        (file!("lvs-1.conf"), "HA_Group"),
        (file!("lvs-2.conf"), "HA_Group"),
    ],
    interface: "ens33",
    client: "192.168.192.150/24",
    addresses: ["192.168.192.10/24", "192.168.192.11/24"],
    vip: "192.168.192.200",
};

pub const FABRIC: Seed = Seed {
    nodes: [
        (file!("fabric-1.conf"), "VI_1"),
        (file!("fabric-2.conf"), "VI_1"),
    ],
    interface: "enp0s8",
    client: "100.65.0.150/24",
    addresses: ["100.65.0.1/24", "100.65.0.2/24"],
    vip: "100.65.0.10",
};

pub const DUMMY: Seed = Seed {
    nodes: [
        (file!("dummy-1.conf"), "service-100"),
        (file!("dummy-2.conf"), "service-100"),
    ],
    interface: "eth0",
    client: "192.0.2.150/24",
    addresses: ["192.0.2.5/24", "192.0.2.6/24"],
    vip: "192.0.2.100",
};

pub const POSTGRES: Seed = Seed {
    nodes: [
        (file!("postgres-1.conf"), "Postgres_VIP"),
        (file!("postgres-2.conf"), "Postgres_VIP"),
    ],
    interface: "ens18",
    client: "10.0.5.150/8",
    addresses: ["10.0.1.62/8", "10.0.1.63/8"],
    vip: "10.0.2.100",
};

/// A node that checks an API server.
pub const API_SERVER_CONF: &str = file!("apiserver.conf");

/// The machines of a seed, and a client.
pub struct Site {
    // Before the machines: daemons end before their namespaces go.
    pub sides: [Option<Side>; 2],
    pub probe: Probe,
    pub hosts: [Host; 2],
    pub client: Host,
    pub switch: Switch,
    pub kinds: [Kind; 2],
    pub seed: Seed,
    pub vip: IpAddr,
}

impl Site {
    pub fn new(seed: Seed, kinds: [Kind; 2]) -> Result<Self> {
        let mut switch = Switch::new(1)?;
        let mut machine = |address: Option<&str>| -> Result<Host> {
            let ns = Netns::new()?;
            let port = switch.connect(&ns, seed.interface)?;
            if let Some(address) = address {
                // Only the address of the deployment, so that it is the source.
                ns.sh(&format!("ip -4 addr flush dev {}", seed.interface))?;
                ns.sh(&format!("ip addr add {address} dev {}", seed.interface))?;
            }
            dummy(&ns)?;
            Ok(Host { ns, port })
        };
        let hosts = [
            machine(Some(seed.addresses[0]))?,
            machine(Some(seed.addresses[1]))?,
        ];
        let client = machine(None)?;
        let address = format!("ip addr add {} dev {}", seed.client, seed.interface);
        client.ns.sh(&address)?;
        let vip: IpAddr = seed.vip.parse().context("VIP")?;
        let probe = Probe::start(&client, vip, Duration::from_millis(2))?;
        Ok(Self {
            sides: [None, None],
            probe,
            hosts,
            client,
            switch,
            kinds,
            seed,
            vip,
        })
    }

    pub fn start(&mut self, index: usize) -> Result<()> {
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

    pub fn side(&self, index: usize) -> Result<&Side> {
        self.sides[index].as_ref().context("it is not running")
    }

    pub fn wait(&self, index: usize, state: State) -> Result<()> {
        let waited = self.side(index)?.router().wait_state(state, patience());
        let whom = || format!("node {} ({:?})", index + 1, self.kinds[index]);
        waited.with_context(whom).map(drop)
    }

    /// Both run, and the better node serves. One after the other, so that the
    /// second was never Active and has no announcement left to make.
    pub fn start_both(seed: Seed, kinds: [Kind; 2]) -> Result<Self> {
        let mut site = Self::new(seed, kinds)?;
        site.start(0)?;
        site.wait(0, State::Active)?;
        site.start(1)?;
        site.wait(1, State::Backup)?;
        site.serves(0)?;
        Ok(site)
    }

    /// Stops node `index` as its operator does.
    pub fn stop(&mut self, index: usize) -> Result<()> {
        let mut side = self.sides[index].take().context("it is not running")?;
        side.stop()
    }

    /// How often each node has changed its state.
    pub fn transitions(&self) -> Result<[usize; 2]> {
        let count = |index| -> Result<usize> { Ok(self.side(index)?.router().transitions().len()) };
        Ok([count(0)?, count(1)?])
    }

    /// Node `index` alone has the VIP and answers for it.
    pub fn serves(&self, index: usize) -> Result<()> {
        let mac = self.hosts[index].port.mac;
        self.probe.wait_answer(monotonic(), Some(mac), patience())?;
        for host in [0, 1] {
            eventually(patience(), "the VIP on one node alone", || {
                let has = self.hosts[host].has_address(self.vip).ok()?;
                (has == (host == index)).then_some(())
            })?;
        }
        Ok(())
    }
}

/// An emulated machine, where the kernel has to have dummy interfaces, starts an
/// agent ten times as slowly.
fn patience() -> Duration {
    match env::var_os(REAL_DUMMY) {
        Some(_) => 6 * PATIENCE,
        None => PATIENCE,
    }
}

/// A dummy interface; one end of a cable plays it where the kernel has none.
fn dummy(ns: &Netns) -> Result<()> {
    if let Err(error) = ns.sh("ip link add dummy0 type dummy") {
        if env::var_os(REAL_DUMMY).is_some() {
            bail!("no dummy interface: {error:#}");
        }
        ns.sh("ip link add dummy0 type veth peer name dummy0-end")?;
        ns.sh("ip link set dummy0-end up")?;
    }
    ns.sh("ip link set dummy0 up").map(drop)
}
