//! `failoverd run`: its flags, and what they ask for.

mod check;
mod fast;
mod interval;
mod usage_error;
mod vips;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::config::{Config, Diagnostic, IfName, Severity, load};

pub use self::usage_error::UsageError;

/// Where the control socket is unless told otherwise.
pub const DEFAULT_CONTROL: &str = crate::control::DEFAULT_PATH;

const EXAMPLES: &str = "\
Examples:
  failoverd run --config /etc/keepalived/keepalived.conf
  failoverd run --iface eth0 --vrid 51 --priority 150 --vip 192.0.2.10/24
  failoverd run --iface eth0 --vrid 51 --vip 192.0.2.10/24 --advert-int 10ms
  failoverd run --iface eth0 --vrid 51 --vip 192.0.2.10/24 --fast-detect
  failoverd run --iface eth0 --vrid 7 --vip fe80::7 --vip 2001:db8::7/64
  failoverd run --iface eth0 --vrid 9 --vip 192.0.2.10 \\
      --unicast-src 192.0.2.2 --unicast-peer 192.0.2.3

Without --config and without --vip it takes no part and monitors --iface.";

/// By their clap ids: a message then names only those that were given.
const INSTANCE_FLAGS: [&str; 14] = [
    "iface",
    "vrid",
    "priority",
    "vip",
    "advert_int",
    "version",
    "unicast_src",
    "unicast_peer",
    "auth_pass",
    "no_preempt",
    "fast_detect",
    "fast_interval",
    "fast_multiplier",
    "fast_lease",
];

/// Hold virtual IP addresses together with the other routers of a VRID.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct RunArgs {
    /// Read a keepalived.conf
    ///
    /// Instead of the flags that describe one instance. Keywords that
    /// failoverd does not act on yet get one warning each; an error leaves the
    /// machine as it is.
    #[arg(long, value_name = "FILE", conflicts_with_all = INSTANCE_FLAGS)]
    pub config: Option<PathBuf>,

    #[command(flatten)]
    pub instance: InstanceArgs,

    /// Put virtual servers (LVS) into the kernel, without health checks
    ///
    /// virtual_server and real_server of the file become services of IPVS, with
    /// lvs_timeouts, lvs_flush and the sync daemon. Real servers are not checked
    /// yet: a dead one keeps getting connections. Without this, nothing of IPVS
    /// is read or changed.
    #[arg(long, requires = "config")]
    pub ipvs: bool,

    /// Fail unless the XDP program can be attached
    ///
    /// By default failoverd falls back from native XDP to generic XDP, to tcx
    /// and to a raw socket, and says which one is live.
    #[arg(long)]
    pub require_xdp: bool,

    /// Use this backend and no other
    ///
    /// For tests. By default the first that works, in this order.
    #[arg(long, value_enum, value_name = "BACKEND")]
    pub backend: Option<Backend>,

    /// Where `failoverd status` finds this agent
    #[arg(long, value_name = "PATH", default_value = DEFAULT_CONTROL)]
    pub control: PathBuf,

    /// Do not start the supervising parent process
    ///
    /// The parent removes the VIPs when the agent is killed. Without it that
    /// is left to the next start.
    #[arg(long)]
    pub no_supervisor: bool,

    /// Keep all privileges after the start
    ///
    /// By default threads give up the capabilities, system calls and files
    /// that they do not need (see docs/security.md). FAILOVERD_NO_SANDBOX=1 in
    /// the environment does the same.
    #[arg(long)]
    pub no_sandbox: bool,
}

/// The flags that describe one instance. Values are text here, so that all
/// that is wrong with them can be said at once.
#[derive(Args, Clone, Debug, Default)]
pub struct InstanceArgs {
    /// Interface on which adverts are sent and received
    ///
    /// VIPs are put on it. For example eth0.
    #[arg(long, value_name = "IF")]
    pub iface: Option<String>,

    /// Virtual router identifier, 1 to 255
    ///
    /// The same on all routers that share the VIPs. There is no default.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub vrid: Option<String>,

    /// Priority, 1 to 255 [default: 100]
    ///
    /// The highest one that is alive becomes Active. 255 is for the owner of
    /// the address, which starts Active and always preempts.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub priority: Option<String>,

