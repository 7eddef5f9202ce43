//! Statements, blocks and words, written so that the lexer reads them back.

use std::fmt::Display;

use crate::config::lexer::MAX_LINE;

const INDENT: &str = "    ";
/// Stands for `$`, which would start a use of a definition. Defined where the
/// text has need of it.
const DOLLAR: &str = "${DOLLAR}";

#[derive(Debug, Default)]
pub struct Writer {
    text: String,
    depth: usize,
    has_dollar: bool,
}

impl Writer {
    /// `KEYWORD VALUE`.
    pub fn set(&mut self, keyword: &str, value: impl Display) {
        let value = word(&value.to_string());
        self.line(&format!("{keyword} {value}"));
    }

    /// `KEYWORD WORD WORD ...`.
    pub fn words<T: AsRef<str>>(&mut self, keyword: &str, words: impl IntoIterator<Item = T>) {
        let words = words.into_iter().map(|one| word(one.as_ref()));
        let line: Vec<String> = std::iter::once(keyword.to_owned()).chain(words).collect();
        self.line(&line.join(" "));
    }

    /// `KEYWORD "LINE" WORD ...`, of a keyword whose arguments may hold escapes.
    pub fn command(&mut self, keyword: &str, line: &str, more: impl Iterator<Item = String>) {
        let escaped: String = line.chars().map(escape).collect();
        let more = more.map(|one| format!(" {}", word(&one)));
        let more: String = more.collect();
        self.line(&format!("{keyword} \"{escaped}\"{more}"));
    }

    /// `KEYWORD WORD ...`, of a keyword that reads escapes.
    pub fn escaped(&mut self, keyword: &str, words: &[String]) {
        let mut line = keyword.to_owned();
        for one in words {
            let escaped: String = one.chars().map(escape).collect();
            line.push_str(&format!(" \"{escaped}\""));
        }
        self.line(&line);
    }

    /// `KEYWORD WORD ... {`, then what `body` writes, then `}`.
    pub fn statement(&mut self, keyword: &str, words: &[String], body: impl FnOnce(&mut Self)) {
        let words = words.iter().map(|one| word(one));
        let head: Vec<String> = std::iter::once(keyword.to_owned()).chain(words).collect();
        self.open(&head.join(" "), body);
    }

    /// `KEYWORD VALUE` where there is one.
    pub fn maybe(&mut self, keyword: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.set(keyword, value);
        }
    }

    /// `KEYWORD on` or `KEYWORD off`, where it is not at its default.
    pub fn switch(&mut self, keyword: &str, value: bool, default: bool) {
        if value != default {
            self.set(keyword, if value { "on" } else { "off" });
        }
    }

    /// A keyword alone, where `value` asks for it.
    pub fn flag(&mut self, keyword: &str, value: bool) {
        if value {
            self.line(keyword);
        }
    }

    /// `KEYWORD {`, then what `body` writes, then `}`.
    pub fn block(&mut self, keyword: &str, body: impl FnOnce(&mut Self)) {
        self.open(keyword, body);
    }

    /// As [`Self::block`], but nothing at all where `body` writes nothing.
    pub fn block_if_any(&mut self, keyword: &str, body: impl FnOnce(&mut Self)) {
        let before = (self.text.len(), self.has_dollar);
        let mut written = 0;
        self.open(keyword, |writer| {
            let begin = writer.text.len();
            body(writer);
            written = writer.text.len() - begin;
        });
        if written == 0 {
            self.text.truncate(before.0);
            self.has_dollar = before.1;
        }
    }

    /// `KEYWORD NAME {`, then what `body` writes, then `}`.
    pub fn named_block(&mut self, keyword: &str, name: &str, body: impl FnOnce(&mut Self)) {
        self.open(&format!("{keyword} {}", word(name)), body);
    }

    fn open(&mut self, head: &str, body: impl FnOnce(&mut Self)) {
        if self.depth == 0 && !self.text.is_empty() {
            self.text.push('\n');
        }
        // As it is read, a `$` is one character.
        let length = head.len() - head.matches(DOLLAR).count() * (DOLLAR.len() - 1);
        if length + " {".len() > MAX_LINE {
            self.line(head);
            self.line("{");
        } else {
            self.line(&format!("{head} {{"));
        }
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.line("}");
    }

    /// A block of one entry a line; none where there are none.
    pub fn list<T: Display>(&mut self, keyword: &str, entries: impl IntoIterator<Item = T>) {
        let lines = entries.into_iter().map(|entry| word(&entry.to_string()));
        self.lines(keyword, lines);
    }

    /// As [`Self::list`], of lines that are complete.
    pub fn lines(&mut self, keyword: &str, lines: impl IntoIterator<Item = String>) {
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_some() {
            self.block(keyword, |writer| {
                lines.for_each(|line| writer.line(&line));
            });
        }
    }

    /// A line that the reader skips.
    pub fn comment(&mut self, text: &str) {
        self.line(&format!("# {text}"));
    }

    pub fn line(&mut self, line: &str) {
        self.has_dollar |= line.contains(DOLLAR);
        // White space before a line does not count for its length.
        self.text.extend(std::iter::repeat_n(INDENT, self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub fn finish(self) -> String {
        if self.has_dollar {
            format!("$DOLLAR=$\n\n{}", self.text)
        } else {
            self.text
        }
    }
}

/// A character in double quotes, where escapes are carried out.
fn escape(c: char) -> String {
    match c {
        '$' => DOLLAR.to_owned(),
        '"' | '\\' => format!("\\{:03o}", u32::from(c)),
        c if c.is_control() => format!("\\{:03o}", u32::from(c)),
        c => c.to_string(),
    }
}

/// A word as it is written. One of a file never holds a double quote, for
/// which there is no way of writing.
pub fn word(text: &str) -> String {
    let special = |c: char| c.is_whitespace() || matches!(c, '"' | '{' | '}' | '#' | '!' | '$');
    let starts_a_construct = text.starts_with(['@', '~']);
    if text.is_empty() || text.contains(special) || starts_a_construct {
        format!("\"{}\"", text.replace('$', DOLLAR))
    } else {
        text.to_owned()
    }
}
