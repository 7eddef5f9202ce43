//! `~SEQ`, `~SEQx` and `~LST`: the rest of the line once for each value.

use super::definition::name_length;
use super::{Language, limits};
use crate::config::diagnostic::Code;
use crate::config::text::{Line, Source};

pub fn starts(text: &str) -> bool {
    ["~SEQ(", "~SEQx(", "~LST("]
        .iter()
        .any(|start| text.starts_with(start))
}

/// What the rest of the line is done for.
enum Sequence {
    Numbers {
        name: String,
        start: i64,
        step: i64,
        end: i64,
        hexadecimal: bool,
    },
    Lists {
        names: Vec<String>,
        /// One value for each name.
        values: Vec<Vec<String>>,
    },
}

impl Language<'_> {
    pub(super) fn sequence(&mut self, line: &Line, source: &Source, depth: usize) {
        let text = line.text();
        let Some((open, close)) = text.find('(').zip(text.find(')')) else {
            self.bad_sequence(line, "it has no ')'");
            return;
        };
        let mut head = Line::default();
        head.push(line, open.saturating_add(1), close);
        let Some((head, _)) = self.expand(&head, source) else {
            return;
        };
        let keyword = text.get(..open).unwrap_or_default();
        let parsed = match keyword {
            "~LST" => lists(head.text()),
            _ => numbers(head.text(), keyword == "~SEQx"),
        };
        let rest = line.tail(close.saturating_add(1)).trimmed();
        match parsed {
            Err(why) => self.bad_sequence(line, why),
            Ok(Sequence::Lists { names, values }) => {
                for row in values {
                    for (name, value) in names.iter().zip(row) {
                        self.definitions.set(name, value);
                    }
                    if !self.step(&rest, source, depth) {
                        return;
                    }
                }
            }
            Ok(Sequence::Numbers {
                name,
                start,
                step,
                end,
                hexadecimal,
            }) => {
                let mut value = start;
                while if step > 0 { value <= end } else { value >= end } {
                    let text = if hexadecimal {
                        format!("{value:x}")
                    } else {
                        value.to_string()
                    };
                    self.definitions.set(&name, text);
                    if !self.step(&rest, source, depth) {
                        return;
                    }
                    let Some(next) = value.checked_add(step) else {
                        return;
                    };
                    value = next;
                }
            }
        }
    }

    /// False where there must be no more.
    fn step(&mut self, rest: &Line, source: &Source, depth: usize) -> bool {
        if self.budget.take_step().is_err() {
            let message = format!("sequences of more than {} steps", limits::MAX_STEPS);
            self.budget
                .stop(self.sink, rest.whole(), message, "check where they end");
        }
        self.line(rest.clone(), source, depth.saturating_add(1));
        !self.budget.is_spent()
    }

    fn bad_sequence(&mut self, line: &Line, why: &str) {
        let message = format!("Invalid sequence: {why}");
        self.sink
            .error(Code::BadSequence, line.whole(), message)
            .help("write ~SEQ(NAME, START, STEP, END), or ~LST(NAME, VALUE, ...), and then what is repeated");
    }
}

fn numbers(text: &str, hexadecimal: bool) -> Result<Sequence, &'static str> {
    let words: Vec<&str> = text.split(',').map(str::trim).collect();
    let (name, given) = words.split_first().ok_or("it has no name")?;
    let name = variable(name)?;
    let given: Vec<i64> = given
        .iter()
        .map(|word| integer(word))
        .collect::<Option<_>>()
        .ok_or("its numbers cannot be read")?;
    let sign = |from: i64, to: i64| if to < from { -1 } else { 1 };
    let (start, step, end) = match *given.as_slice() {
        [end] => (sign(0, end), sign(0, end), end),
        [start, end] => (start, sign(start, end), end),
        [start, step, end] => (start, step, end),
        _ => return Err("it needs one to three numbers"),
    };
    if step == 0 {
        return Err("a step of 0 never ends");
    }
    if start != end && (step > 0) != (end > start) {
        return Err("its step leads away from its end");
    }
    if hexadecimal && (start < 0 || end < 0) {
        return Err("~SEQx has no negative numbers");
    }
    Ok(Sequence::Numbers {
        name,
        start,
        step,
        end,
        hexadecimal,
    })
}

fn variable(name: &str) -> Result<String, &'static str> {
    let length = name_length(name);
    if length == 0 || length != name.len() {
        return Err("its variable needs a name of letters, digits and underscores");
    }
    Ok(name.to_owned())
}

/// Decimal, or hexadecimal after `0x`.
fn integer(word: &str) -> Option<i64> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let hexadecimal = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    let value = match hexadecimal {
        Some(digits) if !digits.starts_with(['+', '-']) => i64::from_str_radix(digits, 16).ok()?,
        None if digits.starts_with(|c: char| c.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) | None => return None,
    };
    Some(if negative { -value } else { value })
}

fn lists(text: &str) -> Result<Sequence, &'static str> {
    let mut words = elements(text)?.into_iter();
    let names = words.next().ok_or("it has no name")?;
    let names: Vec<String> = names
        .iter()
        .map(|name| variable(name))
        .collect::<Result<_, _>>()?;
    let mut values = Vec::new();
    for mut row in words {
        if row.len() > names.len() {
            return Err("one of its lists has more values than there are names");
        }
        // Observed: values that are not given are empty.
        row.resize(names.len(), "");
        values.push(row.into_iter().map(str::to_owned).collect());
    }
    if values.is_empty() {
        return Err("it has no values");
    }
    Ok(Sequence::Lists { names, values })
}

/// `a, {b, c}, d`: each element with its one value or its values.
fn elements(text: &str) -> Result<Vec<Vec<&str>>, &'static str> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    loop {
        if let Some(inner) = rest.strip_prefix('{') {
            let (inner, after) = inner.split_once('}').ok_or("a '{' in it is not closed")?;
            found.push(inner.split(',').map(str::trim).collect());
            rest = after.trim_start();
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err("after '}' comes ',' or ')'");
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if word.trim().contains(char::is_whitespace) {
                return Err("a value in it has a space");
            }
            found.push(vec![word.trim()]);
            rest = after;
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None => return Ok(found),
        }
    }
}
