//! The language around the keywords: files to tokens.
//!
//! Comments, `include`, `@id` lines, `$NAME=` definitions, `~SEQ` and `~LST`
//! are carried out here, line by line as keepalived does it, so that what is
//! behind sees words and braces only. Everything is bounded: see [`limits`].

mod definition;
mod expand;
mod include;
pub mod limits;
mod predefined;
mod sequence;

use std::sync::Arc;

use self::definition::Definitions;
use self::include::{Check, Files};
use self::limits::Budget;
use self::predefined::Predefined;
use super::diagnostic::Code;
use super::lexer::{self, Token, without_comment};
use super::sink::Sink;
use super::text::{Line, Source};

/// What a configuration may ask of its surroundings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Surroundings {
    /// An included file that is missing is an error.
    pub all_files: bool,
    /// What `@id` lines are compared with, and `${_INSTANCE}`; by default the
    /// host name up to its first dot.
    pub config_id: Option<String>,
    /// Whether `include` may open files.
    pub files: bool,
}

/// All tokens of a configuration whose main file is `source`.
pub fn read(source: &Source, surroundings: &Surroundings, sink: &mut Sink) -> Vec<Token> {
    let mut language = Language {
        config_id: surroundings.config_id.clone().unwrap_or_else(host_id),
        files: Files::new(surroundings.files),
        definitions: Definitions::default(),
        predefined: Predefined::default(),
        check: match surroundings.all_files {
            true => Check::ALL,
            false => Check::default(),
        },
        budget: Budget::default(),
        tokens: Vec::new(),
        sink,
    };
    language.files.enter_main(source);
    language.file(source);
    language.tokens
}

/// The host name up to its first dot; empty where there is none.
fn host_id() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    name.split('.').next().unwrap_or(name).to_owned()
}

struct Language<'a> {
    config_id: String,
    files: Files,
    definitions: Definitions,
    predefined: Predefined,
    check: Check,
    budget: Budget,
    tokens: Vec<Token>,
    sink: &'a mut Sink,
}

impl Language<'_> {
    fn file(&mut self, source: &Source) {
        let text = Arc::clone(&source.text);
        for (line, number) in text.split('\n').zip(1u32..) {
            if self.budget.is_spent() {
                return;
            }
            let code = without_comment(line);
            let open = self.definitions.is_open();
            if code.trim().is_empty() && !open {
                continue;
            }
            let line = Line::new(code, source.id, number).trimmed();
            if open {
                // A line without a backslash, an empty one too, is the last.
                if !self.definitions.add_line(line.text()) {
                    let message = format!("a value of more than {} KiB", limits::MAX_VALUE >> 10);
                    let help = "is the backslash at the end of a line meant?";
                    self.budget.stop(self.sink, line.whole(), message, help);
                }
            } else {
                self.line(line, source, 0);
            }
        }
        self.definitions.close();
    }

    /// One line, which may become many. `depth` counts how often its text was
    /// the result of something.
    fn line(&mut self, line: Line, source: &Source, depth: usize) {
        let line = line.trimmed();
        if line.text().is_empty() || self.budget.is_spent() {
            return;
        }
        if depth > limits::MAX_NESTING {
            let message = format!(
                "definitions or sequences more than {} deep within each other",
                limits::MAX_NESTING
            );
            self.budget.stop(
                self.sink,
                line.whole(),
                message,
                "look for one that needs itself",
            );
            return;
        }
        let first = line.text().chars().next();
        match first {
            Some('~') if sequence::starts(line.text()) => self.sequence(&line, source, depth),
            Some('@') => self.conditional(&line, source, depth),
            Some('$') if self.definitions.defines(&line) => {
                self.define(&line);
            }
            Some('$') if self.many_lines(&line, source, depth) => {}
            _ => self.plain(line, source, depth),
        }
    }

    fn plain(&mut self, line: Line, source: &Source, depth: usize) {
        let Some((expanded, changed)) = self.expand(&line, source) else {
            return;
        };
        // `$WHERE priority 1` may have become a conditional line, or others.
        if changed && expanded.text().trim_start().starts_with(['@', '~', '$']) {
            self.line(expanded, source, depth.saturating_add(1));
        } else {
            self.emit(&expanded, source);
        }
    }

    fn define(&mut self, line: &Line) {
        if let Some(hidden) = self.definitions.define(line) {
            self.sink
                .trap(Code::Definition, line.whole(), hidden)
                .help("choose another name: those with an underscore first are keepalived's own");
        }
    }

    /// `@id rest` and `@^id rest`.
    fn conditional(&mut self, line: &Line, source: &Source, depth: usize) {
        let text = line.text();
        let end = text.find(lexer::is_space).unwrap_or(text.len());
        let id = text.get(1..end).unwrap_or_default();
        let (id, wanted) = match id.strip_prefix('^') {
            Some(id) => (id, false),
            None => (id, true),
        };
        if (id == self.config_id) == wanted {
            let rest = line.tail(end).trimmed();
            if rest.text().starts_with('@') {
                // Observed: keepalived reads one condition a line.
                self.emit(&rest, source);
            } else {
                self.line(rest, source, depth);
            }
        } else if text.ends_with('\\') && text.get(end..).is_some_and(|rest| rest.contains("=")) {
            let message = "only this line is skipped, not the lines that continue it";
            self.sink
                .trap(Code::Definition, line.whole(), message)
                .help("write the condition before each line of the value instead");
        }
    }

    /// A line without constructs: an include, or words for the keyword table.
    fn emit(&mut self, line: &Line, source: &Source) {
        if self.budget.take_bytes(line.text().len()).is_err() {
            let message = format!("more than {} MiB of text", limits::MAX_TEXT >> 20);
            self.budget.stop(
                self.sink,
                line.whole(),
                message,
                "is it meant to be that large?",
            );
            return;
        }
        let mut words = line.text().split_ascii_whitespace();
        let keyword = words.next().unwrap_or_default();
        match include::variant(keyword) {
            Some(check) if words.next().is_some() => self.include(line, check, source),
            Some(_) | None => {
                self.read_by_the_language(keyword, line);
                lexer::lex(line, self.sink, &mut self.tokens);
            }
        }
    }

    /// Two keywords of global_defs change how what follows them is read.
    fn read_by_the_language(&mut self, keyword: &str, line: &Line) {
        let words = || line.text().split_ascii_whitespace().skip(1);
        match keyword {
            "include_check" => self.check.set(words()),
            "random_seed" => self.predefined.seed(words().next().unwrap_or_default()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
