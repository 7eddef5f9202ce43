//! Interfaces that are not there yet, that come and go, and whose loss does
//! not count, or not at once.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    agent::{Agent, call},
    agents::{SOON, START, instance, never, wait_vip},
    require_agent,
    router::{Router, State},
    topology::Lan,
    wait::eventually,
};

/// Nothing here takes long.
const WITHIN: Duration = Duration::from_secs(20);

fn conf(globals: &str, lines: &str, vip: &str) -> String {
    format!(
        "{globals}\nvrrp_instance VI_1 {{\ninterface eth0\nversion 3\nadvert_int 0.1\n\
         virtual_router_id 51\n{lines}\nvirtual_ipaddress {{\n{vip}\n}}\n}}\n"
    )
}

fn states(agent: &Agent) -> Vec<State> {
    agent.transitions().iter().map(|t| t.state).collect()
}

fn fault(agent: &Agent) -> Option<String> {
    let status = agent.status().ok()?;
    instance(&status)["fault"].as_str().map(str::to_owned)
}

fn refused(lan: &Lan, conf: &str) -> Result<String> {
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(path("conf"), conf)?;
    let (file, control) = (path("conf"), path("control"));
    let arguments = ["run", "--config", &file, "--control", &control];
    let ended = call(Some(&lan.host(0).ns), &arguments, WITHIN)?;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    Ok(ended.output.join("\n"))
}

// keepalived does the same: it ends, and with dynamic_interfaces it waits.
#[test]
fn an_interface_that_does_not_exist_is_a_mistake_unless_it_may() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let vip = lan.vip();
    let later = conf("", "", &format!("{vip}/24")).replace("eth0", "later0");
    let said = refused(&lan, &later)?;
    assert!(said.contains("interface later0 does not exist"), "{said}");
    for lines in ["track_interface {\nlater1\n}", "priority 90"] {
        let vip = match lines.contains("later1") {
            true => format!("{vip}/24"),
            false => format!("{vip}/24 dev later1"),
        };
        let said = refused(&lan, &conf("", lines, &vip))?;
        assert!(said.contains("interface later1 does not exist"), "{said}");
    }

    let may = format!("global_defs {{\ndynamic_interfaces\n}}\n{later}");
    let agent = Agent::start_conf(&host.ns, &may, "VI_1")?;
    agent.wait_state(State::Fault, START)?;
    let why = "(VI_1) interface later0 does not exist";
    agent.process().wait_line(why, SOON)?;
    eventually(SOON, "the time in FAULT grows", || {
        let status = agent.status().ok()?;
        (instance(&status)["since_ms"].as_u64()? >= 100).then_some(())
    })?;
    host.ns
        .sh("ip link add later0 type veth peer name later9")?;
    host.ns.sh("ip addr add 10.99.0.1/24 dev later0")?;
    host.ns.sh("ip link set later9 up")?;
    host.ns.sh("ip link set later0 up")?;
    agent.wait_state(State::Active, SOON)?;
    wait_vip(host, vip, true, SOON)?;
    host.ns.sh("ip link del later0")?;
    agent.wait_state(State::Fault, SOON)?;

    // The same rule for a reload.
    agent.write_conf(&later.replace("later0", "later5"))?;
    let ended = agent.reload()?;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let why = "interface later5 does not exist";
    assert!(ended.output.join("\n").contains(why), "{ended:?}");
    agent.write_conf(&may.replace("later0", "later5"))?;
    let ended = agent.reload()?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    agent.process().wait_line(&format!("(VI_1) {why}"), SOON)?;
    Ok(())
}

