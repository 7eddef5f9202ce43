//! The flags as clap reads them, what they become, and each sentence of refusal.

use std::net::IpAddr;

use agent_common::{Family, Priority, Version};
use clap::Parser;

use super::*;
use crate::config::Code;
use crate::config::model::{Password, Transport};

#[derive(Parser, Debug)]
struct Cli {
    #[command(flatten)]
    run: RunArgs,
}

fn args(line: &str) -> RunArgs {
    Cli::try_parse_from(std::iter::once("run").chain(line.split_whitespace()))
        .expect(line)
        .run
}

fn plan(line: &str) -> Result<(Plan, Vec<Code>), Vec<UsageError>> {
    match args(line).into_config() {
        Ok((plan, diagnostics)) => Ok((plan, diagnostics.into_iter().map(|d| d.code).collect())),
        Err(UsageErrors::CommandLine(errors)) => Err(errors),
        Err(UsageErrors::File(found)) => panic!("{found:?}"),
    }
}

fn run(line: &str) -> (crate::config::Instance, Vec<Code>) {
    match plan(line).expect(line) {
        (Plan::Run(mut config), codes) => (config.instances.remove(0), codes),
        (Plan::Monitor(_), _) => panic!("{line} monitors"),
    }
}

const BASE: &str = "--iface eth0 --vrid 5 --vip 192.0.2.1/24";

fn base(more: &str) -> String {
    format!("{BASE} {more}")
}

#[test]
fn clap_accepts_its_own_definition() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn defaults_follow_keepalived() {
    let (instance, codes) = run(BASE);
    assert_eq!(codes, []);
    assert_eq!(instance.name, "VI_1");
    assert_eq!(instance.interface.as_str(), "eth0");
    assert_eq!((instance.vrid.get(), instance.priority), (5, Priority(100)));
    assert_eq!(
        (instance.version, instance.family),
        (Version::V2, Family::V4)
    );
    assert_eq!((instance.interval.centis(), instance.down_factor), (100, 3));
    assert!(instance.preempt && instance.assert_on_lower);
    assert_eq!(instance.transport, Transport::Multicast { source: None });
    assert_eq!(instance.vips[0].prefix, 24);
    let args = args(BASE);
    assert_eq!(args.control, PathBuf::from("/run/failoverd/control.sock"));
    assert!(!args.require_xdp && !args.no_supervisor && args.backend.is_none());
}

#[test]
fn a_vip_without_a_length_is_a_host_address() {
    let vips = run("--iface e --vrid 5 --vip fe80::1 --vip 2001:db8::1/64")
        .0
        .vips;
    assert_eq!(
        vips.iter().map(|vip| vip.prefix).collect::<Vec<_>>(),
        [128, 64]
    );
}

#[test]
fn a_sub_second_interval_selects_version_3() {
    let (instance, _) = run(&base("--advert-int 10ms"));
    assert_eq!(
        (instance.version, instance.interval.centis()),
        (Version::V3, 1)
    );
    assert_eq!(run(&base("--advert-int 1s")).0.version, Version::V2);
    assert_eq!(
        run(&base("--advert-int 1s --version 3")).0.version,
        Version::V3
    );
    assert_eq!(
        run("--iface e --vrid 5 --vip fe80::1").0.version,
        Version::V3
    );
}

#[test]
fn unicast_checks_the_source() {
    let (instance, _) = run(&base("--unicast-src 192.0.2.2 --unicast-peer 192.0.2.3"));
    let address = |text: &str| text.parse::<IpAddr>().expect(text);
    assert_eq!(
        instance.transport,
        Transport::Unicast {
            source: Some(address("192.0.2.2")),
            peers: vec![address("192.0.2.3")],
            check_source: true,
        }
    );
}

#[test]
fn backends_and_the_password() {
    for (name, backend) in [
        ("native", Backend::Native),
        ("generic", Backend::Generic),
        ("tcx", Backend::Tcx),
        ("raw", Backend::Raw),
    ] {
        assert_eq!(args(&format!("--backend {name}")).backend, Some(backend));
    }
    let (instance, codes) = run(&base("--auth-pass 123456789 --no-preempt"));
    assert_eq!(instance.password, Some(Password(*b"12345678")));
    assert_eq!(codes, [Code::PasswordTruncated]);
    assert!(!instance.preempt);
    assert!(!format!("{:?}", args("--auth-pass hunter2")).contains("hunter2"));
}

#[test]
fn without_a_vip_it_monitors() {
    let name = IfName::new("eth0").expect("a name");
    assert_eq!(
        plan("--iface eth0"),
        Ok((Plan::Monitor(name.clone()), vec![]))
    );
    assert_eq!(
        plan("--iface eth0 --vrid 5"),
        Ok((Plan::Monitor(name), vec![Code::NoVip]))
    );
    assert_eq!(plan(""), Err(vec![UsageError::NoInterface]));
}

#[test]
fn warnings() {
    for (line, code) in [
        (base("--vip 192.0.2.1"), Code::Duplicate),
        (
            base("--unicast-peer 192.0.2.3 --unicast-peer 192.0.2.3"),
            Code::Duplicate,
        ),
        (base("--priority 255 --no-preempt"), Code::Conflict),
        (
            "--iface e --vrid 5 --vip 2001:db8::1".into(),
            Code::NotLinkLocal,
        ),
    ] {
        assert_eq!(run(&line).1, [code], "{line}");
    }
}

