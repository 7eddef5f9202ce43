//! What `failoverd status` says. The JSON form is an interface: fields are
//! added, never renamed.

mod fast;

use std::{collections::BTreeMap, fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

pub use self::fast::{FastDetect, Heartbeat};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub pid: u32,
    pub router_id: Option<String>,
    pub fast_lane: FastLane,
    #[serde(default)]
    pub scheduling: Scheduling,
    pub links: Vec<Link>,
    pub instances: Vec<Instance>,
    /// Frames of protocol 112 that belong to no instance here, by outcome.
    pub unclaimed: BTreeMap<String, u64>,
    /// Probes (S-BFD) for none of us, or malformed.
    #[serde(default)]
    pub unclaimed_probes: u64,
    /// For how long no instance takes part yet: the delay after the start.
    #[serde(default)]
    pub waits_ms: Option<u64>,
    #[serde(default)]
    pub telling: Telling,
}

/// What became of what others were to be told, since the start.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Telling {
    /// Notify scripts that have ended.
    pub scripts_run: u64,
    /// Of those, how many did not end with 0 or were not begun.
    pub scripts_failed: u64,
    /// Left out because too many waited.
    pub scripts_dropped: u64,
    /// Waiting or running.
    pub scripts_waiting: u64,
    /// Lines that FIFOs had no room for.
    pub fifo_lines_dropped: u64,
    pub mails_sent: u64,
    /// Given up, or left out because too many waited.
    pub mails_dropped: u64,
    pub mails_waiting: u64,
    /// Programs that read the stream of events.
    pub event_readers: u64,
}

