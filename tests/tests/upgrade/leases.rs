//! Leases that are shorter than a successor needs for all its links.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START},
    capture::Capture,
    initiator::{Initiator, Said},
    netns::Netns,
    require_agent,
    sys::PacketSocket,
    topology::{Port, Switch},
    wait::{eventually, let_pass},
};

use crate::lab::upgrade;

/// Links with an instance each, and links that have VIPs of the first one only.
const HEARING: u8 = 8;
const BARE: u8 = 3;
const PATIENCE: Duration = Duration::from_millis(500);

/// One of the links, as a machine at its other end has it.
struct Asker {
    probes: Option<Initiator>,
    socket: PacketSocket,
    capture: Capture,
    question: Vec<u8>,
    vip: Ipv4Addr,
}

const fn vip(link: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, link, 100)
}

fn arp(port: &Port, vip: Ipv4Addr) -> Vec<u8> {
    let mut frame = vec![0xFF; 6];
    frame.extend(port.mac.0);
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(port.mac.0);
    frame.extend(port.v4.octets());
    frame.extend([0; 6]);
    frame.extend(vip.octets());
    frame
}

impl Asker {
    fn new(client: &Netns, link: u8, [router, own]: &[Port; 2]) -> Result<Self> {
        let interface = &own.interface;
        let yours = Initiator::documented(false, 50 + link);
        let target: IpAddr = router.v4.into();
        let probes = (link <= HEARING).then(|| Initiator::new(client, interface, target, yours));
        Ok(Self {
            probes: probes.transpose()?,
            socket: client.packet_socket(interface, 0)?,
            capture: Capture::start(client, interface)?,
            question: arp(own, vip(link)),
            vip: vip(link),
        })
    }

    /// Answers to [`Self::question`]; announcements are sent to everybody.
    fn answers(&self) -> usize {
        let frames = self.capture.frames();
        let answers = frames.iter().filter(|frame| {
            frame.bytes.get(..6) == self.question.get(6..12)
                && frame.bytes.get(20..22) == Some(&[0, 2])
                && frame.bytes.get(28..32) == Some(&self.vip.octets())
        });
        answers.count()
    }

    fn ask(&self) -> Result<()> {
        if let Some(probes) = &self.probes {
            let said = probes.ask(PATIENCE)?;
            ensure!(said == Some(Said::Up), "{said:?} for {}", self.vip);
        }
        Ok(self.socket.send(&self.question).map(drop)?)
    }

    /// Until the instance serves.
    fn wait(&self) -> Result<()> {
        let what = format!("{} to be served", self.vip);
        eventually(START, &what, || self.ask().ok())?;
        eventually(START, &what, || {
            self.ask().ok()?;
            (self.answers() > 0).then_some(())
        })
    }

    /// As often as it goes, until it is over: every question is answered.
    fn ask_until(&self, over: &AtomicBool) -> Result<()> {
        let_pass(Duration::from_millis(200))?;
        let (before, mut asked) = (self.answers(), 0);
        while !over.load(Ordering::Relaxed) {
            self.ask()?;
            asked += 1;
            let_pass(Duration::from_millis(1))?;
        }
        ensure!(asked > 20, "{asked} questions");
        let answered = || self.answers() - before;
        eventually(SOON, "all answers", || (answered() >= asked).then_some(()))
            .map_err(|_| anyhow::anyhow!("{}: {} of {asked} questions", self.vip, answered()))
    }
}

fn conf(lease: &str) -> String {
    let one = |link: u8| {
        let mut vips = format!("{}/24", vip(link));
        if link == 1 {
            for bare in HEARING + 1..=HEARING + BARE {
                vips.push_str(&format!("\n {}/24 dev eth{bare}", vip(bare)));
            }
        }
        format!(
            "vrrp_instance VI_{link} {{\n interface eth{link}\n virtual_router_id {}\n \
             priority 200\n version 3\n advert_int 0.01\n fast_detect lease {lease}\n \
             virtual_ipaddress {{\n {vips}\n }}\n}}\n",
            50 + link
        )
    };
    (1..=HEARING).map(one).collect()
}

/// To switch all these links takes longer than such a lease runs, and nobody
/// renews it in the successor meanwhile.
#[test]
fn no_lease_runs_out_while_a_successor_switches_many_links() -> Result<()> {
    require_agent!();
    let [router, client] = [Netns::new()?, Netns::new()?];
    let mut switches = Vec::new();
    let mut askers = Vec::new();
    for link in 1..=HEARING + BARE {
        let mut switch = Switch::new(link)?;
        let name = format!("eth{link}");
        let ports = [
            switch.connect(&router, &name)?,
            switch.connect(&client, &name)?,
        ];
        switches.push(switch);
        askers.push(Asker::new(&client, link, &ports)?);
    }
    let agent = Agent::start_conf(&router, &conf("10ms"), "VI_1")?;
    for asker in &askers {
        asker.wait()?;
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let ask = |asker| {
            let over = &over;
            scope.spawn(move || Asker::ask_until(asker, over))
        };
        let asking: Vec<_> = askers.iter().map(ask).collect();
        let upgraded = let_pass(PATIENCE).and_then(|()| upgrade(&agent));
        let passed = let_pass(PATIENCE);
        over.store(true, Ordering::Relaxed);
        for asking in asking {
            asking.join().expect("no panic")?;
        }
        passed.and(upgraded).map(drop)
    })?;
    let status = agent.status()?;
    let instances = status["instances"].as_array().into_iter().flatten();
    for fast in instances.map(|instance| &instance["fast_detect"]) {
        for none in ["answered_down", "answered_stale", "fenced_questions"] {
            ensure!(fast[none] == 0, "{none}: {fast}");
        }
    }
    Ok(())
}
