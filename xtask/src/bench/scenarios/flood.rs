//! M8: hostile adverts by the hundred thousand.

use std::{net::IpAddr, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    agents::{counter, outcome},
    clock::monotonic,
    flood::Flood,
    forge,
    packet::Packet,
    wait::let_pass,
};

use super::{
    super::{
        conf::{FIRST_VRID, Setup, vip},
        context::{Bench, Mode},
        data::Scenario,
        pair::{HOSTILE, Pair},
        side::{Running, Side},
        target::{Bound, Figure, Target},
    },
    Entry,
};

pub const ENTRY: Entry = Entry {
    name: "flood",
    metric: "M8",
    title: "Hostile adverts: take-overs, losses and processor time",
    method: "A fourth machine sends adverts that must be refused (wrong checksum, TTL 254, an \
        unknown VRID, VRRP version 1, cut short; priority 255 where they have one) to the group, \
        by sendmmsg at a fixed rate and as fast as it can. Counted are frames sent, false \
        take-overs as captured, processor time of the Backup's processes as a share of one CPU, \
        and for the agent valid adverts lost: those that the Active says it sent less those that \
        the Backup says it accepted.",
    needs: &[],
    usual: true,
    run,
    targets,
};

const RATE: &str = "hostile frames a second";
const LOAD: &str = "CPU of the Backup";
const LOST: &str = "valid adverts lost";
const LOOKS: usize = 8;
/// Frames a second; 0 is as fast as the generator can.
const RATES: [u64; 3] = [10_000, 60_000, 0];

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    let sides = bench.usual_sides(scenario, false);
    for rate in RATES {
        if rate > 0 && bench.mode == Mode::Quick {
            continue;
        }
        for side in &sides {
            bench.show(format!("{side}: {}", case(rate)));
            let part = one(bench, scenario, *side, rate);
            scenario.survive(side.name(), part)?;
        }
    }
    Ok(())
}

fn case(rate: u64) -> String {
    match rate {
        0 => "as fast as it can".to_owned(),
        rate => format!("{rate} a second"),
    }
}

fn one(bench: &Bench, scenario: &mut Scenario, side: Side, rate: u64) -> Result<()> {
    let setup = |priority| Setup {
        interval: bench.interval(),
        ..Setup::new(priority)
    };
    let mut pair = Pair::start(side, [setup(200), setup(100)], 4)?;
    let span = bench.span(2, 10);
    let hostile = pair.lan.host(HOSTILE);
    let flood = Flood::start(hostile, frames(hostile.port.v4.into()), rate)?;
    pair.watch();
    let counted = valid(&pair)?;
    let (usage, sent, began) = (pair.backup.usage(), flood.sent(), monotonic());
    let_pass(span)?;
    let passed = Duration::from_nanos(monotonic().saturating_sub(began));
    let load = pair.backup.usage().load_since(&usage, passed) * 100.0;
    let rate_seen = (flood.sent() - sent) as f64 / passed.as_secs_f64();
    drop(flood);
    let (count, seconds) = pair.false_take_overs();
    // What is on its way arrives.
    let_pass(Duration::from_millis(200))?;
    let lost = match (counted, valid(&pair)?) {
        (Some(before), Some(after)) => Some((after - before).max(0)),
        _ => None,
    };
    let (name, case) = (side.name(), case(rate));
    scenario.add(name, &case, RATE, "/s", rate_seen);
    let row = scenario.series(name, &case, LOAD, "%");
    row.samples.push(load);
    row.watched(count, seconds);
    if let Some(lost) = lost {
        scenario.add(name, &case, LOST, "", lost as f64);
    }
    Ok(())
}

/// Adverts that the Active sent and the Backup did not accept, since both
/// started: the least of some looks, because adverts are sent between the two
/// questions. `None` where nobody tells.
fn valid(pair: &Pair) -> Result<Option<i64>> {
    let (Running::Agent(active), Running::Agent(backup)) = (&pair.active, &pair.backup) else {
        return Ok(None);
    };
    let mut least = i64::MAX;
    for _ in 0..LOOKS {
        let accepted = outcome(&backup.status()?, "accepted");
        let sent = counter(&active.status()?, "adverts_sent");
        least = least.min(i64::try_from(sent)? - i64::try_from(accepted)?);
    }
    Ok(Some(least))
}

/// One of each kind.
fn frames(from: IpAddr) -> Vec<Vec<u8>> {
    let vips = [IpAddr::from(vip(FIRST_VRID, 0))];
    let good = forge::advert(from, 255, Duration::from_millis(10), &vips);
    let of = |vrid| good.clone().with_byte(1, vrid);
    let ours = of(FIRST_VRID);
    let mut wrong_sum = ours.clone();
    if let Some(last) = wrong_sum.message.last_mut() {
        *last = last.wrapping_add(1);
    }
    let far = Packet {
        ttl: 254,
        ..ours.clone()
    };
    let mut short = ours.clone();
    short.message.truncate(7);
    let old = ours.with_byte(0, 0x11);
    let stranger = of(199);
    [wrong_sum, far, short, old, stranger]
        .iter()
        .map(Packet::frame)
        .collect()
}

fn targets() -> Vec<Target> {
    let fastest = case(0);
    let target = |quantity, figure, bound| Target {
        side: Side::Failoverd.name().to_owned(),
        case: Some(fastest.clone()),
        quantity,
        figure,
        bound: Bound::AtMost(bound),
    };
    vec![
        target(LOAD, Figure::False, 0.0),
        target(LOST, Figure::Max, 0.0),
        target(LOAD, Figure::Max, 1.0),
    ]
}
