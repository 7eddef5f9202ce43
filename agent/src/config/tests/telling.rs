//! Scripts, FIFOs and mail.

use std::time::Duration;

use super::*;
use crate::config::model::{Deleted, Hook, Notify, RunAs};

fn hook(words: &[&str], user: Option<(&str, Option<&str>)>) -> Hook {
    Hook {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        run_as: user.map(|(user, group)| RunAs {
            user: user.to_owned(),
            group: group.map(str::to_owned),
        }),
    }
}

fn accepted_config(text: &str) -> Config {
    let (config, codes) = accepted(text);
    assert_eq!(codes, [], "{text}");
    config
}

#[test]
fn a_command_line_has_words_and_perhaps_a_user() {
    let lines = "notify \"/n 'a b' c\" daemon adm\nnotify_master /m\nnotify_deleted\n\
                 notify_master_rx_lower_pri \"/l\" root\nnotify_priority_changes\nsmtp_alert off";
    let config = accepted_config(&with_globals("script_user nobody\nsmtp_alert", lines));
    let expected = Notify {
        any: Some(hook(&["/n", "a b", "c"], Some(("daemon", Some("adm"))))),
        master: Some(hook(&["/m"], Some(("nobody", None)))),
        lower_priority: Some(hook(&["/l"], Some(("root", None)))),
        deleted: Deleted::Told(None),
        priority_changes: true,
        ..Notify::default()
    };
    assert_eq!(config.instances[0].notify, expected);
}

#[test]
fn the_nearest_word_on_mail_counts() {
    let mail = |globals: &str, lines: &str| {
        accepted_config(&with_globals(globals, lines)).instances[0]
            .notify
            .mail
    };
    assert!(!mail("", ""));
    assert!(mail("smtp_alert", ""));
    assert!(!mail("smtp_alert\nsmtp_alert_vrrp off", ""));
    assert!(mail("smtp_alert off\nsmtp_alert_vrrp on", ""));
    assert!(mail("smtp_alert_vrrp off", "smtp_alert"));
}

#[test]
fn fifos_belong_to_the_user_of_scripts_unless_told_otherwise() {
    let globals = "notify_fifo /run/a daemon\nvrrp_notify_fifo /run/b\n\
                   vrrp_notify_fifo_script \"/s x\"\nscript_user nobody\n\
                   startup_script /up\nstartup_script_timeout 3\nshutdown_script /down\n\
                   fifo_write_vrrp_states_on_reload";
    let tell = accepted_config(&with_globals(globals, "")).tell;
    let daemon = hook(&[], Some(("daemon", None))).run_as;
    let nobody = hook(&[], Some(("nobody", None))).run_as;
    let (both, vrrp) = (tell.fifo.unwrap(), tell.vrrp_fifo.unwrap());
    assert_eq!((both.owner, both.script), (daemon, None));
    assert_eq!(vrrp.owner, nobody);
    assert_eq!(
        vrrp.script,
        Some(hook(&["/s", "x"], Some(("nobody", None))))
    );
    assert!(tell.states_on_reload);
    assert_eq!(tell.startup.unwrap().timeout, Duration::from_secs(3));
    assert_eq!(tell.shutdown.unwrap().timeout, Duration::from_secs(10));
}

#[test]
fn what_cannot_be_told_to_anybody_is_said() {
    for (globals, sentence) in [
        ("notify_fifo_script /s", "without notify_fifo"),
        ("notify_fifo run/a", "its path is relative"),
        (
            "notify_fifo /a\nvrrp_notify_fifo /a",
            "the other FIFO as well",
        ),
        ("notification_email {\na@b\n}", "no mail is sent"),
    ] {
        let text = with_globals(globals, "");
        let diagnostics = parse_str("a", &text).diagnostics;
        let (config, _) = accepted(&text);
        assert_eq!(config.tell.vrrp_fifo, None);
        assert_eq!(config.tell.mail, None);
        let said = |one: &crate::config::Diagnostic| one.message.contains(sentence);
        assert!(diagnostics.iter().any(said), "{globals}: {diagnostics:?}");
    }
}

#[test]
fn mail_has_keepalived_s_defaults() {
    let globals = "notification_email {\na@b c@d\ne@f\n}\nsmtp_server 192.0.2.9\nno_email_faults";
    let mail = accepted_config(&with_globals(globals, ""))
        .tell
        .mail
        .unwrap();
    assert_eq!(mail.to, ["a@b", "c@d", "e@f"]);
    assert_eq!((mail.host.as_str(), mail.port), ("192.0.2.9", 25));
    assert_eq!(mail.timeout, Duration::from_secs(30));
    assert!(!mail.faults);
}

#[test]
fn groups_are_told_of_by_name() {
    let instance = |name: &str, vrid: u8| {
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n\
             virtual_ipaddress {{\n192.0.2.{vrid}/24\n}}\n}}\n"
        )
    };
    let text = format!(
        "vrrp_sync_group G {{\ngroup {{\na\nb\n}}\nnotify /g\nsmtp_alert\n}}\n{}{}\
         global_defs {{\nscript_user nobody\n}}\n",
        instance("a", 1),
        instance("b", 2)
    );
    let (config, _) = accepted(&text);
    let notify = config.tell.groups.get("G").unwrap();
    assert_eq!(notify.any, Some(hook(&["/g"], Some(("nobody", None)))));
    assert!(notify.mail);
    let printed = crate::config::print::print(&config, crate::config::print::Secrets::Shown);
    assert_eq!(accepted(&printed).0, config, "{printed}");
}
