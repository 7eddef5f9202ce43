//! Verdicts, forms, and the rules for scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::security::{Machine, examine};
use super::*;
use crate::config::{Script, Scripts, load, parse_str};

fn report(text: &str) -> Report {
    Report::new(parse_str("a.conf", text), machine("root"))
}

/// One with these users, and the programs of this one.
fn machine(users: &str) -> Machine {
    Machine {
        users: users.split(' ').map(str::to_owned).collect(),
        path: "/usr/bin:/bin".into(),
    }
}

fn instance(lines: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress {{\n192.0.2.1/24\n}}\n{lines}\n}}\n"
    )
}

#[test]
fn verdicts_are_those_of_keepalived() {
    for (text, verdict) in [
        (instance(""), 0),
        (instance("nopreempt foo"), 0),
        (instance("debug 3"), 0),
        (instance("state master"), 5),
        (instance("no_such 1"), 5),
        (instance("priority"), 5),
        (instance("track_interface {\neth0\n}"), 5),
        (instance("notify /bin/true"), 6),
        (instance("notify /nonexistent"), 0),
        (instance("priority 0\nnotify /bin/true"), 6),
    ] {
        assert_eq!(report(&text).verdict(), verdict, "{text}");
    }
    let missing = Report::new(load(Path::new("/nonexistent/file")), machine("root"));
    assert_eq!((missing.verdict(), missing.config.is_some()), (4, false));
}

#[test]
fn one_json_object_with_every_problem() {
    let text = report(&instance("prority 5")).json(None).expect("JSON");
    let object: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(object["exit"], 5);
    assert_eq!(object["usable"], true);
    assert_eq!(object["instances"], 1);
    let expected = serde_json::json!([{
        "file": "a.conf",
        "line": 7,
        "column": 1,
        "width": 7,
        "severity": "warning",
        "code": "unknown-keyword",
        "message": "Unknown keyword 'prority'",
        "help": "did you mean priority?",
        "keepalived": true,
    }]);
    assert_eq!(object["problems"], expected);
}

#[test]
fn text_is_keepalived_s_or_for_people() {
    let found = report(&instance("prority 5"));
    assert_eq!(
        found.text(false),
        "(a.conf: Line 7) Unknown keyword 'prority'\n"
    );
    let rich = found.text(true);
    assert!(rich.starts_with("warning: Unknown keyword 'prority' [unknown-keyword]\n"));
    assert!(rich.ends_with(
        "0 errors, 1 warning, 0 notes: the configuration can be used, with 1 instance\n"
    ));
}

fn script(program: &Path, user: Option<&str>) -> Script {
    let loaded = parse_str("a", "vrrp_script s {\nscript /x\n}");
    Script {
        program: program.display().to_string(),
        user: user.map(str::to_owned),
        ..loaded.scripts.scripts[0].clone()
    }
}

fn code(script: Script, security: bool, user: Option<&str>, users: &str) -> Option<Code> {
    let scripts = Scripts {
        scripts: vec![script],
        security,
        user: user.map(str::to_owned),
    };
    examine(&scripts, machine(users))
        .first()
        .map(|found| found.code)
}

#[test]
fn scripts_as_root_have_to_be_safe() {
    let sh = Path::new("sh");
    assert_eq!(
        code(script(sh, None), false, None, "root"),
        Some(Code::InsecureScript)
    );
    assert_eq!(code(script(sh, None), true, Some("root"), "root"), None);
    assert_eq!(code(script(sh, Some("a")), false, None, "root a"), None);
    assert_eq!(code(script(sh, None), false, Some("a"), "root a"), None);
    assert_eq!(
        code(script(sh, None), false, None, "root keepalived_script"),
        None
    );
    assert_eq!(
        code(script(sh, None), true, None, "root"),
        Some(Code::ScriptMissing)
    );
    assert_eq!(
        code(script(sh, Some("b")), false, None, "root"),
        Some(Code::ScriptMissing)
    );
    for missing in ["/nonexistent", "no_such_program_here", "a/b", "", "/usr"] {
        let found = code(script(Path::new(missing), None), false, None, "root");
        assert_eq!(found, Some(Code::ScriptMissing), "{missing}");
    }
    let open = std::env::temp_dir().join(format!("failoverd-check-{}.sh", std::process::id()));
    fs::write(&open, "#!/bin/sh\n").expect("a file");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("its mode");
    let found = code(script(&open, None), true, Some("root"), "root");
    fs::remove_file(&open).expect("it is there");
    assert_eq!(found, Some(Code::InsecureScript));
}

#[test]
fn commands_are_found_with_their_users() {
    let text = "global_defs {\nscript_user u\nenable_script_security\nnotify_fifo_script \"/f 'a b'\" v\n}\n\
                vrrp_script s {\nuser w\nscript \"/s a b\"\n}\n\
                virtual_server 1.2.3.4 80 {\nquorum_up /q\nreal_server 1.2.3.5 80 {\nMISC_CHECK {\nmisc_path /m x\n}\n}\n}";
    let scripts = parse_str("a", text).scripts;
    assert_eq!(
        (scripts.security, scripts.user.as_deref()),
        (true, Some("u"))
    );
    let found: Vec<_> = scripts
        .scripts
        .iter()
        .map(|s| {
            (
                s.keyword.as_str(),
                s.program.as_str(),
                s.user.as_deref(),
                s.must_exist,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("notify_fifo_script", "/f", Some("v"), false),
            ("script", "/s", Some("w"), true),
            ("quorum_up", "/q", None, false),
            ("misc_path", "/m", None, true),
        ]
    );
}

#[test]
fn the_effective_configuration_is_printed_without_passwords_unless_asked() {
    let text = instance("authentication {\nauth_type PASS\nauth_pass hunter2\n}");
    let good = report(&text);
    assert_eq!(good.effective(None), "");
    let hidden = good.effective(Some(Secrets::Hidden));
    assert!(hidden.contains("garp_master_delay 5\n") && !hidden.contains("hunter2"));
    assert!(good.effective(Some(Secrets::Shown)).contains("hunter2"));
    let json = |secrets| good.json(secrets).expect("JSON");
    assert!(!json(None).contains("effective"));
    assert!(!json(Some(Secrets::Hidden)).contains("hunter2"));
    let shown: serde_json::Value = serde_json::from_str(&json(Some(Secrets::Shown))).expect("JSON");
    let values = &shown["effective"]["instances"][0]["values"];
    assert_eq!(values["auth_pass"][0], "hunter2");
    assert_eq!(values["garp_master_delay"][0], "5 s");
    // Nothing is better than a half.
    let bad = report(&instance("virtual_router_id 0"));
    assert_eq!(bad.effective(Some(Secrets::Shown)), "");
}
