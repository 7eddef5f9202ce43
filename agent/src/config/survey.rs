//! Looks at statements that nothing acts on yet: their words, blocks and lists.
//!
//! keepalived's daemon reports what is wrong there, takes a substitute and
//! runs on, so nearly all that is found here is a warning.

mod address;
mod complete;
mod list;
mod names;
pub mod word;

use super::diagnostic::Code;
use super::keywords::{Argument, Block, Body, Keyword};
use super::lexer::Word;
use super::lower::Reader;
use super::sink::Sink;
use super::tree::Statement;

pub use names::Names;

/// Checks a statement and all that is inside. Its shape was checked before.
pub fn statement(row: &Keyword, statement: &Statement, sink: &mut Sink) {
    words(row, statement, sink);
    match row.shape.body {
        Body::None => {}
        Body::Keywords(inner) => {
            block(inner, statement, sink);
            complete::check(inner, statement, sink);
        }
        Body::List(inner) => list::check(inner, statement, sink),
    }
}

fn block(block: Block, statement: &Statement, sink: &mut Sink) {
    let mut reader = match block {
        // Works in parts.
        Block::SyncGroup | Block::VirtualServer | Block::RealServer => Reader::new(block),
        _ => Reader::inside(block),
    };
    for inner in statement.block.iter().flatten() {
        // All keywords of these blocks are looked at by the reader itself.
        let _ = reader.read(inner, sink);
    }
}

fn words(row: &Keyword, statement: &Statement, sink: &mut Sink) {
    let mut rest = statement.arguments();
    for argument in row.shape.words {
        match argument {
            Argument::One(kind) | Argument::Maybe(kind) => {
                let Some((first, after)) = rest.split_first() else {
                    return;
                };
                word::check(row.name, first, *kind, sink);
                rest = after;
            }
            Argument::Several(kind) => {
                for one in rest {
                    word::check(row.name, one, *kind, sink);
                }
                return;
            }
            Argument::Rest(_, look) => {
                if let Some(keyword) = statement.words.first() {
                    look(keyword, rest, sink);
                }
                return;
            }
        }
    }
}

/// Reports something that a block or an entry cannot do without.
fn incomplete(place: &Word, message: String, sink: &mut Sink) {
    sink.warn(Code::Incomplete, place.span, message);
}
