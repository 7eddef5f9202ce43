//! What is meant by some words that are no keywords where people write them.

use super::Block;

/// What to say of a word that `block` does not know; `None` where nothing
/// special is known about it.
pub fn hint(block: Block, word: &str) -> Option<String> {
    let text = match word {
        "nb_get_retry" if block.is_checker() => format!(
            "keepalived ignores it in {}, so one retry is made: retry is meant",
            block.name()
        ),
        "nb_get_retry" => "retry is meant; nb_get_retry is for HTTP_GET and SSL_GET only".into(),
        "nat_mask" => "IPVS has no such setting any more: remove the line".into(),
        "state_file_location" | "state_dump_file_location" => {
            "its manual says so, but keepalived calls it state_dump_file".into()
        }
        "stats_file_location" | "stats_dump_file_location" => {
            "its manual says so, but keepalived calls it stats_dump_file".into()
        }
        "json_file_location" | "json_dump_file_location" => {
            "its manual says so, but keepalived calls it json_dump_file".into()
        }
        "include" | "includer" | "includem" | "includew" | "includeb" | "includea" => {
            "it has to start a line, and to name a file".into()
        }
        _ if word.starts_with("~SEQ") || word.starts_with("~LST") => {
            "a sequence has to start its line".into()
        }
        _ if word.starts_with('@') => "a condition has to start its line, and there is one a line".into(),
        _ if word.starts_with('$') && word.contains('=') => {
            "names have letters, digits and underscores only, and no digit first".into()
        }
        _ if word.starts_with('$') => {
            "nothing has that name here: a definition has to stand before its use, without a space before its '='".into()
        }
        _ if word.ends_with('\\') => {
            "a line goes on after a backslash in definitions only".into()
        }
        _ => return None,
    };
    Some(text)
}
