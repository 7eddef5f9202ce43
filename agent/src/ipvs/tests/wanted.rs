//! Files to what is asked of the kernel.

use super::super::wanted;
use super::*;
use crate::config::{Code, Config, diff::diff, parse_str};

const VRRP: &str = "vrrp_instance VI_1 {\ninterface eth0\nvirtual_router_id 51\n\
                    virtual_ipaddress {\n10.0.0.1/24\n}\n}\n";

fn config(text: &str) -> Config {
    let loaded = parse_str("t", &format!("{VRRP}{text}"));
    let config = loaded.config;
    config.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

fn table(text: &str) -> Table {
    wanted::of(&config(text), None).table
}

fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, pool) in table(text) {
        lines.push(format!("{key} {}", pool.service.scheduler));
        for one in pool.servers.values() {
            lines.push(format!(
                "  {} {} {} {}/{}",
                one.key,
                show::method(one.forward),
                one.weight,
                one.upper,
                one.lower
            ));
        }
    }
    lines
}

#[test]
fn every_setting_arrives() {
    let table = table(
        "virtual_server 10.0.0.1 80 {\nlvs_sched sh\nlvs_method NAT\nprotocol UDP\nops\n\
         sh-port\nsh-fallback\nflag-3\npersistence_timeout 60\npersistence_engine sip\n\
         persistence_granularity 255.255.255.0\nweight 4\n\
         real_server 10.1.0.1 8080 {\nuthreshold 9\nlthreshold 3\n}\n\
         real_server 10.1.0.2 {\nweight 0\nlvs_method TUN type gue port 6080 remcsum\n}\n}",
    );
    let (key, pool) = table.first_key_value().expect("one");
    assert_eq!(key.to_string(), "UDP 10.0.0.1:80");
    let expected = Service {
        scheduler: "sh".into(),
        one_packet: true,
        flags: [true; 3],
        persistence: Some(60),
        engine: Some("sip".into()),
        netmask: [255, 255, 255, 0],
        ..service(*key)
    };
    assert_eq!(pool.service, expected);
    let servers: Vec<_> = pool.servers.values().copied().collect();
    assert_eq!(
        servers,
        [
            Destination {
                forward: Forward::Masquerade,
                weight: 4,
                upper: 9,
                lower: 3,
                ..server("10.1.0.1", 8080)
            },
            Destination {
                forward: Forward::Tunnel(Tunnel::Gue {
                    port: 6080,
                    checksum: Checksum::Remote
                }),
                weight: 0,
                ..server("10.1.0.2", 80)
            },
        ]
    );
}

#[test]
fn defaults_are_those_of_keepalived() {
    assert_eq!(
        lines("virtual_server 10.0.0.1 80 {\nreal_server 10.1.0.1 81 {\n}\n}"),
        ["UDP 10.0.0.1:80 wlc", "  10.1.0.1:81 NAT 1 0/0"]
    );
    // Only NAT changes the port; all ports need persistence.
    let text =
        "virtual_server 10.0.0.1 {\nprotocol TCP\nlvs_method DR\nreal_server 10.1.0.1 81 {\n}\n}";
    assert_eq!(lines(text), ["TCP 10.0.0.1:0 wlc", "  10.1.0.1:0 DR 1 0/0"]);
    let all = table(text);
    let pool = all.first_key_value().expect("one").1;
    assert_eq!(pool.service.persistence, Some(360));
    // What keepalived leaves out.
    assert_eq!(
        lines("virtual_server 10.0.0.1 80 {\nlvs_sched rr\n}").len(),
        0
    );
    assert_eq!(
        lines("virtual_server 10.0.0.1 80 {\nlvs_method DR\nreal_server fe80::1 80 {\n}\n}").len(),
        0
    );
}

#[test]
fn marks_have_the_family_of_their_servers() {
    let mark = |lines_: &str| {
        lines(&format!(
            "virtual_server fwmark 7 {{\nlvs_sched rr\nlvs_method TUN\n{lines_}\n}}"
        ))
    };
    assert_eq!(mark("real_server 10.1.0.1 {\n}")[0], "fwmark 7 rr");
    assert_eq!(mark("real_server fe80::1 {\n}")[0], "fwmark 7 inet6 rr");
    assert_eq!(
        mark("ip_family inet6\nreal_server 10.1.0.1 {\n}")[0],
        "fwmark 7 inet6 rr"
    );
}

#[test]
fn a_mark_is_a_service_of_each_family() {
    let mark = |family: &str, weight: u32| {
        format!(
            "virtual_server fwmark 1 {{\nlvs_sched rr\nlvs_method TUN\n{family}\n\
             real_server 10.1.0.1 {{\nweight {weight}\n}}\n}}\n"
        )
    };
    let file = |weight| mark("", 1) + &mark("ip_family inet6", weight);
    let keys: Vec<String> = table(&file(1)).keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["fwmark 1", "fwmark 1 inet6"]);
    let loaded = parse_str("t", &format!("{VRRP}{}", file(1)));
    // Of each one that it has no protocol, as keepalived says.
    let codes = loaded.diagnostics.iter().map(|one| one.code);
    let codes: Vec<Code> = codes.filter(|code| *code != Code::Incomplete).collect();
    assert_eq!(codes, [Code::VirtualServers], "{:?}", loaded.diagnostics);
    let changes = diff(&(&config(&file(1))).into(), &(&config(&file(2))).into());
    let told = changes.to_string();
    assert!(told.contains("fwmark 1 inet6"), "{told}");
    // The first of two of the same family counts, which is said.
    let loaded = parse_str("t", &format!("{VRRP}{}{}", mark("", 1), mark("", 2)));
    let twice = loaded.diagnostics.iter();
    let twice = twice.filter(|one| one.code == Code::Duplicate);
    assert_eq!(twice.count(), 1);
}

