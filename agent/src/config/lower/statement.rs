//! One statement against the keyword table: known here, well-formed, once.

use std::collections::HashSet;

use crate::config::diagnostic::Code;
use crate::config::keywords::{Block, Key, Shape, Status, find, home, nearest};
use crate::config::lexer::Word;
use crate::config::sink::Sink;
use crate::config::tree::Statement;

/// Reads the statements of one block.
#[derive(Debug)]
pub struct Reader {
    block: Block,
    seen: HashSet<Key>,
}

impl Reader {
    pub fn new(block: Block) -> Self {
        Self {
            block,
            seen: HashSet::new(),
        }
    }

    /// The key of a supported statement with all that it needs; else `None`,
    /// and the reason is reported.
    pub fn read(&mut self, statement: &Statement, sink: &mut Sink) -> Option<Key> {
        // A block without a keyword was reported by the tree.
        let keyword = statement.words.first()?;
        if is_language(keyword, sink) {
            return None;
        }
        let Some(row) = find(self.block, &keyword.text) else {
            self.unknown(keyword, sink);
            return None;
        };
        let name = row.name;
        match row.status {
            Status::Supported(key, shape) => self.supported(key, shape, statement, sink),
            Status::WithoutEffect(why) => {
                sink.note(
                    Code::WithoutEffect,
                    keyword.span,
                    format!("{name} has no effect: {why}"),
                );
                None
            }
            Status::NotYet(part) => {
                let message = format!("{name} is not active in failoverd yet and is skipped");
                sink.warn(Code::NotYet, keyword.span, message)
                    .help(format!("it comes with this part of failoverd: {part}"));
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

    fn supported(
        &mut self,
        key: Key,
        shape: Shape,
        statement: &Statement,
        sink: &mut Sink,
    ) -> Option<Key> {
        let name = statement.keyword();
        let span = statement.span();
        let (words, block) = match shape {
            Shape::Flag => (0, false),
            Shape::Value | Shape::Secret => (1, false),
            Shape::Switch => (statement.arguments().len().min(1), false),
            Shape::Block => (0, true),
            Shape::NamedBlock => (1, true),
        };
        if statement.arguments().len() < words {
            let what = if block {
                "must have a name"
            } else {
                "is missing its value"
            };
            sink.error(Code::MissingValue, span, format!("{name} {what}"));
            return None;
        }
        if block && statement.block.is_none() {
            sink.error(
                Code::MissingBlock,
                span,
                format!("{name} is missing its block"),
            )
            .help(format!("write its entries between {{ and }} after {name}"));
            return None;
        }
        if !block && statement.block.is_some() {
            let message = format!("Unexpected '{{': {name} takes no block, which is skipped");
            sink.warn(Code::UnexpectedBlock, span, message);
        }
        if let Some(extra) = statement.arguments().get(words) {
            extra_word(name, extra, shape == Shape::Secret, sink);
        }
        if !self.seen.insert(key) && !block {
            let message = format!("{name} is given more than once; the last one counts");
            sink.warn(Code::Repeated, span, message);
        }
        Some(key)
    }

    fn unknown(&self, keyword: &Word, sink: &mut Sink) {
        let name = &keyword.text;
        let block = self.block.name();
        // The search is the one slow thing here, and pointless once the
        // report is full.
        if sink.is_full() {
            sink.warn(Code::UnknownKeyword, keyword.span, "");
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

/// Reports a word where none belongs, naming it unless it may be a secret.
pub fn extra_word(after: &str, extra: &Word, secret: bool, sink: &mut Sink) {
    let what = if secret {
        String::new()
    } else {
        format!(" '{}'", extra.text)
    };
    sink.warn(
        Code::ExtraWords,
        extra.span,
        format!("unexpected{what} after {after}, ignored"),
    )
    .help("one statement a line; put words with spaces in double quotes");
}

/// True, and reported, where a statement is one of the language itself
/// (`include`, `@host`, `$NAME=`, `~SEQ`), which failoverd does not read yet.
/// Leaving such a line out would give another configuration than the one meant.
pub fn is_language(word: &Word, sink: &mut Sink) -> bool {
    if word.quoted {
        return false;
    }
    let text = word.text.as_str();
    let what = match text {
        "include" | "includer" | "includem" | "includew" | "includeb" | "includea" => "include",
        _ if text.starts_with('@') => "a conditional line (@id)",
        _ if text.starts_with('$') && text.contains('=') => "a definition ($NAME=)",
        _ if text.starts_with("~SEQ") || text.starts_with("~LST") => "a generated sequence",
        _ => return false,
    };
    sink.error(
        Code::Refused,
        word.span,
        format!("{what} is not read by failoverd yet"),
    )
    .help("write out what it stands for");
    true
}
