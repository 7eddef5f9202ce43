//! Every kind of service and server is in the kernel as ipvsadm puts it there.

use anyhow::{Context, Result, ensure};
use failoverd_tests::{agent, agents::SOON, require_agent};
use serde_json::Value;

use crate::lab::*;

#[test]
fn services_are_those_that_ipvsadm_makes() -> Result<()> {
    require_agent!();
    if !ready() {
        return Ok(());
    }
    let tcp = "protocol TCP\n";
    let conf = conf(
        &[
            server(
                "10.0.0.1 80",
                &format!("{tcp}lvs_method DR"),
                &["10.1.0.1 80|weight 5", "10.1.0.2 80|weight 0"],
            ),
            server(
                "2001:db8::1 53",
                "protocol UDP\nlvs_sched sh\nsh-fallback\nflag-3\nops\nlvs_method NAT",
                &["2001:db8:1::1 5353|uthreshold 9\nlthreshold 3"],
            ),
            server(
                "10.0.0.2 9",
                "protocol SCTP\nlvs_sched wlc\nlvs_method NAT",
                &["10.1.0.1 99"],
            ),
            server("fwmark 7", "lvs_method DR", &["10.1.0.1"]),
            server(
                "fwmark 8",
                "lvs_method TUN\nip_family inet6",
                &["10.1.0.3", "2001:db8:1::3"],
            ),
            server(
                "10.0.0.3",
                &format!("{tcp}lvs_method DR\npersistence_timeout 90\npersistence_granularity 255.255.255.0"),
                &["10.1.0.1"],
            ),
            server(
                "10.0.0.4 80",
                &format!("{tcp}lvs_method TUN"),
                &[
                    "10.1.0.1 80",
                    "10.1.0.2 80|lvs_method TUN type gue port 6080 csum",
                    "10.1.0.3 80|lvs_method TUN type gue port 6081 remcsum",
                    "10.1.0.4 80|lvs_method TUN type gre csum",
                    "10.1.0.5 80|lvs_method DR",
                    "2001:db8:1::9 80|weight 3",
                ],
            ),
            "virtual_server_group G {\n10.0.0.16/31 81\nfwmark 9\n}\n".to_owned(),
            server("group G", &format!("{tcp}lvs_method NAT"), &["10.1.0.1 81"]),
            "global_defs {\nlvs_timeouts tcp 100 tcpfin 20 udp 30\n}".to_owned(),
        ]
        .join(""),
    );
    let expected = by_ipvsadm(
        "-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 5
-a -t 10.0.0.1:80 -r 10.1.0.2:80 -g -w 0
-A -u [2001:db8::1]:53 -s sh -b flag-1,flag-3 -o
-a -u [2001:db8::1]:53 -r [2001:db8:1::1]:5353 -m -w 1 -x 9 -y 3
-A --sctp-service 10.0.0.2:9 -s wlc
-a --sctp-service 10.0.0.2:9 -r 10.1.0.1:99 -m -w 1
-A -f 7 -s rr
-a -f 7 -r 10.1.0.1 -g -w 1
-A -f 8 -6 -s rr
-a -f 8 -6 -r 10.1.0.3 -i -w 1
-a -f 8 -6 -r [2001:db8:1::3]:0 -i -w 1
-A -t 10.0.0.3:0 -s rr -p 90 -M 255.255.255.0
-a -t 10.0.0.3:0 -r 10.1.0.1 -g -w 1
-A -t 10.0.0.4:80 -s rr
-a -t 10.0.0.4:80 -r 10.1.0.1:80 -i -w 1
-a -t 10.0.0.4:80 -r 10.1.0.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-a -t 10.0.0.4:80 -r 10.1.0.3:80 -i -w 1 --tun-type gue --tun-port 6081 --tun-remcsum
-a -t 10.0.0.4:80 -r 10.1.0.4:80 -i -w 1 --tun-type gre --tun-csum
-a -t 10.0.0.4:80 -r 10.1.0.5:80 -g -w 1
-a -t 10.0.0.4:80 -r [2001:db8:1::9]:80 -i -w 3
-A -t 10.0.0.16:81 -s rr
-a -t 10.0.0.16:81 -r 10.1.0.1:81 -m -w 1
-A -t 10.0.0.17:81 -s rr
-a -t 10.0.0.17:81 -r 10.1.0.1:81 -m -w 1
-A -f 9 -s rr
-a -f 9 -r 10.1.0.1:81 -m -w 1",
    )?;
    let ns = machine()?;
    let mut director = start(&ns, &conf)?;
    wait_saved(&ns, &expected)?;
    wait_says(&ns, "--timeout", "100 20 30", true)?;
    let shown = agent::call(Some(&ns), &["ipvs", "--json"], SOON)?;
    ensure!(shown.code == Some(0), "{:?}", shown.output);
    let shown: Value = serde_json::from_str(&shown.output.join("\n"))?;
    let services = shown["services"].as_array().context("services")?;
    let servers = services.iter().filter_map(|one| one["servers"].as_array());
    let servers: usize = servers.map(Vec::len).sum();
    let count = |begin: &str| {
        expected
            .iter()
            .filter(|line| line.starts_with(begin))
            .count()
    };
    assert_eq!((services.len(), servers), (count("-A"), count("-a")));
    director.stop()?;
    assert_eq!(saved(&ns)?, Vec::<String>::new());
    Ok(())
}

// The daemon sends while its instance is Active, and takes otherwise.
#[test]
fn a_sync_daemon_follows_its_instance() -> Result<()> {
    require_agent!();
    if !ready() {
        return Ok(());
    }
    let ns = machine()?;
    let conf = conf("global_defs {\nlvs_sync_daemon other0 VI_1 port 9000\n}");
    let mut director = start(&ns, &conf)?;
    wait_says(&ns, "--daemon", "master sync daemon", true)?;
    wait_says(&ns, "--daemon", "backup sync daemon", false)?;
    wait_says(&ns, "--daemon", "syncid=51", true)?;
    ns.sh("ip link set eth0 down")?;
    wait_says(&ns, "--daemon", "backup sync daemon", true)?;
    wait_says(&ns, "--daemon", "master sync daemon", false)?;
    director.stop()?;
    wait_says(&ns, "--daemon", "sync daemon", false)
}
