//! A `vrrp_instance` block.

use std::time::Duration;

use agent_common::AdvertInterval;

use super::writer::{Writer, word};
use super::{Secrets, tracked, vip};
use crate::config::lower::{is_ambiguous, seconds};
use crate::config::model::{
    AnnouncePolicy, FastDetect, Instance, PacketPolicy, Password, Transport, V3Checksum,
    VirtualMac, mac_text,
};

pub fn print(instance: &Instance, secrets: Secrets, writer: &mut Writer) {
    // All of it by name: a field that is added must not be forgotten here.
    let Instance {
        name,
        interface,
        vrid,
        version,
        // It is that of the VIPs.
        family,
        priority,
        interval,
        preempt,
        preempt_delay,
        down_factor,
        assert_on_lower,
        higher_prio_send_advert,
        owner_ignores,
        transport,
        password,
        v3_checksum,
        announce,
        packets,
        // What `garp_group` and `global_defs` say of its interfaces.
        paces: _,
        vips,
        paths,
        accept,
        promote_secondaries,
        // In the track_groups of the whole.
        tracked_addresses: _,
        track_interfaces,
        tracks,
        // Of all members together.
        group: _,
        track_primary,
        fast_detect,
        virtual_mac,
        // It is in the lines of the VIPs.
        vip_macs: _,
        notify,
    } = instance;
    writer.named_block("vrrp_instance", name, |writer| {
        writer.set("interface", interface);
        writer.set("virtual_router_id", vrid);
        writer.set("version", *version as u8);
        writer.set("priority", priority);
        writer.set("advert_int", centis(*interval));
        writer.flag("nopreempt", !preempt);
        let delay = Some(*preempt_delay).filter(|delay| !delay.is_zero());
        writer.maybe("preempt_delay", delay.map(micros));
        writer.set("down_timer_adverts", down_factor);
        writer.switch("lower_prio_no_advert", !assert_on_lower, false);
        writer.switch("higher_prio_send_advert", *higher_prio_send_advert, true);
        writer.switch("owner_ignore_adverts", *owner_ignores, false);
        let as_v2 = match v3_checksum {
            V3Checksum::PseudoHeader => false,
            V3Checksum::MessageOnly => true,
        };
        writer.switch("v3_checksum_as_v2", as_v2, false);
        if let Some(fast) = fast_detect.filter(|fast| fast.asks) {
            let FastDetect {
                lease,
                interval,
                multiplier,
                asks: _,
            } = fast;
            let (lease, interval) = (lease.as_micros(), interval.as_micros());
            writer.line(&format!(
                "fast_detect interval {interval}us multiplier {multiplier} lease {lease}us"
            ));
        }
        self::announce(announce, writer);
        self::transport(transport, packets, writer);
        super::packets::policy(packets, writer);
        if let Some(password) = password {
            authentication(password, secrets, writer);
        }
        writer.flag("dont_track_primary", !track_primary);
        if let Some(vmac) = virtual_mac {
            self::vmac(vmac, VirtualMac::standard(*family, *vrid), writer);
        }
        writer.flag("no_accept", !accept);
        writer.flag("promote_secondaries", *promote_secondaries);
        writer.flag("no_virtual_ipaddress", vips.is_empty());
        tracked::lists(track_interfaces, tracks, writer);
        vip::print(vips, writer);
        super::paths::print("virtual", paths, writer);
        super::tell::notify(notify, writer);
    });
}

fn vmac(vmac: &VirtualMac, standard: [u8; 6], writer: &mut Writer) {
    let VirtualMac {
        name,
        mac,
        xmit_base,
        group,
    } = vmac;
    let keyword = if is_ambiguous(name.as_str()) {
        "use_vmac name"
    } else {
        "use_vmac"
    };
    let mut line = format!("{keyword} {}", word(name.as_str()));
    if *mac != standard {
        line.push_str(&format!(" {}", mac_text(*mac)));
    }
    if *group != 0 {
        line.push_str(&format!(" group {group}"));
    }
    writer.line(&line);
    writer.flag("vmac_xmit_base", *xmit_base);
}

fn announce(policy: &AnnouncePolicy, writer: &mut Writer) {
    let AnnouncePolicy {
        repeat,
        delay,
        refresh,
        refresh_repeat,
        lower_prio_repeat,
        lower_prio_delay,
        extra,
    } = policy;
    writer.set("garp_master_delay", delay.as_secs());
    writer.set("garp_master_repeat", repeat);
    let refresh = refresh.map_or(0, |period| period.as_secs());
    writer.set("garp_master_refresh", refresh);
    writer.set("garp_master_refresh_repeat", refresh_repeat);
    writer.set("garp_lower_prio_delay", lower_prio_delay.as_secs());
    writer.set("garp_lower_prio_repeat", lower_prio_repeat);
    if let Some(period) = extra {
        writer.line(&format!("garp_extra_if all {}", period.as_secs()));
    }
}

fn transport(transport: &Transport, packets: &PacketPolicy, writer: &mut Writer) {
    match transport {
        Transport::Multicast { source } => writer.maybe("mcast_src_ip", source.as_ref()),
        Transport::Unicast {
            source,
            peers,
            check_source,
        } => {
            writer.maybe("unicast_src_ip", source.as_ref());
            let lines = peers.iter().map(|peer| super::packets::peer(peer, packets));
            writer.block("unicast_peer", |writer| {
                lines.for_each(|line| writer.line(&line));
                // Without another router: a list of ourselves alone, which is
                // not a peer, or nothing at all.
                let own = source.filter(|_| peers.is_empty() && packets.group.is_none());
                own.into_iter()
                    .for_each(|own| writer.line(&own.to_string()));
            });
            // Said either way: keepalived's default is the other one.
            let check = if *check_source { "on" } else { "off" };
            writer.set("check_unicast_src", check);
        }
    }
}

fn authentication(password: &Password, secrets: Secrets, writer: &mut Writer) {
    writer.block("authentication", |writer| {
        writer.set("auth_type", "PASS");
        match secrets {
            Secrets::Shown => writer.set("auth_pass", clear(password)),
            Secrets::Hidden => writer.comment("auth_pass is not shown: --show-secrets"),
        }
    });
}

/// A text whose first 8 bytes are the password. Where they end within a
/// character, one that starts with the same bytes completes it.
pub fn clear(password: &Password) -> String {
    let Password(bytes) = password;
    let used = bytes.iter().rposition(|byte| *byte != 0);
    let used = bytes.get(..used.map_or(0, |last| last.saturating_add(1)));
    let mut bytes = used.unwrap_or_default().to_vec();
    for _ in 0..3 {
        match str::from_utf8(&bytes) {
            Ok(_) => break,
            // Some first bytes do not go with 0x80, or make it a control
            // character, which no word may have.
            Err(error) => match bytes.get(error.valid_up_to()..) {
                Some([0xC2 | 0xE0 | 0xF0]) => bytes.push(0xA0),
                Some(_) | None => bytes.push(0x80),
            },
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn centis(interval: AdvertInterval) -> String {
    micros(interval.duration())
}

/// Decimal seconds. More than fits into 64 bits of microseconds is none that
/// a file could have said.
pub fn micros(span: Duration) -> String {
    seconds(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}