// As observed with keepalived: it stays, its adverts fail, its VIPs remain.
// proves: X-10
#[test]
fn an_instance_that_does_not_mind_its_link_outlives_it() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let (host, vip) = (lan.host(0), lan.vip());
    let text = conf("", "dont_track_primary", &format!("{vip}/24"));
    let agent = Agent::start_conf(&host.ns, &text, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    let sent = |agent: &Agent| {
        let status = agent.status().ok()?;
        status["fast_lane"]["adverts_failed"].as_u64()
    };
    host.ns.sh("ip link set eth0 down")?;
    eventually(SOON, "adverts that cannot be sent", || {
        sent(&agent).filter(|failed| *failed >= 3)
    })?;
    assert_eq!(agent.state(), Some(State::Active));
    assert!(host.has_address(vip)?);
    // Another agent there is Active as well until the link is back, and the
    // better one is alone then.
    let other = conf("", "priority 90", &format!("{vip}/24"));
    let other = Agent::start_conf(&lan.host(1).ns, &other, "VI_1")?;
    other.wait_state(State::Active, START)?;
    host.ns.sh("ip link set eth0 up")?;
    other.wait_state(State::Backup, SOON)?;
    assert_eq!(states(&agent), [State::Backup, State::Active]);
    // What it cannot do without.
    lan.delete_interface(0)?;
    agent.wait_state(State::Fault, SOON)?;
    other.wait_state(State::Active, SOON)?;
    lan.recreate_interface(0)?;
    agent.wait_state(State::Active, SOON)?;
    other.wait_state(State::Backup, SOON)?;
    Ok(())
}

#[test]
fn an_instance_that_does_not_mind_its_link_starts_without_it() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let (host, vip) = (lan.host(0), lan.vip());
    host.ns.sh("ip link set eth0 down")?;
    let text = conf("", "dont_track_primary", &format!("{vip}/24"));
    let agent = Agent::start_conf(&host.ns, &text, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    wait_vip(host, vip, true, SOON)
}

#[test]
fn a_link_that_is_back_before_its_delay_was_never_down() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let (host, vip) = (lan.host(0), lan.vip());
    let delays = "interface_up_down_delays {\neth0 1.5 0.5\n}";
    let text = conf(delays, "", &format!("{vip}/24")).replace("advert_int 0.1", "advert_int 1");
    let agent = Agent::start_conf(&host.ns, &text, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    lan.cut_cable(0)?;
    eventually(SOON, "the loss of the carrier", || {
        let link = host.ns.sh("ip link show eth0").ok()?;
        link.contains("NO-CARRIER").then_some(())
    })?;
    lan.mend(0)?;
    let changed = || (states(&agent).len() > 2).then(|| states(&agent));
    never(Duration::from_secs(2), "a transition", changed)?;

    lan.cut_cable(0)?;
    let cut = failoverd_tests::clock::monotonic();
    let down = agent.wait_state(State::Fault, SOON)?;
    let took = Duration::from_nanos(down.time.saturating_sub(cut));
    assert!(took >= Duration::from_millis(1400), "{took:?}");
    assert_eq!(
        fault(&agent).as_deref(),
        Some("interface eth0 is down or has no carrier")
    );
    lan.mend(0)?;
    let mended = failoverd_tests::clock::monotonic();
    let up = agent.wait_state(State::Backup, SOON)?;
    let took = Duration::from_nanos(up.time.saturating_sub(mended));
    assert!(took >= Duration::from_millis(400), "{took:?}");
    Ok(())
}

#[test]
fn a_fault_names_the_interface_that_is_meant() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    for name in ["up0", "side0"] {
        let peer = format!("{name}x");
        host.ns
            .sh(&format!("ip link add {name} type veth peer name {peer}"))?;
        host.ns.sh(&format!("ip link set {peer} up"))?;
        host.ns.sh(&format!("ip link set {name} up"))?;
    }
    let track = "track_interface {\nup0\nside0\n}";
    let text = conf("", track, &format!("{}/24", lan.vip()));
    let agent = Agent::start_conf(&host.ns, &text, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    host.ns.sh("ip link set side0 down")?;
    agent.wait_state(State::Fault, SOON)?;
    let expected = "tracked interface side0 is down";
    eventually(SOON, expected, || {
        (fault(&agent)? == expected).then_some(())
    })?;
    host.ns.sh("ip link set side0 up")?;
    agent.wait_state(State::Active, SOON)?;
    Ok(())
}
