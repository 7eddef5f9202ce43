//! Bytes to words, braces and line ends, each with its place.
//!
//! keepalived's rules: `#` and `!` start a comment anywhere outside double
//! quotes; words end at white space, at a quote and at a brace; a quoted word
//! ends at the next quote on its line and may hold anything but that quote; a
//! backslash means nothing here (only some keywords read escapes).

use super::diagnostic::Code;
use super::sink::Sink;

/// Bytes of a file: more than 10,000 instances.
pub const MAX_FILE: usize = 4 << 20;
/// Bytes of a line without its comment (keepalived's buffer is 1024).
pub const MAX_LINE: usize = 1024;

/// A place in the file: 1-based line and column, both in characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    pub line: u32,
    /// 0 where the whole line is meant.
    pub column: u32,
    pub width: u32,
}

impl Span {
    /// The file as a whole.
    pub const FILE: Self = Self {
        line: 0,
        column: 0,
        width: 0,
    };

    pub const fn line(line: u32) -> Self {
        Self {
            line,
            column: 0,
            width: 0,
        }
    }
}

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

/// Text of a file as [`lex`] and the diagnostics want it.
///
/// A byte order mark is dropped. Bytes that are no UTF-8 become U+FFFD, which
/// [`lex`] reports where it matters: in a comment nobody minds Latin-1.
pub fn decode(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

/// Never fails: what cannot be read is reported to `sink` and left out.
pub fn lex(text: &str, sink: &mut Sink) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (line, number) in text.split('\n').zip(1u32..) {
        Line {
            number,
            sink,
            tokens: &mut tokens,
        }
        .lex(line);
        // Empty lines mean nothing, and a file of them should cost nothing.
        if !matches!(tokens.last(), None | Some(Token::LineEnd)) {
            tokens.push(Token::LineEnd);
        }
    }
    tokens
}

struct Line<'a> {
    number: u32,
    sink: &'a mut Sink,
    tokens: &'a mut Vec<Token>,
}

impl Line<'_> {
    fn lex(&mut self, line: &str) {
        let code = without_comment(line);
        if code.len() > MAX_LINE {
            let message = format!("line too long ({} bytes, {MAX_LINE} at most)", code.len());
            self.sink
                .error(Code::LineTooLong, Span::line(self.number), message);
            return;
        }
        let mut chars = code.chars().zip(1u32..).peekable();
        while let Some((c, column)) = chars.next() {
            match c {
                '"' => {
                    let mut text = String::new();
                    let mut closed = false;
                    for (c, _) in chars.by_ref() {
                        if c == '"' {
                            closed = true;
                            break;
                        }
                        text.push(c);
                    }
                    self.quoted(text, column, closed);
                }
                '{' => self.tokens.push(Token::Open(self.span(column, 1))),
                '}' => self.tokens.push(Token::Close(self.span(column, 1))),
                c if is_space(c) => {}
                c => {
                    let mut text = String::from(c);
                    while let Some((c, _)) = chars.next_if(|&(c, _)| !ends_word(c)) {
                        text.push(c);
                    }
                    let span = self.span(column, width(&text));
                    self.word(text, span, false);
                }
            }
        }
    }

    const fn span(&self, column: u32, width: u32) -> Span {
        Span {
            line: self.number,
            column,
            width,
        }
    }

    fn quoted(&mut self, text: String, column: u32, closed: bool) {
        let quotes = if closed { 2 } else { 1 };
        let span = self.span(column, width(&text).saturating_add(quotes));
        if !closed {
            self.sink
                .error(Code::UnclosedQuote, span, "Unmatched quote")
                .help("close it with \" on the same line");
        }
        self.word(text, span, true);
    }

    fn word(&mut self, text: String, span: Span, quoted: bool) {
        if text
            .contains(|c: char| c == char::REPLACEMENT_CHARACTER || (c.is_control() && c != '\t'))
        {
            self.sink
                .error(Code::NotText, span, "a word that is not UTF-8 text")
                .help("save the file as UTF-8, without control characters");
        }
        self.tokens.push(Token::Word(Word { text, span, quoted }));
    }
}

fn width(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}')
}

const fn ends_word(c: char) -> bool {
    is_space(c) || matches!(c, '"' | '{' | '}')
}

fn without_comment(line: &str) -> &str {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> (Vec<String>, Vec<Code>) {
        let mut sink = Sink::new("t");
        let tokens = lex(text, &mut sink)
            .into_iter()
            .map(|token| match token {
                Token::Word(word) => word.text,
                Token::Open(_) => "{".into(),
                Token::Close(_) => "}".into(),
                Token::LineEnd => "\n".into(),
            })
            .collect();
        (
            tokens,
            sink.finish(text).into_iter().map(|d| d.code).collect(),
        )
    }

    fn good(text: &str) -> Vec<String> {
        let (words, codes) = words(text);
        assert_eq!(codes, [], "{text:?}");
        words
    }

    #[test]
    fn comments_start_anywhere_outside_quotes() {
        assert_eq!(good("a # b"), ["a", "\n"]);
        assert_eq!(good("!x\na!b"), ["a", "\n"]);
        assert_eq!(good("a \"# ! b\" c#\""), ["a", "# ! b", "c", "\n"]);
        assert_eq!(good("# { \" }"), [""; 0]);
    }

    // keepalived reads `a"b#c"d` as three words: observed with 2.2.7.
    #[test]
    fn quotes_and_braces_end_words() {
        assert_eq!(good("a\"b#c\"d"), ["a", "b#c", "d", "\n"]);
        assert_eq!(good("p{q}r"), ["p", "{", "q", "}", "r", "\n"]);
        assert_eq!(good("x \"{ }\" \"\""), ["x", "{ }", "", "\n"]);
        assert_eq!(good("a\\x"), ["a\\x", "\n"]);
    }

    #[test]
    fn carriage_returns_and_all_blanks_are_space() {
        assert_eq!(
            good("a\r\n\tb\u{b}c\u{c}d\r"),
            ["a", "\n", "b", "c", "d", "\n"]
        );
    }

    #[test]
    fn places_are_in_characters() {
        let mut sink = Sink::new("t");
        let tokens = lex("a\n  \"äö\" {", &mut sink);
        let Some(Token::Word(word)) = tokens.get(2) else {
            panic!("{tokens:?}")
        };
        assert_eq!(
            word.span,
            Span {
                line: 2,
                column: 3,
                width: 4
            }
        );
        assert_eq!(
            tokens.get(3),
            Some(&Token::Open(Span {
                line: 2,
                column: 8,
                width: 1
            }))
        );
    }

    #[test]
    fn an_unclosed_quote_ends_with_its_line() {
        assert_eq!(
            words("a \"b c\nd"),
            (
                vec![
                    "a".into(),
                    "b c".into(),
                    "\n".into(),
                    "d".into(),
                    "\n".into()
                ],
                vec![Code::UnclosedQuote]
            )
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_reported_outside_comments_only() {
        let latin1 = decode(b"a # gr\xfc\xdfe\nstate \xff\n");
        assert_eq!(words(&latin1).1, [Code::NotText]);
        assert_eq!(words("a\0b").1, [Code::NotText]);
        assert_eq!(decode(b"\xef\xbb\xbfa"), "a");
    }

    #[test]
    fn the_line_limit_does_not_count_the_comment() {
        let filler = "x".repeat(MAX_LINE);
        assert_eq!(good(&filler).len(), 2);
        assert_eq!(good(&format!("a # {filler}")), ["a", "\n"]);
        assert_eq!(
            words(&format!("{filler}y")),
            (vec![], vec![Code::LineTooLong])
        );
    }
}
