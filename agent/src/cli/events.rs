//! `failoverd events`.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;

use super::{exit, status::no_answer};
use crate::{
    control::{self, events},
    dump::calendar,
    tell::feed::{Record, What},
};

/// Follow what a running agent does, line by line
///
/// Changes of state with their causes, priorities, notices, links and reloads,
/// from now on. A reader that is too slow loses the oldest and is told how
/// many. Ends when the agent ends; after an upgrade it goes on with the new
/// one.
#[derive(Args, Debug)]
pub struct EventsArgs {
    /// One JSON object for each event
    #[arg(long)]
    json: bool,

    /// Control socket of the agent
    #[arg(long, value_name = "PATH", default_value = control::DEFAULT_PATH)]
    control: PathBuf,
}

pub fn run(arguments: &EventsArgs) -> ExitCode {
    loop {
        let mut handed_over = false;
        let mut gone = false;
        let result = events::read(&arguments.control, |line| {
            let record: Option<Record> = serde_json::from_str(line).ok();
            handed_over = record
                .as_ref()
                .is_some_and(|record| matches!(record.what, What::HandedOver { .. }));
            let text = match record {
                Some(record) if !arguments.json => words(&record),
                // What a newer agent says is shown as it is.
                Some(_) | None => line.to_owned(),
            };
            let mut out = io::stdout().lock();
            match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    gone = true;
                    Ok(false)
                }
                result => result.map(|()| true),
            }
        });
        match result {
            Ok(()) if handed_over && !gone => {}
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("failoverd: {error}");
                let code = match &error {
                    control::client::ClientError::Refused(_) => exit::FAILURE,
                    other => no_answer(other),
                };
                return ExitCode::from(code);
            }
        }
    }
}

/// A line for people, with its end.
fn words(record: &Record) -> String {
    let micros = (record.time * 1e6) as u64;
    let mut line = format!("{} ", calendar::iso(micros));
    // Writing to a string does not fail.
    let _ = match &record.what {
        What::Begin { version, pid } => write!(line, "failoverd {version} (pid {pid})"),
        What::Transition {
            instance,
            from,
            to,
            cause,
            text,
        } => {
            let why = if text.is_empty() { cause } else { text };
            write!(line, "({instance}) {} -> {}: {why}", from.word(), to.word())
        }
        What::Group { group, to } => write!(line, "group {group}: {}", to.word()),
        What::Priority { instance, from, to } => {
            write!(line, "({instance}) priority {from} -> {to}")
        }
        What::Notice { instance, text, .. } => write!(line, "({instance}) {text}"),
        What::Link { interface, usable } => {
            let state = if *usable { "up" } else { "down" };
            write!(line, "link {interface}: {state}")
        }
        What::Reload {
            error: Some(error), ..
        } => write!(line, "not reloaded: {}", error.replace('\n', "; ")),
        What::Reload { changes, .. } if changes.is_empty() => {
            write!(line, "reloaded: nothing changed")
        }
        What::Reload { changes, .. } => write!(line, "reloaded: {}", changes.join("; ")),
        What::Lost { count } => write!(line, "{count} events were lost: this reader is too slow"),
        What::HandedOver { pid } => write!(line, "upgraded: pid {pid} goes on"),
        What::Stopped => write!(line, "the agent has ended"),
    };
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tell::feed::State;

    #[test]
    fn people_read_time_name_and_reason() {
        let record = |what| Record {
            time: 1_795_169_472.25,
            at_ns: 1,
            what,
        };
        let transition = record(What::Transition {
            instance: "VI_1".to_owned(),
            from: State::Backup,
            to: State::Active,
            cause: "active_silent".to_owned(),
            text: "Receive advertisement timeout".to_owned(),
        });
        assert_eq!(
            words(&transition),
            "2026-11-20T10:11:12.250000Z (VI_1) BACKUP -> ACTIVE: Receive advertisement timeout\n"
        );
        assert_eq!(
            words(&record(What::Lost { count: 3 })),
            "2026-11-20T10:11:12.250000Z 3 events were lost: this reader is too slow\n"
        );
    }
}
