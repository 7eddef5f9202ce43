//! Links that lose, delay, double and reorder.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    agents::{Agents, SOON, wait_vip},
    clock::nanos,
    impair::{Impaired, Impairment},
    require_agent,
    router::{Router, State},
    stalls::Stalls,
    wait::let_pass,
    witness::{Event, Witness},
};

use crate::lab::*;

/// What a Backup behind an impaired cable did.
struct Seen {
    /// Adverts of the Active that came.
    heard: Vec<u64>,
    /// First adverts of the Backup, one for each time that it took over.
    taken: Vec<u64>,
    lost: u64,
}

fn endure(pair: &Agents, how: Impairment, span: Duration) -> Result<Seen> {
    let (lan, host) = (&pair.lan, pair.lan.host(1));
    let better = lan.host(0).port.mac;
    let witness = Witness::start(&host.ns, "eth0")?;
    // Otherwise nobody knows how long the first silence lasts.
    witness.wait_from(0, "an advert", SOON, |event| event.is_advert(better, None))?;
    let cable = Impaired::start(&lan.switch, &host.port, how, 7)?;
    let_pass(span)?;
    let (_, lost) = cable.counts();
    drop(cable);
    // Never two for ever.
    pair.backup.wait_state(State::Backup, SOON)?;
    wait_vip(host, lan.vip(), false, SOON)?;
    wait_vip(lan.host(0), lan.vip(), true, SOON)?;
    let events = witness.events();
    let vip = lan.vip();
    let added = |event: &Event| event.is_address(vip, false);
    let own = times(&events, |event| event.is_advert(host.port.mac, None));
    let taken = times(&events, added).into_iter().map(|added| {
        // The advert comes before the VIP, and nothing of ours for long before.
        let mut before = own.iter().rev().skip_while(|time| **time > added);
        let mut first = before.next().copied().unwrap_or(added);
        for time in before {
            if first - time > nanos(FAST_DOWN) / 2 {
                break;
            }
            first = *time;
        }
        first
    });
    Ok(Seen {
        taken: taken.collect(),
        heard: times(&events, |event| event.is_advert(better, None)),
        lost,
    })
}

impl Seen {
    /// For how long nothing had come when it took over. What came in the moment
    /// between the decision and its advert counts for nothing, as to its author.
    fn silences(&self) -> impl Iterator<Item = Duration> {
        const MOMENT: u64 = 500_000;
        self.taken.iter().map(|taken| {
            let known = |heard: &&u64| **heard + MOMENT < *taken;
            let heard = self.heard.iter().rev().find(known);
            Duration::from_nanos(taken.saturating_sub(heard.copied().unwrap_or(0)))
        })
    }
}

// Three adverts in a row have to be lost: p to the third.
#[test]
fn n04_losses_promote_no_more_often_than_three_in_a_row_come() -> Result<()> {
    require_agent!();
    let pair = fast(&[])?;
    let span = Duration::from_millis(2500);
    let adverts = span.as_millis() / FAST.as_millis();
    for (loss, burst) in [(1, 0), (10, 0), (40, 0), (5, 70)] {
        let how = Impairment {
            loss,
            burst,
            ..Impairment::default()
        };
        let seen = endure(&pair, how, span)?;
        assert!(seen.lost > 0, "nothing was lost");
        // Of a burst, the first one is lost with the one chance, the others
        // with the other.
        let (first, next) = (loss as f64 / 100.0, burst.max(loss) as f64 / 100.0);
        let expected = adverts as f64 * first * next * next;
        let most = 3.0 * expected + 5.0;
        let taken = seen.taken.len();
        assert!(
            (taken as f64) <= most,
            "{loss} % lost: {taken} take-overs, {expected:.1} expected"
        );
        // Whatever was lost: never while an advert was younger than that.
        for silence in seen.silences() {
            assert!(
                silence + Duration::from_millis(1) >= FAST_DOWN,
                "{silence:?} after an advert"
            );
        }
    }
    assert_eq!(pair.active.transitions().len(), 2);
    Ok(())
}

// Adverts that are late, doubled and out of order: those that come decide.
#[test]
fn n05_delayed_and_doubled_adverts_decide_by_when_they_come() -> Result<()> {
    require_agent!();
    let pair = fast(&[])?;
    let stalls = Stalls::watch()?;
    // In order and out of order, with gaps that are shorter than it takes.
    let kind = Impairment {
        doubled: 50,
        delay: Duration::from_millis(40),
        jitter: Duration::from_millis(12),
        ..Impairment::default()
    };
    let seen = endure(&pair, kind, Duration::from_secs(1))?;
    // The delay begins and ends with a silence of its own.
    let gaps = seen.heard.windows(2).filter(|pair| {
        let stalled = stalls.longest_within(pair[0], pair[1]);
        Duration::from_nanos(pair[1] - pair[0]) + stalled >= FAST_DOWN
    });
    let (taken, silent) = (seen.taken.len(), gaps.count());
    assert!(
        taken <= silent,
        "{taken} take-overs, {silent} silences long enough"
    );
    let wild = Impairment {
        loss: 5,
        doubled: 20,
        jitter: Duration::from_secs(2),
        ..Impairment::default()
    };
    let seen = endure(&pair, wild, Duration::from_secs(3))?;
    assert!(seen.heard.len() > 50, "{} adverts came", seen.heard.len());
    for silence in seen.silences() {
        assert!(
            silence + Duration::from_millis(1) >= FAST_DOWN,
            "{silence:?} after an advert"
        );
    }
    assert_eq!(pair.active.transitions().len(), 2);
    Ok(())
}
