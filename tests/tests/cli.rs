//! What the command line refuses, how, and what it leaves as it was.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    agent::{self, Agent, Ended, call},
    agents::{INTERVAL, START, picture},
    netns::Netns,
    process::Process,
    require_agent,
    router::{Router, State, VirtualRouter},
    topology::Lan,
};

/// Nothing here takes long.
const WITHIN: Duration = Duration::from_secs(20);

/// One command line that is refused.
struct Refused {
    arguments: &'static str,
    code: i32,
    /// What each line of standard error contains, in order.
    sentences: &'static [&'static str],
}

const fn refused(
    arguments: &'static str,
    code: i32,
    sentences: &'static [&'static str],
) -> Refused {
    Refused {
        arguments,
        code,
        sentences,
    }
}

const TABLE: &[Refused] = &[
    refused(
        "--iface eth0 --vrid 51 --priority 255 --vip 10.77.1.1/24",
        2,
        &["VIP 10.77.1.1 is the only address of eth0"],
    ),
    refused(
        "--iface eth0 --vrid 51 --vip 10.77.1.100/24 --require-xdp --backend tcx",
        2,
        &["--require-xdp and this --backend exclude each other"],
    ),
    refused(
        "--iface nope0 --vrid 51 --vip 10.77.1.100/24",
        2,
        &["interface nope0 does not exist"],
    ),
    refused(
        "--iface eth0 --vrid 51 --vip 10.77.1.100/24 --vip fd77::1/64",
        2,
        &["--vip fd77::1 is IPv6, but the first VIP is IPv4"],
    ),
    refused(
        "--iface eth0 --vrid 0 --vip 10.77.1.100/24",
        2,
        &["--vrid '0'"],
    ),
    refused(
        "--iface eth0 --vrid 256 --vip 10.77.1.100/24",
        2,
        &["--vrid '256'"],
    ),
    refused(
        "--iface eth0 --vip 10.77.1.100/24",
        2,
        &["--vrid is missing"],
    ),
    refused("--vrid 51 --vip 10.77.1.100/24", 2, &["--iface is missing"]),
    refused(
        "--iface eth0 --vrid 51 --vip 10.77.1.100/24 --advert-int 5ms",
        2,
        &["--advert-int '5ms' is out of range for version 3"],
    ),
    refused(
        "--iface eth0 --vrid 51 --vip 10.77.1.100/24 --advert-int 41s --version 3",
        2,
        &["--advert-int '41s' is out of range for version 3"],
    ),
    refused(
        "--iface eth0 --vrid 51 --vip 10.77.1.100/24 --advert-int 256s",
        2,
        &["--advert-int '256s' is out of range for version 2"],
    ),
    refused(
        "--iface eth0 --vrid 51 --vip 10.77.1.100/24 --priority 0",
        2,
        &["--priority '0'"],
    ),
    refused(
        "--iface eth0 --vrid 51 --vip 10.77.1.100/33",
        2,
        &["--vip '10.77.1.100/33' has a wrong prefix length"],
    ),
    refused(
        "--iface eth0 --vrid 51 --vip fd77::1/64 --version 2",
        2,
        &["--version 2 has no IPv6"],
    ),
    refused(
        "--iface eth0 --vrid 51 --vip 10.77.1.100/24 --unicast-src 10.77.1.1 --unicast-peer fd77::2",
        2,
        &["--unicast-peer fd77::2 is not IPv4"],
    ),
    // All that is wrong at once.
    refused(
        "--iface eth0 --vrid 0 --vip 10.77.1.100/24 --priority 0 --advert-int soon",
        2,
        &["--vrid '0'", "--priority '0'", "--advert-int 'soon'"],
    ),
    refused(
        "--config /nonexistent/keepalived.conf",
        2,
        &["failoverd: /nonexistent/keepalived.conf: error: cannot be read"],
    ),
];

fn run(ns: &Netns, directory: &Path, arguments: &str) -> Result<Ended> {
    let control = directory.join("control").display().to_string();
    let mut words = vec!["run"];
    words.extend(arguments.split_whitespace());
    words.extend(["--control", &control]);
    call(Some(ns), &words, WITHIN)
}

