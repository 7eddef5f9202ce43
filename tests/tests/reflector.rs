//! S-BFD probes of a plain initiator, answered by the kernel half of an agent.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{START, instance},
    clock::{Deadline, monotonic, nanos},
    initiator::{Initiator, Said},
    require_agent,
    router::{Router, State},
    topology::Lan,
};

const DOCUMENT: &str = include_str!("../../docs/fast-detect.md");

/// An answer takes microseconds; a machine that stands still longer than this
/// makes other tests fail as well.
const PATIENCE: Duration = Duration::from_millis(500);
const LEASE: Duration = Duration::from_millis(200);
const VRID: u8 = 51;

fn conf(lan: &Lan, priority: u8, fast: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id {VRID}\n \
         priority {priority}\n version 3\n advert_int 0.01\n {fast}\n \
         virtual_ipaddress {{ {}/24 }}\n}}\n",
        lan.vip()
    )
}

/// Two agents, Active and Backup, and a third machine that asks.
struct Trio {
    agents: [Agent; 2],
    lan: Lan,
}

impl Trio {
    fn start(fast: &str) -> Result<Self> {
        Self::start_with(fast, &[])
    }

    fn start_with(fast: &str, flags: &[&str]) -> Result<Self> {
        let lan = Lan::new(3)?;
        let start = |index: usize, priority| {
            let conf = conf(&lan, priority, fast);
            Agent::start_conf_with(&lan.host(index).ns, &conf, "VI_1", flags)
        };
        let agents = [start(0, 200)?, start(1, 100)?];
        let trio = Self { agents, lan };
        trio.wait_for([State::Active, State::Backup])?;
        Ok(trio)
    }

    fn wait_for(&self, states: [State; 2]) -> Result<()> {
        for (agent, state) in self.agents.iter().zip(states) {
            agent.wait_state(state, START)?;
        }
        Ok(())
    }

    fn initiator(&self, of: usize) -> Result<Initiator> {
        let target = self.lan.host(of).port.v4.into();
        let yours = Initiator::documented(false, VRID);
        Initiator::new(&self.lan.host(2).ns, "eth0", target, yours)
    }
}

/// Until that is said; what was said instead.
fn until(
    initiator: &Initiator,
    wanted: Option<Said>,
    within: Duration,
) -> Result<Vec<Option<Said>>> {
    let deadline = Deadline::after(within);
    let mut others = Vec::new();
    loop {
        let said = initiator.ask(Duration::from_millis(20))?;
        if said == wanted {
            return Ok(others);
        }
        others.push(said);
        ensure!(!deadline.expired(), "still {said:?}, not {wanted:?}");
    }
}

#[test]
fn the_active_says_up_and_the_backup_admin_down() -> Result<()> {
    require_agent!();
    let trio = Trio::start("fast_detect on")?;
    let [active, backup] = [trio.initiator(0)?, trio.initiator(1)?];
    for _ in 0..100 {
        assert_eq!(active.ask(PATIENCE)?, Some(Said::Up));
        assert_eq!(backup.ask(PATIENCE)?, Some(Said::AdminDown));
    }
    let counted = |index: usize| -> Result<serde_json::Value> {
        Ok(instance(&trio.agents[index].status()?)["fast_detect"].clone())
    };
    let [active, backup] = [counted(0)?, counted(1)?];
    // The Backup asks as well.
    let up = active["answered_up"].as_u64();
    assert!(up.is_some_and(|up| up >= 100), "{active}");
    assert_eq!(active["answered_down"], 0);
    assert_eq!(
        (&backup["answered_up"], &backup["answered_down"]),
        (&0.into(), &100.into())
    );
    assert_eq!(active["discriminator"], Initiator::documented(false, VRID));
    // On a veth, XDP has no way back.
    assert_eq!(active["reflector"], "tcx");
    Ok(())
}

#[test]
fn the_example_of_the_documentation_runs_as_it_stands() -> Result<()> {
    require_agent!();
    let example = DOCUMENT.split("```").nth(1).context("an example")?;
    let lan = Lan::new(2)?;
    let agent = Agent::start_conf(&lan.host(0).ns, example, "GATEWAY")?;
    agent.wait_state(State::Active, START)?;
    let target = lan.host(0).port.v4.into();
    let yours = Initiator::documented(false, VRID);
    let initiator = Initiator::new(&lan.host(1).ns, "eth0", target, yours)?;
    assert_eq!(initiator.ask(PATIENCE)?, Some(Said::Up));
    Ok(())
}

