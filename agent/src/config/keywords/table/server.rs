//! Virtual servers, real servers, and the settings of TLS.

use super::common::{COUNT, FLAG, POSITIVE, POSITIVE_SECONDS, SCRIPT, SECONDS, SWITCH, TEXT};
use super::reason::LVS;
use super::{rows, special};
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
    LVS, words(&[One(Kind::Secret)]) => "password";
    LVS, words(&[One(Kind::File)]) => "ca" "certificate" "key";
};

pub const VIRTUAL_SERVER: &[Keyword] = rows! { VirtualServer:
    LVS, words(&[One(Kind::Choice(&["inet", "inet6"]))]) => "ip_family";
    LVS, POSITIVE => "retry" "quorum";
    LVS, SECONDS => "delay_before_retry" "warmup";
    LVS, POSITIVE_SECONDS => "connect_timeout";
    LVS, LONG_SECONDS => "delay_loop";
    LVS, SWITCH => "inhibit_on_failure" "smtp_alert" "alpha" "omega" "ha_suspend";
    LVS, words(&[One(Kind::Choice(SCHEDULERS))]) => "lb_algo" "lvs_sched";
    LVS, FLAG => "hashed" "ops" "flag-1" "flag-2" "flag-3" "sh-port" "sh-fallback" "mh-port"
        "mh-fallback" "sorry_server_inhibit";
    LVS, special::METHOD => "lb_kind" "lvs_method" "sorry_server_lvs_method";
    LVS, words(&[One(Kind::Choice(&["sip"]))]) => "persistence_engine";
    LVS, words(&[Maybe(Kind::Number(1, 2_678_400))]) => "persistence_timeout";
    LVS, words(&[One(Kind::Mask)]) => "persistence_granularity";
    LVS, words(&[One(Kind::Choice(&["TCP", "UDP", "SCTP"]))]) => "protocol";
    LVS, TEXT => "virtualhost" "snmp_name";
    LVS, SCRIPT => "quorum_up" "quorum_down";
    LVS, COUNT => "hysteresis";
    LVS, WEIGHT => "weight";
    LVS, words(&[One(Kind::Address), Maybe(Kind::Port)]) => "sorry_server";
    LVS, block(&[One(Kind::Address), Maybe(Kind::Port)], Block::RealServer) => "real_server";
};

pub const REAL_SERVER: &[Keyword] = rows! { RealServer:
    LVS, WEIGHT => "weight";
    LVS, special::METHOD => "lvs_method";
    LVS, COUNT => "uthreshold" "lthreshold";
    LVS, SWITCH => "inhibit_on_failure" "alpha" "smtp_alert";
    LVS, SCRIPT => "notify_up" "notify_down";
    LVS, POSITIVE => "retry";
    LVS, SECONDS => "delay_before_retry" "warmup";
    LVS, POSITIVE_SECONDS => "connect_timeout";
    LVS, LONG_SECONDS => "delay_loop";
    LVS, TEXT => "virtualhost" "snmp_name";
    LVS, block(&[], Block::HttpGet) => "HTTP_GET";
    LVS, block(&[], Block::SslGet) => "SSL_GET";
    LVS, block(&[], Block::TcpCheck) => "TCP_CHECK";
    LVS, block(&[], Block::SmtpCheck) => "SMTP_CHECK";
    LVS, block(&[], Block::DnsCheck) => "DNS_CHECK";
    LVS, block(&[], Block::MiscCheck) => "MISC_CHECK";
    LVS, block(&[], Block::UdpCheck) => "UDP_CHECK";
    LVS, block(&[], Block::PingCheck) => "PING_CHECK";
    LVS, block(&[], Block::FileCheck) => "FILE_CHECK";
    LVS, block(&[], Block::BfdCheck) => "BFD_CHECK";
};
