//! The `.data` file.
//!
//! Its readers go by the indentation: an instance's lines begin with three
//! spaces, those of its lists with five.

use std::fmt::{self, Write as _};

use agent_common::{Family, Version};

use super::{Facts, InstanceFacts, calendar, json, vip};
use crate::{
    config::{
        Instance,
        model::{OldChecksum, PeerTtl, Transport, V3Checksum},
    },
    core::State,
    io::plan::group,
};

pub fn text(facts: &Facts<'_>) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, facts);
    out
}

fn write(out: &mut String, facts: &Facts<'_>) -> fmt::Result {
    writeln!(out, "------< Global definitions >------")?;
    let namespace = facts.namespace.unwrap_or("(default)");
    writeln!(out, " Network namespace = {namespace}")?;
    if let Some(router_id) = facts.router_id {
        writeln!(out, " Router ID = {router_id}")?;
    }
    writeln!(out, "------< VRRP Topology >------")?;
    for instance in &facts.instances {
        state(out, facts, instance)?;
        settings(out, instance)?;
        addresses(out, instance)?;
    }
    interfaces(out, facts)
}

fn state(out: &mut String, facts: &Facts<'_>, instance: &InstanceFacts<'_>) -> fmt::Result {
    let InstanceFacts {
        config, snapshot, ..
    } = instance;
    writeln!(out, " VRRP Instance = {}", config.name)?;
    writeln!(out, "   VRRP Version = {}", config.version as u8)?;
    if config.family == Family::V6 {
        writeln!(out, "   Using Native IPv6")?;
    }
    writeln!(out, "   State = {}", instance.state().0)?;
    if snapshot.state == State::Backup
        && let Some(active) = snapshot.active
    {
        writeln!(out, "   Master router = {active}")?;
        writeln!(out, "   Master priority = {}", instance.master_priority())?;
        if config.version == Version::V3 {
            let interval = snapshot.learned_interval.duration().as_millis();
            writeln!(out, "   Master advert int = {interval} milli-sec")?;
        }
    }
    let unicast = matches!(config.transport, Transport::Unicast { .. });
    let no_peer = config.packets.fault_without_peers;
    match unicast || no_peer {
        true => writeln!(out, "   Flags:")?,
        false => writeln!(out, "   Flags: none")?,
    }
    if unicast {
        writeln!(out, "     Using unicast")?;
    }
    if no_peer {
        writeln!(out, "     If unicast go to fault state if no peers")?;
    }
    writeln!(out, "   Wantstate = {}", instance.state().0)?;
    writeln!(out, "   Number of config faults = 0")?;
    let faults = u8::from(snapshot.fault.is_some());
    writeln!(
        out,
        "   Number of interface and track script faults = {faults}"
    )?;
    writeln!(out, "   Number of track scripts init = 0")?;
    let since = match snapshot.since.nanos() {
        0 => 0,
        _ => facts.wall_micros(snapshot.since),
    };
    writeln!(out, "   Last transition = {}", calendar::stamp(since))?;
    match snapshot.deadline {
        Some(deadline) => {
            let deadline = calendar::stamp(facts.wall_micros(deadline));
            writeln!(out, "   Read timeout = {deadline}")?;
        }
        None => writeln!(out, "   Read timeout = DISABLED")?,
    }
    let down = snapshot.active_down_interval.as_micros();
    writeln!(out, "   Master down timer = {down} usecs")
}

fn settings(out: &mut String, instance: &InstanceFacts<'_>) -> fmt::Result {
    let InstanceFacts {
        config, snapshot, ..
    } = instance;
    writeln!(out, "   Interface = {}", config.interface)?;
    if !config.track_primary {
        writeln!(out, "   VRRP interface tracking disabled")?;
    }
    if config.packets.skip_address_check {
        writeln!(out, "   Skip checking advert IP addresses")?;
    }
    let configured = match &config.transport {
        Transport::Multicast { source } | Transport::Unicast { source, .. } => source.is_some(),
    };
    match (snapshot.source, configured) {
        (Some(source), true) => writeln!(out, "   Using src_ip = {source} (from configuration)")?,
        (Some(source), false) => writeln!(out, "   Using src_ip = {source}")?,
        (None, _) => writeln!(out, "   Using src_ip = (none)")?,
    }
    if let Some(group) = group(config) {
        writeln!(out, "   Multicast address {group}")?;
    }
    announcements(out, config)?;
    writeln!(out, "   Down timer adverts = {}", config.down_factor)?;
    let answers = [
        ("lower", config.assert_on_lower),
        ("higher", config.higher_prio_send_advert),
    ];
    for (which, yes) in answers {
        writeln!(
            out,
            "   Send advert after receive {which} priority advert = {yes}"
        )?;
    }
    writeln!(out, "   Virtual Router ID = {}", config.vrid)?;
    writeln!(out, "   Priority = {}", config.priority)?;
    writeln!(out, "   Effective priority = {}", snapshot.priority)?;
    writeln!(out, "   Total priority = {}", snapshot.priority)?;
    let interval = config.interval.duration();
    match config.version {
        Version::V2 => writeln!(out, "   Advert interval = {} sec", interval.as_secs())?,
        Version::V3 => {
            let millis = interval.as_millis();
            writeln!(out, "   Advert interval = {millis} milli-sec")?;
        }
    }
    let enabled = |on: bool| if on { "enabled" } else { "disabled" };
    writeln!(out, "   Accept = {}", enabled(config.accept))?;
    let preempt = enabled(config.preempt);
    writeln!(out, "   Preempt = {preempt}")?;
    if !config.preempt_delay.is_zero() {
        let delay = config.preempt_delay.as_secs_f64();
        writeln!(out, "   Preempt delay = {delay} secs")?;
    }
    let promote = enabled(config.promote_secondaries);
    writeln!(out, "   Promote_secondaries = {promote}")?;
    authentication(out, config)
}

