//! What is wrong with a configuration, where, and what to do about it.

use std::fmt::{self, Write as _};
use std::sync::Arc;

/// How much a [`Diagnostic`] matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Nothing is lost: the line changes nothing here, or says what is so anyway.
    Note,
    /// The configuration is used, but not as it is written.
    Warning,
    /// The configuration is not used.
    Error,
}

impl Severity {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// The kind of a [`Diagnostic`], for tools and tests: its name never changes.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Code {
            $($(#[$doc])* $variant,)+
        }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

codes! {
    /// The file cannot be opened or read.
    Unreadable = "unreadable",
    /// More than `lexer::MAX_FILE` bytes.
    FileTooBig = "file-too-big",
    /// An include that matches nothing, or no file that can be read.
    IncludeMissing = "include-missing",
    /// A file that includes itself, at once or through others.
    IncludeCycle = "include-cycle",
    /// Too many files, or too many within each other.
    TooManyIncludes = "too-many-includes",
    /// More lines than a configuration may have, or definitions that never end.
    TooMuch = "too-much",
    /// A definition that is used in a way it cannot be.
    Definition = "definition",
    /// ~SEQ or ~LST that cannot be read.
    BadSequence = "bad-sequence",
    /// A statement line of more than `lexer::MAX_LINE` bytes.
    LineTooLong = "line-too-long",
    /// Not UTF-8, or a control character.
    NotText = "not-text",
    UnclosedQuote = "unclosed-quote",
    UnclosedBlock = "unclosed-block",
    /// A `}` that closes nothing.
    StrayClose = "stray-close",
    /// A `{` without a keyword before it.
    StrayOpen = "stray-open",
    TooDeep = "too-deep",
    /// keepalived does not know the keyword either.
    UnknownKeyword = "unknown-keyword",
    /// A keyword of another block.
    Misplaced = "misplaced",
    /// keepalived knows the keyword, failoverd does not act on it yet. One
    /// line for the whole configuration.
    NotYet = "not-yet",
    /// Virtual servers, which are carried out with `--ipvs` only. One line for
    /// the whole configuration.
    VirtualServers = "virtual-servers",
    WithoutEffect = "without-effect",
    /// keepalived had other plans with the keyword, or has it no more.
    Deprecated = "deprecated",
    /// A name that nothing has.
    UnknownName = "unknown-name",
    /// Something that its block cannot do without.
    Incomplete = "incomplete",
    /// Would be dangerous to ignore.
    Refused = "refused",
    MissingValue = "missing-value",
    MissingBlock = "missing-block",
    UnexpectedBlock = "unexpected-block",
    ExtraWords = "extra-words",
    /// Given more than once; the last one counts.
    Repeated = "repeated",
    /// A value that cannot be read; keepalived's default is used.
    BadValue = "bad-value",
    /// A number outside its range; keepalived's substitute is used.
    OutOfRange = "out-of-range",
    /// An interval between two that the protocol version can carry.
    Rounded = "rounded",
    BadAddress = "bad-address",
    BadInterface = "bad-interface",
    WrongFamily = "wrong-family",
    Duplicate = "duplicate",
    MissingVrid = "missing-vrid",
    MissingInterface = "missing-interface",
    NoVip = "no-vip",
    TooManyPeers = "too-many-peers",
    TooManyVips = "too-many-vips",
    TooManyInstances = "too-many-instances",
    /// `unicast_src_ip` without peers, so multicast is used.
    NoPeers = "no-peers",
    PasswordTruncated = "password-truncated",
    PasswordUnused = "password-unused",
    /// Two keywords that exclude each other; which one counts is said.
    Conflict = "conflict",
    /// VRRPv2 asked for with IPv6.
    VersionForced = "version-forced",
    /// The first IPv6 VIP is not link-local (RFC 9568 5.2.9).
    NotLinkLocal = "not-link-local",
    OwnInterface = "own-interface",
    /// Read by keepalived after what it should apply to, once it reloads.
    Order = "order",
    /// A VIP without /LEN.
    NoPrefix = "no-prefix",
    /// Priority 255 without a sign that the address is this machine's.
    NotOwner = "not-owner",
    /// What vrrp_strict forbids.
    Strict = "strict",
    /// A script that cannot be found or run.
    ScriptMissing = "script-missing",
    /// A script that somebody else than root could change.
    InsecureScript = "insecure-script",
    /// No instance in the whole file.
    NoInstance = "no-instance",
    /// Problems beyond `sink::MAX_DIAGNOSTICS`.
    TooManyProblems = "too-many-problems",
}

/// One problem. Its `Display` is keepalived's form, `(file: Line N) text`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    pub severity: Severity,
    pub code: Code,
    /// `None` for what came from the command line.
    pub file: Option<Arc<str>>,
    /// 1-based; 0 where the whole file is meant.
    pub line: u32,
    /// 1-based, in characters; 0 where the whole line is meant.
    pub column: u32,
    /// Characters from `column` that are meant.
    pub width: u32,
    pub message: String,
    /// What to do, one sentence.
    pub help: Option<String>,
    /// keepalived takes it for an error in the configuration: its `-t` ends
    /// with 5 where one is found. False for what it does not notice.
    pub config_error: bool,
    /// The line as it stands, but `None` where it could hold a password.
    pub source: Option<Arc<str>>,
}

impl Diagnostic {
    /// One that has no place in a file.
    pub fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            file: None,
            line: 0,
            column: 0,
            width: 0,
            message: message.into(),
            help: None,
            config_error: false,
            source: None,
        }
    }

    pub const fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Error)
    }

    /// On one line with its severity and the remedy, as compilers do it:
    /// `FILE:LINE: error: TEXT; REMEDY`.
    pub fn located(&self) -> String {
        let mut out = String::new();
        if let Some(file) = &self.file {
            out.push_str(file);
            if self.line > 0 {
                // Writing to a String cannot fail.
                let _ = write!(out, ":{}", self.line);
            }
            out.push_str(": ");
        }
        let _ = write!(out, "{}: {}", self.severity.word(), self.message);
        if let Some(help) = &self.help {
            let _ = write!(out, "; {help}");
        }
        out
    }

    /// The form for people at a terminal: several lines, with the source line,
    /// a caret under what is meant, and the remedy. Ends without a newline.
    pub fn rich(&self) -> String {
        let mut out = format!(
            "{}: {} [{}]",
            self.severity.word(),
            self.message,
            self.code.name()
        );
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        if let Some(file) = &self.file {
            // Writing to a String cannot fail.
            let _ = write!(out, "\n{gutter}--> {file}");
            if self.line > 0 {
                let _ = write!(out, ":{}:{}", self.line, self.column.max(1));
            }
        }
        if let Some(source) = &self.source {
            let _ = write!(out, "\n{gutter} |\n{number} | {}", visible(source));
            if self.column > 0 {
                let indent = " ".repeat(self.column.saturating_sub(1) as usize);
                let caret = "^".repeat(self.width.max(1) as usize);
                let _ = write!(out, "\n{gutter} | {indent}{caret}");
            }
        }
        if let Some(help) = &self.help {
            let _ = write!(out, "\n{gutter} = help: {help}");
        }
        out
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), 0) => write!(f, "({file}) {}", self.message),
            (Some(file), line) => write!(f, "({file}: Line {line}) {}", self.message),
            (None, _) => f.write_str(&self.message),
        }
    }
}

