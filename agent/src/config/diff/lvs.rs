//! Virtual servers in words.

use agent_common::Family;

use super::Values;
use crate::config::model::{FlushOnStop, Front, Lvs, VirtualServer};
use crate::config::print::lvs::{
    entry_line, front_words, real_server, settings, sync_words, timeout_words,
};
use crate::config::print::writer::Writer;

/// By the keywords that set them; each virtual server by its own.
pub(super) fn values(lvs: &Lvs, values: &mut Values) {
    let Lvs {
        groups,
        virtual_servers,
        timeouts,
        flush,
        flush_on_stop,
        sync_daemon,
    } = lvs;
    let timeouts = timeout_words(*timeouts).join(" ");
    values.list(
        "lvs_timeouts",
        Some(timeouts).filter(|words| !words.is_empty()),
    );
    values.flag("lvs_flush", *flush);
    let stop = match flush_on_stop {
        FlushOnStop::No => None,
        FlushOnStop::Services => Some("VS"),
        FlushOnStop::All => Some("all"),
    };
    values.list("lvs_flush_on_stop", stop);
    let sync = sync_daemon
        .as_ref()
        .map(|daemon| sync_words(daemon).join(" "));
    values.list("lvs_sync_daemon", sync);
    for group in groups {
        let keyword = format!("virtual_server_group {}", group.name);
        values.list(&keyword, group.entries.iter().map(entry_line));
    }
    for server in virtual_servers {
        let front = front_words(&server.front).join(" ");
        let family = match (&server.front, server.mark_family()) {
            (Front::Mark(_) | Front::Group(_), Family::V6) => " inet6",
            (Front::Mark(_) | Front::Group(_), Family::V4) | (Front::Address(..), _) => "",
        };
        let protocol = server.protocol.name();
        let keyword = format!("virtual_server {front}{family} {protocol}");
        values.list(&keyword, lines(server));
    }
}

/// A real server is one of them.
fn lines(server: &VirtualServer) -> Vec<String> {
    let one = |write: &dyn Fn(&mut Writer)| {
        let mut writer = Writer::default();
        write(&mut writer);
        writer.finish()
    };
    let trimmed =
        |text: String| -> Vec<String> { text.lines().map(|line| line.trim().to_owned()).collect() };
    let mut lines = trimmed(one(&|writer| settings(server, writer)));
    for real in &server.servers {
        lines.push(trimmed(one(&|writer| real_server(server, real, writer))).join(" "));
    }
    lines
}
