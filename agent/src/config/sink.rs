//! Collects the problems of one file, bounded, with their source lines.

use std::sync::Arc;

use super::diagnostic::{Code, Diagnostic, Severity, visible};
use super::lexer::{MAX_LINE, Span};

/// Problems kept per file. A file of garbage has one on every line; nobody
/// reads more, and memory stays bounded.
pub const MAX_DIAGNOSTICS: usize = 500;

#[derive(Debug)]
pub struct Sink {
    file: Arc<str>,
    found: Vec<Diagnostic>,
    errors: usize,
    left_out: usize,
}

impl Sink {
    pub fn new(file: &str) -> Self {
        Self {
            file: Arc::from(visible(file)),
            found: Vec::new(),
            errors: 0,
            left_out: 0,
        }
    }

    pub fn error(&mut self, code: Code, span: Span, message: impl Into<String>) -> Hint<'_> {
        self.push(Severity::Error, code, span, message.into())
    }

    pub fn warn(&mut self, code: Code, span: Span, message: impl Into<String>) -> Hint<'_> {
        self.push(Severity::Warning, code, span, message.into())
    }

    pub fn note(&mut self, code: Code, span: Span, message: impl Into<String>) -> Hint<'_> {
        self.push(Severity::Note, code, span, message.into())
    }

    pub const fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Nothing more will be shown, only counted.
    pub const fn is_full(&self) -> bool {
        self.found.len() >= MAX_DIAGNOSTICS
    }

    fn push(&mut self, severity: Severity, code: Code, span: Span, message: String) -> Hint<'_> {
        if severity == Severity::Error {
            self.errors = self.errors.saturating_add(1);
        }
        if self.is_full() {
            self.left_out = self.left_out.saturating_add(1);
            return Hint(None);
        }
        self.found.push(Diagnostic {
            file: Some(Arc::clone(&self.file)),
            line: span.line,
            column: span.column,
            width: span.width,
            ..Diagnostic::new(severity, code, visible(&message))
        });
        Hint(self.found.last_mut())
    }

    /// In the order of the file, those of the whole file first. `text` is what
    /// the spans pointed into.
    pub fn finish(mut self, text: &str) -> Vec<Diagnostic> {
        self.found
            .sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        let mut lines = text.split('\n').zip(1u32..).peekable();
        for diagnostic in &mut self.found {
            let wanted = diagnostic.line;
            while lines.next_if(|&(_, number)| number < wanted).is_some() {}
            let line = lines.peek().filter(|&&(_, number)| number == wanted);
            diagnostic.source = line.and_then(|(line, _)| shown(line));
        }
        if self.left_out > 0 {
            let severity = if self.errors > 0 {
                Severity::Error
            } else {
                Severity::Warning
            };
            let message = format!("{} further problems are not shown", self.left_out);
            self.found.push(Diagnostic {
                file: Some(self.file),
                ..Diagnostic::new(severity, Code::TooManyProblems, message)
            });
        }
        self.found
    }
}

/// `None` where the line may hold a password: logs and bug reports are no
/// place for it. Usual misspellings of the keyword are caught too.
fn shown(line: &str) -> Option<Arc<str>> {
    let line = line.trim_end_matches('\r');
    let lower = line.to_ascii_lowercase();
    let secret = ["auth_p", "pass", "key"]
        .iter()
        .any(|word| lower.contains(word));
    (!secret && line.len() <= MAX_LINE).then(|| Arc::from(line))
}

/// Lets the caller add the remedy to the problem that was just reported.
#[derive(Debug)]
pub struct Hint<'a>(Option<&'a mut Diagnostic>);

impl Hint<'_> {
    pub fn help(self, help: impl Into<String>) {
        if let Some(diagnostic) = self.0 {
            diagnostic.help = Some(visible(&help.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_bounded_number_and_says_how_many_more() {
        let mut sink = Sink::new("f");
        for _ in 0..MAX_DIAGNOSTICS {
            sink.warn(Code::UnknownKeyword, Span::line(1), "w");
        }
        sink.error(Code::NoVip, Span::line(1), "the error that does not fit")
            .help("x");
        assert!(sink.has_errors());
        let found = sink.finish("x");
        assert_eq!(found.len(), MAX_DIAGNOSTICS + 1);
        let last = found.last().expect("not empty");
        assert_eq!(
            (last.code, last.severity),
            (Code::TooManyProblems, Severity::Error)
        );
    }

    #[test]
    fn a_line_with_a_password_is_not_repeated() {
        let mut sink = Sink::new("f");
        sink.warn(Code::UnknownKeyword, Span::line(1), "m");
        sink.warn(Code::UnknownKeyword, Span::line(2), "m");
        let found = sink.finish("auth_pas hunter2\nstate X");
        assert_eq!(found[0].source, None);
        assert_eq!(found[1].source.as_deref(), Some("state X"));
    }
}