fn announcements(out: &mut String, config: &Instance) -> fmt::Result {
    let announce = &config.announce;
    let refresh = announce.refresh.unwrap_or_default();
    let lines = [
        ("delay", announce.delay.as_secs()),
        ("repeat", announce.repeat.into()),
        ("refresh", refresh.as_secs()),
        ("refresh repeat", announce.refresh_repeat.into()),
        ("lower priority delay", announce.lower_prio_delay.as_secs()),
        ("lower priority repeat", announce.lower_prio_repeat.into()),
    ];
    lines
        .into_iter()
        .try_for_each(|(name, value)| writeln!(out, "   Gratuitous ARP {name} = {value}"))
}

fn authentication(out: &mut String, config: &Instance) -> fmt::Result {
    if config.version == Version::V3 {
        return Ok(());
    }
    match json::password(config) {
        Some(password) => {
            writeln!(out, "   Authentication type = SIMPLE_PASSWORD")?;
            writeln!(out, "   Password = {password}")
        }
        None => writeln!(out, "   Authentication type = none"),
    }
}

fn addresses(out: &mut String, instance: &InstanceFacts<'_>) -> fmt::Result {
    let config = instance.config;
    let set = instance.is_active();
    let (advertised, excluded): (Vec<_>, Vec<_>) =
        config.vips.iter().partition(|vip| vip.advertised);
    if !advertised.is_empty() {
        writeln!(out, "   Virtual IP ({}):", advertised.len())?;
    }
    for one in advertised {
        writeln!(out, "     {}", vip::text(one, config, set))?;
    }
    if !excluded.is_empty() {
        writeln!(out, "   Virtual IP Excluded :")?;
    }
    for one in excluded {
        writeln!(out, "     {}", vip::text(one, config, set))?;
    }
    unicast(out, config)?;
    if config.version == Version::V3 && config.v3_checksum == V3Checksum::MessageOnly {
        writeln!(out, "   VRRPv3 checksum as v2 = yes")?;
    }
    writeln!(out, "   Using smtp notification = no")?;
    writeln!(out, "   Notify deleted = Fault")?;
    writeln!(out, "   Notify priority changes = false")
}

fn unicast(out: &mut String, config: &Instance) -> fmt::Result {
    let Transport::Unicast {
        peers,
        check_source,
        ..
    } = &config.transport
    else {
        return Ok(());
    };
    let packets = &config.packets;
    writeln!(out, "   Unicast TTL = {}", packets.unicast_ttl)?;
    let check = if *check_source { "yes" } else { "no" };
    writeln!(out, "   Check unicast src : {check}")?;
    writeln!(out, "   Unicast Peer :")?;
    for peer in peers {
        let limit = packets.peer_ttl.iter().find(|limit| limit.peer == *peer);
        let (min, max) = limit.map_or((0, u8::MAX), |&PeerTtl { min, max, .. }| (min, max));
        writeln!(out, "     {peer} min_ttl {min} max_ttl {max}")?;
    }
    let old = match packets.old_checksum {
        OldChecksum::Detect => return Ok(()),
        OldChecksum::Always => "config",
        OldChecksum::Never => "never",
    };
    match (config.version, config.family) {
        (Version::V3, Family::V4) => {
            writeln!(out, "   Unicast checksum compatibility = {old}")
        }
        (Version::V3, Family::V6) | (Version::V2, _) => Ok(()),
    }
}

fn interfaces(out: &mut String, facts: &Facts<'_>) -> fmt::Result {
    writeln!(out, "------< Interfaces >------")?;
    for link in &facts.world.links {
        writeln!(out, " Name = {}", link.name)?;
        writeln!(out, "   index = {}", link.ifindex)?;
        for address in facts.world.addresses_on(link.ifindex) {
            let family = ["IPv4", "IPv6"][usize::from(address.address.is_ipv6())];
            writeln!(out, "   {family} address = {}", address.address)?;
        }
        let [a, b, c, d, e, f] = link.mac;
        writeln!(
            out,
            "   MAC = {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"
        )?;
        let state = ["DOWN", "UP, RUNNING"][usize::from(link.usable)];
        writeln!(out, "   State = {state}")?;
        writeln!(out, "   MTU = {}", link.mtu)?;
    }
    Ok(())
}
