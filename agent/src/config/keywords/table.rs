//! The rows of the keyword table, by block and by what becomes of them.

mod checker;
mod global;
mod instance;
mod root;
mod server;
mod special;

pub use special::extra_garp;
mod tracking;

use super::{Keyword, Shape, Status};

/// One table for each block, in the order of the documentation.
pub const TABLES: &[&[Keyword]] = &[
    root::ROOT,
    global::GLOBAL,
    instance::INSTANCE,
    instance::AUTHENTICATION,
    instance::AUTH_HMAC,
    tracking::SYNC_GROUP,
    tracking::SCRIPT,
    tracking::FILE,
    tracking::PROCESS,
    tracking::GROUP,
    tracking::GARP_GROUP,
    tracking::BFD,
    server::SSL,
    server::VIRTUAL_SERVER,
    server::REAL_SERVER,
    checker::HTTP_GET,
    checker::SSL_GET,
    checker::URL,
    checker::TCP_CHECK,
    checker::SMTP_CHECK,
    checker::SMTP_HOST,
    checker::DNS_CHECK,
    checker::MISC_CHECK,
    checker::UDP_CHECK,
    checker::PING_CHECK,
    checker::FILE_CHECK,
    checker::BFD_CHECK,
];

/// What a row says before its names.
type Row = (Status, Shape);

/// The rows of one block: `STATUS, SHAPE => "name" "name";`
macro_rules! rows {
    ($block:ident: $($status:expr, $shape:expr => $($name:literal)+;)+) => {
        &[$($(super::Keyword {
            block: $crate::config::keywords::Block::$block,
            name: $name,
            shape: $shape,
            status: $status,
        },)+)+]
    };
}
use rows;

/// The parts of failoverd that are still to come, and common reasons.
mod reason {
    use super::Status::{self, NotYet, WithoutEffect};

    pub const SCRIPTS: Status = NotYet("scripts");
    pub const fn track(keyword: &'static str) -> Status {
        Status::Supported(super::super::Key::Track(keyword))
    }

    pub const fn tell(keyword: &'static str) -> Status {
        Status::Supported(super::super::Key::Tell(keyword))
    }

    pub const fn lvs(keyword: &'static str) -> Status {
        Status::Supported(super::super::Key::Lvs(keyword))
    }

    pub const CHECKERS: Status = NotYet(super::super::CHECKERS);
    pub const SYNC: Status = NotYet("the sync daemon by its old word: use lvs_sync_daemon");
    pub const MARKS: Status = NotYet("marks of nftables for virtual_server_group");
    pub const ELSEWHERE: Status =
        NotYet("virtual servers in another network namespace, so that none are made");
    pub const BFD: Status = NotYet("BFD");
    pub const VMAC: Status = NotYet("ipvlan interfaces and VRF");
    pub const FIREWALL: Status = WithoutEffect(
        "failoverd drops traffic by nftables rules in a table of its own, whatever is named here",
    );
    pub const SNMP: Status = NotYet("SNMP");
    pub const DBUS: Status = NotYet("D-Bus");
    pub const PROCESS: Status = NotYet("process and scheduling settings");
    pub const ONE_PROCESS: Status = WithoutEffect("failoverd has no such process");
    pub const BUFFERS: Status =
        WithoutEffect("failoverd sizes its buffers itself and recovers from their overrun");
    pub const LINKBEAT: Status =
        WithoutEffect("failoverd is told of link changes by the kernel and never polls");
}

/// Shapes that several blocks share.
mod common {
    use crate::config::keywords::shape::Argument::{self, Maybe, One};
    use crate::config::keywords::shape::{Kind, Shape, words};

    /// The largest time that keepalived can hold in microseconds of 32 bits.
    pub const TIME: u64 = 4_294_967_295;
    pub const FLAG: Shape = words(&[]);
    pub const TEXT: Shape = words(&[One(Kind::Text)]);
    pub const SWITCH: Shape = words(&[Maybe(Kind::Switch)]);
    pub const ADDRESS: Shape = words(&[One(Kind::Address)]);
    pub const INTERFACE: Shape = words(&[One(Kind::Interface)]);
    pub const SCRIPT: Shape = words(&[One(Kind::Script), Maybe(Kind::User), Maybe(Kind::User)]);
    pub const SECONDS: Shape = words(&[One(Kind::Seconds(0, TIME))]);
    pub const POSITIVE_SECONDS: Shape = words(&[One(Kind::Seconds(1, TIME))]);
    pub const COUNT: Shape = words(&[One(Kind::Number(0, U32))]);
    pub const POSITIVE: Shape = words(&[One(Kind::Number(1, U32))]);
    pub const U32: i64 = 4_294_967_295;
    pub const REVERSE: Argument = Maybe(Kind::Choice(&["reverse"]));
}
