//! A line of configuration, and where each part of it stands in which file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A place: 1-based line and column, both in characters, of one of the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// Index into the files of the [`super::sink::Sink`]; 0 is the main one.
    pub file: u16,
    pub line: u32,
    /// 0 where the whole line is meant.
    pub column: u32,
    pub width: u32,
}

impl Span {
    /// The main file as a whole.
    pub const FILE: Self = Self {
        file: 0,
        line: 0,
        column: 0,
        width: 0,
    };
}

/// One of the files that make up a configuration.
#[derive(Clone, Debug)]
pub struct Source {
    pub id: u16,
    pub text: Arc<str>,
    /// `None` for text that is in no file.
    pub path: Option<PathBuf>,
    /// What relative names in it start from.
    pub directory: Option<PathBuf>,
}

impl Source {
    pub fn new(id: u16, text: Arc<str>, path: Option<&Path>) -> Self {
        let parent = path.and_then(Path::parent);
        let directory = parent.map(|parent| match parent.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => parent.to_owned(),
        });
        Self {
            id,
            text,
            path: path.map(Path::to_owned),
            directory,
        }
    }
}

/// Text of one line after some of the language's own constructs were carried
/// out. All of it comes from one line of one file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Line {
    text: String,
    /// In ascending order of `at`; the first is at 0 unless the line is empty.
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Part {
    /// Byte of `text` where it starts.
    at: usize,
    /// Of its first character, or of all of it where it `stands_for` a use.
    origin: Span,
    /// The text is what a definition's use at `origin` became.
    stands_for: bool,
}

impl Line {
    /// A line as it stands in the file.
    pub fn new(text: &str, file: u16, line: u32) -> Self {
        let origin = Span {
            file,
            line,
            column: 1,
            width: 1,
        };
        Self {
            text: text.to_owned(),
            parts: vec![Part {
                at: 0,
                origin,
                stands_for: false,
            }],
        }
    }

    /// Text that a use at `origin` became.
    pub fn standing_for(text: &str, origin: Span) -> Self {
        let mut line = Self::default();
        line.push_standing_for(text, origin);
        line
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn push_standing_for(&mut self, text: &str, origin: Span) {
        if !text.is_empty() {
            self.parts.push(Part {
                at: self.text.len(),
                origin,
                stands_for: true,
            });
            self.text.push_str(text);
        }
    }

    /// Bytes `from..to` of another line, with their places.
    pub fn push(&mut self, other: &Self, from: usize, to: usize) {
        let Some(text) = other.text.get(from..to).filter(|text| !text.is_empty()) else {
            return;
        };
        let base = self.text.len();
        let first = other.part_at(from);
        for (index, part) in other.parts.iter().enumerate().skip(first) {
            if part.at >= to {
                break;
            }
            let mut moved = *part;
            if index == first && !part.stands_for {
                let passed = other.text.get(part.at..from).map_or(0, characters);
                moved.origin.column = part.origin.column.saturating_add(passed);
            }
            moved.at = base.saturating_add(part.at.saturating_sub(from));
            self.parts.push(moved);
        }
        self.text.push_str(text);
    }

    /// From byte `from` on.
    pub fn tail(&self, from: usize) -> Self {
        let mut tail = Self::default();
        tail.push(self, from, self.text.len());
        tail
    }

    /// Without the white space around it.
    pub fn trimmed(self) -> Self {
        let start = self.text.len() - self.text.trim_start().len();
        let end = self.text.trim_end().len();
        if start == 0 && end == self.text.len() {
            return self;
        }
        let mut trimmed = Self::default();
        trimmed.push(&self, start, end);
        trimmed
    }

    /// Where bytes `from..to` come from.
    pub fn span(&self, from: usize, to: usize) -> Span {
        let Some(first) = self.parts.get(self.part_at(from)) else {
            return Span::FILE;
        };
        let start = self.edge(first, from);
        let last_at = to.saturating_sub(1).max(from);
        let end = match self.parts.get(self.part_at(last_at)) {
            Some(last) if last.stands_for => last.origin.column.saturating_add(last.origin.width),
            Some(last) => self.edge(last, to),
            None => start,
        };
        Span {
            column: start,
            width: end.saturating_sub(start).max(1),
            ..first.origin
        }
    }

    /// The column of byte `at` of a part.
    fn edge(&self, part: &Part, at: usize) -> u32 {
        if part.stands_for {
            return part.origin.column;
        }
        let passed = self.text.get(part.at..at).map_or(0, characters);
        part.origin.column.saturating_add(passed)
    }

    /// The index of the part that byte `at` belongs to.
    fn part_at(&self, at: usize) -> usize {
        self.parts
            .partition_point(|part| part.at <= at)
            .saturating_sub(1)
    }

    /// All of it.
    pub fn whole(&self) -> Span {
        self.span(0, self.text.len())
    }
}

fn characters(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: &Line, from: usize, to: usize) -> (u32, u32) {
        let span = line.span(from, to);
        (span.column, span.width)
    }

    #[test]
    fn parts_keep_their_places() {
        let line = Line::new("  äb $X c", 3, 7);
        assert_eq!(place(&line, 2, 5), (3, 2));
        let mut made = Line::default();
        made.push(&line, 2, 6);
        made.push_standing_for("some thing", line.span(6, 8));
        made.push(&line, 8, 10);
        assert_eq!(made.text(), "äb some thing c");
        assert_eq!(place(&made, 0, 3), (3, 2));
        assert_eq!(place(&made, 4, 8), (6, 2));
        assert_eq!(place(&made, 9, 14), (6, 2));
        assert_eq!(place(&made, 15, 16), (9, 1));
        assert_eq!(place(&made, 0, 16), (3, 7));
        let tail = made.tail(9);
        assert_eq!((tail.text(), place(&tail, 0, 5)), ("thing c", (6, 2)));
        assert_eq!(place(&tail, 6, 7), (9, 1));
        assert_eq!((tail.whole().file, tail.whole().line), (3, 7));
    }

    #[test]
    fn trimming_moves_the_start() {
        let line = Line::new("\t a b \t", 0, 1).trimmed();
        assert_eq!((line.text(), place(&line, 0, 1)), ("a b", (3, 1)));
        assert_eq!(Line::new("  ", 0, 1).trimmed().text(), "");
        assert_eq!(Line::default().whole(), Span::FILE);
    }
}