#[test]
fn nobody_answers_where_fast_detect_is_off() -> Result<()> {
    require_agent!();
    let trio = Trio::start("fast_detect off")?;
    assert_eq!(trio.initiator(0)?.ask(PATIENCE)?, None);
    assert!(instance(&trio.agents[0].status()?)["fast_detect"].is_null());
    Ok(())
}

/// The agent cannot say that it hangs: its silence must.
#[test]
fn a_hung_active_is_up_for_one_lease_and_not_longer() -> Result<()> {
    require_agent!();
    let trio = Trio::start("fast_detect lease 200ms")?;
    let initiator = trio.initiator(0)?;
    assert_eq!(initiator.ask(PATIENCE)?, Some(Said::Up));
    let began = monotonic();
    trio.agents[0].freeze(true)?;
    let before = until(&initiator, Some(Said::AdminDown), START)?;
    let lasted = Duration::from_nanos(monotonic() - began);
    assert!(
        before.iter().all(|said| *said == Some(Said::Up)),
        "{before:?}"
    );
    assert!(lasted + Duration::from_millis(20) >= LEASE, "{lasted:?}");
    // And so it stays, for as long as it hangs.
    for _ in 0..50 {
        assert_eq!(initiator.ask(PATIENCE)?, Some(Said::AdminDown));
    }
    trio.agents[0].freeze(false)?;
    until(&initiator, Some(Said::Up), START)?;
    let status = trio.agents[0].status()?;
    let stale = &instance(&status)["fast_detect"]["answered_stale"];
    assert!(stale.as_u64().is_some_and(|stale| stale > 50), "{stale}");
    Ok(())
}

#[test]
fn what_is_said_follows_the_role() -> Result<()> {
    require_agent!();
    let mut trio = Trio::start("fast_detect on")?;
    let backup = trio.initiator(1)?;
    trio.agents[0].stop()?;
    until(&backup, Some(Said::Up), START)?;
    let active = trio.initiator(0)?;
    assert_eq!(
        active.ask(Duration::from_millis(100))?,
        None,
        "it has ended"
    );
    Ok(())
}

/// Generic XDP sends the answer itself; without BPF the agent does.
#[test]
fn each_backend_answers() -> Result<()> {
    require_agent!();
    for (backend, reflector) in [("generic", "xdp"), ("tcx", "tcx"), ("raw", "user")] {
        let lan = Lan::new(2)?;
        let conf = conf(&lan, 200, "fast_detect on");
        let flags = ["--backend", backend];
        let agent = Agent::start_conf_with(&lan.host(0).ns, &conf, "VI_1", &flags)?;
        let target = lan.host(0).port.v4.into();
        let ask_for = |vrid| {
            let yours = Initiator::documented(false, vrid);
            Initiator::new(&lan.host(1).ns, "eth0", target, yours)
        };
        let initiator = ask_for(VRID)?;
        agent.wait_state(State::Active, START)?;
        until(&initiator, Some(Said::Up), START).context(backend)?;
        let stranger = ask_for(VRID + 1)?.ask(Duration::from_millis(100))?;
        assert_eq!(stranger, None, "{backend}");
        let status = agent.status()?;
        let found = &instance(&status)["fast_detect"];
        assert_eq!(found["reflector"], reflector, "{backend}");
        assert!(found["answered_up"].as_u64() > Some(0), "{backend}");
        assert_eq!(status["unclaimed_probes"], 1, "{backend}");
        // By whatever way: a hung agent is not Up.
        agent.freeze(true)?;
        let hung = match reflector {
            "user" => None,
            _ => Some(Said::AdminDown),
        };
        until(&initiator, hung, START).context(backend)?;
        agent.freeze(false)?;
        until(&initiator, Some(Said::Up), START).context(backend)?;
    }
    Ok(())
}

/// No program of the kernel, and an address that has to be found.
#[test]
fn the_agent_itself_answers_in_ipv6_and_follows_the_role() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let conf = |priority| {
        format!(
            "vrrp_instance VI_6 {{\n interface eth0\n virtual_router_id {VRID}\n \
             priority {priority}\n version 3\n advert_int 0.01\n fast_detect on\n \
             native_ipv6\n virtual_ipaddress {{\n {}/64\n }}\n}}\n",
            lan.vip6_link_local(),
        )
    };
    let start = |at: usize, priority| {
        let flags = ["--backend", "raw"];
        Agent::start_conf_with(&lan.host(at).ns, &conf(priority), "VI_6", &flags)
    };
    let agent = start(0, 100)?;
    agent.wait_state(State::Active, START)?;
    let target = lan.host(0).port.link_local.into();
    let yours = Initiator::documented(true, VRID);
    let initiator = Initiator::new(&lan.host(1).ns, "eth0", target, yours)?;
    until(&initiator, Some(Said::Up), START)?;
    let better = start(1, 200)?;
    better.wait_state(State::Active, START)?;
    agent.wait_state(State::Backup, START)?;
    until(&initiator, Some(Said::AdminDown), START).map(drop)
}

