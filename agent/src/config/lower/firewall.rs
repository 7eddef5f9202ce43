//! `nftables` and those with it, and what `accept` means.

use super::instance::Draft;
use super::value::first;
use crate::config::diagnostic::Code;
use crate::config::sink::Sink;
use crate::config::tree::Statement;

/// Bytes of a table's name: NFT_TABLE_MAXNAMELEN without the NUL.
const MAX_TABLE: usize = 255;

/// `nftables [NAME]`. Without a name the default stays.
pub fn table(statement: &Statement, sink: &mut Sink) -> Option<String> {
    let word = first(statement)?;
    let starts = word.text.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !starts || !word.text.chars().all(plain) || word.text.len() > MAX_TABLE {
        let message = format!(
            "nftables '{}' cannot be the name of a table; it is ignored",
            word.text
        );
        sink.trap(Code::BadValue, word.span, message)
            .help("begin with a letter; use letters, digits, _ and -");
        return None;
    }
    Some(word.text.clone())
}

/// Of our chain on the input hook.
pub fn priority(statement: &Statement, sink: &mut Sink) -> Option<i32> {
    let word = first(statement)?;
    let priority = word.text.parse().ok();
    if priority.is_none() {
        let message = format!(
            "nftables_priority '{}' is not a whole number of 32 bits; it is ignored",
            word.text
        );
        sink.warn(Code::BadValue, word.span, message);
    }
    priority
}

/// The owner takes traffic to its VIPs whatever it is told (RFC 9568 6.4.3).
pub fn accept(draft: &Draft, owner: bool, sink: &mut Sink) -> bool {
    let Some((accept, span)) = draft.accept else {
        return true;
    };
    if owner && !accept {
        let message = format!(
            "{} no_accept is nothing for the address owner (priority 255); it is ignored",
            draft.title()
        );
        sink.trap(Code::Conflict, span, message)
            .help("use a priority below 255");
    }
    accept || owner
}
