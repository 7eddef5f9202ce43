//! The database pair.

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    clock::monotonic,
    interop::{Kind, PATIENCE, Side},
    router::{Router, State},
    wait::eventually,
};

use crate::{each_way, require_both, scene::*};

/// As published, the first node sends by unicast and the second listens to the
/// group: neither hears the other, and both serve. That is so with keepalived,
/// which does not say a word about it; an agent has to name what it refuses.
fn both_serve(kinds: [Kind; 2]) -> Result<Site> {
    let mut site = Site::new(POSTGRES, kinds)?;
    for index in [0, 1] {
        site.start(index)?;
        site.wait(index, State::Active)?;
    }
    let since = monotonic();
    for index in [0, 1] {
        let mac = site.hosts[index].port.mac;
        site.probe.wait_answer(since, Some(mac), PATIENCE)?;
        ensure!(site.hosts[index].has_address(site.vip)?);
    }
    Ok(site)
}

#[test]
fn postgres_as_published_splits_a_pair_of_keepalived() -> Result<()> {
    require_both!();
    let site = both_serve([Kind::Keepalived; 2])?;
    for index in [0, 1] {
        assert_eq!(site.side(index)?.accepted()?, Some(0));
    }
    Ok(())
}

fn postgres_splits_visibly(kinds: [Kind; 2]) -> Result<()> {
    require_both!();
    let site = both_serve(kinds)?;
    for index in [0, 1] {
        let Side::Agent(agent) = site.side(index)? else {
            continue;
        };
        let from = site.seed.addresses[1 - index].trim_end_matches("/8");
        let line = format!("advert refused: destination from {from} vrid 51");
        let line = agent.process().wait_line(&line, PATIENCE)?;
        ensure!(line.text.contains("one side uses multicast"), "{line:?}");
        let status = agent.status()?;
        let outcomes = &status["instances"][0]["outcomes"];
        ensure!(outcomes["destination"].as_u64() >= Some(1), "{outcomes}");
        ensure!(outcomes["accepted"].is_null(), "{outcomes}");
    }
    Ok(())
}

#[test]
fn postgres_as_published_splits_a_pair_of_agents_visibly() -> Result<()> {
    postgres_splits_visibly([Kind::Agent; 2])
}

#[test]
fn postgres_as_published_splits_agent_and_keepalived_visibly() -> Result<()> {
    postgres_splits_visibly([Kind::Agent, Kind::Keepalived])
}

#[test]
fn postgres_as_published_splits_keepalived_and_agent_visibly() -> Result<()> {
    postgres_splits_visibly([Kind::Keepalived, Kind::Agent])
}

/// The second file on two nodes: the same priority, so whoever was first
/// stays, and the other one takes over.
fn postgres_second_file_twice(kinds: [Kind; 2]) -> Result<()> {
    require_both!();
    let seed = Seed {
        nodes: [POSTGRES.nodes[1]; 2],
        ..POSTGRES
    };
    let mut site = Site::new(seed, kinds)?;
    site.start(0)?;
    site.wait(0, State::Active)?;
    site.start(1)?;
    site.wait(1, State::Backup)?;
    site.serves(0)?;
    let mut active = site.sides[0].take().context("node 1")?;
    active.stop()?;
    site.wait(1, State::Active)?;
    site.serves(1)
}

#[test]
fn postgres_second_file_on_keepalived_and_agent() -> Result<()> {
    postgres_second_file_twice([Kind::Keepalived, Kind::Agent])
}

#[test]
fn postgres_second_file_on_agent_and_keepalived() -> Result<()> {
    postgres_second_file_twice([Kind::Agent, Kind::Keepalived])
}

/// The client's view of the write-up: who cuts the master off is served by the
/// other node, and by the master as well once it is reconnected.
fn cut_off_as_published(kinds: [Kind; 2]) -> Result<()> {
    require_both!();
    let site = both_serve(kinds)?;
    let macs = [0, 1].map(|index| site.hosts[index].port.mac);
    site.switch.cut_cable(&site.hosts[0].port)?;
    site.wait(0, State::Fault)?;
    eventually(PATIENCE, "the VIP off the node that was cut off", || {
        let has = site.hosts[0].has_address(site.vip).ok()?;
        (!has).then_some(())
    })?;
    site.probe
        .wait_answer(monotonic(), Some(macs[1]), PATIENCE)?;
    site.switch.mend(&site.hosts[0].port)?;
    let mended = monotonic();
    site.wait(0, State::Active)?;
    site.probe.wait_answer(mended, Some(macs[0]), PATIENCE)?;
    ensure!(site.hosts[0].has_address(site.vip)?);
    Ok(())
}

mod cut_off {
    use super::*;
    each_way!(cut_off_as_published);
}

/// Where both listen to each other it moves there and back: of two that are
/// Active when the cut is mended, the one with the higher address stays.
fn cut_off_and_back(kinds: [Kind; 2]) -> Result<()> {
    require_both!();
    let seed = Seed {
        nodes: [POSTGRES.nodes[1]; 2],
        ..POSTGRES
    };
    let mut site = Site::new(seed, kinds)?;
    site.start(1)?;
    site.wait(1, State::Active)?;
    site.start(0)?;
    site.wait(0, State::Backup)?;
    site.serves(1)?;
    site.switch.cut_silently(&site.hosts[1].port)?;
    site.wait(0, State::Active)?;
    let mac = site.hosts[0].port.mac;
    site.probe.wait_answer(monotonic(), Some(mac), PATIENCE)?;
    site.switch.mend(&site.hosts[1].port)?;
    site.wait(0, State::Backup)?;
    site.serves(1)
}

mod cut_off_second_file_twice {
    use super::*;
    each_way!(cut_off_and_back);
}
