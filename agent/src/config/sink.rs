//! Collects the problems of one configuration, bounded, with their source lines.

use std::sync::Arc;

use super::diagnostic::{Code, Diagnostic, Severity, visible};
use super::keywords;
use super::lexer::MAX_LINE;
use super::text::Span;

/// Problems kept per configuration. A file of garbage has one on every line;
/// nobody reads more, and memory stays bounded.
pub const MAX_DIAGNOSTICS: usize = 500;

#[derive(Debug)]
pub struct Sink {
    /// Name and text, in the order of their first use; [`Span::file`] is the index.
    files: Vec<(Arc<str>, Arc<str>)>,
    found: Vec<Diagnostic>,
    /// The file of each of `found`.
    places: Vec<u16>,
    inactive: Vec<Inactive>,
    errors: usize,
    /// Of `found`.
    shown_errors: usize,
    config_errors: usize,
    left_out: usize,
}

/// What is carried out where the command line says so.
pub const VIRTUAL_SERVERS: &str = "virtual servers";

/// A part of failoverd that is still to come, and what of it the file asks for.
#[derive(Debug)]
struct Inactive {
    part: &'static str,
    keyword: String,
    span: Span,
    more: usize,
}

impl Sink {
    pub fn new(main: &str) -> Self {
        let mut sink = Self {
            files: Vec::new(),
            found: Vec::new(),
            places: Vec::new(),
            inactive: Vec::new(),
            errors: 0,
            shown_errors: 0,
            config_errors: 0,
            left_out: 0,
        };
        sink.add_file(main, Arc::from(""));
        sink
    }

    /// The [`Span::file`] of another file.
    pub fn add_file(&mut self, name: &str, text: Arc<str>) -> u16 {
        let id = u16::try_from(self.files.len()).unwrap_or(u16::MAX);
        self.files.push((Arc::from(visible(name)), text));
        id
    }

    /// The text of the main file, once it is there.
    pub fn set_main(&mut self, text: Arc<str>) {
        if let Some((_, main)) = self.files.first_mut() {
            *main = text;
        }
    }

