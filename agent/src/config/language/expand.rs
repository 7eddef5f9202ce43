//! `$NAME` and `${NAME}`: replaced where they are used, the result again.

use super::definition::{Value, name_length};
use super::limits::{MAX_NESTING, MAX_VALUE};
use super::{Language, predefined};
use crate::config::diagnostic::Code;
use crate::config::text::{Line, Source, Span};

/// A use of a name in a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Use<'a> {
    name: &'a str,
    /// What stands after the name in the braces: `${_RANDOM 1 6}`.
    arguments: &'a str,
    /// Bytes from the `$` to the end.
    length: usize,
}

/// The use that `text` starts with, which starts with `$`.
fn use_at(text: &str) -> Option<Use<'_>> {
    let after = text.strip_prefix('$')?;
    if let Some(inner) = after.strip_prefix('{') {
        let (inner, _) = inner.split_once('}')?;
        let (name, arguments) = inner.split_at_checked(name_length(inner))?;
        let plain = arguments.is_empty() || arguments.starts_with(' ');
        return (plain && !name.is_empty()).then_some(Use {
            name,
            arguments: arguments.trim(),
            length: inner.len().saturating_add(3),
        });
    }
    let name = after.get(..name_length(after))?;
    (!name.is_empty()).then_some(Use {
        name,
        arguments: "",
        length: name.len().saturating_add(1),
    })
}

impl Language<'_> {
    /// The line with everything replaced that has a value, and whether there
    /// was any. `None` where a bound was met, which is reported.
    pub(super) fn expand(&mut self, line: &Line, source: &Source) -> Option<(Line, bool)> {
        if !line.text().contains('$') {
            return Some((line.clone(), false));
        }
        let mut expanded = Line::default();
        let mut changed = false;
        let mut kept = 0;
        let mut at = 0;
        while let Some(found) = line.text().get(at..).and_then(|rest| rest.find('$')) {
            let from = at.saturating_add(found);
            at = from.saturating_add(1);
            let Some(used) = line.text().get(from..).and_then(use_at) else {
                continue;
            };
            let to = from.saturating_add(used.length);
            let place = line.span(from, to);
            let Some(value) = self.value(used, place, source, 0)? else {
                continue;
            };
            expanded.push(line, kept, from);
            expanded.push_standing_for(&value, place);
            changed = true;
            kept = to;
            at = to;
            if expanded.text().len() > MAX_VALUE {
                return self.too_long(place);
            }
        }
        expanded.push(line, kept, line.text().len());
        Some((expanded, changed))
    }

    /// What a use stands for, completely expanded; `Some(None)` where it
    /// stands for itself.
    fn value(
        &mut self,
        used: Use<'_>,
        place: Span,
        source: &Source,
        depth: usize,
    ) -> Option<Option<String>> {
        let text = match self.definitions.get(used.name) {
            Some(Value::Text(_)) if !used.arguments.is_empty() => return Some(None),
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Lines(_)) => {
                self.not_at_the_start(used.name, place);
                return Some(None);
            }
            None => return Some(self.predefined(used, place, source)),
        };
        if depth >= MAX_NESTING || self.budget.take_step().is_err() {
            let message = format!("what ${} stands for never ends", used.name);
            self.budget.stop(
                self.sink,
                place,
                message,
                "a definition must not need itself",
            );
            return None;
        }
        self.expand_text(text, place, source, depth).map(Some)
    }

    fn expand_text(
        &mut self,
        text: String,
        place: Span,
        source: &Source,
        depth: usize,
    ) -> Option<String> {
        if !text.contains('$') {
            return Some(text);
        }
        let mut expanded = String::new();
        let mut rest = text.as_str();
        while let Some(found) = rest.find('$') {
            let (before, here) = rest.split_at_checked(found)?;
            expanded.push_str(before);
            let value = match use_at(here) {
                Some(used) => {
                    let value = self.value(used, place, source, depth.saturating_add(1))?;
                    value.map(|value| (value, used.length))
                }
                None => None,
            };
            let (value, length) = value.unwrap_or_else(|| ("$".to_owned(), 1));
            expanded.push_str(&value);
            rest = here.get(length..).unwrap_or_default();
            if expanded.len() > MAX_VALUE {
                return self.too_long(place);
            }
        }
        expanded.push_str(rest);
        Some(expanded)
    }

    fn predefined(&mut self, used: Use<'_>, place: Span, source: &Source) -> Option<String> {
        let value = predefined::value(
            &mut self.predefined,
            used.name,
            used.arguments,
            source,
            &self.config_id,
        )?;
        if value.is_none() {
            let message = format!("${{{} {}}} stands for nothing", used.name, used.arguments);
            self.sink
                .trap(Code::Definition, place, message)
                .help("set that variable in the environment of failoverd");
        }
        Some(value.unwrap_or_default())
    }

    fn too_long<T>(&mut self, place: Span) -> Option<T> {
        let message = format!("this stands for more than {} KiB", MAX_VALUE >> 10);
        self.budget.stop(
            self.sink,
            place,
            message,
            "a definition must not need itself",
        );
        None
    }

    fn not_at_the_start(&mut self, name: &str, place: Span) {
        let message =
            format!("${name} has several lines and is replaced at the start of a line only");
        self.sink
            .trap(Code::Definition, place, message)
            .help("put it first on a line of its own");
    }

    /// True where the line starts with a name that stands for several lines,
    /// which are carried out then.
    pub(super) fn many_lines(&mut self, line: &Line, source: &Source, depth: usize) -> bool {
        let Some(used) = use_at(line.text()).filter(|used| used.arguments.is_empty()) else {
            return false;
        };
        let Some(Value::Lines(lines)) = self.definitions.get(used.name) else {
            return false;
        };
        let lines = lines.clone();
        let place = line.span(0, used.length);
        let length = used.length;
        if self.budget.take_step().is_err() {
            let message = "too many definitions are used".to_owned();
            self.budget.stop(
                self.sink,
                place,
                message,
                "a definition must not need itself",
            );
            return true;
        }
        let mut lines = lines.iter().peekable();
        while let Some(text) = lines.next() {
            let mut made = Line::standing_for(text, place);
            if lines.peek().is_none() {
                made.push(line, length, line.text().len());
            }
            self.line(made, source, depth.saturating_add(1));
        }
        true
    }
}
