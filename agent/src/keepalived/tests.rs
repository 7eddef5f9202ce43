//! The command line as keepalived reads it, and what becomes of it.

use std::{ffi::OsString, path::Path};

use super::{
    command,
    getopt::{OptionError, parse, split},
    invocation::{Invocation, Task},
    is_meant,
    options::{Argument, TABLE},
    signum,
};
use crate::logging::syslog::Facility;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn invocation(line: &str) -> Invocation {
    Invocation::new(&words(line)).expect(line)
}

fn error(line: &str) -> OptionError {
    Invocation::new(&words(line)).expect_err(line)
}

#[test]
fn called_by_name_or_as_a_command() {
    let meant = |line: &str| is_meant(words(line).into_iter());
    assert_eq!(meant("/usr/sbin/keepalived -n"), Some(words("-n")));
    assert_eq!(meant("keepalived"), Some(words("")));
    assert_eq!(meant("failoverd keepalived -n"), Some(words("-n")));
    assert_eq!(meant("failoverd run"), None);
    assert_eq!(meant("./keepalived.old run"), None);
    assert_eq!(meant("failoverd"), None);
}

#[test]
fn what_is_no_option_is_told_apart() {
    let (given, others) = split(&words("-n one -t two -- -D")).unwrap();
    assert_eq!(
        (given.len(), others),
        (2, vec!["one".to_owned(), "two".to_owned(), "-D".to_owned()])
    );
}

#[test]
fn short_options_are_joined_and_long_ones_cut() {
    for line in [
        "-nlDf /etc/k.conf -p /run/p",
        "-n -l -D -f/etc/k.conf -p/run/p",
        "--dont-fork --log-console --log-detail --use-file /etc/k.conf --pid /run/p",
        "--dont-f --log-c --log-d --use=/etc/k.conf --pid=/run/p",
    ] {
        let found = invocation(line);
        assert!(found.foreground, "{line}");
        assert_eq!(found.file, Path::new("/etc/k.conf"), "{line}");
        assert_eq!(found.pid.as_deref(), Some(Path::new("/run/p")), "{line}");
        let log = found.destinations(false, None);
        assert!(log.console && log.detail, "{line}");
    }
}

#[test]
fn what_is_wrong_is_one_sentence() {
    for (line, said) in [
        (
            "--frobnicate",
            "unknown option --frobnicate; --help lists all",
        ),
        ("-n -Q", "unknown option -Q; --help lists all"),
        ("-f", "missing parameter for option -f"),
        ("--signum", "missing parameter for option --signum"),
        ("--dont-fork=1", "option --dont-fork takes no parameter"),
        (
            "--dont-release",
            "option --dont-release can be --dont-release-vrrp or --dont-release-ipvs; write it out",
        ),
        (
            "-u 9x",
            "invalid --umask '9x': give a number of 0 to 0777, such as 022",
        ),
        (
            "-s a/b",
            "invalid --namespace 'a/b': give a name that `ip netns` lists",
        ),
        ("--=x", "unknown option --; --help lists all"),
    ] {
        assert_eq!(error(line).to_string(), said);
    }
}

#[test]
fn the_first_thing_to_be_told_wins() {
    assert_eq!(invocation("-v -t").task, Task::Version);
    assert_eq!(invocation("-t -h").task, Task::Help);
    assert_eq!(invocation("-t").task, Task::Check(None));
    assert_eq!(
        invocation("-t/tmp/x").task,
        Task::Check(Some("/tmp/x".into()))
    );
    assert_eq!(
        invocation("--config-test=/tmp/x").task,
        Task::Check(Some("/tmp/x".into()))
    );
    // An optional argument is never the next word.
    assert_eq!(invocation("-t /tmp/x").task, Task::Check(None));
    assert_eq!(
        invocation("--signum=JSON").task,
        Task::Signum("JSON".to_owned())
    );
    assert_eq!(invocation("-T").task, Task::Genhash);
    assert_eq!(invocation("-C").task, Task::CheckersOnly);
    assert_eq!(invocation("-C -P").task, Task::Run);
    assert_eq!(invocation("word -n -- -t").task, Task::Run);
}

