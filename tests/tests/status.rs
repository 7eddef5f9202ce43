//! What the status says of a running agent, and of none.

use std::time::Duration;

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::call,
    agents::{Agents, SOON, backend, instance},
    require_agent,
    wait::eventually,
};
use serde_json::Value;

/// Nothing here takes long.
const WITHIN: Duration = Duration::from_secs(20);

#[test]
fn status_without_an_agent_ends_with_3() -> Result<()> {
    require_agent!();
    let directory = tempfile::tempdir()?;
    let control = directory.path().join("control").display().to_string();
    let ended = call(None, &["status", "--control", &control], WITHIN)?;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(ended.output.len(), 1, "{ended:?}");
    assert!(
        ended.output[0].contains("no agent is listening on"),
        "{ended:?}"
    );
    Ok(())
}

#[test]
fn status_has_its_fields_and_the_vips_as_the_kernel_has_them() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let sources = [0, 1].map(|index| pair.lan.host(index).port.v4.to_string());
    let expected = [("active", 200, true), ("backup", 100, false)];
    for ((agent, (state, priority, present)), source) in [&pair.active, &pair.backup]
        .into_iter()
        .zip(expected)
        .zip(&sources)
    {
        let status = agent.status()?;
        for field in [
            "version",
            "pid",
            "fast_lane",
            "links",
            "instances",
            "unclaimed",
        ] {
            assert!(!status[field].is_null(), "{field}: {status}");
        }
        assert_ne!(backend(&status), "", "{status}");
        let instance = instance(&status);
        assert_eq!(instance["name"], "VI_1");
        assert_eq!(instance["interface"], "eth0");
        assert_eq!(
            (&instance["vrid"], &instance["family"]),
            (&51.into(), &"ipv4".into())
        );
        assert_eq!(instance["vrrp_version"], 3);
        assert_eq!(
            (&instance["state"], &instance["priority"]),
            (&state.into(), &priority.into())
        );
        assert_eq!(instance["source"], source.as_str());
        assert_eq!(instance["active"], sources[0].as_str());
        assert_eq!(instance["advert_interval_ms"], 100);
        assert_eq!(instance["active_advert_interval_ms"], 100);
        let skew = f64::from(256 - priority) * 100.0 / 256.0;
        assert_eq!(instance["skew_time_ms"], Value::from(skew), "{instance}");
        assert_eq!(
            instance["active_down_interval_ms"],
            Value::from(300.0 + skew)
        );
        assert!(instance["deadline_in_ms"].is_f64(), "{instance}");
        assert_eq!(
            instance["last_advert_ms_ago"].is_f64(),
            !present,
            "{instance}"
        );
        assert!(instance["fault"].is_null(), "{instance}");
        assert!(instance["counters"]["adverts_sent"].is_u64(), "{instance}");
        let vip = &instance["vips"][0];
        assert_eq!(vip["address"], "10.77.1.100/24");
        assert_eq!(
            (&vip["interface"], &vip["present"]),
            (&"eth0".into(), &present.into())
        );
    }
    // As the kernel has it, and not as the agent would like it.
    let stray = format!("ip addr add {}/24 dev eth0", pair.lan.vip());
    pair.lan.host(1).ns.sh(&stray)?;
    eventually(SOON, "the truth about a stray VIP", || {
        let status = pair.backup.status().ok()?;
        let present = instance(&status)["vips"][0]["present"].as_bool()?;
        let kernel = pair.lan.host(1).has_address(pair.lan.vip()).ok()?;
        (present == kernel).then_some(())
    })?;
    text_form(&pair)
}

/// The form for people: the same in words.
fn text_form(pair: &Agents) -> Result<()> {
    let control = pair.active.control().to_str().context("a path in UTF-8")?;
    let ended = call(None, &["status", "--control", control], WITHIN)?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let text = ended.output.join("\n");
    for part in [
        "(VI_1) ACTIVE for ",
        "VRID 51 on eth0",
        "VIP 10.77.1.100/24 on eth0",
    ] {
        assert!(text.contains(part), "{text}");
    }
    Ok(())
}
