//! Plans of addresses as bytes, and what differs between two.

use super::*;
use crate::config::{AddressOptions, IfName};

fn vip(address: &str, prefix: u8) -> Vip {
    Vip {
        address: address.parse().unwrap(),
        prefix,
        device: None,
        broadcast: None,
        label: None,
        scope: 0,
        options: AddressOptions::default(),
        advertised: true,
    }
}

fn plan(vips: &[(Vip, u32)]) -> AddressPlan {
    AddressPlan::new(vips.iter().map(|(vip, ifindex)| (vip, *ifindex)))
}

/// Numbers in the old plan that are gone, and in the new that are new.
fn compare(old: &AddressPlan, new: &AddressPlan) -> (Vec<u16>, Vec<u16>) {
    let (mut gone, mut added) = (Vec::new(), Vec::new());
    let mut comparison = Comparison::default();
    while let Some(difference) = comparison.next(old, new) {
        match difference {
            Difference::Gone(vip) => gone.push(vip),
            Difference::New(vip) => added.push(vip),
        }
    }
    gone.sort_unstable();
    added.sort_unstable();
    (gone, added)
}

#[test]
fn only_what_differs_is_found_whatever_the_order() {
    let [a, b, c] = ["10.0.0.1", "10.0.0.2", "fe80::3"].map(|address| (vip(address, 32), 7));
    let old = plan(&[a.clone(), b.clone(), c.clone()]);
    assert_eq!(compare(&old, &old), (vec![], vec![]));
    assert_eq!(
        compare(&old, &plan(&[c.clone(), a.clone(), b.clone()])),
        (vec![], vec![])
    );
    assert_eq!(compare(&old, &plan(&[c, a])), (vec![1], vec![]));
    assert_eq!(compare(&plan(&[b]), &old), (vec![], vec![0, 2]));
    assert_eq!(compare(&old, &plan(&[])), (vec![0, 1, 2], vec![]));
}

fn flags_of(vip: &Vip) -> u32 {
    let message = message(vip, 7);
    let flags = |attribute: &AddressAttribute| match attribute {
        AddressAttribute::Flags(flags) => Some(flags.bits()),
        _ => None,
    };
    let all = message.attributes.iter().find_map(flags).unwrap_or(0);
    // What fits in the header is there too.
    assert_eq!(u32::from(message.header.flags.bits()), all & 0xff);
    all
}

/// By the numbers of linux/if_addr.h.
#[test]
fn options_become_the_flags_of_the_kernel() {
    let none = AddressOptions::default();
    let v6 = |options| Vip {
        options,
        ..vip("fd00::1", 64)
    };
    assert_eq!(flags_of(&vip("10.0.0.1", 24)), 0);
    assert_eq!(flags_of(&v6(none)), 0x02);
    let detect_duplicates = true;
    assert_eq!(
        flags_of(&v6(AddressOptions {
            detect_duplicates,
            ..none
        })),
        0
    );
    for (options, flag) in [
        (AddressOptions { home: true, ..none }, 0x10),
        (
            AddressOptions {
                manage_temporary: true,
                ..none
            },
            0x100,
        ),
        (
            AddressOptions {
                no_prefix_route: true,
                ..none
            },
            0x200,
        ),
        (
            AddressOptions {
                autojoin: true,
                ..none
            },
            0x400,
        ),
    ] {
        assert_eq!(flags_of(&v6(options)), 0x02 | flag, "{options:?}");
    }
}

#[test]
fn the_peer_is_the_address_and_ours_the_local_one() {
    let peer = "10.0.9.1".parse().unwrap();
    let mut vip = vip("10.0.0.1", 32);
    vip.options.peer = Some(peer);
    let attributes = message(&vip, 7).attributes;
    assert!(attributes.contains(&AddressAttribute::Address(peer)));
    assert!(attributes.contains(&AddressAttribute::Local(vip.address)));
}

#[test]
fn a_lifetime_is_what_is_asked_for_or_zero_with_a_host_address() {
    for (prefix, lifetime, expected) in [
        (64, None, None),
        (128, None, Some(0)),
        (128, Some(FOREVER), Some(FOREVER)),
        (64, Some(9), Some(9)),
    ] {
        let mut vip = vip("fd00::1", prefix);
        vip.options.preferred_lifetime = lifetime;
        let message = message(&vip, 7);
        let found = message.attributes.iter().find_map(|one| match one {
            AddressAttribute::CacheInfo(info) => Some(info.ifa_preferred),
            _ => None,
        });
        assert_eq!(found, expected, "/{prefix} {lifetime:?}");
    }
}

/// A message that was used has another sequence number.
#[test]
fn use_does_not_make_a_difference_and_options_do() {
    let a = vip("10.0.0.1", 24);
    let old = plan(&[(a.clone(), 7)]);
    let mut used = plan(&[(a.clone(), 7)]);
    used.singles[0].set_sequence(99);
    assert_eq!(compare(&old, &used), (vec![], vec![]));
    let label = Some("eth0:1".to_owned());
    for other in [
        (
            Vip {
                prefix: 25,
                ..a.clone()
            },
            7,
        ),
        (Vip { label, ..a.clone() }, 7),
        (
            Vip {
                scope: 253,
                ..a.clone()
            },
            7,
        ),
        (
            Vip {
                broadcast: Some([10, 0, 0, 255].into()),
                ..a.clone()
            },
            7,
        ),
        (a.clone(), 8),
    ] {
        assert_eq!(compare(&old, &plan(&[other])), (vec![0], vec![0]));
    }
    // Where it goes counts, not how that is written.
    let named = Vip {
        device: IfName::new("eth0"),
        ..a
    };
    assert_eq!(compare(&old, &plan(&[(named, 7)])), (vec![], vec![]));
}
