//! `diff`: two configurations, divided by a line `===`.
//!
//! Every instance of both is in exactly one delta, and nothing changes just
//! where both print alike.

use std::collections::HashSet;

use failoverd::config::diff::{Action, Changes, Portrait, diff};
use failoverd::config::print::{Secrets, print};

use super::config::accepted;

pub fn run(data: &[u8]) {
    let at = data.windows(5).position(|five| five == b"\n===\n");
    let (old, new) = match at {
        Some(at) => (&data[..at], &data[at + 5..]),
        None => (data, data),
    };
    let (Some(old), Some(new)) = (accepted(old), accepted(new)) else {
        return;
    };
    let (before, after) = (Portrait::from(&old), Portrait::from(&new));
    let changes = diff(&before, &after);
    let alike = print(&old, Secrets::Shown) == print(&new, Secrets::Shown);
    // Another order of instances is no change.
    if alike || old.instances.len() <= 1 {
        assert_eq!(changes.is_empty(), alike, "{changes:#?}");
    }
    complete(&changes, &before, &after);
    // As it travels through the control socket.
    let text = serde_json::to_string(&before).expect("JSON");
    let again: Portrait = serde_json::from_str(&text).expect("a portrait");
    assert_eq!(again, before);
}

/// Every instance has its place.
fn complete(changes: &Changes, before: &Portrait, after: &Portrait) {
    let mut old = HashSet::new();
    let mut new = HashSet::new();
    for delta in &changes.instances {
        assert!(delta.old.is_none_or(|index| old.insert(index)));
        assert!(delta.new.is_none_or(|index| new.insert(index)));
        let sides = (delta.old.is_some(), delta.new.is_some());
        let expected = match delta.action {
            Action::Removed => (true, false),
            Action::Added => (false, true),
            Action::Replaced | Action::Changed | Action::Unchanged => (true, true),
        };
        assert_eq!(sides, expected, "{delta:#?}");
        assert_eq!(
            delta.action == Action::Unchanged,
            sides == (true, true) && delta.changes.is_empty()
        );
    }
    assert_eq!(old.len(), before.instances.len());
    assert_eq!(new.len(), after.instances.len());
    assert!(!changes.to_string().is_empty() || changes.instances.is_empty());
}
