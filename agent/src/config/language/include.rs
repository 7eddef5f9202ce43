//! `include` and its stricter variants: other files, read in its place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use glob::{MatchOptions, Pattern, glob_with};

use super::Language;
use super::limits::{MAX_FILE_DEPTH, MAX_FILES};
use crate::config::diagnostic::Code;
use crate::config::lexer::{self, MAX_FILE};
use crate::config::load::read;
use crate::config::text::{Line, Source, Span};

/// As libc's glob: a wildcard matches neither `/` nor a dot at the start.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// What about an include is an error: `include_check` and the variants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Check {
    /// A match that is no readable file.
    readable: bool,
    /// No match of a name without a wildcard.
    matches: bool,
    /// No match of a name with one.
    wildcard: bool,
    /// An alternative in braces without a match.
    brace: bool,
}

impl Check {
    pub const ALL: Self = Self {
        readable: true,
        matches: true,
        wildcard: true,
        brace: true,
    };

    /// The words of `include_check`: they replace what was there, or add to it
    /// (`+`) or take from it (`-`). None means all.
    pub fn set<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        let mut words = words.peekable();
        if words.peek().is_none() {
            *self = Self::ALL;
        } else if words
            .peek()
            .is_some_and(|first| !first.starts_with(['+', '-']))
        {
            *self = Self::default();
        }
        let mut on = true;
        for word in words {
            let name = match word.split_at_checked(1) {
                Some(("+", name)) => {
                    on = true;
                    name
                }
                Some(("-", name)) => {
                    on = false;
                    name
                }
                _ => word,
            };
            match name {
                "readable" => self.readable = on,
                "match" => self.matches = on,
                "wildcard_match" => self.wildcard = on,
                "brace_match" => self.brace = on,
                // The keyword table reports it.
                _ => {}
            }
        }
    }

    const fn and(self, other: Self) -> Self {
        let matches = self.matches || other.matches;
        let wildcard = self.wildcard || other.wildcard;
        let brace = self.brace || other.brace;
        Self {
            readable: self.readable || other.readable || matches || wildcard || brace,
            matches,
            wildcard,
            brace,
        }
    }
}

/// What a keyword of the family adds to the checks; `None` for other keywords.
pub fn variant(keyword: &str) -> Option<Check> {
    let none = Check::default();
    Some(match keyword {
        "include" => none,
        "includer" => Check {
            readable: true,
            ..none
        },
        "includem" => Check {
            matches: true,
            ..none
        },
        "includew" => Check {
            wildcard: true,
            ..none
        },
        "includeb" => Check {
            brace: true,
            ..none
        },
        "includea" => Check::ALL,
        _ => return None,
    })
}

/// The files that are open, and how many there were.
#[derive(Debug)]
pub struct Files {
    allowed: bool,
    open: Vec<PathBuf>,
    count: usize,
}

impl Files {
    pub const fn new(allowed: bool) -> Self {
        Self {
            allowed,
            open: Vec::new(),
            count: 0,
        }
    }

    pub fn enter_main(&mut self, source: &Source) {
        self.open.extend(source.path.as_deref().map(identity));
    }
}

fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

impl Language<'_> {
    pub(super) fn include(&mut self, line: &Line, variant: Check, source: &Source) {
        let text = line.text();
        let start = text.find(lexer::is_space).unwrap_or(text.len());
        let name = text.get(start..).unwrap_or_default().trim();
        let at = text.len().saturating_sub(name.len());
        let place = line.span(at, text.len());
        let Some(directory) = source.directory.as_ref().filter(|_| self.files.allowed) else {
            let message = format!("include '{name}' is possible in a file only");
            self.sink.error(Code::IncludeMissing, place, message);
            return;
        };
        let check = self.check.and(variant);
        let alternatives = alternatives(name);
        let mut found = Vec::new();
        for alternative in &alternatives {
            let matches = matches(directory, alternative);
            if matches.is_empty() && alternatives.len() > 1 && check.brace {
                let message = format!("Some config files missing: nothing matches '{alternative}'");
                self.missing(true, place, message);
            }
            found.extend(matches);
        }
        if found.is_empty() {
            let wild = has_wildcard(name);
            let strict = if wild { check.wildcard } else { check.matches };
            let message = if wild {
                format!("No config files matched '{name}'")
            } else {
                format!("Config files missing '{name}'")
            };
            self.missing(strict, place, message);
        }
        for path in found {
            if !self.budget.is_spent() {
                self.include_file(&path, check, place);
            }
        }
    }

    fn missing(&mut self, strict: bool, place: Span, message: String) {
        let hint = if strict {
            self.sink.error(Code::IncludeMissing, place, message)
        } else {
            self.sink.trap(Code::IncludeMissing, place, message)
        };
        hint.help("names start from the directory of this file; quotes are part of the name");
    }

    fn include_file(&mut self, path: &Path, check: Check, place: Span) {
        let shown = path.display().to_string();
        let identity = identity(path);
        if self.files.open.contains(&identity) {
            let message = format!("'{shown}' includes itself");
            self.sink
                .error(Code::IncludeCycle, place, message)
                .help("remove one of the includes of the circle");
            return;
        }
        if self.files.open.len() >= MAX_FILE_DEPTH || self.files.count >= MAX_FILES {
            let message = format!(
                "more than {MAX_FILES} files, or more than {MAX_FILE_DEPTH} within each other"
            );
            self.sink
                .error(Code::TooManyIncludes, place, message)
                .help("join some of them");
            return;
        }
        self.files.count = self.files.count.saturating_add(1);
        let bytes = match read(path) {
            Ok(bytes) if bytes.len() <= MAX_FILE => bytes,
            Ok(_) => {
                let message = format!("'{shown}' has more than {} MiB", MAX_FILE >> 20);
                self.sink.error(Code::FileTooBig, place, message);
                return;
            }
            Err(error) => {
                let message = format!("'{shown}' cannot be read: {error}");
                self.missing(check.readable, place, message);
                return;
            }
        };
        let text: Arc<str> = Arc::from(lexer::decode(&bytes));
        let id = self.sink.add_file(&shown, Arc::clone(&text));
        self.files.open.push(identity);
        let check = self.check;
        self.file(&Source::new(id, text, Some(path)));
        self.check = check;
        self.files.open.pop();
    }
}