/// As many lines as sentences, each of one problem.
fn assert_sentences(ended: &Ended, code: i32, sentences: &[&str], what: &str) {
    assert_eq!(ended.code, Some(code), "{what}: {ended:?}");
    assert_eq!(ended.output.len(), sentences.len(), "{what}: {ended:?}");
    for (line, sentence) in ended.output.iter().zip(sentences) {
        assert!(line.contains(sentence), "{what}: {line}");
    }
}

#[test]
fn bad_input_gets_a_sentence_each_and_changes_nothing() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let ns = &lan.host(0).ns;
    let directory = tempfile::tempdir()?;
    let before = picture(ns)?;
    for case in TABLE {
        let ended = run(ns, directory.path(), case.arguments)?;
        assert_sentences(&ended, case.code, case.sentences, case.arguments);
        assert_eq!(picture(ns)?, before, "{}", case.arguments);
    }
    Ok(())
}

#[test]
fn a_broken_file_is_told_by_line_and_changes_nothing() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let ns = &lan.host(0).ns;
    let directory = tempfile::tempdir()?;
    let before = picture(ns)?;
    let conf = directory.path().join("keepalived.conf");
    for (text, line, word) in [
        (
            "vrrp_instance VI_1 {\n  interface eth0\n  virtual_router_id 0\n  \
             virtual_ipaddress {\n    10.77.1.100/24\n  }\n}\n",
            "keepalived.conf:3: error: ",
            "VRID '0'",
        ),
        (
            "vrrp_instance VI_1 {\n  interface eth0\n  virtual_router_id 51\n  \
             virtual_ipaddress {\n    10.77.1.100/24\n  }\n",
            "keepalived.conf:1: error: ",
            "}",
        ),
    ] {
        fs::write(&conf, text)?;
        let ended = run(
            ns,
            directory.path(),
            &format!("--config {}", conf.display()),
        )?;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        let errors = ended.output.iter().filter(|found| found.contains(word));
        let errors: Vec<_> = errors.filter(|found| found.contains(line)).collect();
        assert_eq!(errors.len(), 1, "{line} {word}: {ended:?}");
        let named = |line: &String| line.starts_with("failoverd: ");
        assert!(ended.output.iter().all(named), "{ended:?}");
        let last = ended.output.last().map_or("", String::as_str);
        assert!(last.contains(" is not used: "), "{ended:?}");
        assert_eq!(picture(ns)?, before);
    }
    Ok(())
}

#[test]
fn a_file_and_flags_exclude_each_other() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let ns = &lan.host(0).ns;
    let directory = tempfile::tempdir()?;
    let before = picture(ns)?;
    let ended = run(ns, directory.path(), "--config x.conf --vrid 51")?;
    assert_sentences(&ended, 2, &["--config"], "both");
    assert_eq!(picture(ns)?, before);
    Ok(())
}

#[test]
fn without_permission_it_says_so_and_changes_nothing() -> Result<()> {
    require_agent!("setpriv");
    let lan = Lan::new(1)?;
    let ns = &lan.host(0).ns;
    let directory = tempfile::tempdir()?;
    // The directory of the socket is not what is missing.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777))?;
    let before = picture(ns)?;
    let mut command = ns.command("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(agent::binary()?)
        .args(["run", "--iface", "eth0", "--vrid", "51"])
        .args(["--vip", "10.77.1.100/24", "--control"])
        .arg(directory.path().join("control"));
    let mut process = Process::start("failoverd", command.env("NO_COLOR", "1"))?;
    let status = process.wait(WITHIN)?;
    let output: Vec<String> = process.finish().into_iter().map(|l| l.text).collect();
    assert_eq!(status.code(), Some(4), "{output:?}");
    assert_eq!(output.len(), 1, "{output:?}");
    assert!(output[0].contains("not permitted to"), "{output:?}");
    assert!(output[0].contains("CAP_NET_RAW"), "{output:?}");
    assert_eq!(picture(ns)?, before);
    Ok(())
}

// P15
#[test]
fn a_second_agent_for_the_same_virtual_router_refuses() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let router = VirtualRouter::new(200, lan.vip()).every(INTERVAL);
    let first = Agent::start(&host.ns, &router)?;
    first.wait_state(State::Active, START)?;
    let before = picture(&host.ns)?;
    let directory = tempfile::tempdir()?;
    let arguments = router.agent_arguments()[1..].join(" ");
    let ended = run(&host.ns, directory.path(), &arguments)?;
    let sentence = "another failoverd already runs this virtual router";
    assert_sentences(&ended, 2, &[sentence], "the second");
    assert_eq!(picture(&host.ns)?, before);
    assert_eq!(first.transitions().len(), 2);

    // Another VRID is another virtual router.
    let mut other = VirtualRouter::new(200, [10, 77, 1, 101].into()).every(INTERVAL);
    other.vrid = 52;
    let other = Agent::start(&host.ns, &other)?;
    other.wait_state(State::Active, START)?;
    Ok(())
}

