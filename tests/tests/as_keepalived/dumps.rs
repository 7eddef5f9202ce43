//! The dump files: what keepalived writes and what we write in its place.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::INTERVAL,
    require_agent,
    router::{Router, State, VirtualRouter},
    sys,
    topology::Lan,
    wait::eventually,
};
use serde_json::Value;

use crate::{
    exporter,
    lab::{Foreground, WITHIN, Which, dump},
};

/// SIGRTMIN + 2.
pub fn json_signal() -> i32 {
    libc::SIGRTMIN() + 2
}

/// A v3 and a v2 instance with all that the dumps show.
fn conf(priority: u8) -> String {
    format!(
        "global_defs {{
  router_id lab
  vrrp_higher_prio_send_advert on
}}
vrrp_instance VI_1 {{
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority {priority}
  version 3
  advert_int 0.1
  garp_master_delay 7
  garp_master_refresh 60
  virtual_ipaddress {{
    10.77.1.100/24
    10.77.1.101 label eth0:x
    10.77.1.102/24 brd 10.77.1.255
  }}
  virtual_ipaddress_excluded {{
    10.77.1.103/24
  }}
}}
vrrp_instance VI_2 {{
  state BACKUP
  interface eth0
  virtual_router_id 52
  priority {priority}
  advert_int 1
  preempt_delay 3
  lower_prio_no_advert
  authentication {{
    auth_type PASS
    auth_pass secret
  }}
  virtual_ipaddress {{
    10.77.1.110/24
  }}
}}
vrrp_instance VI_6 {{
  state BACKUP
  interface eth0
  virtual_router_id 53
  priority {priority}
  version 3
  nopreempt
  advert_int 0.2
  virtual_ipaddress {{
    fe80::7
    fd77:1::7/64
  }}
}}
vrrp_instance VI_4 {{
  state BACKUP
  interface eth0
  virtual_router_id 54
  priority {priority}
  version 3
  mcast_dst_ip 224.0.0.99
  dont_track_primary
  skip_check_adv_addr
  no_accept
  promote_secondaries
  advert_int 0.2
  track_interface {{
    lo
  }}
  virtual_ipaddress {{
    10.77.1.120/24
  }}
}}
"
    )
}

/// All dumps of one daemon.
struct Dumps {
    data: String,
    stats: String,
    json: String,
}

fn dumps(daemon: &Foreground) -> Result<Dumps> {
    Ok(Dumps {
        data: daemon.dump(libc::SIGUSR1, "keepalived.data")?,
        stats: daemon.dump(libc::SIGUSR2, "keepalived.stats")?,
        json: daemon.dump(json_signal(), "keepalived.json")?,
    })
}

/// Active and Backup, of which one is keepalived.
fn pair(active: Which, backup: Which) -> Result<[Dumps; 2]> {
    let lan = Lan::new(2)?;
    let first = Foreground::start(active, lan.host(0), &conf(200))?;
    for instance in ["VI_1", "VI_2", "VI_6", "VI_4"] {
        first.wait_state(instance, State::Active)?;
    }
    let second = Foreground::start(backup, lan.host(1), &conf(100))?;
    second.wait_state("VI_2", State::Backup)?;
    // Until each Active was heard.
    eventually(WITHIN, "adverts of both", || {
        let json = second.dump(json_signal(), "keepalived.json").ok()?;
        let found = exporter::json(&json).ok()?;
        let heard = |(_, counters): &(_, exporter::Counters)| counters["advert_rcvd"] > 1;
        (found.len() == 4 && found.values().all(heard)).then_some(())
    })?;
    Ok([dumps(&first)?, dumps(&second)?])
}

/// Besides when it was written, a dump of ours says what keepalived's says.
#[test]
fn a_pair_writes_the_same_on_either_side() -> Result<()> {
    require_agent!("keepalived");
    let [real_active, our_backup] = pair(Which::Keepalived, Which::Ours)?;
    let [our_active, real_backup] = pair(Which::Ours, Which::Keepalived)?;
    for (real, ours) in [(&real_active, &our_active), (&real_backup, &our_backup)] {
        assert_eq!(exporter::data(&real.data)?, exporter::data(&ours.data)?);
        let names = |text: &str| -> Result<Vec<(String, BTreeSet<String>)>> {
            let found = exporter::stats(text)?.into_iter();
            Ok(found
                .map(|(name, values)| (name, values.into_keys().collect()))
                .collect())
        };
        assert_eq!(names(&real.stats)?, names(&ours.stats)?);
        same_json(&real.json, &ours.json)?;
    }
    for (active, backup) in [(&real_active, &our_backup), (&our_active, &real_backup)] {
        plausible(active, backup)?;
    }
    Ok(())
}

fn same_json(real: &str, ours: &str) -> Result<()> {
    let (readable, _): (Value, Value) = (serde_json::from_str(real)?, Value::Null);
    let ours: Value = serde_json::from_str(ours)?;
    let (real, ours) = (readable.as_array(), ours.as_array());
    let (real, ours) = (real.context("array")?, ours.context("array")?);
    assert_eq!(real.len(), ours.len());
    for (real, ours) in real.iter().zip(ours) {
        for part in ["data", "stats"] {
            let keys = |value: &Value| -> Vec<String> {
                let object = value[part].as_object();
                object.map_or_else(Vec::new, |object| object.keys().cloned().collect())
            };
            assert_eq!(keys(real), keys(ours), "{part}");
        }
        for (key, value) in real["data"].as_object().context("object")? {
            let other = &ours["data"][key];
            if key == "last_transition" {
                assert!(other.as_f64() > Some(1.7e9), "{other}");
                continue;
            }
            if key == "auth_data" && value.is_string() {
                // Ours says that there is one, and not which.
                assert_eq!(other, "(not shown)");
                continue;
            }
            let equal = match (value.as_f64(), other.as_f64()) {
                (Some(one), Some(two)) => (one - two).abs() < 1e-9,
                _ => value == other,
            };
            let name = &real["data"]["iname"];
            assert!(equal, "{name} {key}: keepalived {value}, failoverd {other}");
        }
    }
    Ok(())
}

