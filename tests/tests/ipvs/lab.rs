//! A director, and what ipvsadm says of it.

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START},
    netns::Netns,
    privilege,
    router::{Router, State},
    wait::eventually,
};

/// True where the kernel has IPVS and ipvsadm is there; otherwise it says so.
pub fn ready() -> bool {
    let missing = privilege::missing_program("ipvsadm").or_else(|| {
        let tried = Netns::new().and_then(|ns| ns.sh("ipvsadm -Ln"));
        tried.err().map(|_| "the kernel has no IPVS".to_owned())
    });
    let Some(reason) = missing else { return true };
    let required = std::env::var_os("FAILOVERD_REQUIRE_IPVS").is_some();
    assert!(!required, "this test has to run here, but: {reason}");
    privilege::say_skipped(&format!("{reason}: cargo xtask vm --test ipvs"));
    false
}

/// A machine with eth0 and other0.
pub fn machine() -> Result<Netns> {
    let ns = Netns::new()?;
    ns.sh("ip link set lo up")?;
    for (name, address) in [("eth0", "192.0.2.1/24"), ("other0", "198.18.0.1/24")] {
        ns.sh(&format!("ip link add {name} type veth peer name p{name}"))?;
        ns.sh(&format!("ip link set p{name} up"))?;
        ns.sh(&format!("ip link set {name} up"))?;
        ns.sh(&format!("ip addr add {address} dev {name}"))?;
    }
    Ok(ns)
}

/// A virtual router, and `more`.
pub fn conf(more: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\nstate BACKUP\ninterface eth0\nvirtual_router_id 51\n\
         version 3\npriority 200\nadvert_int 0.5\nvirtual_ipaddress {{\n192.0.2.100/24\n}}\n}}\n\
         {more}\n"
    )
}

/// A virtual server of TCP with these lines and real servers.
pub fn server(front: &str, lines: &str, servers: &[&str]) -> String {
    let servers: String = servers
        .iter()
        .map(|one| {
            let (place, lines) = one.split_once('|').unwrap_or((one, ""));
            format!("real_server {place} {{\n{lines}\n}}\n")
        })
        .collect();
    format!("virtual_server {front} {{\nlvs_sched rr\n{lines}\n{servers}}}\n")
}

pub fn start(ns: &Netns, conf: &str) -> Result<Agent> {
    let agent = Agent::start_conf_with(ns, conf, "VI_1", &["--ipvs"])?;
    agent.wait_state(State::Active, START)?;
    Ok(agent)
}

/// What `ipvsadm -Sn` says, sorted.
pub fn saved(ns: &Netns) -> Result<Vec<String>> {
    let text = ns.sh("ipvsadm -Sn")?;
    let mut lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    lines.sort();
    Ok(lines)
}

/// What another machine has on which ipvsadm was run with each of these lines.
pub fn by_ipvsadm(lines: &str) -> Result<Vec<String>> {
    let other = machine()?;
    for line in lines.lines() {
        other
            .sh(&format!("ipvsadm {line}"))
            .with_context(|| line.to_owned())?;
    }
    saved(&other)
}

/// Waits until ipvsadm says that.
pub fn wait_saved(ns: &Netns, expected: &[String]) -> Result<()> {
    let waited = eventually(SOON, "the virtual servers", || {
        saved(ns).is_ok_and(|found| found == expected).then_some(())
    });
    waited.with_context(|| {
        let found = saved(ns).unwrap_or_default();
        format!(
            "expected\n{}\nfound\n{}",
            expected.join("\n"),
            found.join("\n")
        )
    })
}

/// Waits until `ipvsadm -Ln OPTION` contains `text`, or does not.
pub fn wait_says(ns: &Netns, option: &str, text: &str, there: bool) -> Result<()> {
    eventually(SOON, &format!("{option} says {text}: {there}"), || {
        let said = ns.sh(&format!("ipvsadm -Ln {option}")).ok()?;
        (said.contains(text) == there).then_some(())
    })
}
