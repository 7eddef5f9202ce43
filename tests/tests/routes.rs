//! Routes and rules on a real kernel: as keepalived puts them, put back, and
//! gone with the instance.

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START, pid},
    keepalived::Keepalived,
    netns::Netns,
    privilege, require_agent,
    router::{Router, State},
    sys,
    wait::{eventually, regardless},
};

/// Every option that keepalived 2.2.7 and a kernel of this decade know.
const ROUTES: &str = "10.1.0.0/16 via 192.0.2.9 dev eth0
10.2.0.0/16 dev eth0
src 192.0.2.100 to 10.3.0.0/16 via 192.0.2.9 dev eth0
10.4.0.0/16 via 192.0.2.9 dev eth0 table 100 metric 50 tos 0x10 mtu lock 1400 advmss 1300 reordering 5 window 1000 cwnd lock 10 ssthresh 20 rto_min 200ms initcwnd 10 initrwnd 20 quickack 1 features ecn congctl cubic hoplimit 33 fastopen_no_cookie 1 realms 3/4
10.5.0.0/16 nexthop via 192.0.2.8 dev eth0 weight 2 nexthop via 192.0.2.9 dev eth0 weight 3 onlink
blackhole 10.6.0.0/16
unreachable 10.7.0.0/16 table 100
prohibit 10.8.0.0/16
throw 10.9.0.0/16 table 100
10.11.0.0/16 via 192.0.2.7 or 192.0.2.8
10.13.0.0/16 via 203.0.113.1 dev eth0 onlink
10.14.0.0/16 dev eth0 scope link no_track
default via 192.0.2.9 dev eth0 metric 5000
10.18.0.0/16 via 192.0.2.9 dev eth0 preference 12 dsfield 8
10.19.0.0/16 via 192.0.2.9 dev eth0 protocol static no_track
2001:db8:1::/48 via 2001:db8::9 dev eth0
2001:db8:2::/48 dev eth0 metric 77 pref high mtu 1300
2001:db8:3::/48 nexthop via 2001:db8::8 dev eth0 nexthop via 2001:db8::9 dev eth0
blackhole 2001:db8:4::/48";

const RULES: &str = "from 10.1.0.0/16 table 100 priority 1000
from 10.1.0.0/16 to 10.2.0.0/16 lookup main priority 1001 iif eth0 oif eth0 tos 8 fwmark 0x10/0xf0 realms 3/4
to 10.3.0.0/16 blackhole preference 1002
to 10.3.0.0/16 unreachable order 1003
to 10.3.0.0/16 prohibit priority 1004
nop priority 1005
goto 1005 priority 900
table 101 suppress_prefixlength 8 priority 1006
table 101 sup_group 2 priority 1007
table 101 uidrange 100-200 priority 1008
table 101 ipproto tcp dport 1000-2000 priority 1009
table 101 tunnel-id 7 priority 1010
l3mdev priority 1011
from 2001:db8::/32 table 102 priority 1013
table 104 priority 1015
fwmark 9 table 105";

/// A machine with eth0 and other0.
fn machine() -> Result<Netns> {
    let ns = Netns::new()?;
    ns.sh("ip link set lo up")?;
    for name in ["eth0", "other0"] {
        ns.sh(&format!("ip link add {name} type veth peer name p{name}"))?;
        ns.sh(&format!("ip link set p{name} up"))?;
        ns.sh(&format!("ip link set {name} up"))?;
    }
    ns.sh("ip addr add 192.0.2.1/24 dev eth0")?;
    ns.sh("ip addr add 2001:db8::1/64 dev eth0 nodad")?;
    ns.sh("ip addr add 198.18.0.1/24 dev other0")?;
    Ok(ns)
}

fn conf(routes: &str, rules: &str, more: &str) -> String {
    format!(
        "{more}\nvrrp_instance VI_1 {{\nstate BACKUP\ninterface eth0\nvirtual_router_id 51\n\
         version 3\npriority 200\nadvert_int 0.1\nvirtual_ipaddress {{\n192.0.2.100/24\n}}\n\
         virtual_routes {{\n{routes}\n}}\nvirtual_rules {{\n{rules}\n}}\n}}\n"
    )
}