    /// A virtual IP address; repeatable
    ///
    /// ADDR without /LEN is a host address (/32, /128). All are of one family.
    /// With IPv6 the first one should be link-local.
    #[arg(long, value_name = "ADDR[/LEN]")]
    pub vip: Vec<String>,

    /// Advertisement interval [default: 1s]
    ///
    /// 10ms, 0.5s, 1s, or 1 for seconds. Version 2: 1 to 255 whole seconds.
    /// Version 3: 10 ms to 40.95 s in steps of 10 ms. Less than a second
    /// selects version 3.
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub advert_int: Option<String>,

    /// VRRP version, 2 or 3 [default: 2 for IPv4, 3 for IPv6]
    ///
    /// 3 also where --advert-int is less than a second.
    #[arg(long, value_name = "2|3", allow_negative_numbers = true)]
    pub version: Option<String>,

    /// Our address in unicast mode
    ///
    /// By default the primary address of --iface. Needs --unicast-peer.
    #[arg(long, value_name = "ADDR")]
    pub unicast_src: Option<String>,

    /// Send adverts to this router instead of by multicast; repeatable
    ///
    /// Adverts from other sources are then rejected. At most 32.
    #[arg(long, value_name = "ADDR")]
    pub unicast_peer: Vec<String>,

    /// Password of VRRPv2 (authentication type 1)
    ///
    /// Its first 8 bytes go over the wire in the clear, and the whole of it is
    /// visible in the process list: use a file where that matters.
    #[arg(long, value_name = "PASSWORD")]
    pub auth_pass: Option<Secret>,

    /// Leave a living Active alone even where our priority is higher
    #[arg(long)]
    pub no_preempt: bool,

    /// Ask the kernel of the Active whether it serves (S-BFD)
    ///
    /// A machine that dies is noticed within milliseconds, and a busy one is
    /// not taken for dead. Peers without it are left to their adverts.
    #[arg(long)]
    pub fast_detect: bool,

    /// Time between two probes [default: 1ms]
    ///
    /// 100us to 1s. Turns --fast-detect on, as the next two do.
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub fast_interval: Option<String>,

    /// Probes in a row that a dead Active leaves unanswered, 2 to 20 [default: 3]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub fast_multiplier: Option<String>,

    /// How long an Active whose agent hangs is still said to serve [default: 200ms]
    ///
    /// 10ms to 60s; at least as long as its adverts would be waited for.
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub fast_lease: Option<String>,
}

/// Text that is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// How adverts reach the agent.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    /// XDP in the driver
    Native,
    /// XDP in the kernel's generic receive path
    Generic,
    /// tcx ingress
    Tcx,
    /// A raw socket
    Raw,
}

/// What the flags ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Plan {
    Run(Box<Config>),
    /// No VIP and no configuration: watch the link, take no part.
    Monitor(IfName),
}

/// Why there is no [`Plan`]. `Display` has one problem a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UsageErrors {
    /// Never empty.
    CommandLine(Vec<UsageError>),
    /// All diagnostics of the file, with at least one error.
    File(Vec<Diagnostic>),
}

impl fmt::Display for UsageErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = match self {
            Self::CommandLine(errors) => errors.iter().map(ToString::to_string).collect(),
            Self::File(diagnostics) => diagnostics.iter().map(ToString::to_string).collect(),
        };
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for UsageErrors {}

impl RunArgs {
    /// Checks everything that can be checked without looking at the machine;
    /// reads the file of `--config`. The diagnostics are warnings and notes.
    ///
    /// # Errors
    /// All that is wrong with the command line, or with the file.
    pub fn into_config(self) -> Result<(Plan, Vec<Diagnostic>), UsageErrors> {
        match self.config {
            Some(path) => {
                let loaded = load(&path);
                match loaded.config {
                    Some(config) => Ok((Plan::Run(Box::new(config)), loaded.diagnostics)),
                    None => Err(UsageErrors::File(loaded.diagnostics)),
                }
            }
            None => check::plan(&self.instance).map_err(UsageErrors::CommandLine),
        }
    }
}

fn warning(code: crate::config::Code, message: String) -> Diagnostic {
    Diagnostic::new(Severity::Warning, code, message)
}

#[cfg(test)]
mod tests;
