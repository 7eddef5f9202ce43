//! The scenarios, one file each, and the table of them.

mod cost;
mod failover;
mod flood;
mod heartbeat;
mod hung;
mod instances;
mod overshoot;
mod planned;
mod price;
mod reading;
mod scripts;
mod size;
mod starved;
mod stress;
mod vips;

use anyhow::Result;

use super::{context::Bench, data::Scenario, target::Target};

/// One row of the table.
pub struct Entry {
    /// As it is called on the command line.
    pub name: &'static str,
    /// Its number in the list of measures, empty for those beyond.
    pub metric: &'static str,
    pub title: &'static str,
    /// How it is measured.
    pub method: &'static str,
    /// Programs that it cannot do without.
    pub needs: &'static [&'static str],
    /// Part of a run that names none.
    pub usual: bool,
    pub run: fn(&mut Bench, &mut Scenario) -> Result<()>,
    pub targets: fn() -> Vec<Target>,
}

/// In the order in which they run.
pub const TABLE: [Entry; 15] = [
    overshoot::ENTRY,
    failover::ENTRY,
    heartbeat::ENTRY,
    stress::ENTRY,
    starved::ENTRY,
    vips::ENTRY,
    instances::ENTRY,
    flood::ENTRY,
    planned::ENTRY,
    cost::ENTRY,
    hung::ENTRY,
    size::ENTRY,
    price::ENTRY,
    reading::ENTRY,
    scripts::ENTRY,
];

/// By name or number, whichever case.
pub fn find(wanted: &str) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| {
        entry.name.eq_ignore_ascii_case(wanted)
            || !entry.metric.is_empty() && entry.metric.eq_ignore_ascii_case(wanted)
    })
}

/// Cuts of one side before another has its turn.
const BLOCK: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_one_scenario_and_names_are_unique() {
        let metrics: Vec<&str> = TABLE.iter().map(|entry| entry.metric).collect();
        let wanted: Vec<String> = (1..=12).map(|number| format!("M{number}")).collect();
        assert_eq!(metrics[..12], wanted);
        for entry in &TABLE {
            let same = TABLE.iter().filter(|other| other.name == entry.name);
            assert_eq!(same.count(), 1, "{}", entry.name);
        }
        for name in ["m3", "M3", "heartbeat", "failover", "xdp-cost", "config"] {
            assert!(find(name).is_some(), "{name}");
        }
        assert!(find("").is_none());
    }
}