fn active(ns: &Netns, conf: &str) -> Result<Agent> {
    let agent = Agent::start_conf(ns, conf, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    Ok(agent)
}

/// All that the kernel has and did not make itself, a line each.
fn paths(ns: &Netns) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for ask in [
        "ip -d -4 route show table all",
        "ip -d -6 route show table all",
        "ip -d -4 rule",
        "ip -d -6 rule",
    ] {
        let text = ns.sh(ask)?.replace("\n\t", " ");
        let ours = text.lines().filter(|line| {
            !["proto kernel", "proto ra", "multicast ff00"]
                .iter()
                .any(|other| line.contains(other))
        });
        lines.extend(ours.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    Ok(lines)
}

fn has(ns: &Netns, text: &str) -> bool {
    paths(ns).is_ok_and(|lines| lines.iter().any(|line| line.contains(text)))
}

fn wait(ns: &Netns, text: &str, there: bool) -> Result<()> {
    eventually(SOON, &format!("{text}: {there}"), || {
        (has(ns, text) == there).then_some(())
    })
}

#[test]
fn the_kernel_has_the_same_as_with_keepalived() -> Result<()> {
    require_agent!();
    if !privilege::ready(privilege::missing_program("keepalived")) {
        return Ok(());
    }
    let statics = "static_routes {\n10.91.0.0/16 dev eth0 scope link table 77 metric 5 realms 3/4\n}\n\
                   static_rules {\nfrom 10.90.0.0/16 table 77 priority 901\nfwmark 5/0xff table 78\n}";
    let conf = conf(ROUTES, RULES, statics);
    let (theirs, ours) = (machine()?, machine()?);
    let keepalived = Keepalived::start_with(&theirs, &conf, "VI_1")?;
    wait(&theirs, "lookup 104", true)?;
    let mut agent = active(&ours, &conf)?;
    wait(&ours, "lookup 104", true)?;
    let (mut expected, mut found) = (paths(&theirs)?, paths(&ours)?);
    expected.sort();
    found.sort();
    let missing: Vec<_> = expected
        .iter()
        .filter(|line| !found.contains(line))
        .collect();
    let more: Vec<_> = found
        .iter()
        .filter(|line| !expected.contains(line))
        .collect();
    ensure!(
        missing.is_empty() && more.is_empty(),
        "not there: {missing:#?}\nbeyond: {more:#?}\n{:#?}",
        agent.process().lines()
    );
    ensure!(found.len() > 35, "{found:#?}");
    drop(keepalived);
    agent.stop()?;
    let left = paths(&ours)?;
    ensure!(left.is_empty(), "{left:#?}");
    Ok(())
}

#[test]
fn what_is_removed_is_put_back_unless_it_is_not_tracked() -> Result<()> {
    require_agent!();
    let ns = machine()?;
    let more = "static_routes {\n10.90.0.0/16 via 192.0.2.9 dev eth0\n}";
    let conf = conf(
        "10.1.0.0/16 via 192.0.2.9 dev eth0\n10.2.0.0/16 dev eth0 no_track\n\
         10.3.0.0/16 dev eth0 src 192.0.2.100\n10.4.0.0/16 dev other0",
        "from 10.1.0.0/16 table 100 priority 1000",
        more,
    );
    let agent = active(&ns, &conf)?;
    wait(&ns, "10.90.0.0/16", true)?;
    wait(&ns, "lookup 100", true)?;
    for (line, back) in [
        ("route del 10.2.0.0/16", None),
        ("route del 10.1.0.0/16", Some("10.1.0.0/16 via")),
        ("rule del priority 1000", Some("lookup 100")),
        ("route del 10.90.0.0/16", Some("10.90.0.0/16")),
        // Takes the route along whose source it is.
        ("addr del 192.0.2.100/24 dev eth0", Some("10.3.0.0/16")),
    ] {
        ns.sh(&format!("ip {line}"))?;
        if let Some(back) = back {
            wait(&ns, back, true).context(line)?;
        }
    }
    ensure!(!has(&ns, "10.2.0.0/16 dev"));
    // No announcement of the kernel tells of it.
    ns.sh("ip link set other0 down")?;
    ensure!(!has(&ns, "10.4.0.0/16"));
    ns.sh("ip link set other0 up")?;
    wait(&ns, "10.4.0.0/16", true)?;
    ensure!(agent.transitions().len() <= 2, "the VIPs moved");
    Ok(())
}

#[test]
fn a_killed_agent_leaves_no_route() -> Result<()> {
    require_agent!();
    let ns = machine()?;
    let agent = active(&ns, &conf(ROUTES, RULES, ""))?;
    wait(&ns, "lookup 104", true)?;
    sys::kill(pid(&agent)?, libc::SIGKILL)?;
    // All of them, before the next agent adds any.
    eventually(SOON, "all are gone", || {
        paths(&ns).ok()?.is_empty().then_some(())
    })?;
    wait(&ns, "lookup 104", true)
}

#[test]
fn a_reload_touches_only_the_route_that_differs() -> Result<()> {
    require_agent!();
    let ns = machine()?;
    let routes = |mtu: &str| -> String {
        let lines = (0..100).map(|n| format!("10.{n}.0.0/16 via 192.0.2.9 dev eth0"));
        lines.collect::<Vec<_>>().join("\n") + mtu
    };
    let rules = "from 10.1.0.0/16 table 100 priority 1000";
    let agent = active(&ns, &conf(&routes(""), rules, ""))?;
    wait(&ns, "lookup 100", true)?;
    let log = tempfile::NamedTempFile::new()?;
    let mut command = ns.command("ip");
    command.args(["monitor", "route", "rule"]);
    let mut monitor = command.stdout(log.reopen()?).spawn()?;
    let read = || std::fs::read_to_string(log.path());
    // It listens when it shows a route of ours.
    eventually(SOON, "ip monitor listens", || {
        ns.sh("ip route add 203.0.113.0/24 dev eth0").ok()?;
        ns.sh("ip route del 203.0.113.0/24").ok()?;
        read().ok()?.contains("203.0.113.0").then_some(())
    })?;
    agent.write_conf(&conf(&routes(" mtu 1300"), rules, ""))?;
    let ended = agent.reload()?;
    ensure!(ended.code == Some(0), "{ended:?}");
    wait(&ns, "mtu 1300", true)?;
    let _ = regardless(std::time::Duration::from_millis(300), || None::<()>);
    monitor.kill()?;
    monitor.wait()?;
    let text = read()?;
    let touched: Vec<_> = text
        .lines()
        .filter(|line| !line.contains("203.0.113.0"))
        .collect();
    ensure!(touched.len() == 2, "{touched:#?}");
    ensure!(
        touched.iter().all(|line| line.contains("10.99.0.0/16")),
        "{touched:#?}"
    );
    Ok(())
}

#[test]
fn a_route_that_the_kernel_refuses_stops_nothing_else() -> Result<()> {
    require_agent!();
    let ns = machine()?;
    let conf = conf(
        "10.1.0.0/16 via 203.0.113.1 dev eth0\n10.2.0.0/16 dev eth0",
        "from 10.1.0.0/16 table 100 priority 1000",
        "",
    );
    let agent = active(&ns, &conf)?;
    wait(&ns, "10.2.0.0/16", true)?;
    wait(&ns, "lookup 100", true)?;
    ensure!(ns.sh("ip addr show eth0")?.contains("192.0.2.100"));
    let line = "(VI_1) the kernel refused route 10.1.0.0/16 via 203.0.113.1 dev eth0: ";
    agent.process().wait_line(line, SOON)?;
    // An address that makes the gateway reachable is a reason to try again.
    ns.sh("ip addr add 203.0.113.2/24 dev eth0")?;
    wait(&ns, "10.1.0.0/16 via", true)
}

#[test]
fn the_example_of_the_documentation_does_what_it_says() -> Result<()> {
    require_agent!();
    let ns = machine()?;
    let page = include_str!("../../docs/routes.md");
    let example = page.split("```").nth(1).context("an example")?;
    let mut agent = active(&ns, example)?;
    for line in [
        "198.51.100.0/24 via 192.0.2.9",
        "from 198.51.100.0/24 lookup 77",
        "default via 192.0.2.9 dev eth0",
        "10.1.0.0/16 via 192.0.2.9 dev eth0 table 100",
        "10.2.0.0/16",
        "blackhole 10.3.0.0/16",
        "from 192.0.2.100 lookup 100",
        "to 10.3.0.0/16 prohibit",
    ] {
        wait(&ns, line, true)?;
    }
    let status = agent.status()?;
    let routes = &status["instances"][0]["routes"];
    ensure!(
        routes.as_array().is_some_and(|all| all.len() == 4),
        "{status}"
    );
    agent.stop()?;
    let left = paths(&ns)?;
    ensure!(left.is_empty(), "{left:#?}");
    Ok(())
}
