//! One statement against the keyword table: known here, well-formed, once.

use std::collections::HashSet;

use crate::config::diagnostic::Code;
use crate::config::keywords::{
    Block, Body, InstanceKey, Key, Keyword, Status, find, hint, home, nearest,
};
use crate::config::lexer::Word;
use crate::config::sink::Sink;
use crate::config::survey;
use crate::config::tree::Statement;

/// Reads the statements of one block.
#[derive(Debug)]
pub struct Reader {
    block: Block,
    /// The block is of a part that is not active yet, which was said before.
    inside: bool,
    seen: HashSet<Key>,
}

impl Reader {
    pub fn new(block: Block) -> Self {
        Self {
            block,
            inside: false,
            seen: HashSet::new(),
        }
    }

    /// For a block of a part that is not active yet.
    pub fn inside(block: Block) -> Self {
        Self {
            inside: true,
            ..Self::new(block)
        }
    }

    /// The key of a supported statement with all that it needs; else `None`,
    /// and the reason is reported.
    pub fn read(&mut self, statement: &Statement, sink: &mut Sink) -> Option<Key> {
        // A block without a keyword was reported by the tree.
        let keyword = statement.words.first()?;
        let Some(row) = find(self.block, &keyword.text) else {
            self.unknown(keyword, sink);
            return None;
        };
        let name = row.name;
        match row.status {
            Status::Supported(key) => {
                let good = has_shape(row, statement, sink);
                if good && matches!(key, Key::Track(_) | Key::Tell(_) | Key::Lvs(_)) {
                    survey::statement(row, statement, sink);
                }
                let single = row.shape.body == Body::None && !adds_up(key);
                if good && !self.seen.insert(key) && single {
                    let message = format!("{name} is given more than once; the last one counts");
                    sink.trap(Code::Repeated, keyword.span, message);
                }
                good.then_some(key)
            }
            Status::WhileReading => {
                look(row, statement, sink);
                None
            }
            Status::WithoutEffect(why) => {
                sink.note(
                    Code::WithoutEffect,
                    keyword.span,
                    format!("{name} has no effect: {why}"),
                );
                look(row, statement, sink);
                None
            }
            Status::NotYet(part) => {
                if !self.inside {
                    sink.not_yet(part, name, keyword.span);
                }
                look(row, statement, sink);
                None
            }
            Status::Refused(why, remedy) => {
                sink.error(
                    Code::Refused,
                    keyword.span,
                    format!("{name} is not supported: {why}"),
                )
                .help(remedy);
                None
            }
        }
    }

    fn unknown(&self, keyword: &Word, sink: &mut Sink) {
        let name = &keyword.text;
        let block = self.block.name();
        // The search is the one slow thing here, and pointless once the
        // report is full.
        if sink.is_full() {
            sink.warn(Code::UnknownKeyword, keyword.span, "");
        } else if let Some(hint) = hint(self.block, name) {
            let message = format!("Unknown keyword '{name}'");
            sink.warn(Code::UnknownKeyword, keyword.span, message)
                .help(hint);
        } else if let Some(home) = home(name) {
            let message = format!("{name} does not belong into {block} and is skipped");
            sink.warn(Code::Misplaced, keyword.span, message)
                .help(format!(
                    "it belongs into {}; look for a missing or extra brace",
                    home.name()
                ));
        } else {
            let message = format!("Unknown keyword '{name}'");
            let hint = sink.warn(Code::UnknownKeyword, keyword.span, message);
            match nearest(self.block, name) {
                Some(near) => hint.help(format!("did you mean {near}?")),
                None => hint.help(format!(
                    "keepalived has no such keyword in {block}; it is skipped"
                )),
            }
        }
    }
}

/// Lines of a list that has no block, so that keepalived skips each of them.
fn adds_up(key: Key) -> bool {
    key == Key::Instance(InstanceKey::AllowedSources)
}

/// Checks the words and the block of a statement that nothing acts on yet.
fn look(row: &Keyword, statement: &Statement, sink: &mut Sink) {
    if has_shape(row, statement, sink) {
        let instead = match (row.block, row.name) {
            (_, "nb_get_retry") => Some("'retry'"),
            (Block::VrrpInstance, "linkbeat_use_polling") => Some("a linkbeat_interfaces block"),
            _ => None,
        };
        if let Some(instead) = instead {
            let message = format!("{} is deprecated - please use {instead}", row.name);
            sink.warn(Code::Deprecated, statement.span(), message)
                .help("the old word does what it did");
        }
        survey::statement(row, statement, sink);
    }
}

/// As many words as the keyword takes, and a block where it has one. False,
/// and reported, where something is missing.
fn has_shape(row: &Keyword, statement: &Statement, sink: &mut Sink) -> bool {
    let name = row.name;
    let span = statement.span();
    let block = row.shape.body != Body::None;
    if statement.arguments().len() < row.shape.least() {
        let what = if block {
            "must have a name"
        } else {
            "is missing its value"
        };
        sink.error(Code::MissingValue, span, format!("{name} {what}"))
            .help(format!("write {name} {}", row.shape.usage()));
        return false;
    }
    if block && statement.block.is_none() {
        sink.error(
            Code::MissingBlock,
            span,
            format!("{name} is missing its block"),
        )
        .help(format!("write its entries between {{ and }} after {name}"));
        return false;
    }
    if !block && statement.block.is_some() {
        let message = format!("Unexpected '{{': {name} takes no block, which is skipped");
        sink.warn(Code::UnexpectedBlock, span, message);
    }
    let most = row.shape.most();
    if let Some(extra) = most.and_then(|most| statement.arguments().get(most)) {
        extra_word(name, extra, row.shape.is_secret(), block, sink);
    }
    true
}

/// Reports a word where none belongs, naming it unless it may be a secret.
/// keepalived notices it in front of a block and in some lists (`noticed`).
pub fn extra_word(after: &str, extra: &Word, secret: bool, noticed: bool, sink: &mut Sink) {
    let what = if secret {
        String::new()
    } else {
        format!(" '{}'", extra.text)
    };
    let message = format!("unexpected{what} after {after}, ignored");
    let hint = if noticed {
        sink.warn(Code::ExtraWords, extra.span, message)
    } else {
        sink.trap(Code::ExtraWords, extra.span, message)
    };
    hint.help("one statement a line; put words with spaces in double quotes");
}