#[test]
fn services_that_two_ask_for_are_counted() {
    let text = "virtual_server_group G {\n10.0.0.1-3 80\n}\n\
                virtual_server_group H {\n10.0.0.2-9 80\n}\n";
    let server = |group: &str| {
        format!(
            "virtual_server group {group} {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n\
             real_server 10.1.0.1 80 {{\n}}\n}}\n"
        )
    };
    let text = format!("{VRRP}{text}{}{}", server("G"), server("H"));
    let loaded = parse_str("t", &text);
    let told: Vec<String> = loaded
        .diagnostics
        .iter()
        .filter(|one| one.code == Code::Duplicate)
        .map(|one| one.message.clone())
        .collect();
    assert_eq!(
        told,
        [
            "virtual_server group H: 2 of its services are asked for before, the first of them \
          TCP 10.0.0.2:80; those that come first count"
        ]
    );
}

#[test]
fn servers_that_nobody_checks_are_counted() {
    let warning = |real: &str| {
        let text = format!(
            "virtual_server 10.0.0.1 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n\
             real_server 10.1.0.1 80 {{\n{real}\n}}\nreal_server 10.1.0.2 80 {{\n\
             notify_up /bin/true\n}}\n}}"
        );
        wanted::of(&config(&text), None).checked.warning()
    };
    assert_eq!(warning(""), None);
    assert_eq!(
        warning("TCP_CHECK {\n}").as_deref(),
        Some(
            "1 of 2 real servers have checks that are not run: a dead one keeps getting \
             connections"
        )
    );
}

#[test]
fn groups_become_a_service_for_each_address() {
    let text = "virtual_server_group G {\n10.0.0.1 80\n10.0.1.254-10.0.2.1 81\n10.0.3.1-2 82\n\
                10.0.4.4/31 83\nfwmark 9\nfwmark 10 inet6\n}\n\
                virtual_server group G {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n\
                real_server 10.1.0.1 80 {\n}\n}";
    let keys: Vec<String> = table(text).keys().map(ToString::to_string).collect();
    assert_eq!(
        keys,
        [
            "TCP 10.0.0.1:80",
            "TCP 10.0.1.254:81",
            "TCP 10.0.1.255:81",
            "TCP 10.0.2.0:81",
            "TCP 10.0.2.1:81",
            "TCP 10.0.3.1:82",
            "TCP 10.0.3.2:82",
            "TCP 10.0.4.4:83",
            "TCP 10.0.4.5:83",
            "fwmark 9",
            "fwmark 10 inet6",
        ]
    );
}

#[test]
fn a_range_that_would_take_all_memory_is_left_out() {
    for (range, servers) in [
        ("fe80::/64 80", "real_server fe80::9 80 {\n}\n".to_owned()),
        ("10.0.0.0/8 80", "real_server 10.1.0.1 80 {\n}\n".to_owned()),
        (
            "10.0.0.0/17 80",
            (1..=200)
                .map(|n| format!("real_server 10.1.0.{n} 80 {{\n}}\n"))
                .collect(),
        ),
    ] {
        let text = format!(
            "{VRRP}virtual_server_group G {{\n{range}\n}}\nvirtual_server group G {{\n\
             lvs_sched rr\nlvs_method NAT\nprotocol TCP\n{servers}}}\n\
             virtual_server 10.0.0.1 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n\
             real_server 10.1.0.1 80 {{\n}}\n}}"
        );
        let loaded = parse_str("t", &text);
        // The virtual router runs, and so do the others.
        let config = loaded.config.expect("a configuration");
        assert_eq!(config.instances.len(), 1);
        let keys: Vec<_> = wanted::of(&config, None).table.into_keys().collect();
        assert_eq!(keys, [key("10.0.0.1", 80)], "{range}");
        let told = loaded.diagnostics.iter();
        let told = told.filter(|one| one.code == Code::TooMuch);
        assert_eq!(told.count(), 1, "{range}");
    }
}

#[test]
fn a_daemon_follows_its_instance() {
    let config = config("global_defs {\nlvs_sync_daemon eth1 VI_1 maxlen 1400 port 9000 ttl 3\n}");
    let roles = |active| {
        let daemons = wanted::of(&config, active).daemons;
        daemons.map(|all| all.iter().map(|one| one.role).collect::<Vec<_>>())
    };
    assert_eq!(roles(Some(true)), Some(vec![Role::Master]));
    assert_eq!(roles(Some(false)), Some(vec![Role::Backup]));
    assert_eq!(roles(None), None);
    let daemon = wanted::of(&config, Some(true))
        .daemons
        .expect("asked for")
        .remove(0);
    assert_eq!(
        daemon,
        Daemon {
            role: Role::Master,
            interface: "eth1".into(),
            // That of the instance.
            sync_id: 51,
            max_length: Some(1400),
            group: None,
            port: Some(9000),
            ttl: Some(3),
        }
    );
}

#[test]
fn without_an_instance_both_daemons_run() {
    let config = config("global_defs {\nlvs_sync_daemon eth1 id 9 group ff02::81\n}");
    let daemons = wanted::of(&config, None).daemons.expect("asked for");
    let roles: Vec<_> = daemons.iter().map(|one| (one.role, one.sync_id)).collect();
    assert_eq!(roles, [(Role::Master, 9), (Role::Backup, 9)]);
    assert_eq!(daemons[0].group, Some(address("ff02::81")));
}
