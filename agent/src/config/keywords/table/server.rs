//! Virtual servers, real servers, and the settings of TLS.

use super::common::{COUNT, FLAG, POSITIVE, POSITIVE_SECONDS, SCRIPT, SECONDS, SWITCH, TEXT};
use super::reason::{CHECKERS, lvs};
use super::{rows, special};
use crate::config::keywords::Status::WithoutEffect;
use crate::config::keywords::shape::Argument::{Maybe, One};
use crate::config::keywords::shape::{Kind, Shape, block, words};
use crate::config::keywords::{Block, Keyword};

const SCHEDULERS: &[&str] = &[
    "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "mh", "sed", "nq", "fo", "ovf", "twos",
];
/// The largest delay_loop, in microseconds.
const LOOP: u64 = 18_446_744_073_709_551_614;
const LONG_SECONDS: Shape = words(&[One(Kind::Seconds(1, LOOP))]);
const WEIGHT: Shape = words(&[One(Kind::Number(0, 2_147_483_647))]);

pub const SSL: &[Keyword] = rows! { Ssl:
    CHECKERS, words(&[One(Kind::Secret)]) => "password";
    CHECKERS, words(&[One(Kind::File)]) => "ca" "certificate" "key";
};

pub const VIRTUAL_SERVER: &[Keyword] = rows! { VirtualServer:
    lvs("ip_family"), words(&[One(Kind::Choice(&["inet", "inet6"]))]) => "ip_family";
    CHECKERS, POSITIVE => "retry" "quorum";
    CHECKERS, SECONDS => "delay_before_retry" "warmup";
    CHECKERS, POSITIVE_SECONDS => "connect_timeout";
    CHECKERS, LONG_SECONDS => "delay_loop";
    CHECKERS, SWITCH => "inhibit_on_failure" "smtp_alert" "alpha" "omega" "ha_suspend";
    lvs("lb_algo"), words(&[One(Kind::Choice(SCHEDULERS))]) => "lb_algo";
    lvs("lvs_sched"), words(&[One(Kind::Choice(SCHEDULERS))]) => "lvs_sched";
    WithoutEffect("the kernel sets this flag itself"), FLAG => "hashed";
    lvs("ops"), FLAG => "ops";
    lvs("flag-1"), FLAG => "flag-1";
    lvs("flag-2"), FLAG => "flag-2";
    lvs("flag-3"), FLAG => "flag-3";
    lvs("sh-port"), FLAG => "sh-port";
    lvs("sh-fallback"), FLAG => "sh-fallback";
    lvs("mh-port"), FLAG => "mh-port";
    lvs("mh-fallback"), FLAG => "mh-fallback";
    CHECKERS, FLAG => "sorry_server_inhibit";
    lvs("lb_kind"), special::METHOD => "lb_kind";
    lvs("lvs_method"), special::METHOD => "lvs_method";
    CHECKERS, special::METHOD => "sorry_server_lvs_method";
    lvs("persistence_engine"), words(&[One(Kind::Choice(&["sip"]))]) => "persistence_engine";
    lvs("persistence_timeout"), words(&[Maybe(Kind::Number(1, 2_678_400))]) =>
        "persistence_timeout";
    lvs("persistence_granularity"), words(&[One(Kind::Mask)]) => "persistence_granularity";
    lvs("protocol"), words(&[One(Kind::Choice(&["TCP", "UDP", "SCTP"]))]) => "protocol";
    CHECKERS, TEXT => "virtualhost" "snmp_name";
    CHECKERS, SCRIPT => "quorum_up" "quorum_down";
    CHECKERS, COUNT => "hysteresis";
    lvs("weight"), WEIGHT => "weight";
    CHECKERS, words(&[One(Kind::Address), Maybe(Kind::Port)]) => "sorry_server";
    lvs("real_server"), block(&[One(Kind::Address), Maybe(Kind::Port)], Block::RealServer) =>
        "real_server";
};

pub const REAL_SERVER: &[Keyword] = rows! { RealServer:
    lvs("weight"), WEIGHT => "weight";
    lvs("lvs_method"), special::METHOD => "lvs_method";
    lvs("uthreshold"), COUNT => "uthreshold";
    lvs("lthreshold"), COUNT => "lthreshold";
    CHECKERS, SWITCH => "inhibit_on_failure" "alpha" "smtp_alert";
    CHECKERS, SCRIPT => "notify_up" "notify_down";
    CHECKERS, POSITIVE => "retry";
    CHECKERS, SECONDS => "delay_before_retry" "warmup";
    CHECKERS, POSITIVE_SECONDS => "connect_timeout";
    CHECKERS, LONG_SECONDS => "delay_loop";
    CHECKERS, TEXT => "virtualhost" "snmp_name";
    CHECKERS, block(&[], Block::HttpGet) => "HTTP_GET";
    CHECKERS, block(&[], Block::SslGet) => "SSL_GET";
    CHECKERS, block(&[], Block::TcpCheck) => "TCP_CHECK";
    CHECKERS, block(&[], Block::SmtpCheck) => "SMTP_CHECK";
    CHECKERS, block(&[], Block::DnsCheck) => "DNS_CHECK";
    CHECKERS, block(&[], Block::MiscCheck) => "MISC_CHECK";
    CHECKERS, block(&[], Block::UdpCheck) => "UDP_CHECK";
    CHECKERS, block(&[], Block::PingCheck) => "PING_CHECK";
    CHECKERS, block(&[], Block::FileCheck) => "FILE_CHECK";
    CHECKERS, block(&[], Block::BfdCheck) => "BFD_CHECK";
};