#[test]
fn ipv6_is_answered() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let conf = format!(
        "vrrp_instance VI_6 {{\n interface eth0\n virtual_router_id {VRID}\n priority 200\n \
         version 3\n advert_int 0.01\n fast_detect on\n native_ipv6\n virtual_ipaddress {{\n \
         {}/64\n {}/64\n }}\n}}\n",
        lan.vip6_link_local(),
        lan.vip6()
    );
    let agent = Agent::start_conf(&lan.host(0).ns, &conf, "VI_6")?;
    agent.wait_state(State::Active, START)?;
    let status = agent.status()?;
    let source = instance(&status)["source"]
        .as_str()
        .context("a source")?
        .parse()?;
    let yours = Initiator::documented(true, VRID);
    let initiator = Initiator::new(&lan.host(1).ns, "eth0", source, yours)?;
    // The address of the neighbour has to be found first.
    until(&initiator, Some(Said::Up), START)?;
    for _ in 0..20 {
        assert_eq!(initiator.ask(PATIENCE)?, Some(Said::Up));
    }
    Ok(())
}

#[test]
fn a_reload_switches_it_on_and_off() -> Result<()> {
    require_agent!();
    let trio = Trio::start("")?;
    let initiator = trio.initiator(0)?;
    assert_eq!(initiator.ask(Duration::from_millis(100))?, None);
    trio.agents[0].write_conf(&conf(&trio.lan, 200, "fast_detect lease 300ms"))?;
    assert_eq!(trio.agents[0].reload()?.code, Some(0));
    until(&initiator, Some(Said::Up), START)?;
    // Backups that count on its answers must not take it for dead.
    trio.agents[0].write_conf(&conf(&trio.lan, 200, ""))?;
    assert_eq!(trio.agents[0].reload()?.code, Some(0));
    assert_eq!(initiator.ask(PATIENCE)?, Some(Said::Up));
    trio.wait_for([State::Active, State::Backup])?;
    trio.agents[1].write_conf(&conf(&trio.lan, 250, ""))?;
    assert_eq!(trio.agents[1].reload()?.code, Some(0));
    trio.wait_for([State::Backup, State::Active])?;
    assert_eq!(trio.agents[0].reload()?.code, Some(0));
    until(&initiator, None, START).map(drop)
}

/// Not when the lease runs out: another one serves by then.
#[test]
fn an_active_that_yields_says_so_at_once() -> Result<()> {
    require_agent!();
    let trio = Trio::start("fast_detect lease 60s")?;
    let former = trio.initiator(0)?;
    assert_eq!(former.ask(PATIENCE)?, Some(Said::Up));
    trio.agents[1].write_conf(&conf(&trio.lan, 250, "fast_detect lease 60s"))?;
    assert_eq!(trio.agents[1].reload()?.code, Some(0));
    trio.wait_for([State::Backup, State::Active])?;
    assert_eq!(former.ask(PATIENCE)?, Some(Said::AdminDown));
    assert_eq!(trio.initiator(1)?.ask(PATIENCE)?, Some(Said::Up));
    Ok(())
}

/// A lease does not outlive the setting that it was for.
#[test]
fn a_lease_ends_with_the_setting() -> Result<()> {
    require_agent!();
    let trio = Trio::start("fast_detect lease 60s")?;
    let initiator = trio.initiator(0)?;
    assert_eq!(initiator.ask(PATIENCE)?, Some(Said::Up));
    let reload = |index: usize, priority, fast: &str| -> Result<()> {
        trio.agents[index].write_conf(&conf(&trio.lan, priority, fast))?;
        let ended = trio.agents[index].reload()?;
        ensure!(ended.code == Some(0), "{ended:?}");
        Ok(())
    };
    reload(0, 200, "")?;
    reload(1, 250, "")?;
    trio.wait_for([State::Backup, State::Active])?;
    reload(0, 200, "fast_detect lease 60s")?;
    let others = until(&initiator, Some(Said::AdminDown), START)?;
    assert!(others.iter().all(Option::is_none), "{others:?}");
    Ok(())
}

