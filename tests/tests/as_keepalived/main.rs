//! The agent called as `keepalived`, beside keepalived itself.

mod dumps;
mod exporter;
mod lab;
mod upgraded;

use std::{fs, os::unix::fs::symlink, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    netns::Netns,
    privilege,
    process::Process,
    require_agent,
    router::{State, VirtualRouter},
    sys,
    topology::Lan,
    wait::eventually,
};

use lab::{BOTH, Background, Foreground, Home, WITHIN, Which, gone};

fn conf(lan: &Lan) -> String {
    VirtualRouter::new(200, lan.vip())
        .every(Duration::from_millis(100))
        .keepalived_conf()
}

#[test]
fn signals_have_the_same_numbers() -> Result<()> {
    require_agent!("keepalived");
    for name in [
        "STOP",
        "RELOAD",
        "DATA",
        "STATS",
        "STATS_CLEAR",
        "JSON",
        "FOO",
        "stop",
        "",
    ] {
        let option = format!("--signum={name}");
        let [real, ours] = BOTH.map(|which| -> Result<(Option<i32>, Vec<u8>)> {
            let home = Home::new(which, "")?;
            let output = home.command(None, &[&option]).output()?;
            Ok((output.status.code(), output.stdout))
        });
        assert_eq!(real?, ours?, "{name}");
    }
    Ok(())
}

/// Each with the code of keepalived, and one line where it is refused.
#[test]
fn exit_codes_are_keepalived_s() -> Result<()> {
    require_agent!("keepalived");
    let lan = Lan::new(1)?;
    let ns = &lan.host(0).ns;
    let good = conf(&lan);
    let bad = format!("{good}nonsense 1\n");
    let script = "vrrp_script chk {\n  script \"/bin/true\"\n}\n";
    let insecure = format!("{good}{script}");
    let missing = good.replace("eth0", "nope0");
    let cases: [(&str, &[&str], bool); 12] = [
        (&good, &["-t", "-f", "conf"], false),
        (&bad, &["-t", "-f", "conf"], false),
        (&insecure, &["--config-test", "--use-file=conf"], false),
        (&good, &["-n", "-f", "/nonexistent"], true),
        (&good, &["-f", "/nonexistent"], true),
        (&missing, &["-n", "-P", "-f", "conf"], true),
        (&good, &["--frobnicate"], true),
        (&good, &["-Q"], true),
        (&good, &["-f"], true),
        (&good, &["-v"], false),
        (&good, &["-h"], false),
        (&good, &["--genhash"], true),
    ];
    for (text, arguments, refused) in cases {
        let mut codes = Vec::new();
        for which in BOTH {
            let home = Home::new(which, text)?;
            let path = |word: &&str| word.replace("conf", &home.path("conf").to_string_lossy());
            // Only where the word is the file, and not part of an option.
            let words: Vec<String> = arguments
                .iter()
                .map(|word| match *word {
                    "conf" | "--use-file=conf" => path(word),
                    other => other.to_owned(),
                })
                .collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let ended = home.call(Some(ns), &words)?;
            codes.push(ended.code);
            if which == Which::Ours && refused {
                assert_eq!(ended.output.len(), 1, "{arguments:?}: {ended:?}");
            }
        }
        assert_eq!(codes[0], codes[1], "{arguments:?}");
    }
    Ok(())
}

