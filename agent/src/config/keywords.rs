//! The one table of keywords: where each belongs, what it takes, what becomes of it.

mod nearest;
mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use nearest::nearest;
pub use table::TABLE;

/// Where keywords stand. Blocks that are skipped as a whole have no entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Block {
    Root,
    GlobalDefs,
    VrrpInstance,
    Authentication,
}

impl Block {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "the top level",
            Self::GlobalDefs => "global_defs",
            Self::VrrpInstance => "vrrp_instance",
            Self::Authentication => "authentication",
        }
    }
}

/// What has to follow a keyword.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Nothing.
    Flag,
    /// One word.
    Value,
    /// One word that no message may repeat.
    Secret,
    /// on, off, true, false, yes, no, or nothing for on.
    Switch,
    /// A block.
    Block,
    /// One word and a block.
    NamedBlock,
}

/// What becomes of a keyword.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Supported(Key, Shape),
    /// Nothing is lost by leaving it out; the reason.
    WithoutEffect(&'static str),
    /// The part of failoverd that will act on it.
    NotYet(&'static str),
    /// Leaving it out would be dangerous; why, and what to do.
    Refused(&'static str, &'static str),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keyword {
    pub block: Block,
    pub name: &'static str,
    pub status: Status,
}

/// A supported keyword, for the exhaustive matches of `lower`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Key {
    Root(RootKey),
    Global(GlobalKey),
    Instance(InstanceKey),
    Auth(AuthKey),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RootKey {
    GlobalDefs,
    VrrpInstance,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GlobalKey {
    RouterId,
    Version,
    Garp(GarpKey),
    DownTimerAdverts,
    LowerPrioNoAdvert,
    HigherPrioSendAdvert,
    V3ChecksumAsV2,
    CheckUnicastSrc,
    OwnerIgnoreAdverts,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum InstanceKey {
    State,
    Interface,
    VirtualRouterId,
    Priority,
    AdvertInt,
    Version,
    NativeIpv6,
    Authentication,
    UnicastSrcIp,
    UnicastPeer,
    McastSrcIp,
    CheckUnicastSrc,
    VirtualIpaddress,
    VirtualIpaddressExcluded,
    TrackInterface,
    Preempt,
    Nopreempt,
    PreemptDelay,
    Garp(GarpKey),
    DownTimerAdverts,
    LowerPrioNoAdvert,
    HigherPrioSendAdvert,
    V3ChecksumAsV2,
    OwnerIgnoreAdverts,
}

/// `garp_*` of an instance and `vrrp_garp_*` of the globals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GarpKey {
    Delay,
    Repeat,
    Refresh,
    RefreshRepeat,
    LowerPrioDelay,
    LowerPrioRepeat,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AuthKey {
    Type,
    Pass,
}

static INDEX: LazyLock<HashMap<(Block, &'static str), &'static Keyword>> = LazyLock::new(|| {
    TABLE
        .iter()
        .map(|keyword| ((keyword.block, keyword.name), keyword))
        .collect()
});

pub fn find(block: Block, name: &str) -> Option<&'static Keyword> {
    INDEX.get(&(block, name)).copied()
}

/// The block that a keyword does belong to.
pub fn home(name: &str) -> Option<Block> {
    const BLOCKS: [Block; 4] = [
        Block::Root,
        Block::GlobalDefs,
        Block::VrrpInstance,
        Block::Authentication,
    ];
    BLOCKS
        .into_iter()
        .find(|&block| find(block, name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_keyword_is_listed_twice() {
        assert_eq!(INDEX.len(), TABLE.len());
    }

    #[test]
    fn supported_keywords_stand_in_the_block_of_their_key() {
        for keyword in TABLE {
            let Status::Supported(key, _) = keyword.status else {
                continue;
            };
            let block = match key {
                Key::Root(_) => Block::Root,
                Key::Global(_) => Block::GlobalDefs,
                Key::Instance(_) => Block::VrrpInstance,
                Key::Auth(_) => Block::Authentication,
            };
            assert_eq!(keyword.block, block, "{}", keyword.name);
        }
    }

    #[test]
    fn the_home_of_a_keyword() {
        assert_eq!(home("priority"), Some(Block::VrrpInstance));
        assert_eq!(home("auth_pass"), Some(Block::Authentication));
        assert_eq!(home("no_such"), None);
    }
}