fn has_wildcard(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

fn matches(directory: &Path, name: &str) -> Vec<PathBuf> {
    if !has_wildcard(name) {
        let path = directory.join(name);
        return match path.symlink_metadata() {
            Ok(_) => vec![path],
            Err(_) => Vec::new(),
        };
    }
    let mut pattern = if name.starts_with('/') {
        name.to_owned()
    } else {
        let directory = directory.to_str().map(Pattern::escape);
        format!("{}/{name}", directory.unwrap_or_default())
    };
    // To the crate two stars mean whole trees, to keepalived as much as one.
    while pattern.contains("**") {
        pattern = pattern.replace("**", "*");
    }
    let found = glob_with(&pattern, MATCHING).into_iter().flatten();
    found
        .filter_map(Result::ok)
        .take(MAX_FILES.saturating_add(1))
        .collect()
}

/// The names that one with braces stands for, in order: csh's rules.
fn alternatives(name: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        if done.len() >= MAX_FILES {
            break;
        }
        match first_braces(&name) {
            Some((before, parts, after)) => {
                let made = parts
                    .iter()
                    .rev()
                    .map(|part| format!("{before}{part}{after}"));
                open.extend(made.take(MAX_FILES));
            }
            None => done.push(name),
        }
    }
    done
}

/// What is before the first braces, their parts, and what is after them.
fn first_braces(name: &str) -> Option<(&str, Vec<&str>, &str)> {
    let (before, inner) = name.split_once('{')?;
    let mut depth = 0_usize;
    let mut start = 0;
    let mut parts = Vec::new();
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'{' => depth = depth.saturating_add(1),
            b',' if depth == 0 => {
                parts.push(inner.get(start..at)?);
                start = at.saturating_add(1);
            }
            b'}' if depth == 0 => {
                parts.push(inner.get(start..at)?);
                return Some((before, parts, inner.get(at.saturating_add(1)..)?));
            }
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_as_in_csh() {
        assert_eq!(alternatives("a"), ["a"]);
        assert_eq!(alternatives("a{b,c}d"), ["abd", "acd"]);
        assert_eq!(
            alternatives("{foo/{,cat,dog},bar}.x"),
            ["foo/.x", "foo/cat.x", "foo/dog.x", "bar.x"]
        );
        assert_eq!(alternatives("{a,b}{1,2}"), ["a1", "a2", "b1", "b2"]);
        assert_eq!(alternatives("a{b"), ["a{b"]);
        assert_eq!(alternatives("a}b"), ["a}b"]);
        assert!(alternatives(&"{a,b}".repeat(60)).len() <= MAX_FILES);
    }

    #[test]
    fn include_check_replaces_adds_and_takes_away() {
        let mut check = Check::default();
        check.set("match".split(' '));
        assert!(check.matches && !check.wildcard);
        check.set("+wildcard_match -match".split(' '));
        assert!(!check.matches && check.wildcard);
        check.set([].into_iter());
        assert_eq!(check, Check::ALL);
        check.set("readable".split(' '));
        assert!(check.readable && !check.brace);
        assert!(check.and(variant("includeb").expect("known")).brace);
    }
}