#[test]
fn each_refusal_is_one_sentence() {
    let many_peers: String = (1..=33)
        .map(|n| format!("--unicast-peer 192.0.2.{n} "))
        .collect();
    let many_vips: String = (1..=255)
        .map(|n| format!("--vip 198.51.100.{n} "))
        .collect();
    for (line, sentence) in [
        ("--vrid 5 --vip 192.0.2.1".into(), "--iface is missing"),
        (
            "--iface a/b --vrid 5 --vip 192.0.2.1".into(),
            "--iface 'a/b'",
        ),
        ("--iface e --vip 192.0.2.1".into(), "--vrid is missing"),
        ("--iface e --vrid 0 --vip 192.0.2.1".into(), "--vrid '0'"),
        (
            "--iface e --vrid 256 --vip 192.0.2.1".into(),
            "--vrid '256'",
        ),
        ("--iface e --vrid -1 --vip 192.0.2.1".into(), "--vrid '-1'"),
        (base("--priority 0"), "--priority '0'"),
        (base("--priority 256"), "--priority '256'"),
        (base("--version 4"), "--version '4'"),
        (
            "--iface e --vrid 5 --vip fe80::1 --version 2".into(),
            "--version 2 has no IPv6",
        ),
        (
            base("--vip nonsense"),
            "--vip 'nonsense' is not an IP address",
        ),
        (
            base("--vip 224.0.0.1"),
            "--vip '224.0.0.1' is not the address of a machine",
        ),
        (
            base("--vip 255.255.255.255"),
            "--vip '255.255.255.255' is a broadcast address",
        ),
        (
            base("--vip 192.0.2.3/33"),
            "--vip '192.0.2.3/33' has a wrong prefix length",
        ),
        (
            base("--vip fe80::1"),
            "--vip fe80::1 is IPv6, but the first VIP is IPv4",
        ),
        (base(&many_vips), "256 addresses with --vip"),
        (
            base("--advert-int soon"),
            "--advert-int 'soon' is not a time",
        ),
        (
            base("--advert-int 256s"),
            "--advert-int '256s' is out of range for version 2",
        ),
        (
            base("--advert-int 10ms --version 2"),
            "--advert-int '10ms' is out of range for version 2",
        ),
        (
            base("--advert-int 5ms"),
            "--advert-int '5ms' is out of range for version 3",
        ),
        (
            base("--advert-int 41s --version 3"),
            "--advert-int '41s' is out of range for version 3",
        ),
        (
            base("--unicast-peer x"),
            "--unicast-peer 'x' is not an IP address",
        ),
        (
            base("--unicast-peer fe80::2"),
            "--unicast-peer fe80::2 is not IPv4 as the VIPs are",
        ),
        (
            base("--unicast-src fe80::2 --unicast-peer 192.0.2.3"),
            "--unicast-src fe80::2 is not",
        ),
        (
            base("--unicast-src 192.0.2.2"),
            "--unicast-src without --unicast-peer",
        ),
        (base(&many_peers), "33 addresses with --unicast-peer"),
        (
            base("--unicast-src 192.0.2.2 --unicast-peer 192.0.2.2"),
            "--unicast-peer 192.0.2.2 is our own",
        ),
        (base("--auth-pass="), "--auth-pass is empty"),
        (
            base("--auth-pass x --version 3"),
            "--auth-pass needs version 2, and --version 3 is given",
        ),
        (
            base("--auth-pass x --advert-int 10ms"),
            "--auth-pass needs version 2, and an interval",
        ),
    ] {
        let errors = plan(&line).expect_err(&line);
        assert_eq!(errors.len(), 1, "{line}: {errors:?}");
        let text = UsageErrors::CommandLine(errors).to_string();
        assert!(text.starts_with(sentence), "{line}: {text}");
        assert!(!text.contains('\n') && text.contains(": "), "{text}");
    }
}

#[test]
fn all_refusals_come_together() {
    let errors = plan("--vrid 0 --priority 0 --vip x --vip 192.0.2.1 --advert-int y --auth-pass=")
        .expect_err("wrong in six places");
    assert_eq!(errors.len(), 6, "{errors:?}");
}

#[test]
fn a_file_excludes_the_flags_of_an_instance() {
    for flag in [
        "--iface e",
        "--vip 192.0.2.1",
        "--no-preempt",
        "--auth-pass x",
    ] {
        let line = format!("run --config f {flag}");
        let error = Cli::try_parse_from(line.split_whitespace()).expect_err(flag);
        assert_eq!(
            error.kind(),
            clap::error::ErrorKind::ArgumentConflict,
            "{flag}"
        );
    }
    let error = Cli::try_parse_from(["run", "--config", "f", "--vip", "x"]).expect_err("conflict");
    let text = error.to_string();
    assert!(text.contains("--vip") && !text.contains("--vrid"), "{text}");
    let with_options = args("--config f --require-xdp --backend raw --control /x --no-supervisor");
    assert_eq!(with_options.config, Some(PathBuf::from("f")));
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_of_the_file() {
    let Err(UsageErrors::File(found)) = args("--config /nonexistent/f").into_config() else {
        panic!("it was read");
    };
    assert_eq!(found[0].code, Code::Unreadable);
}
