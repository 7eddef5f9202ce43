//! The same file and the same events for the agent and for keepalived, on
//! networks that never meet.

use std::{collections::BTreeMap, fs, net::IpAddr, time::Duration};

use agent_common::wire::checksum::Sum;

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent, forge, keepalived::Keepalived, packet::Packet, require_agent, router::Router,
    topology::Lan, wait::eventually,
};

use crate::lab::{LONG, Place, Reader};

/// Two in a group, one alone that says it was deleted, one that does not.
fn conf(place: &Place, instances: usize, priority: u8) -> String {
    let path = |name: &str| place.path(name).display().to_string();
    let script = path("log.sh");
    let instance = |at: usize| {
        let deleted = match at {
            3 => format!("notify_deleted \"{script} deleted\"\n"),
            _ => String::new(),
        };
        let fault = if at == 1 { "fault\n" } else { "" };
        format!(
            "vrrp_instance VI_{at} {{\ninterface eth0\nvirtual_router_id {vrid}\n\
             priority {priority}\nversion 3\nadvert_int 0.1\n\
             virtual_ipaddress {{\n10.77.1.{vip}/24\n}}\n\
             notify \"{script} any 'two words'\"\nnotify_master \"{script} VI_{at} master\"\n\
             notify_backup \"{script} VI_{at} backup\"\nnotify_fault \"{script} VI_{at} fault\"\n\
             notify_stop \"{script} VI_{at} stop\"\n\
             notify_master_rx_lower_pri \"{script} VI_{at} lower\"\n\
             notify_priority_changes\n{deleted}track_file {{\nprio\n{fault}}}\n}}\n",
            vrid = 50 + at,
            vip = 100 + at,
        )
    };
    let instances: String = (1..=instances).map(instance).collect();
    format!(
        "global_defs {{\nrouter_id lab\nenable_script_security\nscript_user root\n\
         notify_fifo {fifo}\nstartup_script \"{script} startup\"\n\
         shutdown_script \"{script} shutdown\"\n}}\n\
         track_file prio {{\nfile {prio}\nweight 1\n}}\n\
         track_file fault {{\nfile {fault}\nweight 0\n}}\n{instances}\
         vrrp_sync_group G {{\ngroup {{\nVI_1\nVI_2\n}}\nsync_group_tracking_weight\n\
         notify \"{script} any\"\nnotify_master \"{script} G master\"\n\
         notify_backup \"{script} G backup\"\nnotify_fault \"{script} G fault\"\n\
         notify_stop \"{script} G stop\"\n}}\n",
        fifo = path("fifo"),
        prio = path("prio"),
        fault = path("fault"),
    )
}

enum Daemon {
    Agent(Agent),
    Keepalived(Keepalived),
}

struct Site {
    lan: Lan,
    place: Place,
    fifo: Reader,
    daemon: Option<Daemon>,
}

impl Site {
    fn new() -> Result<Self> {
        let place = Place::new()?;
        fs::write(place.path("prio"), "0\n")?;
        fs::write(place.path("fault"), "1\n")?;
        let fifo = place.fifo("fifo")?;
        Ok(Self {
            lan: Lan::new(2)?,
            place,
            fifo,
            daemon: None,
        })
    }

    /// What was told of whom, in its order; script lines with the name of the
    /// one that they are for.
    fn told(&self) -> BTreeMap<String, Vec<String>> {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in self.fifo.lines() {
            let name = line.split('"').nth(1).unwrap_or_default();
            all.entry(name.to_owned()).or_default().push(line);
        }
        all
    }

    /// Of the scripts; their order is not keepalived's promise.
    fn scripts(&self) -> Vec<String> {
        let mut lines = self.place.log();
        lines.sort();
        lines
    }

    /// An advert for VI_1 that nobody of the lab sends.
    fn forge(&self, priority: u8) -> Result<()> {
        let client = self.lan.host(1);
        let vips = ["10.77.1.101".parse()?];
        let interval = Duration::from_millis(100);
        let mut packet = forge::advert(client.port.v4.into(), priority, interval, &vips);
        deployed_checksum(&mut packet);
        forge::socket(client)?.send(&packet.frame())?;
        Ok(())
    }

    fn reload(&self, conf: &str) -> Result<()> {
        match self.daemon.as_ref().context("a daemon")? {
            Daemon::Agent(agent) => {
                agent.write_conf(conf)?;
                ensure!(agent.reload()?.code == Some(0));
                Ok(())
            }
            Daemon::Keepalived(keepalived) => {
                keepalived.write_conf(conf)?;
                keepalived.process().signal(libc::SIGHUP)
            }
        }
    }
}

