//! Scripts, FIFOs and mail.

use super::writer::Writer;
use crate::config::model::{Deleted, FifoSpec, Hook, MailSpec, Notify, RunAs, Tell, Waited};

/// Lines of `global_defs`. What groups say stands with them.
pub fn globals(tell: &Tell, writer: &mut Writer) {
    let Tell {
        fifo: both,
        vrrp_fifo,
        states_on_reload,
        startup,
        shutdown,
        mail: mailing,
        groups: _,
    } = tell;
    fifo("notify_fifo", both.as_ref(), writer);
    fifo("vrrp_notify_fifo", vrrp_fifo.as_ref(), writer);
    writer.flag("fifo_write_vrrp_states_on_reload", *states_on_reload);
    waited("startup_script", startup.as_ref(), writer);
    waited("shutdown_script", shutdown.as_ref(), writer);
    mailing.iter().for_each(|spec| mail(spec, writer));
}

fn fifo(keyword: &str, spec: Option<&FifoSpec>, writer: &mut Writer) {
    let Some(FifoSpec {
        path,
        owner,
        script,
    }) = spec
    else {
        return;
    };
    writer.words(
        keyword,
        [path.display().to_string()].into_iter().chain(user(owner)),
    );
    hook(&format!("{keyword}_script"), script.as_ref(), writer);
}

fn waited(keyword: &str, program: Option<&Waited>, writer: &mut Writer) {
    if let Some(Waited {
        hook: program,
        timeout,
    }) = program
    {
        hook(keyword, Some(program), writer);
        writer.set(&format!("{keyword}_timeout"), timeout.as_secs());
    }
}

fn mail(spec: &MailSpec, writer: &mut Writer) {
    let MailSpec {
        to,
        from,
        host,
        port,
        helo,
        timeout,
        faults,
    } = spec;
    writer.list("notification_email", to);
    writer.maybe("notification_email_from", from.as_ref());
    writer.words("smtp_server", [host.clone(), port.to_string()]);
    writer.maybe("smtp_helo_name", helo.as_ref());
    writer.set("smtp_connect_timeout", timeout.as_secs());
    writer.flag("no_email_faults", !faults);
}

/// Lines of an instance or a sync group.
pub fn notify(notify: &Notify, writer: &mut Writer) {
    let Notify {
        any,
        master,
        backup,
        fault,
        stop,
        lower_priority,
        deleted,
        priority_changes,
        mail,
    } = notify;
    for (keyword, program) in [
        ("notify_master", master),
        ("notify_backup", backup),
        ("notify_fault", fault),
        ("notify_stop", stop),
        ("notify", any),
        ("notify_master_rx_lower_pri", lower_priority),
    ] {
        hook(keyword, program.as_ref(), writer);
    }
    match deleted {
        Deleted::AsFault => {}
        Deleted::Told(None) => writer.flag("notify_deleted", true),
        Deleted::Told(program) => hook("notify_deleted", program.as_ref(), writer),
    }
    writer.switch("notify_priority_changes", *priority_changes, false);
    writer.switch("smtp_alert", *mail, false);
}

fn hook(keyword: &str, program: Option<&Hook>, writer: &mut Writer) {
    if let Some(Hook { words, run_as }) = program {
        writer.command(keyword, &command_line(words), user(run_as));
    }
}

fn user(run_as: &Option<RunAs>) -> impl Iterator<Item = String> {
    let words = run_as.iter().flat_map(|RunAs { user, group }| {
        let group = group.iter().cloned();
        [user.clone()].into_iter().chain(group)
    });
    words.collect::<Vec<_>>().into_iter()
}

/// As it is taken apart again: what no word of its own would be, in quotes.
pub fn command_line(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    quoted.join(" ")
}

/// There are no escapes: a single quote stands in double ones, all else in
/// single ones.
fn quoted(word: &str) -> String {
    let plain = |c: char| !c.is_ascii_whitespace() && c != '\'' && c != '"';
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\"'\"'"))
}
