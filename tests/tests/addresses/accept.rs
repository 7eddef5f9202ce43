//! Accept_Mode (RFC 9568 6.1): what reaches a VIP.

use std::{
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use anyhow::{Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, pid},
    require_agent,
    router::Router,
    sys,
    topology::{Host, Lan},
    wait::eventually,
};

use crate::{active, instance, strings};

const V4: &str = "10.77.9.1";
const V6: &str = "fd00:7::1";
const LINK_LOCAL: &str = "fe80::5e:1";
const PORT: u16 = 7777;

/// Host 0 is Active, host 1 the client.
struct Scene {
    agent: Agent,
    lan: Lan,
    _listeners: Vec<TcpListener>,
}

fn conf(globals: &str, more: &str) -> String {
    let vips = format!("{more}\nvirtual_ipaddress_excluded {{\n{V6}/64\n{LINK_LOCAL}/64\n}}");
    let instance = instance(200, 3, &strings(&[&format!("{V4}/24")]), &vips);
    format!("global_defs {{\n{globals}\n}}\n{instance}")
}

impl Scene {
    fn start(globals: &str, more: &str) -> Result<Self> {
        let lan = Lan::new(2)?;
        let (server, client) = (lan.host(0), lan.host(1));
        client.ns.sh("ip addr add 10.77.9.200/24 dev eth0")?;
        client.ns.sh("ip addr add fd00:7::200/64 dev eth0 nodad")?;
        let agent = active(server, &conf(globals, more))?;
        let listen = |address: &str| {
            server.ns.enter(|| {
                let address: IpAddr = address.parse()?;
                Ok(TcpListener::bind(SocketAddr::new(address, PORT))?)
            })
        };
        // Of both families.
        let listeners = vec![listen("::")?];
        Ok(Self {
            agent,
            lan,
            _listeners: listeners,
        })
    }

    fn client(&self) -> &Host {
        self.lan.host(1)
    }

    fn connects(&self, address: &str) -> Result<bool> {
        let address = SocketAddr::new(address.parse()?, PORT);
        let wait = Duration::from_millis(1500);
        let tried = || Ok(TcpStream::connect_timeout(&address, wait).is_ok());
        self.client().ns.enter(tried)
    }

    fn pings(&self, address: &str) -> bool {
        let line = format!("ping -c 1 -W 1 -I eth0 {address}");
        self.client().ns.sh(&line).is_ok()
    }

    /// The VIP's machine answers who it is, by ARP or neighbour discovery.
    fn resolves(&self, address: &str) -> Result<bool> {
        let ns = &self.client().ns;
        let _ = ns.sh("ip neigh flush dev eth0");
        let _ = self.pings(address);
        let mac = self.lan.host(0).port.mac.to_string();
        let neighbours = ns.sh(&format!("ip neigh show to {address} dev eth0"))?;
        Ok(neighbours.contains(&mac))
    }

    fn reload(&self, globals: &str, more: &str) -> Result<()> {
        self.agent.write_conf(&conf(globals, more))?;
        let ended = self.agent.reload()?;
        ensure!(ended.code == Some(0), "{ended:?}");
        Ok(())
    }

    fn rules(&self) -> Result<String> {
        self.lan.host(0).ns.sh("nft list ruleset")
    }
}

// proves: S-34, S-36
#[test]
fn without_accept_mode_only_the_neighbours_are_answered() -> Result<()> {
    require_agent!("nft", "ping");
    for (globals, what) in [
        ("", "failoverd"),
        ("nftables mine\nnftables_ifindex\nnftables_counters", "mine"),
    ] {
        let mut scene = Scene::start(globals, "no_accept")?;
        ensure!(scene.rules()?.contains(&format!("table inet {what}")));
        for vip in [V4, V6, LINK_LOCAL] {
            ensure!(!scene.pings(vip), "{vip} answers");
            ensure!(scene.resolves(vip)?, "{vip} is not resolved");
        }
        for vip in [V4, V6] {
            ensure!(!scene.connects(vip)?, "{vip} accepts");
        }
        // The machine's own address is nobody's VIP.
        let own = scene.lan.host(0).port.v4.to_string();
        ensure!(scene.pings(&own) && scene.connects(&own)?, "{own}");
        // What goes out meets no rule of ours.
        let rules = scene.rules()?;
        ensure!(rules.matches("type filter hook").count() == 1, "{rules}");
        ensure!(rules.contains("hook input"), "{rules}");
        scene.reload("nftables other", "no_accept")?;
        let rules = scene.rules()?;
        ensure!(rules.matches("table inet").count() == 1, "{rules}");
        ensure!(rules.contains("table inet other"), "{rules}");
        ensure!(!scene.pings(V4), "the other table drops as well");
        scene.reload(globals, "accept")?;
        for vip in [V4, V6, LINK_LOCAL] {
            ensure!(scene.pings(vip), "{vip} does not answer");
        }
        ensure!(!scene.rules()?.contains("table"), "{}", scene.rules()?);
        scene.reload(globals, "no_accept")?;
        ensure!(!scene.pings(V4));
        scene.agent.stop()?;
        ensure!(!scene.rules()?.contains("table"), "{}", scene.rules()?);
    }
    Ok(())
}

// proves: S-36
#[test]
fn with_accept_mode_everything_arrives_and_nftables_is_left_alone() -> Result<()> {
    require_agent!("nft", "ping");
    let scene = Scene::start("", "")?;
    for vip in [V4, V6] {
        ensure!(scene.pings(vip) && scene.connects(vip)?, "{vip}");
    }
    ensure!(scene.pings(LINK_LOCAL));
    ensure!(scene.rules()?.is_empty(), "{}", scene.rules()?);
    Ok(())
}

/// The rules are the agent's own: a flush of all others leaves them, a crash
/// does not, and the next start has them again.
#[test]
fn the_rules_live_as_long_as_the_agent() -> Result<()> {
    require_agent!("nft", "ping");
    let scene = Scene::start("", "no_accept")?;
    let server = &scene.lan.host(0).ns;
    server.sh("nft flush ruleset")?;
    ensure!(!scene.pings(V4));
    let mark = scene.agent.process().mark();
    let dead = pid(&scene.agent)?;
    sys::kill(dead, libc::SIGSTOP)?;
    let supervisor = scene.agent.process().pid();
    sys::kill(supervisor, libc::SIGSTOP)?;
    sys::kill(dead, libc::SIGKILL)?;
    eventually(SOON, "the rules go with the agent", || {
        scene.rules().ok()?.is_empty().then_some(())
    })?;
    sys::kill(supervisor, libc::SIGCONT)?;
    scene
        .agent
        .process()
        .wait_line_from(mark, "Entering MASTER STATE", SOON)?;
    ensure!(!scene.pings(V4));
    ensure!(scene.rules()?.contains("table inet failoverd"));
    Ok(())
}

/// A name that somebody else uses is refused, and nothing is touched.
#[test]
fn a_table_of_somebody_else_is_left_alone() -> Result<()> {
    require_agent!("nft");
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    host.ns.sh("nft add table inet theirs")?;
    let conf = conf("nftables theirs", "no_accept");
    let mut agent = Agent::start_conf(&host.ns, &conf, "VI_1")?;
    let line = "table inet theirs is there already";
    agent.process().wait_line(line, SOON)?;
    let ended = agent.process_mut().wait(SOON)?;
    ensure!(ended.code() == Some(2), "{ended}");
    ensure!(host.ns.sh("nft list ruleset")?.contains("theirs"));
    Ok(())
}
