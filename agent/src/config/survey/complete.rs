//! What blocks cannot do without.

use super::incomplete;
use crate::config::diagnostic::Code;
use crate::config::keywords::Block;
use crate::config::sink::Sink;
use crate::config::tree::Statement;

pub fn check(block: Block, statement: &Statement, sink: &mut Sink) {
    let Some(keyword) = statement.words.first() else {
        return;
    };
    let inner = || statement.block.iter().flatten();
    let has = |names: &[&str]| inner().any(|inner| names.contains(&inner.keyword()));
    let title = match statement.arguments().first() {
        Some(name) => format!("{} {}", keyword.text, name.text),
        None => keyword.text.clone(),
    };
    let mut need = |names: &[&str]| {
        if !has(names) {
            let what = names.first().copied().unwrap_or_default();
            incomplete(keyword, format!("{title} has no {what}"), sink);
        }
    };
    match block {
        Block::VrrpScript => need(&["script"]),
        Block::TrackFile => need(&["file"]),
        Block::TrackProcess => need(&["process"]),
        Block::BfdInstance => need(&["neighbor_ip", "neighbour_ip"]),
        Block::GarpGroup => need(&["garp_interval", "gna_interval"]),
        Block::TrackGroup => need(&["group"]),
        Block::HttpGet | Block::SslGet => need(&["url"]),
        Block::Url => need(&["path"]),
        Block::MiscCheck => need(&["misc_path"]),
        Block::FileCheck => need(&["track_file"]),
        Block::BfdCheck => need(&["name"]),
        Block::VirtualServer => {
            if has(&["real_server"]) {
                need(&["protocol"]);
                need(&["lvs_sched", "lb_algo"]);
                need(&["lvs_method", "lb_kind"]);
            } else {
                need(&["real_server"]);
            }
        }
        Block::SyncGroup => members(statement, &title, sink),
        Block::UdpCheck => reply_lengths(statement, sink),
        Block::Root
        | Block::GlobalDefs
        | Block::VrrpInstance
        | Block::Authentication
        | Block::AuthHmac
        | Block::Ssl
        | Block::RealServer
        | Block::TcpCheck
        | Block::SmtpCheck
        | Block::SmtpHost
        | Block::DnsCheck
        | Block::PingCheck => {}
    }
}

fn members(statement: &Statement, title: &str, sink: &mut Sink) {
    let Some(keyword) = statement.words.first() else {
        return;
    };
    let groups = statement.block.iter().flatten();
    let groups = groups.filter(|inner| inner.keyword() == "group");
    let entries = groups.flat_map(|group| group.block.iter().flatten());
    let count: usize = entries.map(|entry| entry.words.len()).sum();
    match count {
        0 => incomplete(keyword, format!("{title} has no virtual router(s)"), sink),
        1 => {
            let message = format!("{title} has only 1 virtual router");
            sink.warn(Code::Incomplete, keyword.span, message)
                .help("a group of one does nothing: add the others, or remove it");
        }
        _ => {}
    }
}

fn reply_lengths(statement: &Statement, sink: &mut Sink) {
    let length = |name: &str| {
        let inner = statement.block.iter().flatten();
        let mut named = inner.filter(|inner| inner.keyword() == name);
        let one = named.next_back()?;
        one.arguments().first()?.text.parse::<u32>().ok()
    };
    let least = length("min_reply_length").unwrap_or(0);
    let most = length("max_reply_length").unwrap_or(255);
    if let Some(keyword) = statement.words.first().filter(|_| least > most) {
        let message = format!("min_reply_length {least} > max_reply_length {most}: always fails");
        sink.warn(Code::Conflict, keyword.span, message);
    }
}
