//! `$NAME=value`, on one line or, with a backslash at its end, on several.

use std::collections::HashMap;

use super::limits::MAX_VALUE;
use super::predefined;
use crate::config::text::Line;

/// What a name stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    Text(String),
    /// Replaced only where the name starts a line.
    Lines(Vec<String>),
}

#[derive(Debug, Default)]
pub struct Definitions {
    values: HashMap<String, Value>,
    /// The lines so far of a value that is not complete, and their bytes.
    open: Option<(String, Vec<String>, usize)>,
}

impl Definitions {
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    pub fn set(&mut self, name: &str, value: String) {
        self.values.insert(name.to_owned(), Value::Text(value));
    }

    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a line is a definition: no blank before the `=`.
    pub fn defines(&self, line: &Line) -> bool {
        split(line.text()).is_some()
    }

    /// Takes a definition. Returns what to warn of.
    pub fn define(&mut self, line: &Line) -> Option<String> {
        let (name, value) = split(line.text())?;
        match value.strip_suffix('\\') {
            Some(first) => {
                let first = first.trim();
                let lines = if first.is_empty() {
                    Vec::new()
                } else {
                    vec![first.to_owned()]
                };
                self.open = Some((name.to_owned(), lines, first.len()));
            }
            None => self.set(name, value.to_owned()),
        }
        predefined::is_name(name).then(|| format!("this hides what ${{{name}}} stands for"))
    }

    /// The next line of an open definition. False where it is too long now.
    pub fn add_line(&mut self, text: &str) -> bool {
        let Some((_, lines, bytes)) = &mut self.open else {
            return true;
        };
        let (text, more) = match text.strip_suffix('\\') {
            Some(text) => (text.trim_end(), true),
            None => (text, false),
        };
        *bytes = bytes.saturating_add(text.len());
        if *bytes > MAX_VALUE {
            return false;
        }
        if !text.is_empty() {
            lines.push(text.to_owned());
        }
        if !more {
            self.close();
        }
        true
    }

    /// The value is complete, or its file ended.
    pub fn close(&mut self) {
        if let Some((name, lines, _)) = self.open.take() {
            self.values.insert(name, Value::Lines(lines));
        }
    }
}

fn split(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.strip_prefix('$')?.split_once('=')?;
    is_name(name).then(|| (name, value.trim()))
}

/// Letters, digits and underscores, no digit first.
fn is_name(name: &str) -> bool {
    name_length(name) == name.len() && !name.is_empty()
}

/// Bytes of the name that `text` starts with; 0 where it starts with none.
pub fn name_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        .count()
}
