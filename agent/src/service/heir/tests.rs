//! What a predecessor of a later version says last.

use super::*;
use crate::upgrade::channel::{pair, send};

/// It leaves these, and ends; what was inherited, and whether to reload.
fn hear(said: &[&str]) -> (usize, bool) {
    let (ours, theirs) = pair().unwrap();
    for message in said {
        send(theirs.as_fd(), message.as_bytes(), &[]).unwrap();
    }
    drop(theirs);
    let mut count = 0;
    let reload = farewell(&Channel::new(ours).unwrap(), |message, _| {
        count += 1;
        matches!(message, Message::Promoted { .. })
    });
    (count, reload)
}

const PROMOTED: &str = r#"{"message":"promoted","ifindex":3}"#;
const RELOAD: &str = r#"{"message":"farewell","reload":true}"#;

#[test]
fn what_is_not_known_of_an_estate_is_passed_over_and_the_reload_is_not() {
    let of_new_cause = r#"{"message":"flight","cause":{"kind":"new"},"instance":"VI_1"}"#;
    let of_new_kind = r#"{"message":"inheritance"}"#;
    let said = [PROMOTED, of_new_cause, of_new_kind, PROMOTED, RELOAD];
    assert_eq!(hear(&said), (2, true));
    // Known, but out of place.
    let said = [r#"{"message":"ready"}"#, PROMOTED, RELOAD];
    assert_eq!(hear(&said), (2, true));
    let none = r#"{"message":"farewell","reload":false}"#;
    assert_eq!(hear(&[PROMOTED, none]), (1, false));
}

#[test]
fn a_predecessor_that_ends_without_farewell_asks_for_no_reload() {
    assert_eq!(hear(&[PROMOTED]), (1, false));
    assert_eq!(hear(&["{"]), (0, false));
}