/// In the background: the caller waits until it runs, and pid files say so.
#[test]
fn pid_files_are_there_while_it_runs() -> Result<()> {
    require_agent!("keepalived");
    for which in BOTH {
        let lan = Lan::new(1)?;
        let ns = &lan.host(0).ns;
        let daemon = Background::start(which, ns, &conf(&lan))?;
        let vrrp = daemon.home.wait_pid("vrrp.pid")?;
        assert!(!gone(daemon.parent) && !gone(vrrp), "{which:?}");
        let comm = fs::read_to_string(format!("/proc/{}/comm", daemon.parent))?;
        assert_eq!(comm.trim(), "keepalived", "{which:?}");
        // A second one is content that there is one.
        let words = daemon.home.arguments(&["-n", "-l"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let second = daemon.home.call(Some(ns), &words)?;
        assert_eq!(second.code, Some(0), "{which:?}: {second:?}");
        let said = second.output.join("\n");
        assert!(said.contains("daemon is already running"), "{said}");
        assert_eq!(daemon.home.pid("keepalived.pid"), Some(daemon.parent));
        // A reload keeps both.
        sys::kill(daemon.parent, libc::SIGHUP)?;
        daemon.stop()?;
        for name in ["keepalived.pid", "vrrp.pid"] {
            assert!(!daemon.home.path(name).exists(), "{which:?}: {name}");
        }
        eventually(WITHIN, "the end of both", || gone(vrrp).then_some(()))?;
    }
    Ok(())
}

#[test]
fn the_caller_hears_why_it_did_not_start() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let ns = &lan.host(0).ns;
    let home = Home::new(Which::Ours, &conf(&lan).replace("eth0", "nope0"))?;
    let words = home.arguments(&[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ended = home.call(Some(ns), &words)?;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let said = ended.output.join("\n");
    assert!(said.contains("interface nope0 does not exist"), "{said}");
    assert!(!home.path("keepalived.pid").exists());
    // A place that cannot be written to is told before anything runs.
    let ended = home.call(Some(ns), &["-f", words[2], "-p", "/proc/no/pid"])?;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.output.join("\n").contains("/proc/no/pid"),
        "{ended:?}"
    );
    Ok(())
}

/// COMPAT 4.21: what a container left whose processes had the same numbers.
#[test]
fn stale_pid_files_are_no_daemon() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let home = Home::new(Which::Ours, &conf(&lan))?;
    let mut sleeper = Process::start("sleep", std::process::Command::new("sleep").arg("600"))?;
    fs::write(home.path("keepalived.pid"), format!("{}\n", sleeper.pid()))?;
    let victim = home.path("victim");
    fs::write(&victim, "precious")?;
    symlink(&victim, home.path("vrrp.pid"))?;
    let daemon = Foreground::start_in(home, &lan.host(0).ns, &[])?;
    daemon.wait_state("VI_1", State::Active)?;
    assert_eq!(
        daemon.home.wait_pid("keepalived.pid")?,
        daemon.process.pid()
    );
    assert_eq!(fs::read_to_string(victim)?, "precious");
    assert!(daemon.home.path("vrrp.pid").symlink_metadata()?.is_file());
    assert_eq!(sleeper.try_wait()?, None, "a foreign process was ended");
    Ok(())
}

#[test]
fn an_agent_that_died_is_started_again_unless_told_otherwise() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let home = Home::new(Which::Ours, &conf(&lan))?;
    let daemon = Foreground::start_in(home, &lan.host(0).ns, &[])?;
    daemon.wait_state("VI_1", State::Active)?;
    let first = daemon.home.wait_pid("vrrp.pid")?;
    sys::kill(first, libc::SIGKILL)?;
    eventually(WITHIN, "another agent", || {
        let pid = daemon.home.pid("vrrp.pid")?;
        (pid != first && !gone(pid)).then_some(())
    })?;
    drop(daemon);
    let home = Home::new(Which::Ours, &conf(&lan))?;
    let mut daemon = Foreground::start_in(home, &lan.host(0).ns, &["--dont-respawn"])?;
    let agent = daemon.home.wait_pid("vrrp.pid")?;
    sys::kill(agent, libc::SIGKILL)?;
    assert_eq!(daemon.process.wait(WITHIN)?.code(), Some(1));
    assert!(!daemon.home.path("keepalived.pid").exists());
    Ok(())
}