/// One peer of several that cannot be sent to is no reason to look hung.
#[test]
fn an_unreachable_peer_does_not_end_the_lease() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let conf = format!(
        "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id {VRID}\n priority 200\n \
         version 3\n advert_int 0.01\n fast_detect lease 50ms\n \
         unicast_peer {{\n 203.0.113.9\n {}\n }}\n virtual_ipaddress {{ {}/24 }}\n}}\n",
        lan.host(1).port.v4,
        lan.vip()
    );
    // A dropped packet is an error for who sends it.
    for line in [
        "nft add table ip t",
        "nft add chain ip t c { type filter hook output priority 0 ; }",
        "nft add rule ip t c ip daddr 203.0.113.9 drop",
    ] {
        lan.host(0).ns.sh(line)?;
    }
    let agent = Agent::start_conf(&lan.host(0).ns, &conf, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    let target = lan.host(0).port.v4.into();
    let yours = Initiator::documented(false, VRID);
    let initiator = Initiator::new(&lan.host(1).ns, "eth0", target, yours)?;
    until(&initiator, Some(Said::Up), START)?;
    let deadline = Deadline::after(Duration::from_secs(1));
    while !deadline.expired() {
        assert_eq!(initiator.ask(PATIENCE)?, Some(Said::Up));
    }
    let status = agent.status()?;
    let failed = &status["fast_lane"]["adverts_failed"];
    assert!(failed.as_u64().is_some_and(|failed| failed > 0), "{failed}");
    Ok(())
}

#[test]
fn an_upgrade_is_not_noticed_where_tcx_answers() -> Result<()> {
    require_agent!();
    an_upgrade_is_not_noticed(&[], "tcx")
}

/// The program that answers is exchanged for one that knows nothing yet.
#[test]
fn an_upgrade_is_not_noticed_where_xdp_answers() -> Result<()> {
    require_agent!();
    an_upgrade_is_not_noticed(&["--backend", "generic"], "xdp")
}

/// Asked each millisecond while a successor takes over: nobody may hear that
/// the Active does not serve, and no answer may be missing.
fn an_upgrade_is_not_noticed(flags: &[&str], reflector: &str) -> Result<()> {
    let trio = Trio::start_with("fast_detect on", flags)?;
    let initiator = trio.initiator(0)?;
    assert_eq!(initiator.ask(PATIENCE)?, Some(Said::Up));
    let done = AtomicBool::new(false);
    let (asked, heard) = std::thread::scope(|scope| -> Result<_> {
        let asking = scope.spawn(|| ask_each_millisecond(&initiator, &done));
        let ended = trio.agents[0].ask("upgrade", &[]);
        done.store(true, Ordering::Relaxed);
        let counted = asking.join().expect("no panic")?;
        let ended = ended?;
        ensure!(ended.code == Some(0), "{ended:?}");
        Ok(counted)
    })?;
    assert_eq!(heard, asked, "of {asked} probes");
    assert!(asked > 20, "{asked}");
    // And what answers now is the successor.
    for _ in 0..50 {
        assert_eq!(initiator.ask(PATIENCE)?, Some(Said::Up));
    }
    let status = trio.agents[0].status()?;
    let fast = &instance(&status)["fast_detect"];
    assert_eq!(
        (&fast["reflector"], &fast["answered_down"]),
        (&reflector.into(), &0.into())
    );
    assert!(
        fast["answered_up"].as_u64().is_some_and(|up| up >= 50),
        "{fast}"
    );
    Ok(())
}

/// How many probes were sent, and how many of them were answered by Up.
fn ask_each_millisecond(initiator: &Initiator, done: &AtomicBool) -> Result<(u64, u64)> {
    let (mut asked, mut heard) = (0, 0);
    while !done.load(Ordering::Relaxed) {
        let next = monotonic() + nanos(Duration::from_millis(1));
        initiator.send()?;
        asked += 1;
        loop {
            let rest = Duration::from_nanos(next.saturating_sub(monotonic()));
            let Some(said) = initiator.hear(rest)? else {
                break;
            };
            ensure!(said == Said::Up, "{said:?} after {asked} probes");
            heard += 1;
        }
    }
    while initiator.hear(PATIENCE)?.is_some() {
        heard += 1;
    }
    Ok((asked, heard))
}
