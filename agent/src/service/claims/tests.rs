//! Which claims are an alarm, and when.

use super::*;
use crate::core::{Input, Machine};
use crate::io::plan::{Standing, core_config};

const ID: InstanceId = InstanceId(1);
const SECOND: u64 = 1_000_000_000;

fn at(seconds: u64) -> KernelTime {
    KernelTime(1000 * SECOND + seconds * SECOND)
}

fn claim(last: u8) -> Heard {
    Heard {
        ifindex: 2,
        claim: Claim {
            address: Ipv4Addr::new(192, 0, 2, 9),
            mac: [2, 0, 0, 0, 0, last],
        },
    }
}

/// An owner, which is Active from the start, or a Backup.
fn snapshot(priority: u8) -> Snapshot {
    let text = format!(
        "vrrp_instance V {{\ninterface e\nvirtual_router_id 1\npriority {priority}\n\
         virtual_ipaddress {{\n192.0.2.9/24\n}}\n}}\n"
    );
    let config = crate::config::parse_str("c", &text).config.unwrap();
    let instance = &config.instances[0];
    let mut machine = Machine::new(vec![core_config(ID, instance, Standing::alone(instance))]);
    let source = "192.0.2.1".parse().unwrap();
    machine.handle(Input::Up { id: ID, source }, at(0));
    while machine.poll_effect().is_some() {}
    machine.snapshot(ID).unwrap()
}

fn news(claims: &mut Claims, priority: u8, now: u64) -> Vec<bool> {
    let alarms = claims.judge(&[snapshot(priority)], at(now), |_| Some(ID));
    alarms.iter().map(|alarm| alarm.news).collect()
}

#[tokio::test]
async fn a_claim_against_an_active_is_told_once_a_minute() {
    let mut claims = Claims::default();
    claims.note(claim(1), at(10));
    assert!(claims.look_at.is_some());
    assert_eq!(news(&mut claims, 255, 11), [true]);
    assert!(news(&mut claims, 255, 12).is_empty(), "judged");
    for second in 13..70 {
        claims.note(claim(1), at(second));
        assert_eq!(news(&mut claims, 255, second), [false], "{second}");
    }
    claims.note(claim(1), at(71));
    assert_eq!(news(&mut claims, 255, 71), [true]);
    claims.note(claim(2), at(72));
    assert_eq!(news(&mut claims, 255, 72), [true], "another");
}

#[tokio::test]
async fn what_comes_with_a_change_of_the_active_is_no_news() {
    let mut claims = Claims::default();
    claims.note(claim(1), at(10));
    assert!(news(&mut claims, 100, 11).is_empty(), "it is a Backup");
    assert!(claims.suspects.is_empty());
    claims.note(claim(1), at(1));
    assert!(
        news(&mut claims, 255, 2).is_empty(),
        "Active since just now"
    );
}

#[tokio::test]
async fn our_own_frames_are_no_claims() {
    let mut claims = Claims {
        own: vec![claim(1).claim.mac],
        ..Claims::default()
    };
    claims.note(claim(1), at(10));
    assert_eq!(claims.look_at, None);
    assert!(news(&mut claims, 255, 11).is_empty());
}

#[tokio::test]
async fn changing_claimants_fill_no_memory_and_hasten_nothing() {
    let mut claims = Claims::default();
    for last in 0..=255 {
        claims.note(claim(last), at(10));
    }
    assert_eq!(claims.suspects.len(), SUSPECTS);
    claims.looked = Some(now());
    claims.look_at = None;
    claims.note(claim(1), at(10));
    assert!(claims.look_at.unwrap() > now() + PAUSE / 2);
}