    /// The configuration is not used.
    pub fn error(&mut self, code: Code, span: Span, message: impl Into<String>) -> Hint<'_> {
        self.push(Severity::Error, code, span, message.into(), true)
    }

    /// keepalived reports it too, takes a substitute and runs on.
    pub fn warn(&mut self, code: Code, span: Span, message: impl Into<String>) -> Hint<'_> {
        self.push(Severity::Warning, code, span, message.into(), true)
    }

    /// A trap: keepalived says nothing about it.
    pub fn trap(&mut self, code: Code, span: Span, message: impl Into<String>) -> Hint<'_> {
        self.push(Severity::Warning, code, span, message.into(), false)
    }

    pub fn note(&mut self, code: Code, span: Span, message: impl Into<String>) -> Hint<'_> {
        self.push(Severity::Note, code, span, message.into(), false)
    }

    /// As [`Self::note`], of what keepalived calls an error in the configuration.
    pub fn remark(&mut self, code: Code, span: Span, message: impl Into<String>) -> Hint<'_> {
        self.push(Severity::Note, code, span, message.into(), true)
    }

    /// A keyword of a part that is still to come. One line will tell of all.
    pub fn not_yet(&mut self, part: &'static str, keyword: &str, span: Span) {
        match self.inactive.iter_mut().find(|one| one.part == part) {
            Some(one) => one.more = one.more.saturating_add(1),
            None => self.inactive.push(Inactive {
                part,
                keyword: keyword.to_owned(),
                span,
                more: 0,
            }),
        }
    }

    pub const fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Nothing more will be shown, only counted.
    pub const fn is_full(&self) -> bool {
        self.found.len() >= MAX_DIAGNOSTICS
    }

    fn push(
        &mut self,
        severity: Severity,
        code: Code,
        span: Span,
        message: String,
        config_error: bool,
    ) -> Hint<'_> {
        if severity == Severity::Error {
            self.errors = self.errors.saturating_add(1);
        }
        if config_error {
            self.config_errors = self.config_errors.saturating_add(1);
        }
        if self.is_full() {
            self.left_out = self.left_out.saturating_add(1);
            // What keeps the configuration from being used is shown before
            // all that does not.
            let Some(lesser) = self.lesser(severity) else {
                return Hint(None);
            };
            self.found.swap_remove(lesser);
            self.places.swap_remove(lesser);
        }
        self.shown_errors = self
            .shown_errors
            .saturating_add(usize::from(severity == Severity::Error));
        self.places.push(span.file);
        self.found.push(Diagnostic {
            file: self.name(span.file),
            line: span.line,
            column: span.column,
            width: span.width,
            config_error,
            ..Diagnostic::new(severity, code, visible(&message))
        });
        Hint(self.found.last_mut())
    }

    /// Which of those that are kept may give way to one of `severity`.
    fn lesser(&self, severity: Severity) -> Option<usize> {
        if severity != Severity::Error || self.shown_errors >= MAX_DIAGNOSTICS {
            return None;
        }
        let of = |wanted: Severity| self.found.iter().rposition(|one| one.severity == wanted);
        of(Severity::Note).or_else(|| of(Severity::Warning))
    }

    /// The name of a file.
    pub fn name(&self, file: u16) -> Option<Arc<str>> {
        self.files
            .get(usize::from(file))
            .map(|(name, _)| Arc::clone(name))
    }

    /// In the order of the files and their lines, those of the whole first.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        let inactive = self.inactive_line();
        let virtual_servers = self.virtual_servers_line();
        let found = std::mem::take(&mut self.found);
        let mut found: Vec<_> = self.places.iter().copied().zip(found).collect();
        found.sort_by_key(|(file, diagnostic)| (*file, diagnostic.line, diagnostic.column));
        let mut shown: Vec<Diagnostic> = Vec::with_capacity(found.len().saturating_add(3));
        shown.extend(inactive);
        shown.extend(virtual_servers);
        let mut last = None;
        let mut lines = "".split('\n').zip(1u32..).peekable();
        for (file, mut diagnostic) in found {
            if last != Some(file) {
                last = Some(file);
                let text = self.files.get(usize::from(file));
                let text = text.map_or("", |(_, text)| text);
                lines = text.split('\n').zip(1u32..).peekable();
            }
            let wanted = diagnostic.line;
            while lines.next_if(|&(_, number)| number < wanted).is_some() {}
            let line = lines.peek().filter(|&&(_, number)| number == wanted);
            diagnostic.source = line.and_then(|(line, _)| source(line));
            shown.push(diagnostic);
        }
        shown.extend(self.rest_line());
        shown
    }

    fn rest_line(&self) -> Option<Diagnostic> {
        let severity = if self.errors > 0 {
            Severity::Error
        } else {
            Severity::Warning
        };
        let message = format!("{} further problems are not shown", self.left_out);
        (self.left_out > 0).then(|| Diagnostic {
            file: self.name(0),
            config_error: self.config_errors > 0,
            ..Diagnostic::new(severity, Code::TooManyProblems, message)
        })
    }

    /// The first keyword of virtual servers.
    fn virtual_servers(&self) -> Option<&Inactive> {
        self.inactive.iter().find(|one| one.part == VIRTUAL_SERVERS)
    }

    /// Apart from the others: `--ipvs` carries them out.
    fn virtual_servers_line(&self) -> Option<Diagnostic> {
        let Inactive { keyword, span, .. } = self.virtual_servers()?;
        let file = match self.name(span.file).filter(|_| span.file > 0) {
            Some(file) => format!("{file} "),
            None => String::new(),
        };
        let message = format!(
            "virtual servers are read and checked, not carried out ({keyword}, {file}line {})",
            span.line
        );
        Some(Diagnostic {
            file: self.name(0),
            help: Some("`failoverd run --ipvs` does, without health checks".to_owned()),
            ..Diagnostic::new(Severity::Warning, Code::VirtualServers, visible(&message))
        })
    }

    /// What a start says of the parts that are still to come.
    fn inactive_line(&self) -> Option<Diagnostic> {
        // Without virtual servers nothing else tells of their checkers.
        let told = self.virtual_servers().is_some();
        let is_told = |part| part == VIRTUAL_SERVERS || (told && part == keywords::CHECKERS);
        let parts = self.inactive.iter().filter(|one| !is_told(one.part));
        let one = |inactive: &Inactive| {
            let Inactive {
                part,
                keyword,
                span,
                more,
            } = inactive;
            let file = match self.name(span.file).filter(|_| span.file > 0) {
                Some(file) => format!("{file} "),
                None => String::new(),
            };
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{part} ({keyword}, {file}line {}{more})", span.line)
        };
        let parts: Vec<String> = parts.map(one).collect();
        if parts.is_empty() {
            return None;
        }
        let message = format!("read and checked, but not active yet: {}", parts.join("; "));
        Some(Diagnostic {
            file: self.name(0),
            help: Some("the rest of the configuration works without it".to_owned()),
            ..Diagnostic::new(Severity::Warning, Code::NotYet, visible(&message))
        })
    }
}

