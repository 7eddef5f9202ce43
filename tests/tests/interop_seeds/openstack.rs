//! Two cloud servers with an address between them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    capture::Capture,
    interop::{Kind, PATIENCE, Side},
    router::State,
    wait::{eventually, let_pass},
};

use crate::{each_way, ping::Ping, require_both, scene::*};

/// A planned hand-over to priority 100: Skew_Time, and what a busy machine
/// takes on top.
const HAND_OVER: Duration = Duration::from_millis(610 + 2000);
/// Of `vrrp_garp_master_refresh`.
const REFRESH: Duration = Duration::from_secs(10);

/// As `ip addr show` lists the VIP.
fn is_listed(site: &Site, index: usize) -> Result<()> {
    let shown = site.hosts[index].ns.sh("ip addr show dev ens3")?;
    ensure!(shown.contains("inet 10.0.0.136/32 "), "{shown}");
    Ok(())
}

/// Two single announcements of node 1, one refresh apart.
fn is_refreshed(site: &Site, capture: &Capture) -> Result<()> {
    let mac = site.hosts[0].port.mac;
    let near = |span: u64| {
        let span = Duration::from_nanos(span);
        span > REFRESH - Duration::from_secs(1) && span < REFRESH + Duration::from_secs(2)
    };
    eventually(4 * REFRESH, "a GARP each 10 s", || {
        let garps = capture.garps();
        let of_node = garps
            .iter()
            .filter(|(_, garp)| (garp.claimed, garp.address.into()) == (mac, site.vip));
        let times: Vec<u64> = of_node.map(|(time, _)| *time).collect();
        let mut gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.any(near).then_some(())
    })
}

/// A reload of the same file, as both daemons are asked for it.
fn reloads(site: &Site) -> Result<()> {
    let before = site.transitions()?;
    for index in [0, 1] {
        let side = site.side(index)?;
        let process = side.router().process();
        let mark = process.mark();
        process.signal(libc::SIGHUP)?;
        let done = match side {
            Side::Agent(_) => "Reloaded, nothing changed",
            Side::Keepalived(_) | Side::Frr(_) => "Reload complete",
        };
        process.wait_line_from(mark, done, PATIENCE)?;
    }
    // Longer than an Active_Down_Interval: who had missed an advert would act.
    let_pass(Duration::from_secs(4))?;
    let now = site.transitions()?;
    ensure!(
        now == before,
        "transitions after a reload: {before:?} {now:?}"
    );
    is_listed(site, 0)
}

fn as_written_up(kinds: [Kind; 2]) -> Result<()> {
    require_both!();
    let mut site = Site::new(OPENSTACK, kinds)?;
    let capture = Capture::start(&site.client.ns, site.seed.interface)?;
    site.start(0)?;
    site.wait(0, State::Active)?;
    site.start(1)?;
    site.wait(1, State::Backup)?;
    site.serves(0)?;
    is_listed(&site, 0)?;
    let ping = Ping::start(&site.client, site.seed.vip)?;
    is_refreshed(&site, &capture)?;
    reloads(&site)?;
    let lost = ping.stop()?;
    ensure!(
        lost < Duration::from_secs(1),
        "lost without a reason: {lost:?}"
    );

    let ping = Ping::start(&site.client, site.seed.vip)?;
    site.stop(0)?;
    site.wait(1, State::Active)?;
    site.serves(1)?;
    is_listed(&site, 1)?;
    site.start(0)?;
    site.wait(0, State::Active)?;
    site.wait(1, State::Backup)?;
    site.serves(0)?;
    let lost = ping.stop().context("the ping goes on")?;
    ensure!(lost < HAND_OVER, "{lost:?}");
    Ok(())
}

each_way!(as_written_up);