/// The counters of a pair that nobody disturbed.
fn plausible(active: &Dumps, backup: &Dumps) -> Result<()> {
    let (active, backup) = (exporter::json(&active.json)?, exporter::json(&backup.json)?);
    for (name, (_, sent)) in &active {
        let heard = &backup[name].1;
        assert_eq!(sent["become_master"], 1, "{name}");
        assert_eq!(heard["become_master"], 0, "{name}");
        // One or the other was started or asked earlier.
        assert!(sent["advert_sent"] + 20 > heard["advert_rcvd"], "{name}");
        assert!(heard["advert_rcvd"] > 1, "{name}");
        for counters in [sent, heard] {
            for (key, count) in counters {
                let counted = ["advert_rcvd", "advert_sent", "become_master"];
                // A new Backup may be heard in its first moment.
                if !counted.contains(&key.as_str()) {
                    assert_eq!(*count, 0, "{name} {key}");
                }
            }
        }
    }
    Ok(())
}

fn router(lan: &Lan) -> VirtualRouter {
    VirtualRouter::new(200, lan.vip()).every(INTERVAL)
}

/// Of an agent with its control socket in a directory of its own.
#[test]
fn failoverd_run_answers_the_signals_beside_its_socket() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let agent = Agent::start(&lan.host(0).ns, &router(&lan))?;
    agent.wait_state(State::Active, WITHIN * 2)?;
    let directory = agent.control().parent().context("a directory")?;
    let parent = agent.process().pid();
    let child = agent.status()?["pid"].as_i64().context("pid")? as i32;
    for pid in [parent, child] {
        let data = dump(pid, libc::SIGUSR1, &directory.join("keepalived.data"))?;
        assert_eq!(exporter::data(&data)?["VI_1"].state, 2);
        let stats = dump(pid, libc::SIGUSR2, &directory.join("keepalived.stats"))?;
        assert_eq!(exporter::stats(&stats)?["VI_1"]["Became master"], 1);
        let json = dump(pid, json_signal(), &directory.join("keepalived.json"))?;
        assert_eq!(exporter::json(&json)?["VI_1"].0.vrid, 51);
    }
    let mark = agent.process().mark();
    sys::kill(parent, libc::SIGRTMAX())?;
    agent
        .process()
        .wait_line_from(mark, "failoverd-fast", WITHIN)?;
    assert_eq!(agent.transitions().len(), 2);
    Ok(())
}

#[test]
fn cleared_counters_begin_anew() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let agent = Agent::start(&lan.host(0).ns, &router(&lan))?;
    agent.wait_state(State::Active, WITHIN * 2)?;
    let path = agent.control().with_file_name("keepalived.stats");
    let pid = agent.process().pid();
    let sent = |signal: i32| -> Result<(u64, u64)> {
        let stats = exporter::stats(&dump(pid, signal, &path)?)?;
        let stats = &stats["VI_1"];
        Ok((stats["Advertisements/Sent"], stats["Became master"]))
    };
    let many = eventually(WITHIN, "many adverts", || {
        let (sent, _) = sent(libc::SIGUSR2).ok()?;
        (sent > 30).then_some(sent)
    })?;
    let (before, became) = sent(libc::SIGRTMAX() - 1)?;
    assert!(before >= many && became == 1, "{before} {became}");
    let (after, became) = sent(libc::SIGUSR2)?;
    assert!(after < before && became == 0, "{after} {became}");
    Ok(())
}

#[test]
fn a_link_at_the_path_is_not_followed() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let directory = tempfile::tempdir()?;
    let victim = directory.path().join("victim");
    fs::write(&victim, "precious")?;
    let names = ["keepalived.data", "keepalived.stats", "keepalived.json"];
    let told = tempfile::tempdir()?;
    let [state, stats, json] = names.map(|name| told.path().join(name).display().to_string());
    let globals = format!(
        "global_defs {{\n  state_dump_file {state}\n  stats_dump_file {stats}\n  \
         json_dump_file {json}\n  json_version 2\n}}\n"
    );
    let conf = format!("{globals}{}", router(&lan).keepalived_conf());
    let agent = Agent::start_conf(&lan.host(0).ns, &conf, "VI_1")?;
    agent.wait_state(State::Active, WITHIN * 2)?;
    let signals = [libc::SIGUSR1, libc::SIGUSR2, json_signal()];
    for (name, signal) in names.into_iter().zip(signals) {
        let path = told.path().join(name);
        symlink(&victim, &path)?;
        sys::kill(agent.process().pid(), signal)?;
        eventually(WITHIN, name, || {
            let found = path.symlink_metadata().ok()?;
            found.is_file().then_some(())
        })?;
        // For us alone: it carries passwords.
        let mode = path.metadata()?.permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
        assert_eq!(fs::read_to_string(&victim)?, "precious", "{name}");
    }
    let json: Value = serde_json::from_str(&fs::read_to_string(json)?)?;
    assert_eq!(json["vrrp"][0]["data"]["vrid"], 51);
    assert_eq!(json["track_process"], Value::Array(Vec::new()));
    Ok(())
}