/// The same number of characters, one cell each, none of which moves a cursor.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Diagnostic {
        Diagnostic {
            file: Some("a.conf".into()),
            line: 12,
            column: 3,
            width: 4,
            help: Some("do this".into()),
            source: Some("\t\tprio\u{1b}".into()),
            ..Diagnostic::new(Severity::Warning, Code::UnknownKeyword, "what is wrong")
        }
    }

    #[test]
    fn keepalived_form() {
        assert_eq!(sample().to_string(), "(a.conf: Line 12) what is wrong");
        let whole = Diagnostic {
            line: 0,
            ..sample()
        };
        assert_eq!(whole.to_string(), "(a.conf) what is wrong");
        let flag = Diagnostic {
            file: None,
            ..sample()
        };
        assert_eq!(flag.to_string(), "what is wrong");
    }

    #[test]
    fn located_form_says_how_bad_it_is_and_what_to_do() {
        assert_eq!(
            sample().located(),
            "a.conf:12: warning: what is wrong; do this"
        );
        let flag = Diagnostic {
            file: None,
            help: None,
            ..sample()
        };
        assert_eq!(flag.located(), "warning: what is wrong");
    }

    #[test]
    fn rich_form_points_at_the_word() {
        let expected = "warning: what is wrong [unknown-keyword]\n  --> a.conf:12:3\n   |\n12 |   prio\u{fffd}\n   |   ^^^^\n   = help: do this";
        assert_eq!(sample().rich(), expected);
    }

    #[test]
    fn code_names_are_unique() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
