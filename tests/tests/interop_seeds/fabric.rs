//! Two servers on a fabric, VRRPv2 by multicast, priority 100 against 1.

use std::time::Duration;

use anyhow::{Result, ensure};
use failoverd_tests::{
    capture::Capture,
    clock::monotonic,
    interop::{Kind, PATIENCE},
    router::State,
    topology::Mac,
    wait::eventually,
};

use crate::{each_way, ping::Ping, require_both, scene::*};

/// Active_Down_Interval of priority 1: 3 s and 255/256 s.
const DOWN: Duration = Duration::from_millis(3997);
/// What a busy machine, and the spacing of the pings, take on top.
const SLACK: Duration = Duration::from_millis(1500);
/// A return may cost what is under way.
const NOTHING: Duration = Duration::from_millis(500);

/// Times of a node's announcements since the first of them, from `since` on.
fn announced(site: &Site, capture: &Capture, mac: Mac, since: u64) -> Vec<Duration> {
    let garps = capture.garps().into_iter().filter(|(time, garp)| {
        *time >= since && (garp.claimed, garp.address.into()) == (mac, site.vip)
    });
    let times: Vec<u64> = garps.map(|(time, _)| time).collect();
    let first = times.first().copied().unwrap_or(since);
    times
        .iter()
        .map(|time| Duration::from_nanos(time - first))
        .collect()
}

/// Five at once, and five after five seconds. An agent that yields sends one
/// advert more, which tells the winner that there were two: it announces itself
/// once more, right away.
fn bursts(
    site: &Site,
    capture: &Capture,
    index: usize,
    since: u64,
    yields: Option<Kind>,
) -> Result<()> {
    let mac = site.hosts[index].port.mac;
    let second = Duration::from_secs(1);
    let (early, late) = eventually(PATIENCE, "two bursts of GARPs", || {
        let spans = announced(site, capture, mac, since);
        let (early, late): (Vec<_>, Vec<_>) = spans.into_iter().partition(|at| *at < 3 * second);
        (late.len() >= 5).then_some((early, late))
    })?;
    let most = match yields {
        Some(Kind::Agent) => 10,
        Some(Kind::Keepalived | Kind::Frr) | None => 5,
    };
    ensure!((5..=most).contains(&early.len()), "{early:?}");
    ensure!(early[4] < second, "{early:?}");
    ensure!(late[0] > 4 * second && late[4] < 7 * second, "{late:?}");
    Ok(())
}

/// The neighbour table of the machine that plays the switch's own, and the
/// port in the table of the switch itself.
fn is_in_the_tables(site: &Site, index: usize) -> Result<()> {
    let mac = site.hosts[index].port.mac.to_string();
    let vip = site.seed.vip;
    eventually(PATIENCE, "the node in the neighbour table", || {
        let shown = site.client.ns.sh(&format!("ip neigh show {vip}")).ok()?;
        shown.contains(&mac).then_some(())
    })?;
    let port = &site.hosts[index].port.switch_side;
    eventually(PATIENCE, "the node in the table of the switch", || {
        let shown = site
            .switch
            .ns
            .sh(&format!("bridge fdb show dev {port}"))
            .ok()?;
        shown.contains(&mac).then_some(())
    })
}

fn as_written_up(kinds: [Kind; 2]) -> Result<()> {
    require_both!();
    let site = Site::start_both(FABRIC, kinds)?;
    let capture = Capture::start(&site.client.ns, site.seed.interface)?;
    let ping = Ping::start(&site.client, site.seed.vip)?;
    is_in_the_tables(&site, 0)?;
    let cut = monotonic();
    site.hosts[0].ns.sh("ip link set enp0s8 down")?;
    site.wait(0, State::Fault)?;
    site.wait(1, State::Active)?;
    site.serves(1)?;
    is_in_the_tables(&site, 1)?;
    let lost = ping.stop()?;
    ensure!(lost <= DOWN + SLACK, "{lost:?}");
    bursts(&site, &capture, 1, cut, None)?;

    let ping = Ping::start(&site.client, site.seed.vip)?;
    let mended = monotonic();
    site.hosts[0].ns.sh("ip link set enp0s8 up")?;
    site.wait(0, State::Active)?;
    site.wait(1, State::Backup)?;
    site.serves(0)?;
    is_in_the_tables(&site, 0)?;
    let lost = ping.stop()?;
    ensure!(lost <= NOTHING, "{lost:?}");
    bursts(&site, &capture, 0, mended, Some(kinds[1]))
}

each_way!(as_written_up);