#[test]
fn the_log_goes_where_keepalived_sends_it() {
    let log = invocation("").destinations(true, None);
    assert_eq!(log.syslog, Some(Facility::Daemon));
    assert_eq!((log.console, log.file), (false, None));
    assert_eq!(log.ident, "Keepalived_vrrp");
    let found = invocation("-G -g /var/log/k.a.log -S local3 -s blue");
    let log = found.destinations(true, Some("blue"));
    assert_eq!(log.syslog, None);
    assert_eq!(
        log.file.as_deref(),
        Some(Path::new("/var/log/k.a_vrrp.log"))
    );
    assert_eq!(log.ident, "Keepalived_vrrp_blue");
    let log = found.destinations(false, None);
    assert_eq!(log.file.as_deref(), Some(Path::new("/var/log/k.a.log")));
    let log = invocation("-S3").destinations(false, None);
    assert_eq!(log.syslog, Some(Facility::Local(3)));
}

#[test]
fn the_umask_says_who_reads_the_dumps() {
    assert_eq!(invocation("").mode, 0o600);
    for (text, mode) in [("022", 0o644), ("0x12", 0o644), ("18", 0o644), ("0", 0o666)] {
        assert_eq!(invocation(&format!("-u {text}")).mode, mode, "{text}");
    }
}

/// The agent is started by the parent, which may be elsewhere by then.
#[test]
fn the_agent_gets_the_same_options_with_absolute_paths() {
    let first = invocation("-nf k.conf -p p -ixyz -V -u 022 -t");
    let again = Invocation::new(&first.arguments).unwrap();
    assert!(first.file.is_absolute());
    assert_eq!(again.file, first.file);
    assert_eq!(again.config_id.as_deref(), Some("xyz"));
    assert_eq!(again.mode, 0o644);
    assert_eq!(again.task, Task::Check(None));
    assert_eq!(again.arguments, first.arguments);
    assert_eq!(
        again.warnings(),
        ["--dont-release-vrrp has no effect: VIPs are removed at the end all the same"]
    );
}

/// Every row can be given, in both forms, and none is there twice.
#[test]
fn every_option_is_read() {
    for row in TABLE {
        let value = match row.argument {
            Argument::No => "",
            Argument::Needed(_) | Argument::Optional(_) => "7",
        };
        let mut forms = vec![match value {
            "" => format!("--{}", row.long),
            value => format!("--{}={value}", row.long),
        }];
        forms.extend(row.short.map(|short| format!("-{short}{value}")));
        for form in forms {
            let given = parse(&words(&form)).expect(&form);
            let [(found, argument)] = given.as_slice() else {
                panic!("{form}");
            };
            assert_eq!(found.opt, row.opt, "{form}");
            assert_eq!(argument.as_deref().is_some(), !value.is_empty(), "{form}");
        }
        let twice = |other: &&super::options::Row| {
            other.long == row.long || (row.short.is_some() && other.short == row.short)
        };
        assert_eq!(TABLE.iter().filter(twice).count(), 1, "{}", row.long);
    }
    command::command().debug_assert();
    let help = command::help();
    for row in TABLE {
        assert!(help.contains(&format!("--{}", row.long)), "{}", row.long);
    }
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    use std::os::unix::ffi::OsStringExt;
    for bytes in [
        &b"-"[..],
        b"--",
        b"-\xff",
        b"--\xff=\xff",
        b"",
        b"--use-file=\xff",
        b"-p\xff",
    ] {
        let _ = Invocation::new(&[OsString::from_vec(bytes.to_vec())]);
    }
}

#[test]
fn signals_have_numbers() {
    for name in signum::NAMES {
        assert!(signum::number(name).is_some(), "{name}");
    }
    assert_eq!(signum::number("stop"), None);
    assert_eq!(signum::number(""), None);
}

#[test]
fn the_version_is_taken_apart_as_keepalived_s() {
    let version = command::version();
    let (first, rest) = version.split_once('\n').unwrap();
    assert!(!rest.is_empty());
    let number = first.split(' ').nth(1).unwrap();
    assert!(number.starts_with("v2."), "{first}");
}
