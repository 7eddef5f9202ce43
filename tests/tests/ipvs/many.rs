//! 1,000 services with 37,000 servers.

use std::time::Duration;

use anyhow::{Result, ensure};
use failoverd_tests::{agent::Agent, clock::monotonic, require_agent, router::Router};

use crate::lab::*;

const SERVICES: usize = 1000;
const SERVERS: usize = 37;
/// In emulation all of it takes a hundred times as long.
const LONG: Duration = Duration::from_secs(300);

fn many(weight: usize) -> String {
    let mut text = String::new();
    for service in 0..SERVICES {
        let front = format!("10.{}.{}.1 80", 100 + service / 250, service % 250);
        text.push_str(&format!(
            "virtual_server {front} {{\nlvs_sched wlc\nlvs_method DR\nprotocol TCP\n"
        ));
        for server in 0..SERVERS {
            let weight = if (service, server) == (0, 0) {
                weight
            } else {
                1
            };
            text.push_str(&format!(
                "real_server 10.1.0.{} 80 {{\nweight {weight}\n}}\n",
                server + 1
            ));
        }
        text.push_str("}\n");
    }
    conf(&text)
}

#[test]
fn a_thousand_services_with_their_servers() -> Result<()> {
    require_agent!();
    if !ready() {
        return Ok(());
    }
    let ns = machine()?;
    let director = Agent::start_conf_with(&ns, &many(1), "VI_1", &["--ipvs"])?;
    let running = director.process().wait_line("is running", LONG)?;
    let loaded = director
        .process()
        .wait_line("IPVS: 1000 virtual services", LONG)?;
    let span = loaded.time.saturating_sub(running.time) / 1_000_000;
    println!("{SERVICES} services, {SERVERS} servers each, loaded: {span} ms");
    ensure!(
        loaded
            .text
            .contains(&format!("{} entries added", SERVICES * (SERVERS + 1)))
    );
    ensure!(loaded.text.contains("0 refused"));
    assert_eq!(saved(&ns)?.len(), SERVICES * (SERVERS + 1));
    director.write_conf(&many(2))?;
    let from = director.process().mark();
    let begun = monotonic();
    // The lab's patience with a client is less than it takes in emulation.
    director.process().signal(libc::SIGHUP)?;
    let answered = director
        .process()
        .wait_line_from(from, "Reloaded: ", LONG)?;
    let changed = director.process().wait_line_from(from, "IPVS: ", LONG)?;
    let span = |from: u64, to: u64| to.saturating_sub(from) / 1_000_000;
    println!(
        "one weight of them changed by a reload: read and compared after {} ms, in the kernel after {} ms",
        span(begun, answered.time),
        span(begun, changed.time)
    );
    ensure!(
        changed
            .text
            .contains("0 entries added, 1 changed, 0 removed"),
        "{}",
        changed.text
    );
    Ok(())
}
