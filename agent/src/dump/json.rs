//! The `.json` file: version 1 an array of instances, version 2 an object.

use core::time::Duration;

use serde::Serialize;
use serde_json::Number;

use super::{Facts, InstanceFacts, NOT_SHOWN, tracked, vip};
use crate::config::{Instance, JsonVersion, Vip};

#[derive(Serialize)]
struct Entry {
    data: Data,
    stats: Counters,
}

#[derive(Serialize)]
struct Two {
    vrrp: Vec<Entry>,
    track_process: [(); 0],
}

/// In keepalived's order.
#[derive(Serialize)]
struct Data {
    iname: String,
    dont_track_primary: u8,
    skip_check_adv_addr: u8,
    strict_mode: u8,
    vmac_ifname: String,
    ifp_ifname: String,
    master_priority: u8,
    last_transition: Number,
    garp_delay: Number,
    garp_refresh: Number,
    garp_rep: u8,
    garp_refresh_rep: u8,
    garp_lower_prio_delay: Number,
    garp_lower_prio_rep: u8,
    lower_prio_no_advert: u8,
    higher_prio_send_advert: u8,
    vrid: u8,
    base_priority: u8,
    effective_priority: u8,
    vipset: bool,
    promote_secondaries: bool,
    adver_int: Number,
    master_adver_int: Number,
    accept: u8,
    nopreempt: bool,
    preempt_delay: Number,
    state: u8,
    wantstate: u8,
    version: u8,
    smtp_alert: bool,
    notify_deleted: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vips: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evips: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_ifp: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    track_script: Vec<String>,
    auth_type: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// Never the password itself.
    auth_data: Option<&'static str>,
}

#[derive(Serialize)]
struct Counters {
    advert_rcvd: u64,
    advert_sent: u64,
    become_master: u64,
    release_master: u64,
    packet_len_err: u64,
    advert_interval_err: u64,
    ip_ttl_err: u64,
    invalid_type_rcvd: u64,
    addr_list_err: u64,
    invalid_authtype: u64,
    authtype_mismatch: u64,
    auth_failure: u64,
    pri_zero_rcvd: u64,
    pri_zero_sent: u64,
}

pub fn text(facts: &Facts<'_>, version: JsonVersion) -> Result<String, serde_json::Error> {
    let instances = facts.instances.iter();
    let vrrp: Vec<Entry> = instances.map(|instance| entry(facts, instance)).collect();
    match version {
        JsonVersion::One => serde_json::to_string(&vrrp),
        JsonVersion::Two => serde_json::to_string(&Two {
            vrrp,
            track_process: [],
        }),
    }
}

fn entry(facts: &Facts<'_>, instance: &InstanceFacts<'_>) -> Entry {
    let InstanceFacts {
        config, snapshot, ..
    } = instance;
    let announce = &config.announce;
    let list = |advertised: bool| {
        let wanted = |vip: &&Vip| vip.advertised == advertised;
        let found = config.vips.iter().filter(wanted);
        let set = instance.is_active();
        found.map(|one| vip::text(one, config, set)).collect()
    };
    let since = match snapshot.since.nanos() {
        0 => 0,
        _ => facts.wall_micros(snapshot.since),
    };
    let data = Data {
        iname: config.name.clone(),
        dont_track_primary: u8::from(!config.track_primary),
        skip_check_adv_addr: u8::from(config.packets.skip_address_check),
        // What it asks for is in the other fields: the model has no more of it.
        strict_mode: 0,
        vmac_ifname: config
            .virtual_mac
            .as_ref()
            .map_or_else(String::new, |vmac| vmac.name.to_string()),
        ifp_ifname: config.interface.to_string(),
        master_priority: instance.master_priority(),
        last_transition: seconds(Duration::from_micros(since)),
        garp_delay: seconds(announce.delay),
        garp_refresh: seconds(announce.refresh.unwrap_or_default()),
        garp_rep: announce.repeat,
        garp_refresh_rep: announce.refresh_repeat,
        garp_lower_prio_delay: seconds(announce.lower_prio_delay),
        garp_lower_prio_rep: announce.lower_prio_repeat,
        lower_prio_no_advert: u8::from(!config.assert_on_lower),
        higher_prio_send_advert: u8::from(config.higher_prio_send_advert),
        vrid: config.vrid.get(),
        base_priority: config.priority.get(),
        effective_priority: snapshot.priority.get(),
        vipset: instance.is_active(),
        promote_secondaries: config.promote_secondaries,
        adver_int: seconds(snapshot.interval.duration()),
        master_adver_int: seconds(snapshot.learned_interval.duration()),
        accept: u8::from(config.accept),
        nopreempt: !config.preempt,
        preempt_delay: seconds(config.preempt_delay),
        state: instance.state().1,
        wantstate: instance.state().1,
        version: config.version as u8,
        smtp_alert: false,
        notify_deleted: false,
        vips: list(true),
        evips: list(false),
        track_ifp: tracked::interfaces(config),
        track_script: tracked::commands(config, facts.trackers),
        auth_type: u8::from(config.password.is_some()),
        auth_data: password(config),
    };
    Entry {
        data,
        stats: counters(instance),
    }
}

fn counters(instance: &InstanceFacts<'_>) -> Counters {
    let stats = &instance.stats;
    Counters {
        advert_rcvd: stats.received,
        advert_sent: stats.sent,
        become_master: stats.became_master,
        release_master: stats.released_master,
        packet_len_err: stats.length,
        advert_interval_err: stats.interval,
        ip_ttl_err: stats.ttl,
        invalid_type_rcvd: stats.invalid_type,
        addr_list_err: stats.address_list,
        invalid_authtype: stats.auth_type,
        authtype_mismatch: stats.auth_mismatch,
        auth_failure: stats.auth_failure,
        pri_zero_rcvd: stats.zero_received,
        pri_zero_sent: stats.zero_sent,
    }
}

/// What takes the place of a password: dumps are handed on to others.
pub fn password(config: &Instance) -> Option<&'static str> {
    config.password.map(|_| NOT_SHOWN)
}

/// Whole seconds without a fraction.
fn seconds(span: Duration) -> Number {
    match span.subsec_nanos() {
        0 => Number::from(span.as_secs()),
        _ => Number::from_f64(span.as_secs_f64()).unwrap_or_else(|| Number::from(span.as_secs())),
    }
}
