//! Which places the kernel side is told of, and whose packets it sees.

use super::*;

fn place(ifindex: u32, last: u8) -> (u32, IpAddr) {
    (ifindex, IpAddr::from([10, 0, 0, last]))
}

fn places(all: &[(u32, IpAddr)], slot: u32) -> Places {
    all.iter().map(|place| (*place, slot)).collect()
}

/// Others may come before them in order: what there was then gives way, or the
/// map would fill up by and by.
#[test]
fn of_those_without_a_fence_the_first_stay_and_no_more() {
    let [a, b, c] = [1, 2, 3].map(|last| place(1, last));
    assert_eq!(first(places(&[b, c], 7), 2), places(&[b, c], 7));
    assert_eq!(first(places(&[a, b, c], 7), 2), places(&[a, b], 7));
    assert_eq!(first(places(&[a], 7), 0), Places::new());
}

#[test]
fn packets_are_seen_where_a_program_knows_a_vip_of_the_slot() {
    let (own, elsewhere) = (place(1, 1), place(2, 2));
    let fences = Fences {
        places: places(&[own, elsewhere], 7),
        links: BTreeMap::from([(2, None)]),
        ..Fences::default()
    };
    let on_first = |ifindex: &u32| *ifindex == 1;
    let sees = |places: &[(u32, IpAddr)]| fences.see(InstanceId(7), places, on_first);
    assert!(sees(&[own]) && sees(&[elsewhere, own]));
    assert!(!sees(&[elsewhere]), "no program is on that link");
    assert!(!sees(&[place(1, 3)]), "there was no room for it");
    assert!(!sees(&[]));
    let another = InstanceId(8);
    assert!(!fences.see(another, &[own], on_first), "it is another's");
}
