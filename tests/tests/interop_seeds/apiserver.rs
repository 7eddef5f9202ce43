//! The node that checks an API server, its file and its command unchanged,
//! with an HTTPS endpoint that can be made ill.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    interop::{Kind, PATIENCE, Side},
    keepalived::Keepalived,
    netns::run,
    process::Process,
    router::State,
    topology::{Host, Lan},
    wait::eventually,
};
use tempfile::TempDir;

use crate::{each_way, require_both, scene::*};

/// As the file has them.
const ADDRESSES: [&str; 2] = ["10.0.0.246/16", "10.0.1.4/16"];
const VIP: &str = "10.0.0.191";

/// Five successes, 5 s apart, and as much again for a busy machine.
const RISE: Duration = Duration::from_secs(75);

/// One line for each probe: `healthy`, or `ill` for one that it hangs up on.
/// SIGUSR1 makes it the other.
const SERVER: &str = r#"
import signal, socket, ssl
healthy = True
def turn(*_):
    global healthy
    healthy = not healthy
signal.signal(signal.SIGUSR1, turn)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server = socket.create_server(("127.0.0.1", 6443))
print("listening", flush=True)
while True:
    client, _ = server.accept()
    if not healthy:
        print("ill", flush=True)
        client.close()
        continue
    try:
        with context.wrap_socket(client, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
            print("healthy", flush=True)
    except OSError:
        pass
"#;

/// The API server of a node.
struct Server {
    process: Process,
    /// With its certificate.
    _directory: TempDir,
}

impl Server {
    fn start(host: &Host) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("lab-api").tempdir()?;
        let mut openssl = std::process::Command::new("openssl");
        openssl.current_dir(&directory);
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes"]);
        openssl.args(["-keyout", "key.pem", "-out", "cert.pem"]);
        run(openssl.args(["-subj", "/CN=localhost", "-days", "2"]))?;
        let mut python = host.ns.command("python3");
        python.current_dir(&directory).args(["-c", SERVER]);
        let process = Process::start("API server", &mut python)?;
        process.wait_line("listening", PATIENCE)?;
        Ok(Self {
            process,
            _directory: directory,
        })
    }

    /// From healthy to ill, or back.
    fn turn(&self) -> Result<()> {
        self.process.signal(libc::SIGUSR1)
    }

    /// How many probes ended so since the start.
    fn probes(&self, outcome: &str) -> usize {
        let lines = self.process.lines();
        lines.iter().filter(|line| line.text == outcome).count()
    }
}

/// Two machines with the addresses of the deployment.
fn machines() -> Result<Lan> {
    let lan = Lan::new(2)?;
    for (host, address) in lan.hosts.iter().zip(ADDRESSES) {
        host.ns.sh("ip link set eth0 down")?;
        host.ns.sh("ip link set eth0 name ens192")?;
        host.ns.sh("ip -4 addr flush dev ens192")?;
        host.ns.sh(&format!("ip addr add {address} dev ens192"))?;
        host.ns.sh("ip link set ens192 up")?;
    }
    Ok(lan)
}

fn start(host: &Host, kind: Kind, conf: &str, instance: &str) -> Result<Side> {
    Ok(match kind {
        Kind::Agent => Side::Agent(Agent::start_conf(&host.ns, conf, instance)?),
        Kind::Keepalived | Kind::Frr => {
            Side::Keepalived(Keepalived::start_with(&host.ns, conf, instance)?)
        }
    })
}

/// The file of the other machine.
fn peer_conf(priority: u8) -> String {
    format!(
        "vrrp_instance Peer {{\nstate BACKUP\ninterface ens192\nvirtual_router_id 55\n\
        priority {priority}\nadvert_int 1\nunicast_src_ip 10.0.1.4\nunicast_peer {{\n10.0.0.246\n}}\n\
        authentication {{\nauth_type PASS\nauth_pass svcentPass\n}}\n\
        virtual_ipaddress {{\n10.0.0.191/22\n}}\n}}\n"
    )
}

fn is_at(lan: &Lan, index: usize) -> Result<()> {
    let vip = VIP.parse().context("VIP")?;
    for host in [0, 1] {
        eventually(PATIENCE, "the VIP on one machine alone", || {
            let has = lan.host(host).has_address(vip).ok()?;
            (has == (host == index)).then_some(())
        })?;
    }
    Ok(())
}

fn missing() -> Option<String> {
    let programs = ["curl", "openssl", "python3"];
    programs
        .into_iter()
        .find_map(failoverd_tests::privilege::missing_program)
}

macro_rules! require_all {
    () => {
        require_both!();
        if !failoverd_tests::privilege::ready(missing()) {
            return Ok(());
        }
    };
}

/// Two failed probes give the VIP up, five successes take it back.
fn follows_its_server(kinds: [Kind; 2]) -> Result<()> {
    require_all!();
    let lan = machines()?;
    let server = Server::start(lan.host(0))?;
    let node = start(lan.host(0), kinds[0], API_SERVER_CONF, "ServerCenter")?;
    node.router().wait_state(State::Active, RISE)?;
    let peer = start(lan.host(1), kinds[1], &peer_conf(20), "Peer")?;
    peer.router().wait_state(State::Backup, PATIENCE)?;
    is_at(&lan, 0)?;

    server.turn()?;
    node.router().wait_state(State::Fault, RISE)?;
    let failed = server.probes("ill");
    ensure!(failed >= 2, "given up after {failed} probes");
    peer.router().wait_state(State::Active, PATIENCE)?;
    is_at(&lan, 1)?;

    let before = server.probes("healthy");
    server.turn()?;
    node.router().wait_state(State::Active, RISE)?;
    let succeeded = server.probes("healthy") - before;
    ensure!(succeeded >= 5, "taken back after {succeeded} probes");
    peer.router().wait_state(State::Backup, PATIENCE)?;
    is_at(&lan, 0)
}

each_way!(follows_its_server);

/// With its server well it is Active while it is alone, and yields to a better
/// peer.
fn elects(peer: Kind) -> Result<()> {
    require_all!();
    let lan = machines()?;
    let _server = Server::start(lan.host(0))?;
    let node = start(lan.host(0), Kind::Agent, API_SERVER_CONF, "ServerCenter")?;
    node.router().wait_state(State::Active, PATIENCE)?;
    is_at(&lan, 0)?;
    let mut peer = start(lan.host(1), peer, &peer_conf(40), "Peer")?;
    peer.router().wait_state(State::Active, PATIENCE)?;
    node.router().wait_state(State::Backup, PATIENCE)?;
    is_at(&lan, 1)?;
    peer.stop()?;
    node.router().wait_state(State::Active, PATIENCE)?;
    Ok(())
}

#[test]
fn elects_with_an_agent() -> Result<()> {
    elects(Kind::Agent)
}

#[test]
fn elects_with_keepalived() -> Result<()> {
    elects(Kind::Keepalived)
}
