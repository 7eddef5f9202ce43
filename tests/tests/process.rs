//! How the agent runs: what the file asks of the scheduler, what is in force,
//! and what is said when something cannot be had.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::{Agent, call},
    agents::{self, SOON, START, start},
    require_agent,
    router::{Router, State, VirtualRouter},
    topology::Lan,
};

/// Nothing here takes long.
const WITHIN: Duration = Duration::from_secs(20);

fn conf(globals: &str, lan: &Lan) -> String {
    format!(
        "global_defs {{\n{globals}\n}}\nvrrp_instance VI_1 {{\ninterface eth0\nversion 3\n\
         advert_int 0.1\nvirtual_router_id 51\nvirtual_ipaddress {{\n{}/24\n}}\n}}\n",
        lan.vip()
    )
}

/// Policy (1 is SCHED_FIFO), priority, nice and processors of each thread, by
/// its name, as /proc has them.
fn threads(pid: i32) -> Result<BTreeMap<String, (u32, u32, i32, String)>> {
    let mut threads = BTreeMap::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = thread?.path();
        let stat = std::fs::read_to_string(path.join("stat"))?;
        let (before, after) = stat.rsplit_once(')').context("stat")?;
        let name = before.split_once('(').context("stat")?.1;
        // From the third field of proc_pid_stat(5) on.
        let fields: Vec<&str> = after.split_whitespace().collect();
        let status = std::fs::read_to_string(path.join("status"))?;
        let cpus = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .context("status")?;
        let found = (
            fields[38].parse()?,
            fields[37].parse()?,
            fields[16].parse()?,
            cpus.trim().to_owned(),
        );
        threads.insert(name.to_owned(), found);
    }
    Ok(threads)
}

fn rttime(pid: i32) -> Result<String> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let line = limits
        .lines()
        .find(|line| line.contains("realtime timeout"));
    let words = line.context("limits")?.split_whitespace();
    Ok(words.skip(3).take(2).collect::<Vec<_>>().join(" "))
}

#[test]
fn settings_are_in_force_and_follow_a_reload() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let ns = &lan.host(0).ns;
    let plain = Agent::start_conf(ns, &conf("router_id plain", &lan), "VI_1")?;
    plain.wait_state(State::Active, START)?;
    let before = plain.status()?["scheduling"].clone();
    let all = before["fast_lane_cpus"]
        .as_str()
        .context("cpus")?
        .to_owned();
    assert_eq!(before["fifo_priority"], 60, "{before}");
    let pid = agents::pid(&plain)?;
    let fast = threads(pid)?["failoverd-fast"].clone();
    assert_eq!((fast.0, fast.1, fast.3.as_str()), (1, 60, all.as_str()));
    // Right behind it, so that no advert waits for an address.
    let hands = threads(pid)?["failoverd-hands"].clone();
    assert_eq!((hands.0, hands.1, hands.3.as_str()), (1, 59, all.as_str()));

    let globals = "vrrp_rt_priority 20\nvrrp_cpu_affinity 0\nvrrp_priority -5\n\
                   vrrp_rlimit_rttime 900000\numask 027\nvrrp_no_swap";
    plain.write_conf(&conf(globals, &lan))?;
    let ended = plain.reload()?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let check = |agent: &Agent| -> Result<()> {
        let pid = agents::pid(agent)?;
        let threads = threads(pid)?;
        let fast = &threads["failoverd-fast"];
        assert_eq!((fast.0, fast.1, fast.3.as_str()), (1, 20, "0"));
        let hands = &threads["failoverd-hands"];
        assert_eq!((hands.0, hands.1, hands.3.as_str()), (1, 19, "0"));
        let slow = &threads["failoverd"];
        assert_eq!((slow.0, slow.2, slow.3.as_str()), (0, -5, all.as_str()));
        assert_eq!(rttime(pid)?, "900000 unlimited");
        let status = agent.status()?["scheduling"].clone();
        assert_eq!(status["fifo_priority"], 20, "{status}");
        assert_eq!(status["fast_lane_cpus"], "0", "{status}");
        assert_eq!(status["nice"], -5, "{status}");
        assert_eq!(status["rttime_limit_us"], 900_000, "{status}");
        assert_eq!(status["umask"], "0027", "{status}");
        assert!(status["locked_kib"].as_u64() > Some(0), "{status}");
        Ok(())
    };
    check(&plain)?;
    assert_eq!(plain.transitions().len(), 2, "a transition");

    // Taken back, everything is as it was at the start.
    plain.write_conf(&conf("router_id plain", &lan))?;
    assert_eq!(plain.reload()?.code, Some(0));
    let mut after = plain.status()?["scheduling"].clone();
    after["locked_kib"] = before["locked_kib"].clone();
    assert_eq!(after, before);
    drop(plain);

    let given = Agent::start_conf(ns, &conf(globals, &lan), "VI_1")?;
    given.wait_state(State::Active, START)?;
    check(&given)?;
    let lines = given.process().lines();
    assert!(
        !lines.iter().any(|line| line.text.contains("WARN")),
        "{lines:#?}"
    );
    Ok(())
}

