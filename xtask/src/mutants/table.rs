//! Which bug was caught by what.

use std::{fmt, time::Duration};

use super::hunt::{Catcher, Found};

#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub what: String,
    /// Those that ran, in their order.
    pub by: Vec<(Catcher, Found)>,
    pub took: Duration,
}

impl Row {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn is_caught(&self) -> bool {
        self.by
            .iter()
            .any(|(_, found)| matches!(found, Found::Caught(_)))
    }

    fn number(&self) -> &str {
        self.name.split('-').next().unwrap_or_default()
    }

    fn catches(&self) -> String {
        let each = self.by.iter().map(|(catcher, found)| match found {
            Found::Caught(by) => by.clone(),
            Found::Nothing => format!("({catcher}: nothing)"),
        });
        each.collect::<Vec<_>>().join("; ")
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_caught() { "caught" } else { "MISSED" };
        let seconds = self.took.as_secs();
        write!(f, "{word}  {} ({seconds} s): {}", self.name, self.catches())
    }
}

/// The table of docs/PROOF.md.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = "| | bug | caught by |\n|---|---|---|\n".to_owned();
    for row in rows {
        text += &format!("| {} | {} | {} |\n", row.number(), row.what, row.catches());
    }
    text
}

pub fn json(rows: &[Row]) -> serde_json::Value {
    let row = |row: &Row| {
        let by = row.by.iter().map(|(catcher, found)| {
            let caught = match found {
                Found::Caught(by) => Some(by),
                Found::Nothing => None,
            };
            serde_json::json!({ "ran": catcher.to_string(), "caught": caught })
        });
        serde_json::json!({
            "name": row.name,
            "bug": row.what,
            "caught": row.is_caught(),
            "by": by.collect::<Vec<_>>(),
            "seconds": row.took.as_secs(),
        })
    };
    rows.iter().map(row).collect()
}
