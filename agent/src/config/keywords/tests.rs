//! The table as a whole: complete, unambiguous, and each row in its place.

use std::collections::BTreeSet;

use super::*;

#[test]
fn no_keyword_is_listed_twice() {
    assert_eq!(INDEX.len(), all().count());
}

#[test]
fn each_table_is_of_one_block_and_each_block_has_one() {
    let blocks: Vec<Block> = TABLES
        .iter()
        .map(|table| {
            let block = table.first().expect("not empty").block;
            assert!(table.iter().all(|row| row.block == block), "{block:?}");
            block
        })
        .collect();
    assert_eq!(blocks, Block::ALL);
}

#[test]
fn every_inner_block_is_reached_from_the_top() {
    let reached: BTreeSet<Block> = all()
        .filter_map(|row| match row.shape.body {
            Body::Keywords(inner) => Some(inner),
            Body::None | Body::List(_) => None,
        })
        .chain([Block::Root])
        .collect();
    assert_eq!(reached, Block::ALL.iter().copied().collect());
}

#[test]
fn supported_keywords_stand_in_the_block_of_their_key() {
    for keyword in all() {
        let Status::Supported(key) = keyword.status else {
            continue;
        };
        let block = match key {
            Key::Root(_) => Block::Root,
            Key::Global(_) => Block::GlobalDefs,
            Key::Instance(_) => Block::VrrpInstance,
            Key::Auth(_) => Block::Authentication,
            Key::GarpGroup(_) => Block::GarpGroup,
            Key::TrackGroup => Block::TrackGroup,
            // In many blocks, and by its own name.
            Key::Track(name) => {
                assert_eq!(
                    name.trim_start_matches("vrrp_"),
                    keyword.name.trim_start_matches("vrrp_")
                );
                continue;
            }
            Key::Lvs("lvs_flush_on_stop") => {
                assert!(["lvs_flush_on_stop", "lvs_flush_onstop"].contains(&keyword.name));
                continue;
            }
            Key::Tell(name) | Key::Lvs(name) => {
                assert_eq!(name, keyword.name);
                continue;
            }
        };
        assert_eq!(keyword.block, block, "{}", keyword.name);
    }
}

#[test]
fn the_home_of_a_keyword() {
    assert_eq!(home("priority"), Some(Block::VrrpInstance));
    assert_eq!(home("auth_pass"), Some(Block::Authentication));
    assert_eq!(home("misc_path"), Some(Block::MiscCheck));
    assert_eq!(home("no_such"), None);
}

/// The facts of keepalived 2.4.3: each keyword with its block.
#[test]
fn every_keyword_of_keepalived_is_known_where_it_belongs() {
    let facts = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/data/keepalived-keywords.txt"
    ));
    let mut missing = Vec::new();
    let mut count = 0;
    for line in facts.lines().filter(|line| !line.starts_with('#')) {
        let (block, names) = line.split_once(": ").expect(line);
        let block = Block::ALL.iter().copied().find(|b| b.name() == block);
        let block = block.unwrap_or_else(|| panic!("{line}"));
        for name in names.split(' ') {
            count += 1;
            if find(block, name).is_none() {
                missing.push((block, name));
            }
        }
    }
    assert_eq!(missing, []);
    assert!(count > 400, "{count}");
}

#[test]
fn shapes_are_told_as_a_manual_does() {
    let usage = |block, name| find(block, name).expect(name).shape.usage();
    assert_eq!(usage(Block::VrrpInstance, "priority"), "1..255");
    assert_eq!(usage(Block::VrrpScript, "weight"), "-253..253 [reverse]");
    assert_eq!(usage(Block::Root, "vrrp_instance"), "NAME { ... }");
    assert_eq!(
        usage(Block::VrrpInstance, "unicast_peer"),
        "{ ADDRESS [min_ttl N] [max_ttl N] ... }"
    );
    assert_eq!(usage(Block::VrrpInstance, "nopreempt"), "");
}

#[test]
fn well_known_mistakes_are_explained() {
    let tcp = hint(Block::TcpCheck, "nb_get_retry").expect("known");
    assert!(tcp.contains("ignores it in TCP_CHECK") && tcp.contains("retry is meant"));
    assert!(hint(Block::VirtualServer, "nat_mask").is_some());
    assert_eq!(hint(Block::VirtualServer, "delay_loop"), None);
}
