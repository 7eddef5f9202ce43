//! Checkers of real servers.

use super::common::{FLAG, REVERSE, SWITCH, TEXT, TIME, U32};
use super::reason::CHECKERS;
use super::{Row, rows, special};
use crate::config::keywords::shape::Argument::{Maybe, One, Several};
use crate::config::keywords::shape::{Kind, Shape, block, words};
use crate::config::keywords::{Block, Keyword};

const ADDRESS: Row = (CHECKERS, words(&[One(Kind::Address)]));
const PORT: Row = (CHECKERS, words(&[One(Kind::Port)]));
const INTERFACE: Row = (CHECKERS, words(&[One(Kind::Interface)]));
const MARK: Row = (CHECKERS, words(&[One(Kind::Number(0, U32))]));
const TIMEOUT: Row = (CHECKERS, words(&[One(Kind::Seconds(1, TIME))]));
const PAUSE: Row = (CHECKERS, words(&[One(Kind::Seconds(0, TIME))]));
const TRIES: Row = (CHECKERS, words(&[One(Kind::Number(0, U32))]));
const LOOP: Row = (
    CHECKERS,
    words(&[One(Kind::Seconds(1, 18_446_744_073_709_551_614))]),
);
const YES_NO: Row = (CHECKERS, SWITCH);
const OFFSET: Shape = words(&[One(Kind::Number(0, 2_147_483_647))]);

/// Rows of a checker, after those that all checkers share: of the connection
/// and of the timing, of the timing only, or of alpha only.
macro_rules! checker {
    (connection $block:ident: $($rest:tt)*) => {
        checker! { timing $block:
            ADDRESS.0, ADDRESS.1 => "connect_ip" "bindto";
            PORT.0, PORT.1 => "connect_port" "bind_port";
            INTERFACE.0, INTERFACE.1 => "bind_if";
            TIMEOUT.0, TIMEOUT.1 => "connect_timeout";
            MARK.0, MARK.1 => "fwmark";
            $($rest)*
        }
    };
    (timing $block:ident: $($rest:tt)*) => {
        rows! { $block:
            TRIES.0, TRIES.1 => "retry";
            PAUSE.0, PAUSE.1 => "delay_before_retry" "warmup";
            LOOP.0, LOOP.1 => "delay_loop";
            YES_NO.0, YES_NO.1 => "alpha" "log_all_failures";
            $($rest)*
        }
    };
}

macro_rules! http {
    ($block:ident) => {
        checker! { connection $block:
            CHECKERS, words(&[One(Kind::Number(1, U32))]) => "nb_get_retry";
            CHECKERS, TEXT => "virtualhost" "sni_name";
            CHECKERS, words(&[One(Kind::Choice(&["1.0", "1.0C", "1.0c", "1.1"]))]) => "http_protocol";
            CHECKERS, SWITCH => "enable_sni" "fast_recovery";
            CHECKERS, SWITCH => "tls_compliant";
            CHECKERS, block(&[], Block::Url) => "url";
        }
    };
}

pub const HTTP_GET: &[Keyword] = http!(HttpGet);
pub const SSL_GET: &[Keyword] = http!(SslGet);

const REGEX_OPTIONS: &[&str] = &[
    "allow_empty_class",
    "alt_bsux",
    "alt_circumflex",
    "alt_verbnames",
    "auto_callout",
    "caseless",
    "dollar_endonly",
    "dotall",
    "dupnames",
    "extended",
    "extended_more",
    "firstline",
    "literal",
    "match_unset_backref",
    "multiline",
    "never_backslash_c",
    "never_ucp",
    "never_utf",
    "no_auto_capture",
    "no_auto_possess",
    "no_dotstar_anchor",
    "no_start_optimize",
    "ucp",
    "ungreedy",
    "use_offset_limit",
    "utf",
];

pub const URL: &[Keyword] = rows! { Url:
    CHECKERS, TEXT => "path" "virtualhost";
    CHECKERS, words(&[One(Kind::Regex)]) => "regex";
    CHECKERS, words(&[One(Kind::Digest)]) => "digest";
    CHECKERS, words(&[Several(Kind::HttpStatus)]) => "status_code";
    CHECKERS, FLAG => "regex_no_match";
    CHECKERS, words(&[Several(Kind::Choice(REGEX_OPTIONS))]) => "regex_options";
    CHECKERS, OFFSET => "regex_min_offset" "regex_max_offset";
    CHECKERS, words(&[One(Kind::Number(1, U32)), One(Kind::Number(1, U32))]) => "regex_stack";
    CHECKERS, SWITCH => "tls_compliant";
};

pub const TCP_CHECK: &[Keyword] = checker! { connection TcpCheck: };
pub const PING_CHECK: &[Keyword] = checker! { connection PingCheck: };

pub const SMTP_CHECK: &[Keyword] = checker! { connection SmtpCheck:
    CHECKERS, TEXT => "helo_name";
    CHECKERS, block(&[], Block::SmtpHost) => "host";
};

pub const SMTP_HOST: &[Keyword] = rows! { SmtpHost:
    ADDRESS.0, ADDRESS.1 => "connect_ip" "bindto";
    PORT.0, PORT.1 => "connect_port" "bind_port";
    INTERFACE.0, INTERFACE.1 => "bind_if";
    TIMEOUT.0, TIMEOUT.1 => "connect_timeout";
    MARK.0, MARK.1 => "fwmark";
};

const DNS_TYPES: &[&str] = &["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA"];

pub const DNS_CHECK: &[Keyword] = checker! { connection DnsCheck:
    CHECKERS, words(&[One(Kind::Choice(DNS_TYPES))]) => "type";
    CHECKERS, TEXT => "name";
};

pub const MISC_CHECK: &[Keyword] = checker! { timing MiscCheck:
    CHECKERS, words(&[Several(Kind::Script)]) => "misc_path";
    CHECKERS, words(&[One(Kind::Number(1, U32))]) => "misc_timeout";
    CHECKERS, FLAG => "misc_dynamic";
    CHECKERS, words(&[One(Kind::User), Maybe(Kind::User)]) => "user";
};

pub const UDP_CHECK: &[Keyword] = checker! { connection UdpCheck:
    CHECKERS, words(&[Several(Kind::Hex)]) => "payload";
    CHECKERS, special::REPLY => "require_reply";
    CHECKERS, words(&[One(Kind::Number(0, 65_535))]) => "min_reply_length" "max_reply_length";
};

pub const FILE_CHECK: &[Keyword] = rows! { FileCheck:
    CHECKERS, words(&[One(Kind::Name)]) => "track_file";
    CHECKERS, words(&[One(Kind::Number(-2_147_483_647, 2_147_483_647)), REVERSE]) => "weight";
};

pub const BFD_CHECK: &[Keyword] = rows! { BfdCheck:
    CHECKERS, words(&[One(Kind::Name)]) => "name";
    YES_NO.0, YES_NO.1 => "alpha";
};
