//! What scripts do to adverts: 255 instances that are Active with 10 ms
//! adverts, without and with a script a second for each of them.

use std::{fmt::Write as _, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    adverts::{Adverts, Heard},
    agent::Agent,
    clock::monotonic,
    router::{Router, State},
    topology::Lan,
    wait::{eventually, let_pass},
};

use super::{
    super::{
        context::{Bench, between},
        data::Scenario,
        target::Target,
    },
    Entry,
};

pub const ENTRY: Entry = Entry {
    name: "scripts",
    metric: "",
    title: "Gaps between the adverts of 255 instances, without and with 255 scripts a second",
    method: "10 ms adverts; the gaps between two adverts of each instance by itself, by the \
        kernel's time stamps on a second machine.",
    needs: &[],
    usual: false,
    run,
    targets,
};

const INSTANCES: u8 = 255;
const PATIENCE: Duration = Duration::from_secs(60);

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    for _ in 0..bench.rounds(1, 2) {
        for (scripts, case) in [(false, "no scripts"), (true, "255 scripts a second")] {
            bench.show(case);
            let gaps = measure(scripts, bench.span(5, 10))?;
            let row = scenario.series("failoverd", case, "gap", "ms");
            row.samples.extend(gaps);
        }
    }
    Ok(())
}

fn conf(scripts: bool) -> String {
    let mut text = String::new();
    for number in 1..=INSTANCES {
        let track = match scripts {
            true => format!("track_script {{\nS{number}\n}}\n"),
            false => String::new(),
        };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "vrrp_script S{number} {{\nscript \"/bin/sh -c :\"\ninterval 1\nuser root\n}}\n\
             vrrp_instance V{number} {{\ninterface eth0\nvirtual_router_id {number}\n\
             version 3\npriority 200\nadvert_int 0.01\n\
             virtual_ipaddress {{\n10.78.0.{number}/32\n}}\n{track}}}\n"
        );
    }
    text
}

/// All gaps between adverts of one instance, in milliseconds.
fn measure(scripts: bool, span: Duration) -> Result<Vec<f64>> {
    let lan = Lan::new(2)?;
    let agent = Agent::start_conf(&lan.host(0).ns, &conf(scripts), "V255")?;
    agent.wait_state(State::Active, PATIENCE)?;
    eventually(PATIENCE, "all instances Active", || {
        let status = agent.status().ok()?;
        let all = status["instances"].as_array()?;
        let active = all.iter().all(|one| one["state"] == "active");
        active.then_some(())
    })?;
    let adverts = Adverts::listen(lan.host(1))?;
    let began = monotonic();
    let_pass(span)?;
    Ok(gaps(&adverts.since(began)))
}

fn gaps(heard: &[Heard]) -> Vec<f64> {
    let mut last = [None::<u64>; 256];
    heard
        .iter()
        .filter_map(|one| {
            let before = last.get_mut(usize::from(one.vrid))?.replace(one.time)?;
            Some(between(before, one.time))
        })
        .collect()
}

fn targets() -> Vec<Target> {
    Vec::new()
}