impl Telling {
    fn values(&self) -> BTreeMap<String, u64> {
        let Self {
            scripts_run,
            scripts_failed,
            scripts_dropped,
            scripts_waiting,
            fifo_lines_dropped,
            mails_sent,
            mails_dropped,
            mails_waiting,
            event_readers,
        } = *self;
        let values = [
            ("scripts_run", scripts_run),
            ("scripts_failed", scripts_failed),
            ("scripts_dropped", scripts_dropped),
            ("scripts_waiting", scripts_waiting),
            ("fifo_lines_dropped", fifo_lines_dropped),
            ("mails_sent", mails_sent),
            ("mails_dropped", mails_dropped),
            ("mails_waiting", mails_waiting),
            ("event_readers", event_readers),
        ];
        values.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

/// A sender whose adverts are all refused.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RefusedSender {
    pub source: IpAddr,
    /// As in the counters.
    pub reason: String,
    /// What that means, and what to do.
    pub meaning: String,
    /// Milliseconds since the first one.
    pub for_ms: u64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FastLane {
    /// SCHED_FIFO was granted.
    pub realtime: bool,
    pub memory_locked: bool,
    pub wakeups: u64,
    pub adverts: u64,
    pub from_latest: u64,
    pub adverts_failed: u64,
    pub announce_failed: u64,
    pub addresses_refused: u64,
    #[serde(default)]
    pub paths_refused: u64,
    pub receive_errors: u64,
    /// Datagrams at the sockets of the heartbeat that answer nothing asked.
    #[serde(default)]
    pub stray_answers: u64,
    pub watch_errors: u64,
    /// Reports that the slow lane did not read in time.
    pub reports_dropped: u64,
}

/// How the agent runs, as the kernel says when it is asked.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Scheduling {
    /// SCHED_FIFO priority of the fast lane; none when it is an ordinary thread.
    pub fifo_priority: Option<u8>,
    /// Counts where there is no `fifo_priority`.
    pub fast_lane_nice: i8,
    /// Of all other threads.
    pub nice: i8,
    /// Processors that the fast lane may run on: `0-3,7`.
    pub fast_lane_cpus: String,
    /// RLIMIT_RTTIME in microseconds, if there is one.
    pub rttime_limit_us: Option<u64>,
    /// Memory that cannot be swapped out.
    pub locked_kib: u64,
    /// Octal.
    pub umask: String,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Link {
    pub name: String,
    pub ifindex: u32,
    /// `xdp-native`, `xdp-generic`, `tcx` or `raw-socket`.
    pub backend: String,
    /// Better backends, and why they are not in use.
    pub refused: Vec<Refused>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Refused {
    pub backend: String,
    pub reason: String,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Instance {
    pub name: String,
    pub interface: String,
    pub vrid: u8,
    pub family: String,
    pub vrrp_version: u8,
    /// `active`, `backup`, `initialize` or `fault`.
    pub state: String,
    pub fault: Option<String>,
    /// Milliseconds in this state.
    pub since_ms: u64,
    /// In force.
    pub priority: u8,
    /// As configured.
    #[serde(default)]
    pub base_priority: u8,
    #[serde(default)]
    pub group: Option<String>,
    /// Would be Active if the other members of its group would.
    #[serde(default)]
    pub waits_for_group: bool,
    #[serde(default)]
    pub trackers: Vec<Tracker>,
    pub source: Option<IpAddr>,
    pub active: Option<IpAddr>,
    pub advert_interval_ms: u64,
    pub active_advert_interval_ms: u64,
    pub skew_time_ms: f64,
    pub active_down_interval_ms: f64,
    /// Until Active_Down_Timer (Backup) or Adver_Timer (Active); negative when
    /// it has passed.
    pub deadline_in_ms: Option<f64>,
    pub last_advert_ms_ago: Option<f64>,
    pub vips: Vec<Vip>,
    /// Where `fast_detect` is on.
    #[serde(default)]
    pub fast_detect: Option<FastDetect>,
    /// As lines of the configuration, with numbers in place of names.
    #[serde(default)]
    pub routes: Vec<String>,
    #[serde(default)]
    pub rules: Vec<String>,
    pub counters: BTreeMap<String, u64>,
    /// Verdicts on adverts of this instance that are not zero.
    pub outcomes: BTreeMap<String, u64>,
    #[serde(default)]
    pub refused: Vec<RefusedSender>,
}

/// Something that an instance tracks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tracker {
    /// `interface`, `script`, `file` or `process`.
    pub kind: String,
    pub name: String,
    /// `up`, `down`, what a file says, or `unread`.
    pub state: String,
    pub weight: i32,
    pub reverse: bool,
    /// What it adds to the priority now.
    pub contribution: i64,
    /// It keeps the instance from taking part.
    pub fault: bool,
    pub detail: String,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Vip {
    pub address: String,
    pub interface: String,
    /// Whether the kernel has it at this moment.
    pub present: bool,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lane = &self.fast_lane;
        let yes_no = |yes: bool| if yes { "yes" } else { "no" };
        writeln!(
            f,
            "failoverd {} (pid {}), realtime {}, memory locked {}",
            self.version,
            self.pid,
            yes_no(lane.realtime),
            yes_no(lane.memory_locked)
        )?;
        self.scheduling.fmt(f)?;
        for link in &self.links {
            writeln!(f, "link {} ({}): {}", link.name, link.ifindex, link.backend)?;
            for refused in &link.refused {
                writeln!(f, "  not {}: {}", refused.backend, refused.reason)?;
            }
        }
        if let Some(rest) = self.waits_ms {
            let rest = rest as f64 / 1000.0;
            writeln!(f, "waiting: no instance takes part for another {rest:.1} s")?;
        }
        for instance in &self.instances {
            instance.fmt(f)?;
        }
        counters(f, "telling", &self.telling.values())?;
        counters(f, "unclaimed", &self.unclaimed)
    }
}

impl fmt::Display for Scheduling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fifo_priority {
            Some(priority) => write!(f, "  fast lane: SCHED_FIFO {priority}")?,
            None => write!(f, "  fast lane: ordinary, nice {}", self.fast_lane_nice)?,
        }
        write!(f, ", processors {}", self.fast_lane_cpus)?;
        if let Some(limit) = self.rttime_limit_us {
            write!(f, ", ended after {limit} us without a wait")?;
        }
        writeln!(
            f,
            "; other threads nice {}; {} KiB locked; umask {}",
            self.nice, self.locked_kib, self.umask
        )
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "({}) {} for {:.1} s: VRID {} on {}, {}, VRRPv{}, priority {}",
            self.name,
            self.state.to_uppercase(),
            self.since_ms as f64 / 1000.0,
            self.vrid,
            self.interface,
            self.family,
            self.vrrp_version,
            self.priority
        )?;
        if self.priority != self.base_priority {
            writeln!(
                f,
                "  priority {} of its own, {} with trackers",
                self.base_priority, self.priority
            )?;
        }
        if let Some(group) = &self.group {
            let waits = if self.waits_for_group {
                ", ready, waits for the others"
            } else {
                ""
            };
            writeln!(f, "  sync group {group}{waits}")?;
        }
        for tracker in &self.trackers {
            tracker.fmt(f)?;
        }
        if let Some(fault) = &self.fault {
            writeln!(f, "  fault: {fault}")?;
        }
        if let Some(active) = self.active {
            let heard = self
                .last_advert_ms_ago
                .filter(|_| Some(active) != self.source);
            match heard {
                Some(ago) => writeln!(f, "  Active: {active}, heard {ago:.1} ms ago")?,
                None => writeln!(f, "  Active: {active}")?,
            }
        }
        for refused in &self.refused {
            let RefusedSender {
                source,
                reason,
                meaning,
                for_ms,
            } = refused;
            let span = *for_ms as f64 / 1000.0;
            writeln!(
                f,
                "  all adverts of {source} refused for {span:.1} s ({reason}): {meaning}"
            )?;
        }
        writeln!(
            f,
            "  timers: advert interval {} ms (Active's {} ms), Skew_Time {:.3} ms, \
             Active_Down_Interval {:.3} ms",
            self.advert_interval_ms,
            self.active_advert_interval_ms,
            self.skew_time_ms,
            self.active_down_interval_ms
        )?;
        for vip in &self.vips {
            let present = if vip.present { "on" } else { "not on" };
            writeln!(f, "  VIP {} {present} {}", vip.address, vip.interface)?;
        }
        if let Some(fast) = &self.fast_detect {
            fast.fmt(f)?;
        }
        for route in &self.routes {
            writeln!(f, "  route {route}")?;
        }
        for rule in &self.rules {
            writeln!(f, "  rule {rule}")?;
        }
        counters(f, "counters", &self.counters)?;
        counters(f, "adverts", &self.outcomes)
    }
}

impl fmt::Display for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            name,
            state,
            weight,
            reverse,
            contribution,
            fault,
            detail,
        } = self;
        write!(f, "  tracks {kind} {name}: {state}")?;
        if !detail.is_empty() {
            write!(f, " ({detail})")?;
        }
        if *weight != 0 {
            write!(f, ", weight {weight}")?;
        }
        if *reverse {
            write!(f, " reverse")?;
        }
        match (fault, weight) {
            (true, _) => writeln!(f, ", fault"),
            (false, 0) => writeln!(f),
            (false, _) => writeln!(f, ", adds {contribution}"),
        }
    }
}

fn counters(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    counters: &BTreeMap<String, u64>,
) -> fmt::Result {
    let mut any = counters.iter().filter(|(_, count)| **count > 0).peekable();
    if any.peek().is_none() {
        return Ok(());
    }
    write!(f, "  {title}:")?;
    for (label, count) in any {
        write!(f, " {label} {count}")?;
    }
    writeln!(f)
}
