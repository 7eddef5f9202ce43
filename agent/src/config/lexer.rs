//! Lines to words, braces and line ends, each with its place.
//!
//! keepalived's rules: words end at white space, at a quote and at a brace; a
//! quoted word ends at the next quote on its line and may hold anything but
//! that quote. The keywords of [`READS_ESCAPES`] read their arguments as a
//! shell would. Comments are gone before lines come here.

use super::diagnostic::Code;
use super::sink::Sink;
use super::text::Line;
pub use super::text::Span;

/// Bytes of one file: more than 10,000 instances.
pub const MAX_FILE: usize = 4 << 20;
/// Bytes of a line without its comment (keepalived's buffer is 1024).
pub const MAX_LINE: usize = 1024;

/// Keywords whose arguments may hold escapes, single quotes, and words that
/// are quoted in part.
pub const READS_ESCAPES: &[&str] = &[
    "file",
    "lvs_notify_fifo_script",
    "misc_path",
    "notify",
    "notify_backup",
    "notify_deleted",
    "notify_down",
    "notify_fault",
    "notify_fifo_script",
    "notify_master",
    "notify_master_rx_lower_pri",
    "notify_stop",
    "notify_up",
    "process",
    "quorum_down",
    "quorum_up",
    "regex",
    "script",
    "shutdown_script",
    "startup_script",
    "vrrp_notify_fifo_script",
];

/// A word of a statement, without its quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word {
    pub text: String,
    pub span: Span,
    /// It stood in double quotes.
    pub quoted: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Token {
    Word(Word),
    Open(Span),
    Close(Span),
    LineEnd,
}

/// Text of a file as the language and the diagnostics want it.
///
/// A byte order mark is dropped. Bytes that are no UTF-8 become U+FFFD, which
/// [`lex`] reports where it matters: in a comment nobody minds Latin-1.
pub fn decode(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is before the `#` or `!` of a comment, which may stand anywhere
/// outside double quotes.
pub fn without_comment(line: &str) -> &str {
    let mut in_quotes = false;
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'"' => in_quotes = !in_quotes,
            b'#' | b'!' if !in_quotes => return line.get(..at).unwrap_or(line),
            _ => {}
        }
    }
    line
}

/// Never fails: what cannot be read is reported to `sink` and left out.
pub fn lex(line: &Line, sink: &mut Sink, tokens: &mut Vec<Token>) {
    if line.text().len() > MAX_LINE {
        let message = format!(
            "line too long ({} bytes, {MAX_LINE} at most)",
            line.text().len()
        );
        let place = Span {
            column: 0,
            width: 0,
            ..line.whole()
        };
        sink.error(Code::LineTooLong, place, message)
            .help("split it, or shorten what its definitions stand for");
        return;
    }
    Lexer {
        line,
        at: 0,
        sink,
        tokens,
    }
    .run();
    // Empty lines mean nothing, and a file of them should cost nothing.
    if !matches!(tokens.last(), None | Some(Token::LineEnd)) {
        tokens.push(Token::LineEnd);
    }
}