/// Over IPv4 as RFC 5798 was taken, with a pseudo-header: keepalived's default.
fn deployed_checksum(packet: &mut Packet) {
    if let (IpAddr::V4(source), IpAddr::V4(destination)) = (packet.source, packet.destination) {
        packet.message[6..8].fill(0);
        let length = u8::try_from(packet.message.len()).expect("a short one");
        let sum = Sum::new()
            .add_slice(&source.octets())
            .add_slice(&destination.octets())
            .add_slice(&[0, 112, 0, length])
            .add_slice(&packet.message)
            .finish();
        packet.message[6..8].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Lines that keepalived writes when it reads a file again: its instances are
/// new ones to it for a moment.
fn of_reload(line: &str) -> bool {
    line.contains("_PRIORITY")
}

#[test]
fn scripts_and_fifos_are_told_what_keepalived_tells() -> Result<()> {
    require_agent!("keepalived");
    let mut sites = [Site::new()?, Site::new()?];
    for (at, site) in sites.iter_mut().enumerate() {
        let conf = conf(&site.place, 4, 100);
        let ns = &site.lan.host(0).ns;
        site.daemon = Some(match at {
            0 => Daemon::Agent(Agent::start_conf(ns, &conf, "VI_1")?),
            _ => Daemon::Keepalived(Keepalived::start_with(ns, &conf, "VI_1")?),
        });
    }
    let step = |what: &str, act: &dyn Fn(&Site) -> Result<()>, wanted: &[&str]| -> Result<()> {
        for (site, who) in sites.iter().zip(["the agent", "keepalived"]) {
            let from = site.fifo.lines().len();
            act(site).with_context(|| format!("{what}: {who}"))?;
            let from = if what == "start" { 0 } else { from };
            let told = site.fifo.wait(from, wanted);
            told.with_context(|| format!("{what}: {who}"))?;
        }
        Ok(())
    };
    let write = |name: &'static str, text: &'static str| {
        move |site: &Site| Ok(fs::write(site.place.path(name), text)?)
    };
    step(
        "start",
        &|_| Ok(()),
        &[
            "GROUP \"G\" FAULT 0",
            "INSTANCE \"VI_3\" MASTER 100",
            "INSTANCE \"VI_4\" MASTER 100",
        ],
    )?;
    step(
        "the fault ends",
        &write("fault", "0\n"),
        &["GROUP \"G\" MASTER 0"],
    )?;
    let all_have = |word: &'static str, priority: u8| -> Vec<String> {
        let lines = (1..=4).map(|at| format!("INSTANCE \"VI_{at}\" {word} {priority}"));
        lines.collect()
    };
    let lines = all_have("MASTER_PRIORITY", 120);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    step("priority", &write("prio", "20\n"), &lines)?;
    let lower = "INSTANCE \"VI_1\" MASTER_RX_LOWER_PRI 120";
    step("lower", &|site| site.forge(50), &[lower])?;
    let down = |site: &Site| site.lan.host(0).ns.sh("ip link set eth0 down").map(drop);
    let fault = [
        "GROUP \"G\" FAULT 0",
        "INSTANCE \"VI_3\" FAULT 120",
        "INSTANCE \"VI_4\" FAULT 120",
    ];
    step("link down", &down, &fault)?;
    step(
        "link up",
        &|site| site.lan.host(0).ns.sh("ip link set eth0 up").map(drop),
        &[
            "GROUP \"G\" MASTER 0",
            "INSTANCE \"VI_3\" MASTER 120",
            "INSTANCE \"VI_4\" MASTER 120",
        ],
    )?;
    step(
        "outranked",
        &|site| site.forge(250),
        &["GROUP \"G\" BACKUP 0", "GROUP \"G\" MASTER 0"],
    )?;
    step(
        "reload",
        &|site| site.reload(&conf(&site.place, 2, 100)),
        &[
            "INSTANCE \"VI_3\" DELETED 120",
            "INSTANCE \"VI_4\" FAULT 120",
        ],
    )?;
    for site in &mut sites {
        match site.daemon.take() {
            Some(Daemon::Agent(mut agent)) => agent.stop()?,
            Some(Daemon::Keepalived(mut keepalived)) => keepalived.stop()?,
            None => {}
        }
        site.fifo.wait(0, &["GROUP \"G\" STOP 0"])?;
        let shut_down = || {
            site.scripts()
                .contains(&"[shutdown]".to_owned())
                .then_some(())
        };
        eventually(LONG, "the shutdown script", shut_down)?;
    }
    let [ours, theirs] = &sites;
    let (mut told, mut reference) = (ours.told(), theirs.told());
    for lines in told.values_mut().chain(reference.values_mut()) {
        lines.retain(|line| !of_reload(line));
    }
    assert_eq!(told, reference);
    assert_eq!(ours.scripts(), theirs.scripts());
    Ok(())
}