#[test]
fn a_control_socket_in_use_is_told() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let router = VirtualRouter::new(200, lan.vip()).every(INTERVAL);
    let first = Agent::start(&host.ns, &router)?;
    first.wait_state(State::Active, START)?;
    let before = picture(&host.ns)?;
    let control = first.control().display().to_string();
    let arguments = [
        "run",
        "--iface",
        "eth0",
        "--vrid",
        "52",
        "--vip",
        "10.77.1.101/24",
        "--control",
        &control,
    ];
    let ended = call(Some(&host.ns), &arguments, WITHIN)?;
    assert_sentences(&ended, 2, &["another failoverd is listening"], "the second");
    assert_eq!(picture(&host.ns)?, before);
    first.status()?;
    Ok(())
}

/// Whatever is wrong with the words themselves, it is one line and 2.
#[test]
fn a_command_line_that_makes_no_sense_gets_one_sentence() -> Result<()> {
    require_agent!();
    for (line, sentence) in [
        ("runn", "'runn'"),
        ("run --confg x", "'--confg'"),
        ("run --config", "--config"),
        ("run --iface eth0 --backend magic", "'magic'"),
        ("status --control", "--control"),
        ("check a b", "'b'"),
        ("generate", "--man"),
    ] {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ended = call(None, &words, WITHIN)?;
        assert_sentences(&ended, 2, &[sentence], line);
    }
    Ok(())
}

/// The codes of `keepalived -t`, by the binary itself.
#[test]
fn check_ends_as_keepalived_s_test_does() -> Result<()> {
    require_agent!();
    let directory = tempfile::tempdir()?;
    let conf = directory.path().join("conf").display().to_string();
    let good = "vrrp_instance VI_1 {\n  interface lo\n  virtual_router_id 51\n  \
                virtual_ipaddress {\n    10.77.1.100/24\n  }\n}\n";
    let script = "vrrp_script chk {\n  script \"/bin/true\"\n}\n";
    for (text, code) in [
        (good.to_owned(), 0),
        (format!("{good}nonsense 1\n"), 5),
        (format!("{good}{script}"), 6),
    ] {
        fs::write(&conf, &text)?;
        for words in [["check", &conf], ["-t", &conf]] {
            let ended = call(None, &words, WITHIN)?;
            assert_eq!(ended.code, Some(code), "{text}: {ended:?}");
            let silent = ended.output.is_empty();
            assert!(silent == (code == 0), "{text}: {ended:?}");
        }
    }
    for missing in ["/nonexistent/keepalived.conf", "/", "/dev/zero"] {
        let ended = call(None, &["check", missing], WITHIN)?;
        assert_eq!(ended.code, Some(4), "{missing}: {ended:?}");
        assert_eq!(ended.output.len(), 1, "{missing}: {ended:?}");
    }
    Ok(())
}

/// What one command prints the next one reads.
#[test]
fn a_configuration_comes_through_a_pipe() -> Result<()> {
    require_agent!();
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("conf");
    fs::write(
        &file,
        VirtualRouter::new(200, [10, 77, 1, 100].into()).keepalived_conf(),
    )?;
    let script = "\"$0\" check --print \"$1\" | \"$0\" check - && \
                  \"$0\" check --print \"$1\" | \"$0\" diff /dev/stdin --against \"$1\"";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script]).arg(agent::binary()?).arg(&file);
    let found = shell.output()?;
    let said = String::from_utf8_lossy(&found.stdout);
    assert!(found.status.success(), "{found:?}");
    assert_eq!(said, "nothing changes\n");
    Ok(())
}