#[test]
fn what_the_kernel_refuses_is_one_warning() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let text = conf("vrrp_cpu_affinity 1000", &lan);
    let agent = Agent::start_conf(&lan.host(0).ns, &text, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    let line = "vrrp_cpu_affinity is not in force, the kernel refused it: Invalid argument";
    agent.process().wait_line(line, SOON)?;
    let warnings = agent.process().lines().into_iter();
    let warnings = warnings.filter(|line| line.text.contains("WARN")).count();
    assert_eq!(warnings, 1);
    Ok(())
}

// FAILURES P15
#[test]
fn one_vip_is_not_in_two_virtual_routers_of_a_machine() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let (host, vip) = (lan.host(0), lan.vip());
    let router = VirtualRouter::new(200, vip);
    let first = start(host, &router, &[])?;
    first.wait_state(State::Active, START)?;
    let second = |vip| -> Result<failoverd_tests::agent::Ended> {
        let directory = tempfile::tempdir()?;
        let control = directory.path().join("control").display().to_string();
        let mut router = VirtualRouter::new(200, vip);
        router.vrid = 52;
        let mut arguments = router.agent_arguments();
        arguments.extend(["--control".to_owned(), control]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        call(Some(&host.ns), &arguments, WITHIN)
    };
    let ended = second(vip)?;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let pid = agents::pid(&first)?;
    let said = ended.output.join("\n");
    let expected = format!(
        "(VI_1) VIP {vip} is held by another failoverd (pid {pid}, VRID 51 on eth0) on this machine"
    );
    assert!(said.contains(&expected), "{said}");
    assert!(host.has_address(vip)?);
    Ok(())
}

#[test]
fn a_stopped_agent_is_told_from_none() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let router = VirtualRouter::new(200, lan.vip());
    let agent = start(lan.host(0), &router, &[])?;
    agent.wait_state(State::Active, START)?;
    agent.freeze(true)?;
    let ended = agent.ask("status", &[])?;
    agent.freeze(false)?;
    assert_eq!((ended.code, ended.output.len()), (Some(3), 1), "{ended:?}");
    let said = &ended.output[0];
    assert!(
        said.contains("took no notice for 3 s: it was stopped"),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_control_path_that_cannot_be_is_a_wrong_command_line() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let directory = tempfile::tempdir()?;
    let inside = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(inside("file"), "")?;
    let too_long = inside(&"x".repeat(150));
    for path in [
        inside("file"),
        inside("file/control"),
        inside("no/such/directory"),
        too_long,
    ] {
        let mut arguments = VirtualRouter::new(200, lan.vip()).agent_arguments();
        arguments.extend(["--control".to_owned(), path.clone()]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ended = call(Some(&lan.host(0).ns), &arguments, WITHIN)?;
        assert_eq!(ended.code, Some(2), "{path}: {ended:?}");
        let said = ended.output.join("\n");
        assert!(said.contains("choose another with --control"), "{said}");
    }
    Ok(())
}