struct Lexer<'a> {
    line: &'a Line,
    at: usize,
    sink: &'a mut Sink,
    tokens: &'a mut Vec<Token>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.line.text().get(self.at..).unwrap_or_default()
    }

    fn run(&mut self) {
        while let Some(c) = self.rest().chars().next() {
            let from = self.at;
            match c {
                '"' => self.quoted(),
                '{' | '}' => {
                    self.at += 1;
                    let span = self.line.span(from, self.at);
                    self.tokens.push(match c {
                        '{' => Token::Open(span),
                        _ => Token::Close(span),
                    });
                }
                c if is_space(c) => self.at += c.len_utf8(),
                _ => self.bare(),
            }
        }
    }

    fn bare(&mut self) {
        let starts_statement = !matches!(self.tokens.last(), Some(Token::Word(_)));
        let from = self.at;
        let length = self.rest().find(ends_word).unwrap_or(self.rest().len());
        self.at += length;
        let text = self.line.text().get(from..self.at).unwrap_or_default();
        let escapes = starts_statement && READS_ESCAPES.binary_search(&text).is_ok();
        self.word(text.to_owned(), from, false);
        if escapes {
            self.escaped_words();
        }
    }

    fn quoted(&mut self) {
        let from = self.at;
        let inner = self.rest().get(1..).unwrap_or_default();
        let (text, closed) = match inner.split_once('"') {
            Some((text, _)) => (text.to_owned(), true),
            None => (inner.to_owned(), false),
        };
        self.at += text.len() + if closed { 2 } else { 1 };
        if !closed {
            self.unclosed(from);
        }
        self.word(text, from, true);
    }

    fn unclosed(&mut self, from: usize) {
        let span = self.line.span(from, self.at);
        self.sink
            .error(Code::UnclosedQuote, span, "Unmatched quote")
            .help("close it with the same quote on the same line");
    }

    fn word(&mut self, text: String, from: usize, quoted: bool) {
        self.check_text(&text, from);
        let span = self.line.span(from, self.at);
        self.tokens.push(Token::Word(Word { text, span, quoted }));
    }

    fn check_text(&mut self, text: &str, from: usize) {
        let odd = |c: char| c == char::REPLACEMENT_CHARACTER || (c.is_control() && c != '\t');
        if text.contains(odd) {
            let span = self.line.span(from, self.at);
            self.sink
                .error(Code::NotText, span, "a word that is not UTF-8 text")
                .help("save the file as UTF-8, without control characters");
        }
    }

    /// The words up to the end of the statement, as a shell reads them.
    fn escaped_words(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches(is_space).len();
            if matches!(self.rest().chars().next(), None | Some('{' | '}')) {
                return;
            }
            let from = self.at;
            let word = escaped_word(self.rest());
            self.at += word.length;
            if !word.closed {
                self.unclosed(from);
            }
            let line = self.line;
            let raw = line.text().get(from..self.at).unwrap_or_default();
            self.check_text(raw, from);
            let span = self.line.span(from, self.at);
            self.tokens.push(Token::Word(Word {
                text: word.text,
                span,
                quoted: word.quoted,
            }));
        }
    }
}

/// One word with its escapes carried out.
#[derive(Debug, Default)]
struct Escaped {
    text: String,
    /// Bytes of the source.
    length: usize,
    /// A part of it stood in quotes.
    quoted: bool,
    closed: bool,
}

/// Up to white space or a brace outside quotes.
fn escaped_word(source: &str) -> Escaped {
    let mut word = Escaped::default();
    let mut quote = None;
    let mut chars = source.char_indices().peekable();
    while let Some(&(at, c)) = chars.peek() {
        if quote.is_none() && (is_space(c) || matches!(c, '{' | '}')) {
            word.length = at;
            word.closed = true;
            return word;
        }
        let _ = chars.next();
        match c {
            '\\' => {
                let after = at.saturating_add(1);
                let (c, length) = escape(source.get(after..).unwrap_or_default());
                word.text.extend(c);
                let end = after.saturating_add(length);
                while chars.next_if(|&(at, _)| at < end).is_some() {}
            }
            '"' | '\'' if quote.is_none() => {
                quote = Some(c);
                word.quoted = true;
            }
            c if quote == Some(c) => quote = None,
            c => word.text.push(c),
        }
    }
    word.length = source.len();
    word.closed = quote.is_none();
    word
}

/// What stands after a backslash: the character that is meant, and how many
/// bytes say so.
fn escape(after: &str) -> (Option<char>, usize) {
    let Some(c) = after.chars().next() else {
        return (Some('\\'), 0);
    };
    let simple = match c {
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'E' => Some('\u{1b}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        _ => None,
    };
    if simple.is_some() {
        return (simple, 1);
    }
    let digits = |from: usize, most: usize, radix: u32| {
        let text = after.get(from..).unwrap_or_default();
        let count = text
            .chars()
            .take(most)
            .take_while(|c| c.is_digit(radix))
            .count();
        let value = u32::from_str_radix(text.get(..count).unwrap_or_default(), radix);
        (value.unwrap_or(0) & 0xff, count)
    };
    match c {
        '0'..='7' => {
            let (value, count) = digits(0, 3, 8);
            (char::from_u32(value), count)
        }
        'x' => {
            // More than two digits keep the last byte, as a C string does.
            let (value, count) = digits(1, 8, 16);
            if count == 0 {
                (Some('x'), 1)
            } else {
                (char::from_u32(value), count.saturating_add(1))
            }
        }
        'c' => match after.chars().nth(1) {
            Some(control) if control.is_ascii() => (char::from_u32(u32::from(control) & 0x1f), 2),
            Some(_) | None => (Some('c'), 1),
        },
        other => (Some(other), other.len_utf8()),
    }
}

pub const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}')
}

const fn ends_word(c: char) -> bool {
    is_space(c) || matches!(c, '"' | '{' | '}')
}

#[cfg(test)]
mod tests;
