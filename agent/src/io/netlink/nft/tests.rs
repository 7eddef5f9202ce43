//! Rules as bytes, and when they are the same.

use super::*;

fn rules(v4: usize) -> Ruleset {
    let address = |n: usize| Ipv4Addr::from_bits(0x0a00_0000 + n as u32);
    Ruleset {
        table: "failoverd".to_owned(),
        priority: -1,
        counters: true,
        v4: (0..v4).map(address).collect(),
        v6: BTreeSet::from(["fd00::1".parse().unwrap()]),
        link_local: BTreeSet::from([(
            Binding::Name(IfName::new("eth0").unwrap()),
            "fe80::1".parse().unwrap(),
        )]),
    }
}

/// Type, flags and sequence number of each message.
fn messages(request: &Builder) -> Vec<(u16, u16, u32)> {
    let mut rest = request.as_bytes();
    let mut found = Vec::new();
    while let Some(header) = rest.get(..16) {
        let number = |at| u16::from_ne_bytes([header[at], header[at + 1]]);
        let len = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        assert!(len.is_multiple_of(4) && len <= rest.len());
        let sequence = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
        found.push((number(4), number(6), sequence));
        rest = &rest[len..];
    }
    assert!(rest.is_empty());
    found
}

/// Messages of nf_tables by their number, those of the batch as 0xff.
fn kinds(request: &Builder) -> Vec<u16> {
    let kind = |(kind, ..): (u16, u16, u32)| match kind {
        0x10 | 0x11 => 0xff,
        kind => {
            assert_eq!(kind >> 8, 10);
            kind & 0xff
        }
    };
    messages(request).into_iter().map(kind).collect()
}

fn table(installed: Option<Ruleset>) -> Table {
    Table {
        socket: RequestSocket::open(NETLINK_NETFILTER).unwrap(),
        installed: installed.as_ref().map(Installed::of),
        owned: true,
    }
}

const TABLE: u16 = 0;
const DELETE: u16 = 2;
const CHAIN: u16 = 3;
const RULE: u16 = 6;
const SET: u16 = 9;
const ELEMENT: u16 = 12;
const BATCH: u16 = 0xff;

#[test]
fn a_ruleset_is_one_batch_with_one_ack() {
    let request = table(None).transaction(Some(&rules(2)), Existing::Refuse);
    let expected = [
        BATCH, TABLE, CHAIN, SET, ELEMENT, SET, ELEMENT, RULE, RULE, RULE, RULE, RULE, CHAIN, BATCH,
    ];
    assert_eq!(kinds(&request), expected);
    let acks: Vec<u32> = messages(&request)
        .into_iter()
        .filter(|(_, flags, _)| flags & libc::NLM_F_ACK as u16 != 0)
        .map(|(.., sequence)| sequence)
        .collect();
    assert_eq!(acks, [request.count() - 1]);
    let exclusive = messages(&request)[1].1 & libc::NLM_F_EXCL as u16;
    assert!(exclusive != 0, "somebody else's table would be taken over");
}

/// Nothing is without rules between the old ones and the new.
#[test]
fn what_is_replaced_goes_in_the_same_batch() {
    let request = table(Some(rules(2))).transaction(Some(&rules(3)), Existing::Refuse);
    assert_eq!(kinds(&request)[..4], [BATCH, DELETE, TABLE, CHAIN]);
    let request = table(None).transaction(Some(&rules(3)), Existing::Remove);
    assert_eq!(kinds(&request)[..4], [BATCH, DELETE, TABLE, CHAIN]);
    let request = table(Some(rules(2))).transaction(None, Existing::Refuse);
    assert_eq!(kinds(&request), [BATCH, DELETE, BATCH]);
    assert!(messages(&request)[1].1 & libc::NLM_F_ACK as u16 != 0);
}

/// The length of an attribute has 16 bits.
#[test]
fn many_addresses_are_spread_over_messages() {
    let request = table(None).transaction(Some(&rules(130_000)), Existing::Refuse);
    let elements = kinds(&request).into_iter().filter(|kind| *kind == ELEMENT);
    assert_eq!(elements.count(), 130_000_usize.div_ceil(ELEMENTS) + 1);
}

/// By the bytes of linux/netfilter/nf_tables.h.
#[test]
fn the_rule_that_drops_ipv4() {
    let mut rules = rules(1);
    rules.v6.clear();
    rules.link_local.clear();
    rules.counters = false;
    let request = table(None).transaction(Some(&rules), Existing::Refuse);
    let expected: &[u8] = &[
        // NFTA_LIST_ELEM: meta nfproto into register 1
        36, 0, 1, 0x80, 9, 0, 1, 0, b'm', b'e', b't', b'a', 0, 0, 0, 0, 20, 0, 2, 0x80, 8, 0, 1, 0,
        0, 0, 0, 1, 8, 0, 2, 0, 0, 0, 0, 15, // NFTA_LIST_ELEM: it is NFPROTO_IPV4
        44, 0, 1, 0x80, 8, 0, 1, 0, b'c', b'm', b'p', 0, 32, 0, 2, 0x80, 8, 0, 1, 0, 0, 0, 0, 1, 8,
        0, 2, 0, 0, 0, 0, 0, 12, 0, 3, 0x80, 5, 0, 1, 0, 2, 0, 0, 0,
    ];
    let found = request.as_bytes().windows(expected.len());
    assert_eq!(found.filter(|window| *window == expected).count(), 1);
    // NFTA_IMMEDIATE_DATA: the verdict NF_DROP
    let drop: &[u8] = &[16, 0, 2, 0x80, 12, 0, 2, 0x80, 8, 0, 1, 0, 0, 0, 0, 0];
    let found = request.as_bytes().windows(drop.len());
    assert_eq!(found.filter(|window| *window == drop).count(), 1);
}
