//! From instances and machines to ports and faults.

use super::*;
use crate::config::parse_str;

/// What keepalived 2.2.7 says of its MTU: "max N addresses".
#[test]
fn the_room_of_an_advert_is_that_of_keepalived() {
    for (version, family, mtu, expected) in [
        (Version::V3, Family::V6, 1280, 76),
        (Version::V3, Family::V6, 1294, 77),
        (Version::V3, Family::V6, 1293, 76),
        (Version::V3, Family::V6, 1310, 78),
        (Version::V3, Family::V6, 1400, 83),
        (Version::V3, Family::V6, 1500, 89),
        (Version::V3, Family::V6, 9000, 255),
        (Version::V3, Family::V4, 501, 114),
        (Version::V3, Family::V4, 502, 115),
        (Version::V3, Family::V4, 576, 133),
        (Version::V2, Family::V4, 501, 112),
        (Version::V2, Family::V4, 502, 113),
        (Version::V2, Family::V4, 576, 131),
        (Version::V2, Family::V4, 1500, 255),
        (Version::V2, Family::V4, 0, 1),
    ] {
        assert_eq!(
            room(version, family, mtu),
            expected,
            "{version:?} {family:?} {mtu}"
        );
    }
}

fn instance(count: u8) -> Instance {
    let vips: String = (1..=count).map(|n| format!("10.0.0.{n}\n")).collect();
    let text = format!(
        "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nversion 3\n\
         virtual_ipaddress_excluded {{\n10.0.1.1\n}}\nvirtual_ipaddress {{\n{vips}}}\n}}\n"
    );
    parse_str("f", &text).config.unwrap().instances.remove(0)
}

/// The first ones of the file stay, and none is lost.
#[test]
fn what_does_not_fit_is_held_and_not_advertised() {
    let instance = instance(200);
    assert_eq!(*fitting(&instance, 1500), instance);
    let cut = fitting(&instance, 502);
    let first: Vec<IpAddr> = instance.advertised().take(115).collect();
    assert_eq!(cut.advertised().collect::<Vec<_>>(), first);
    assert_eq!(cut.vips.len(), instance.vips.len());
    assert_eq!(
        core_config(InstanceId(1), &cut, Standing::alone(&cut)).address_count,
        115
    );
}
