//! Tokens to statements: words with, perhaps, a block of statements.
//!
//! The tree is tolerant: it exists whatever the braces look like, and every
//! repair is a diagnostic.

use super::diagnostic::Code;
use super::lexer::{Token, Word};
use super::sink::Sink;
use super::text::Span;

/// Blocks within blocks. keepalived itself has four levels.
pub const MAX_DEPTH: usize = 16;

/// A line of the file. Has a word, save where a `{` stood alone.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Statement {
    pub words: Vec<Word>,
    pub block: Option<Vec<Statement>>,
}

impl Statement {
    /// Empty for a block without a keyword.
    pub fn keyword(&self) -> &str {
        self.words.first().map_or("", |word| word.text.as_str())
    }

    /// The words after the keyword.
    pub fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// The place of the keyword.
    pub fn span(&self) -> Span {
        self.words.first().map_or(Span::FILE, |word| word.span)
    }
}

/// Never fails; unbalanced braces are reported to `sink`.
pub fn build(tokens: Vec<Token>, sink: &mut Sink) -> Vec<Statement> {
    let mut builder = Builder {
        levels: Vec::new(),
        current: Level::default(),
        skipped: 0,
    };
    for token in tokens {
        match token {
            Token::Word(word) => builder.words_of_line(word),
            Token::Open(span) => builder.open(span, sink),
            Token::Close(span) => builder.close(span, sink),
            Token::LineEnd => builder.end_statement(),
        }
    }
    builder.finish(sink)
}

/// The statements of one block while it is open.
#[derive(Debug, Default)]
struct Level {
    done: Vec<Statement>,
    words: Vec<Word>,
    /// The last of `done` ended with its line and may still get its block.
    may_open: bool,
    opened_at: Span,
}

#[derive(Debug)]
struct Builder {
    /// The blocks around `current`, outermost first.
    levels: Vec<Level>,
    current: Level,
    /// Open blocks beyond [`MAX_DEPTH`], whose content is left out.
    skipped: usize,
}

impl Builder {
    fn words_of_line(&mut self, word: Word) {
        if self.skipped == 0 {
            self.current.words.push(word);
        }
    }

    fn end_statement(&mut self) {
        if !self.current.words.is_empty() {
            let mut words = std::mem::take(&mut self.current.words);
            words.shrink_to_fit();
            self.current.done.push(Statement { words, block: None });
            self.current.may_open = true;
        }
    }

    fn open(&mut self, span: Span, sink: &mut Sink) {
        if self.skipped > 0 || self.levels.len() >= MAX_DEPTH {
            if self.skipped == 0 {
                let message = format!("more than {MAX_DEPTH} blocks within each other");
                sink.error(Code::TooDeep, span, message);
            }
            self.skipped = self.skipped.saturating_add(1);
            return;
        }
        self.end_statement();
        if !self.current.may_open {
            sink.error(Code::StrayOpen, span, "Unexpected '{' - ignoring its block")
                .help("put the keyword of the block before it");
            self.current.done.push(Statement::default());
        }
        self.current.may_open = false;
        let inner = Level {
            opened_at: span,
            ..Level::default()
        };
        self.levels
            .push(std::mem::replace(&mut self.current, inner));
    }

    fn close(&mut self, span: Span, sink: &mut Sink) {
        if self.skipped > 0 {
            self.skipped = self.skipped.saturating_sub(1);
            return;
        }
        self.end_statement();
        self.current.may_open = false;
        if !self.leave() {
            sink.error(Code::StrayClose, span, "Extra '}' found")
                .help("remove it, or look for a missing '{' above");
        }
    }

    /// False at the outermost level, where there is nothing to leave.
    fn leave(&mut self) -> bool {
        let Some(outer) = self.levels.pop() else {
            return false;
        };
        let inner = std::mem::replace(&mut self.current, outer);
        if let Some(statement) = self.current.done.last_mut() {
            statement.block = Some(inner.done);
        }
        true
    }

    fn finish(mut self, sink: &mut Sink) -> Vec<Statement> {
        self.end_statement();
        while !self.levels.is_empty() {
            sink.error(
                Code::UnclosedBlock,
                self.current.opened_at,
                "the block that starts here is never closed: missing '}'",
            )
            .help("close it with '}'; the indentation of the lines after it often shows where");
            self.leave();
        }
        self.current.done
    }
}

#[cfg(test)]
mod tests {
    use super::super::language::{Surroundings, read};
    use super::super::text::Source;
    use super::*;

    fn parse(text: &str) -> (String, Vec<Code>) {
        let mut sink = Sink::new("t");
        let source = Source::new(0, text.into(), None);
        let tokens = read(&source, &Surroundings::default(), &mut sink);
        let tree = build(tokens, &mut sink);
        (
            show(&tree),
            sink.finish().into_iter().map(|d| d.code).collect(),
        )
    }

    fn show(statements: &[Statement]) -> String {
        let one = |statement: &Statement| {
            let words: Vec<_> = statement
                .words
                .iter()
                .map(|word| word.text.as_str())
                .collect();
            match &statement.block {
                Some(block) => format!("{}[{}]", words.join(" "), show(block)),
                None => words.join(" "),
            }
        };
        statements.iter().map(one).collect::<Vec<_>>().join(";")
    }

    #[test]
    fn blocks_open_on_the_keyword_line_or_the_next() {
        for text in [
            "a x {\nb\n}\nc",
            "a x\n{\nb\n}\nc",
            "a x\n\n# y\n{ b }\nc",
            "a x{b}c",
        ] {
            assert_eq!(parse(text), ("a x[b];c".into(), vec![]), "{text:?}");
        }
    }

    #[test]
    fn several_blocks_on_one_line() {
        assert_eq!(
            parse("a { b { c } d } e { } f"),
            ("a[b[c];d];e[];f".into(), vec![])
        );
    }

    #[test]
    fn unbalanced_braces_are_repaired_and_reported() {
        assert_eq!(
            parse("a {\nb {\nc"),
            ("a[b[c]]".into(), vec![Code::UnclosedBlock; 2])
        );
        assert_eq!(
            parse("a {\n}\n}\nb"),
            ("a[];b".into(), vec![Code::StrayClose])
        );
        assert_eq!(parse("{ x }\na"), ("[x];a".into(), vec![Code::StrayOpen]));
        assert_eq!(
            parse("a { b }\n{ x }"),
            ("a[b];[x]".into(), vec![Code::StrayOpen])
        );
    }

    #[test]
    fn depth_is_limited_and_what_follows_is_still_read() {
        let deep = MAX_DEPTH + 3;
        let text = format!("{}x{}\nafter", "b { ".repeat(deep), " }".repeat(deep));
        let (tree, codes) = parse(&text);
        assert_eq!(codes, [Code::TooDeep]);
        assert!(tree.ends_with(";after"), "{tree}");
        assert_eq!(tree.matches('[').count(), MAX_DEPTH);
    }
}
