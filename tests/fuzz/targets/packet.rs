//! `packet`: any bytes as a frame. What is accepted is an advert by rules that
//! are written here once more, and nothing is read beyond its end.

use agent_common::{
    Family, Outcome,
    record::filter_flags,
    wire::{Frame as _, SlowPath, judge, locate_ipv4, locate_ipv6, scan},
};

use super::frame::{Copied, IFINDEX, Scene, is_ours, is_peer, verifies};

pub fn run(data: &[u8]) {
    let Some(scene) = Scene::new(data) else {
        return;
    };
    slow(&scene);
    let located = match scene.locate() {
        Ok(located) => located,
        Err(why) => return assert_ne!(why, Outcome::Accepted),
    };
    assert!(scan(&scene.frame[..], scene.link.vlan), "hidden by scan");
    let message = located.message;
    assert!(message.at + message.length <= Copied(&scene.frame).readable());
    let verdict = scene.judge(&located);
    assert_eq!(verdict, scene.judge(&located), "twice is not the same");
    let Ok(record) = verdict else { return };

    let bytes = &scene.frame[message.at..message.at + message.length];
    let unicast = scene.filter.flags & filter_flags::UNICAST != 0;
    assert!(scene.filter.flags & filter_flags::OWNER_IGNORES == 0);
    assert_eq!(bytes[0], scene.filter.version << 4 | 1);
    assert_eq!((bytes[1], bytes[2]), (located.key.vrid, record.priority));
    let size = match located.family {
        Family::V4 => 4,
        Family::V6 => 16,
    };
    let trailer = if scene.filter.version == 2 { 8 } else { 0 };
    assert_eq!(bytes.len(), 8 + usize::from(bytes[3]) * size + trailer);
    assert!(verifies(&scene, &located), "its checksum does not verify");
    if unicast {
        assert!(is_peer(message.source) && is_ours(message.destination));
    } else {
        assert_eq!(
            (message.ttl, message.destination),
            (255, scene.filter.destination)
        );
    }
    assert_eq!(
        (record.source, record.slot),
        (message.source, scene.filter.slot)
    );
    let centis = match scene.filter.version {
        2 => u16::from(bytes[5]) * 100,
        _ => u16::from_be_bytes([bytes[4], bytes[5]]) & 0x0FFF,
    };
    assert_eq!(record.interval_cs, centis);
    assert_ne!(centis, 0);
    assert!(scene.filter.version == 2 || record.address_count > 0);
}

/// The same bytes as the slow path has them.
fn slow(scene: &Scene) {
    let packet = scene.frame.get(14..).unwrap_or_default();
    let source = std::array::from_fn(|at| packet.get(8 + at).copied().unwrap_or(0));
    let from = SlowPath {
        ifindex: IFINDEX,
        vlan: 0,
        source,
        destination: scene.filter.destination,
        hop_limit: packet.get(7).copied().unwrap_or(0),
    };
    let payload = packet.get(40..).unwrap_or_default();
    let found = match scene.family {
        Family::V4 => locate_ipv4(packet, IFINDEX, 0).map(|located| (packet, located)),
        Family::V6 => locate_ipv6(payload, from).map(|located| (payload, located)),
    };
    if let Ok((bytes, located)) = found
        && judge(bytes, &located, &scene.filter, 0).is_ok()
        && scene.filter.flags & filter_flags::UNICAST == 0
    {
        assert_eq!(located.message.ttl, 255, "off-link on the slow path");
    }
}
