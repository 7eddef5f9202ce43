//! keepalived's options: one table for the parser, the help and the manual.

/// What follows an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Argument {
    No,
    /// Its name in the help.
    Needed(&'static str),
    /// `-xVALUE` or `--long=VALUE` only.
    Optional(&'static str),
}

/// An option by what it does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Opt {
    UseFile,
    Vrrp,
    Check,
    NoBfd,
    All,
    LogConsole,
    LogDetail,
    LogFacility,
    LogFile,
    FlushLogFile,
    NoSyslog,
    Umask,
    ReleaseVips,
    DontReleaseVrrp,
    DontReleaseIpvs,
    DontRespawn,
    DontFork,
    DumpConf,
    Pid,
    VrrpPid,
    CheckersPid,
    BfdPid,
    Genhash,
    AddressMonitoring,
    Snmp,
    SnmpSocket,
    Namespace,
    CoreDump,
    CorePattern,
    AllConfig,
    ConfigId,
    Signum,
    ConfigTest,
    Perf,
    Debug,
    NoMemCheck,
    IgnoreSigint,
    Version,
    Help,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub opt: Opt,
    pub short: Option<char>,
    pub long: &'static str,
    pub argument: Argument,
    /// The argument is a path.
    pub path: bool,
    /// Why it is accepted and does nothing, where somebody may rely on it.
    pub no_effect: Option<&'static str>,
    pub help: &'static str,
}

const fn row(
    opt: Opt,
    short: Option<char>,
    long: &'static str,
    argument: Argument,
    help: &'static str,
) -> Row {
    Row {
        opt,
        short,
        long,
        argument,
        path: false,
        no_effect: None,
        help,
    }
}

/// With a path, which stays valid wherever the daemon goes.
const fn file(
    opt: Opt,
    short: Option<char>,
    long: &'static str,
    argument: Argument,
    help: &'static str,
) -> Row {
    Row {
        path: true,
        ..row(opt, short, long, argument, help)
    }
}

/// Accepted, with a line that says why it does nothing.
const fn ignored(why: &'static str, row: Row) -> Row {
    Row {
        no_effect: Some(why),
        ..row
    }
}

use Argument::{Needed, No, Optional};

const FILE: Argument = Needed("FILE");

#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    file(Opt::UseFile, Some('f'), "use-file", FILE, "Use this configuration file [default: /etc/keepalived/keepalived.conf]"),
    row(Opt::Vrrp, Some('P'), "vrrp", No, "Run VRRP only"),
    ignored("there are no health checkers yet, only VRRP runs", row(Opt::Check, Some('C'), "check", No, "Run health checkers only; refused without -P, as there are none yet")),
    row(Opt::NoBfd, Some('B'), "no_bfd", No, "Run no BFD; there is none yet"),
    row(Opt::All, None, "all", No, "Run all parts, even without configuration"),
    row(Opt::LogConsole, Some('l'), "log-console", No, "Log to standard error too"),
    row(Opt::LogDetail, Some('D'), "log-detail", No, "Log in detail"),
    row(Opt::LogFacility, Some('S'), "log-facility", Needed("FACILITY"), "Syslog facility: 0-7, local0-local7, user or daemon [default: daemon]"),
    file(Opt::LogFile, Some('g'), "log-file", FILE, "Log to FILE, and to FILE with _vrrp before its extension"),
    row(Opt::FlushLogFile, None, "flush-log-file", No, "Write each line at once, as is done anyway"),
    row(Opt::NoSyslog, Some('G'), "no-syslog", No, "Do not log to syslog"),
    row(Opt::Umask, Some('u'), "umask", Needed("MASK"), "Umask of the files that are written"),
    row(Opt::ReleaseVips, Some('X'), "release-vips", No, "Accepted: VIPs are released at every transition"),
    ignored("VIPs are removed at the end all the same", row(Opt::DontReleaseVrrp, Some('V'), "dont-release-vrrp", No, "Without effect: no VIP is left behind that nobody answers for")),
    row(Opt::DontReleaseIpvs, Some('I'), "dont-release-ipvs", No, "Accepted: virtual servers are left alone in any case"),
    row(Opt::DontRespawn, Some('R'), "dont-respawn", No, "Do not start an agent again that died"),
    row(Opt::DontFork, Some('n'), "dont-fork", No, "Stay in the foreground"),
    row(Opt::DumpConf, Some('d'), "dump-conf", No, "Write keepalived.data once running"),
    file(Opt::Pid, Some('p'), "pid", FILE, "Pid file of the parent process"),
    file(Opt::VrrpPid, Some('r'), "vrrp_pid", FILE, "Pid file of the VRRP process"),
    file(Opt::CheckersPid, Some('c'), "checkers_pid", FILE, "Pid file of the checkers; accepted, not written"),
    file(Opt::BfdPid, Some('b'), "bfd_pid", FILE, "Pid file of BFD; accepted, not written"),
    row(Opt::Genhash, Some('T'), "genhash", No, "Refused: there are no HTTP checks yet"),
    ignored("foreign addresses are not logged", row(Opt::AddressMonitoring, Some('a'), "address-monitoring", No, "Without effect: foreign addresses are not logged")),
    ignored("there is no SNMP yet", row(Opt::Snmp, Some('x'), "snmp", No, "Without effect: there is no SNMP yet")),
    ignored("there is no SNMP yet", row(Opt::SnmpSocket, Some('A'), "snmp-agent-socket", FILE, "Without effect: there is no SNMP yet")),
    row(Opt::Namespace, Some('s'), "namespace", Needed("NAME"), "Run in this network namespace, whatever the file says"),
    row(Opt::CoreDump, Some('m'), "core-dump", No, "Allow core files"),
    ignored("core files are allowed, core_pattern is left as it is", row(Opt::CorePattern, Some('M'), "core-dump-pattern", Optional("PATTERN"), "As -m; the machine's core_pattern is left as it is")),
    row(Opt::AllConfig, Some('e'), "all-config", No, "A missing included file is an error"),
    row(Opt::ConfigId, Some('i'), "config-id", Needed("ID"), "What @id lines are compared with [default: the host name up to its first dot]"),
    row(Opt::Signum, None, "signum", Needed("SIGFUNC"), "Print the number of the signal for STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON or TDATA"),
    file(Opt::ConfigTest, Some('t'), "config-test", Optional("FILE"), "Check the configuration, and write what is wrong to FILE or standard error"),
    ignored("nothing is recorded", row(Opt::Perf, None, "perf", Optional("WHAT"), "Without effect")),
    ignored("FAILOVERD_LOG=debug shows more", row(Opt::Debug, None, "debug", Optional("OPTIONS"), "Without effect; FAILOVERD_LOG=debug shows more")),
    row(Opt::NoMemCheck, None, "no-mem-check", No, "Without effect"),
    row(Opt::IgnoreSigint, None, "ignore-sigint", No, "Do not stop at SIGINT"),
    row(Opt::Version, Some('v'), "version", No, "Print the version"),
    row(Opt::Help, Some('h'), "help", No, "Print this help"),
];
