//! Scripts, FIFOs and mail in words.

use super::Values;
use crate::config::model::{Deleted, FifoSpec, Hook, MailSpec, Notify, RunAs, Tell, Waited};
use crate::config::print::command_line;

/// What stands in `global_defs`, and what sync groups say.
pub(super) fn globals(tell: &Tell, values: &mut Values) {
    let Tell {
        fifo: both,
        vrrp_fifo,
        states_on_reload,
        startup,
        shutdown,
        mail: mailing,
        groups,
    } = tell;
    fifo("notify_fifo", both.as_ref(), values);
    fifo("vrrp_notify_fifo", vrrp_fifo.as_ref(), values);
    values.flag("fifo_write_vrrp_states_on_reload", *states_on_reload);
    waited("startup_script", startup.as_ref(), values);
    waited("shutdown_script", shutdown.as_ref(), values);
    mailing.iter().for_each(|spec| mail(spec, values));
    for (name, told) in groups {
        notify(&format!("vrrp_sync_group {name} "), told, values);
    }
}

/// `prefix` stands before each keyword.
pub(super) fn notify(prefix: &str, notify: &Notify, values: &mut Values) {
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
        ("notify", any),
        ("notify_master", master),
        ("notify_backup", backup),
        ("notify_fault", fault),
        ("notify_stop", stop),
        ("notify_master_rx_lower_pri", lower_priority),
    ] {
        values.list(&format!("{prefix}{keyword}"), program.as_ref().map(words));
    }
    let told = match deleted {
        Deleted::AsFault => None,
        Deleted::Told(program) => Some(program.as_ref().map_or_else(String::new, words)),
    };
    values.list(&format!("{prefix}notify_deleted"), told);
    values.flag(
        &format!("{prefix}notify_priority_changes"),
        *priority_changes,
    );
    values.flag(&format!("{prefix}smtp_alert"), *mail);
}

fn fifo(keyword: &str, spec: Option<&FifoSpec>, values: &mut Values) {
    let Some(FifoSpec {
        path,
        owner,
        script,
    }) = spec
    else {
        return;
    };
    let path = format!("{}{}", path.display(), user(owner));
    values.list(keyword, [path]);
    let script = script.as_ref().map(words);
    values.list(&format!("{keyword}_script"), script);
}

fn waited(keyword: &str, program: Option<&Waited>, values: &mut Values) {
    if let Some(Waited { hook, timeout }) = program {
        values.list(keyword, [words(hook)]);
        values.set(&format!("{keyword}_timeout"), timeout.as_secs());
    }
}

fn mail(spec: &MailSpec, values: &mut Values) {
    let MailSpec {
        to,
        from,
        host,
        port,
        helo,
        timeout,
        faults,
    } = spec;
    values.list("notification_email", to);
    values.list("notification_email_from", from);
    values.list("smtp_server", [format!("{host} {port}")]);
    values.list("smtp_helo_name", helo);
    values.set("smtp_connect_timeout", timeout.as_secs());
    values.flag("no_email_faults", !faults);
}

fn words(hook: &Hook) -> String {
    format!("{}{}", command_line(&hook.words), user(&hook.run_as))
}

fn user(run_as: &Option<RunAs>) -> String {
    match run_as {
        None => String::new(),
        Some(RunAs { user, group: None }) => format!(" as {user}"),
        Some(RunAs {
            user,
            group: Some(group),
        }) => format!(" as {user}:{group}"),
    }
}