/// `-s`, and the keyword for both ways to start it.
#[test]
fn it_enters_a_namespace() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let outside = Netns::new()?;
    let home = Home::new(Which::Ours, &conf(&lan))?;
    let daemon = Foreground::start_in(home, &outside, &["-s", host.ns.name()])?;
    daemon.wait_state("VI_1", State::Active)?;
    eventually(WITHIN, "the VIP", || {
        host.has_address(lan.vip()).ok()?.then_some(())
    })?;
    let json = daemon.dump(
        dumps::json_signal(),
        &format!("{}/keepalived.json", host.ns.name()),
    )?;
    assert!(json.contains("VI_1"), "{json}");
    drop(daemon);
    let text = format!("net_namespace {}\n{}", host.ns.name(), conf(&lan));
    let agent = failoverd_tests::agent::Agent::start_conf(&outside, &text, "VI_1")?;
    use failoverd_tests::router::Router;
    agent.wait_state(State::Active, WITHIN * 2)?;
    assert!(host.has_address(lan.vip())?);
    let home = Home::new(Which::Ours, &conf(&lan))?;
    let conf = home.path("conf").display().to_string();
    let ended = home.call(Some(&outside), &["-n", "-f", &conf, "-s", "nosuch"])?;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.output.len(), 1, "{ended:?}");
    assert!(ended.output[0].contains("nosuch"), "{ended:?}");
    Ok(())
}

/// Written while a reload reads, and gone afterwards.
#[test]
fn the_reload_file_goes_when_all_is_read() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let told = tempfile::tempdir()?;
    let file = told.path().join("reload");
    let text = format!(
        "global_defs {{\n  reload_file {}\n}}\n{}",
        file.display(),
        conf(&lan)
    );
    let daemon = Foreground::start(Which::Ours, lan.host(0), &text)?;
    daemon.wait_state("VI_1", State::Active)?;
    fs::write(&file, "an update is under way")?;
    daemon.process.signal(libc::SIGHUP)?;
    eventually(WITHIN, "the end of the file", || {
        (!file.exists()).then_some(())
    })?;
    daemon.process.wait_line("Reloaded", WITHIN)?;
    Ok(())
}

/// A lock or a pipe of the caller is not held by a daemon that outlives it.
#[test]
fn what_the_caller_left_open_is_closed() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let home = Home::new(Which::Ours, &conf(&lan))?;
    let left = home.path("left").display().to_string();
    let words = home.arguments(&["-D"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let called = home.command(Some(&lan.host(0).ns), &words);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "exec 7>\"$0\" && exec \"$@\"", &left]);
    shell.arg(called.get_program()).args(called.get_args());
    for (name, value) in called.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let mut caller = Process::start("sh", &mut shell)?;
    assert!(caller.wait(WITHIN)?.success());
    let parent = home.wait_pid("keepalived.pid")?;
    let daemon = Background { home, parent };
    let agent = daemon.home.wait_pid("vrrp.pid")?;
    for pid in [parent, agent] {
        let open = fs::read_dir(format!("/proc/{pid}/fd"))?;
        let open = open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
        let open: Vec<String> = open.map(|path| path.display().to_string()).collect();
        assert!(open.len() > 3 && !open.contains(&left), "{open:?}");
    }
    daemon.stop()
}

#[test]
fn it_is_a_command_as_well() -> Result<()> {
    if !privilege::ready(failoverd_tests::agent::missing()) {
        return Ok(());
    }
    let ended = failoverd_tests::agent::call(None, &["keepalived", "--signum=STOP"], WITHIN)?;
    assert_eq!((ended.code, ended.output), (Some(0), vec!["15".to_owned()]));
    let help = failoverd_tests::agent::call(None, &["help", "keepalived"], WITHIN)?;
    assert!(help.output.join("\n").contains("--dont-fork"), "{help:?}");
    let man = tempfile::tempdir()?;
    let directory = man.path().to_string_lossy();
    let ended = failoverd_tests::agent::call(None, &["generate", "--man", &directory], WITHIN)?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let page = fs::read_to_string(man.path().join("failoverd-keepalived.1"))?;
    assert!(page.contains("dont\\-fork"), "{page}");
    Ok(())
}
