//! The one table of keywords: where each belongs, what it takes, what becomes of it.

mod block;
mod hints;
mod key;
mod nearest;
mod shape;
mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use block::{Block, List};
pub use hints::hint;
pub use key::{
    AuthKey, FilesKey, GarpGroupKey, GarpKey, GlobalKey, InstanceKey, Key, ProcessKey, RootKey,
};
pub use nearest::nearest;
pub use shape::{Argument, Body, Kind, Shape};
pub use table::{TABLES, extra_garp};

/// The part that is still to come which says how real servers are.
pub const CHECKERS: &str = "health checkers";

/// What becomes of a keyword.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Supported(Key),
    /// Works while the file is read: [`super::language`] acts on it.
    WhileReading,
    /// Nothing is lost by leaving it out; the reason.
    WithoutEffect(&'static str),
    /// Read and checked; the part of failoverd that will act on it.
    NotYet(&'static str),
    /// Leaving it out would be dangerous; why, and what to do.
    Refused(&'static str, &'static str),
}

#[derive(Clone, Copy, Debug)]
pub struct Keyword {
    pub block: Block,
    pub name: &'static str,
    pub shape: Shape,
    pub status: Status,
}

/// All rows of the table.
pub fn all() -> impl Iterator<Item = &'static Keyword> {
    TABLES.iter().copied().flatten()
}

static INDEX: LazyLock<HashMap<(Block, &'static str), &'static Keyword>> = LazyLock::new(|| {
    all()
        .map(|keyword| ((keyword.block, keyword.name), keyword))
        .collect()
});

pub fn find(block: Block, name: &str) -> Option<&'static Keyword> {
    INDEX.get(&(block, name)).copied()
}

/// The words that the first argument of a keyword can be; none where it may be
/// others.
pub fn choices(block: Block, name: &str) -> &'static [&'static str] {
    match find(block, name).and_then(|row| row.shape.words.first()) {
        Some(Argument::One(Kind::Choice(words)) | Argument::Maybe(Kind::Choice(words))) => words,
        Some(Argument::One(_) | Argument::Maybe(_) | Argument::Several(_) | Argument::Rest(..))
        | None => &[],
    }
}

/// The block that a keyword does belong to, the outermost first.
pub fn home(name: &str) -> Option<Block> {
    Block::ALL
        .iter()
        .copied()
        .find(|&block| find(block, name).is_some())
}

#[cfg(test)]
mod tests;
