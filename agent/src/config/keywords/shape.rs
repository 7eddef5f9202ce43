//! What has to follow a keyword.

use super::{Block, List};
use crate::config::lexer::Word;
use crate::config::sink::Sink;

/// The words after a keyword, and its block.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub words: &'static [Argument],
    pub body: Body,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    None,
    Keywords(Block),
    List(List),
}

/// One place after a keyword.
#[derive(Clone, Copy, Debug)]
pub enum Argument {
    One(Kind),
    Maybe(Kind),
    /// One or more, to the end of the line.
    Several(Kind),
    /// The rest of the line: how it is written, and what looks at it.
    Rest(&'static str, fn(&Word, &[Word], &mut Sink)),
}

/// What one word may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Text,
    Name,
    /// Text that no message may repeat.
    Secret,
    File,
    /// A command line, perhaps in quotes.
    Script,
    User,
    /// A whole number of this range.
    Number(i64, i64),
    /// Seconds, of a range in microseconds.
    Seconds(u64, u64),
    /// Milliseconds, of a range in microseconds.
    Millis(u64, u64),
    /// on, off, true, false, yes, no.
    Switch,
    Choice(&'static [&'static str]),
    Address,
    /// A multicast group.
    Group,
    /// An address or a host name.
    Host,
    Port,
    Interface,
    /// An IPv4 netmask, or an IPv6 prefix length.
    Mask,
    /// Hexadecimal digits.
    Hex,
    /// As `Hex`, where X matches any digit.
    HexPattern,
    /// 32 hexadecimal digits.
    Digest,
    /// One HTTP status or a range of them.
    HttpStatus,
    /// A regular expression as Perl's.
    Regex,
}

pub const fn words(words: &'static [Argument]) -> Shape {
    Shape {
        words,
        body: Body::None,
    }
}

pub const fn block(words: &'static [Argument], inner: Block) -> Shape {
    Shape {
        words,
        body: Body::Keywords(inner),
    }
}

pub const fn list(inner: List) -> Shape {
    Shape {
        words: &[],
        body: Body::List(inner),
    }
}

impl Shape {
    /// How many words there have to be.
    pub fn least(&self) -> usize {
        let needed = |argument: &&Argument| match argument {
            Argument::One(_) | Argument::Several(_) => true,
            Argument::Maybe(_) | Argument::Rest(..) => false,
        };
        self.words.iter().filter(needed).count()
    }

    /// How many there may be; `None` for any number.
    pub fn most(&self) -> Option<usize> {
        let endless = |argument: &Argument| match argument {
            Argument::Several(_) | Argument::Rest(..) => true,
            Argument::One(_) | Argument::Maybe(_) => false,
        };
        (!self.words.iter().any(endless)).then_some(self.words.len())
    }

    pub fn is_secret(&self) -> bool {
        self.words
            .iter()
            .any(|argument| matches!(argument, Argument::One(Kind::Secret)))
    }

    /// As a manual writes it: `N [reverse]`.
    pub fn usage(&self) -> String {
        let mut parts: Vec<String> = self.words.iter().map(Argument::usage).collect();
        match self.body {
            Body::None => {}
            Body::Keywords(_) => parts.push("{ ... }".into()),
            Body::List(list) => parts.push(format!("{{ {} ... }}", list.usage())),
        }
        parts.join(" ")
    }
}

impl Argument {
    fn usage(&self) -> String {
        match self {
            Self::One(kind) => kind.usage(),
            Self::Maybe(kind) => format!("[{}]", kind.usage()),
            Self::Several(kind) => format!("{} ...", kind.usage()),
            Self::Rest(usage, _) => (*usage).to_owned(),
        }
    }
}

impl Kind {
    pub fn usage(self) -> String {
        let range = |low: String, high: String, unit: &str| format!("{low}..{high}{unit}");
        let word = match self {
            Self::Text => "TEXT",
            Self::Name => "NAME",
            Self::Secret => "PASSWORD",
            Self::File => "FILE",
            Self::Script => "SCRIPT",
            Self::User => "USER",
            Self::Number(low, i64::MAX) => return format!("N >= {low}"),
            Self::Number(low, high) => return range(low.to_string(), high.to_string(), ""),
            Self::Seconds(..) => "SECONDS",
            Self::Millis(..) => "MILLISECONDS",
            Self::Switch => "on|off",
            Self::Choice(words) => return words.join("|"),
            Self::Address => "ADDRESS",
            Self::Group => "GROUP",
            Self::Host => "HOST",
            Self::Port => "PORT",
            Self::Interface => "INTERFACE",
            Self::Mask => "NETMASK",
            Self::Hex => "HEX",
            Self::HexPattern => "HEX",
            Self::Digest => "MD5",
            Self::HttpStatus => "STATUS[-STATUS]",
            Self::Regex => "REGEX",
        };
        word.to_owned()
    }
}
