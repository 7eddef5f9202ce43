//! What a file says of interfaces and of the process.

use core::time::Duration;

use super::{accepted, clean, with, with_globals};
use crate::config::machine::{Delays, Process};
use crate::config::{Code, IfName};

fn process(globals: &str) -> (Process, Vec<Code>) {
    let (config, codes) = accepted(&with_globals(globals, ""));
    (config.process, codes)
}

#[test]
fn process_settings_are_taken_as_given() {
    let globals = "vrrp_priority -5\nvrrp_rt_priority 20\nvrrp_cpu_affinity 3 1 1\n\
                   vrrp_rlimit_rttime 500000\numask 027";
    let expected = Process {
        realtime: Some(20),
        nice: Some(-5),
        cpus: vec![1, 3],
        rttime: Some(500_000),
        umask: Some(0o027),
    };
    assert_eq!(process(globals), (expected, vec![]));
    assert_eq!(process(""), (Process::default(), vec![]));
}

#[test]
fn what_keepalived_clamps_or_ignores_is_clamped_or_ignored() {
    let realtime = |text: &str| {
        let (process, codes) = process(&format!("vrrp_rt_priority {text}"));
        (process.realtime, codes)
    };
    assert_eq!(realtime("0"), (Some(1), vec![Code::OutOfRange]));
    assert_eq!(realtime("100"), (Some(99), vec![Code::OutOfRange]));
    assert_eq!(realtime("high").0, None);
    for line in ["vrrp_priority 20", "vrrp_rlimit_rttime 0", "umask 01000"] {
        let (process, codes) = process(line);
        assert_eq!(process, Process::default(), "{line}");
        assert_eq!(codes, [Code::OutOfRange], "{line}");
    }
    assert_eq!(process("umask IWGRP|IWOTH").0.umask, Some(0o022));
    assert_eq!(process("umask 0x3f").0.umask, Some(0o077));
    assert_eq!(process("umask IWALL").0.umask, None);
}

#[test]
fn interfaces_that_come_and_go() {
    let dynamic = |globals: &str| {
        let (config, codes) = accepted(&with_globals(globals, ""));
        (config.interfaces.dynamic, codes)
    };
    assert_eq!(dynamic(""), (false, vec![]));
    assert_eq!(dynamic("dynamic_interfaces"), (true, vec![]));
    let changing = "dynamic_interfaces allow_if_changes";
    assert_eq!(dynamic(changing), (true, vec![]));
    let (used, codes) = dynamic("dynamic_interfaces maybe");
    assert_eq!((used, codes), (true, vec![Code::BadValue]));
    assert!(clean(&with("")).track_primary);
    assert!(!clean(&with("dont_track_primary")).track_primary);
}

#[test]
fn what_is_printed_reads_back_to_the_same() {
    let globals = "dynamic_interfaces\nvrrp_priority -5\nvrrp_rt_priority 20\n\
                   vrrp_cpu_affinity 0 3\nvrrp_rlimit_rttime 500000\numask 027";
    let list = "interface_up_down_delays {\neth0 0.5 1.25\n}\n";
    let (config, _) = accepted(&(list.to_owned() + &with_globals(globals, "dont_track_primary")));
    let text = crate::config::print::print(&config, crate::config::print::Secrets::Shown);
    assert_eq!(accepted(&text).0, config, "{text}");
}

#[test]
fn delays_are_shorter_than_the_patience_of_the_peers() {
    let delays = |lines: &str, instance: &str| {
        let list = format!("interface_up_down_delays {{\n{lines}\n}}\n");
        let (config, codes) = accepted(&(list + &with(instance)));
        let found = config.interfaces.delays(&IfName::new("eth0").unwrap());
        (found.down.as_micros(), found.up.as_micros(), codes)
    };
    assert_eq!(delays("eth0 0.5", ""), (500_000, 500_000, vec![]));
    assert_eq!(delays("eth0 0.5 1.25", ""), (500_000, 1_250_000, vec![]));
    assert_eq!(delays("eth1 10", ""), (0, 0, vec![]));
    // Observed with keepalived.
    let cut = vec![Code::OutOfRange];
    assert_eq!(delays("eth0 10 1", ""), (1_996_094, 1_000_000, cut.clone()));
    let (down, _, codes) = delays("eth0 10", "down_timer_adverts 1");
    assert_eq!((down, codes), (0, cut));
    assert_eq!(delays("eth0", "").2, [Code::MissingValue]);
    assert_eq!(delays("eth0 1 x", "").2, [Code::BadValue]);
    assert_eq!(Delays::default().down, Duration::ZERO);
}

#[test]
fn vips_that_nobody_can_use_are_warned_of() {
    for vip in ["127.0.0.5/8", "10.0.0.255/24", "10.0.0.5/0", "240.0.0.1/24"] {
        let text = with("").replace("192.0.2.1/24", vip);
        let (config, codes) = accepted(&text);
        assert_eq!(config.instances.len(), 1);
        assert_eq!(codes, [Code::BadAddress], "{vip}");
    }
}
