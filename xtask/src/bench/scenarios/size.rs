//! M12: memory and the size of the binary.

use std::{fs, path::Path};

use anyhow::Result;
use failoverd_tests::agent;

use super::{
    super::{
        conf::Setup, context::Bench, data::Scenario, pair::PATIENCE, side::Side, target::Target,
    },
    Entry,
};
use crate::shell;
use failoverd_tests::{router::State, topology::Lan, wait::let_pass};

pub const ENTRY: Entry = Entry {
    name: "size",
    metric: "M12",
    title: "Memory and binary",
    method: "Resident memory of all processes of an Active, what several share being divided among \
        them (PSS), with 1 and with 255 virtual routers, a second after the election; and the \
        binary as it is on disk. The agent locks all its memory, so that all of it is resident.",
    needs: &[],
    usual: true,
    run,
    targets,
};

const MEMORY: &str = "memory";
const BINARY: &str = "binary";
const MIB: f64 = (1 << 20) as f64;

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    let sides = bench.sides(scenario, &[Side::Failoverd, Side::Keepalived]);
    for side in sides {
        for instances in [1, 255] {
            bench.show(format!("{side}: {instances} instances"));
            let case = format!("{instances} instances");
            let part = memory(side, instances)
                .map(|memory| scenario.add(side.name(), &case, MEMORY, "MiB", memory));
            scenario.survive(&format!("{side}, {case}"), part)?;
        }
        let path = if side.is_ours() {
            agent::binary().ok()
        } else {
            shell::find("keepalived")
        };
        if let Some(size) = path.as_deref().and_then(size_of) {
            scenario.add(side.name(), "", BINARY, "MiB", size);
        }
    }
    Ok(())
}

fn size_of(path: &Path) -> Option<f64> {
    Some(fs::metadata(path).ok()?.len() as f64 / MIB)
}

fn memory(side: Side, instances: u8) -> Result<f64> {
    let lan = Lan::new(1)?;
    let setup = Setup {
        instances,
        ..Setup::new(200)
    };
    let running = side.start(&lan.host(0).ns, &setup)?;
    running.router().wait_state(State::Active, PATIENCE)?;
    let_pass(std::time::Duration::from_secs(1))?;
    Ok(running.usage().memory as f64 / MIB)
}

/// None has been set: it is measured and told.
fn targets() -> Vec<Target> {
    Vec::new()
}