/// `None` where the line may hold a password: logs and bug reports are no
/// place for it. Usual misspellings of the keyword are caught too, and
/// definitions, which can stand for anything.
fn source(line: &str) -> Option<Arc<str>> {
    let line = line.trim_end_matches('\r');
    let lower = line.to_ascii_lowercase();
    let secret = ["auth_p", "pass", "key"]
        .iter()
        .any(|word| lower.contains(word));
    let definition = lower.contains('$') && lower.contains('=');
    (!secret && !definition && line.len() <= MAX_LINE).then(|| Arc::from(line))
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

    fn line(file: u16, line: u32) -> Span {
        Span {
            file,
            line,
            ..Span::FILE
        }
    }

    #[test]
    fn keeps_a_bounded_number_and_says_how_many_more() {
        let mut sink = Sink::new("f");
        for _ in 0..MAX_DIAGNOSTICS {
            sink.trap(Code::UnknownKeyword, line(0, 1), "w");
        }
        sink.error(Code::NoVip, line(0, 1), "the error that does not fit")
            .help("x");
        assert!(sink.has_errors());
        let found = sink.finish();
        assert_eq!(found.len(), MAX_DIAGNOSTICS + 1);
        assert!(
            found.iter().any(|one| one.code == Code::NoVip),
            "crowded out"
        );
        let last = found.last().expect("not empty");
        assert_eq!(
            (last.code, last.severity, last.config_error),
            (Code::TooManyProblems, Severity::Error, true)
        );
    }

    #[test]
    fn a_line_with_a_password_is_not_repeated() {
        let mut sink = Sink::new("f");
        sink.set_main("auth_pas hunter2\nstate X\n$P=hunter2".into());
        for number in 1..=3 {
            sink.warn(Code::UnknownKeyword, line(0, number), "m");
        }
        let found = sink.finish();
        assert_eq!(found[0].source, None);
        assert_eq!(found[1].source.as_deref(), Some("state X"));
        assert_eq!(found[2].source, None);
    }

    #[test]
    fn several_files_come_one_after_the_other_with_their_own_lines() {
        let mut sink = Sink::new("a");
        sink.set_main("a1\na2".into());
        let other = sink.add_file("b", "b1\nb2".into());
        sink.warn(Code::UnknownKeyword, line(other, 2), "m");
        sink.warn(Code::UnknownKeyword, line(0, 2), "m");
        sink.warn(Code::UnknownKeyword, line(0, 1), "m");
        sink.warn(Code::UnknownKeyword, line(other, 1), "m");
        let found = sink.finish();
        let sources: Vec<_> = found.iter().filter_map(|d| d.source.as_deref()).collect();
        assert_eq!(sources, ["a1", "a2", "b1", "b2"]);
        assert_eq!(found[3].to_string(), "(b: Line 2) m");
    }

    #[test]
    fn one_line_tells_what_is_not_active_yet() {
        let mut sink = Sink::new("a");
        let other = sink.add_file("b", "".into());
        sink.not_yet("tracking", "track_file", line(0, 4));
        sink.not_yet("scripts", "vrrp_script", line(other, 9));
        sink.not_yet("tracking", "track_process", line(0, 7));
        let found = sink.finish();
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].to_string(),
            "(a) read and checked, but not active yet: tracking (track_file, line 4 and 1 more); scripts (vrrp_script, b line 9)"
        );
        assert!(!found[0].config_error);
    }
}
