//! `global_defs`: what every instance starts from.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use agent_common::{AdvertInterval, Family, Version};

use super::instance::interface;
use super::packets::group_of;
use super::statement::Reader;
use super::value::{count, first, number, switch, timer, whole_seconds};
use super::{files, lvs, process, tell};
use crate::config::files::Files;
use crate::config::iproute::Names;
use crate::config::keywords::{Block, GarpKey, GlobalKey, Key, Kind, extra_garp};
use crate::config::lexer::{Span, Word};
use crate::config::machine::Process;
use crate::config::model::{AnnouncePolicy, Firewall, IfName, Pacing, RunAs, StartDelay};
use crate::config::sink::Sink;
use crate::config::survey::word;
use crate::config::tree::Statement;

/// What was given; `None` leaves keepalived's default.
#[derive(Debug, Default)]
pub struct Globals {
    pub router_id: Option<String>,
    pub version: Option<Version>,
    pub garp: Garp,
    pub down_factor: Option<u8>,
    pub lower_prio_no_advert: Option<bool>,
    pub higher_prio_send_advert: Option<bool>,
    pub v3_checksum_as_v2: Option<bool>,
    pub check_unicast_src: Option<bool>,
    pub owner_ignores: Option<bool>,
    pub dynamic_interfaces: bool,
    /// Of static addresses without `dev`, and of nothing else.
    pub default_interface: Option<IfName>,
    pub process: Process,
    pub files: Files,
    /// `vrrp_strict`.
    pub strict: Option<bool>,
    pub pacing: Pacing,
    pub group_v4: Option<IpAddr>,
    pub group_v6: Option<IpAddr>,
    pub skip_address_check: Option<bool>,
    pub max_learned: Option<(AdvertInterval, Span)>,
    pub start_delay: StartDelay,
    pub log_unknown_vrids: bool,
    pub disable_local_igmp: bool,
    /// What `nftables` and those with it say.
    pub firewall: Firewall,
    /// Whom scripts run as that name no user.
    pub script_user: Option<RunAs>,
    pub tell: tell::Globals,
    pub lvs: lvs::Globals,
    /// Where the names of tables are looked up.
    pub names: Names,
    /// `vmac_prefix`.
    pub vmac_prefix: Option<String>,
    /// `vmac_addr_prefix`.
    pub vmac_addr_prefix: Option<String>,
    /// Of `static_ipaddress`.
    pub own_addresses: HashSet<IpAddr>,
}

/// The announcement settings of the globals or of an instance.
#[derive(Clone, Copy, Debug, Default)]
pub struct Garp {
    delay: Option<Duration>,
    repeat: Option<u8>,
    refresh: Option<Duration>,
    refresh_repeat: Option<u8>,
    lower_prio_delay: Option<Duration>,
    lower_prio_repeat: Option<u8>,
    extra: Option<Extra>,
    /// `vrrp_min_garp`; of the globals only.
    pub least: bool,
}

/// Announcements from time to time.
#[derive(Clone, Copy, Debug)]
struct Extra {
    period: Duration,
    /// Also without a virtual MAC address.
    all: bool,
}

impl Garp {
    pub fn set(&mut self, key: GarpKey, statement: &Statement, sink: &mut Sink) {
        match key {
            GarpKey::Delay => keep(&mut self.delay, whole_seconds(statement, sink)),
            GarpKey::Repeat => keep(&mut self.repeat, count(statement, 1, sink)),
            GarpKey::Refresh => keep(&mut self.refresh, whole_seconds(statement, sink)),
            GarpKey::RefreshRepeat => keep(&mut self.refresh_repeat, count(statement, 1, sink)),
            GarpKey::LowerPrioDelay => {
                keep(&mut self.lower_prio_delay, whole_seconds(statement, sink))
            }
            GarpKey::LowerPrioRepeat => {
                keep(&mut self.lower_prio_repeat, count(statement, 0, sink))
            }
            GarpKey::ExtraIf => self.set_extra(statement, sink),
        }
    }

    /// `[all] SECONDS`: without `all` of instances with a virtual MAC only.
    fn set_extra(&mut self, statement: &Statement, sink: &mut Sink) {
        if let Some((keyword, rest)) = statement.words.split_first() {
            extra_garp(keyword, rest, sink);
        }
        let words: Vec<&str> = statement
            .arguments()
            .iter()
            .map(|word| word.text.as_str())
            .collect();
        let seconds = |text: &str| {
            text.parse::<u32>()
                .ok()
                .filter(|seconds| *seconds <= 86_400)
        };
        match words.as_slice() {
            ["all", number, ..] => {
                let period = seconds(number).map(|n| Duration::from_secs(n.into()));
                keep(
                    &mut self.extra,
                    period.map(|period| Extra { period, all: true }),
                );
            }
            [number, ..] => {
                let period = seconds(number).map(|n| Duration::from_secs(n.into()));
                keep(
                    &mut self.extra,
                    period.map(|period| Extra { period, all: false }),
                );
            }
            [] => {}
        }
    }

    /// Adverts of lower priority are answered with announcements because of
    /// what was written.
    pub fn answers_lower(&self, globals: &Self) -> bool {
        let repeat = self.lower_prio_repeat.or(globals.lower_prio_repeat);
        repeat.is_some_and(|repeat| repeat > 0)
    }

    /// RFC 9568 6.4.3 as published: they are not.
    pub fn never_answer_lower(&mut self) {
        self.lower_prio_repeat = Some(0);
    }

    /// As observed with keepalived: the global lower_prio settings follow the
    /// global master ones, but an instance's follow the global lower_prio ones
    /// and not its own.
    pub fn policy(&self, globals: &Self, has_vmac: bool) -> AnnouncePolicy {
        let default = AnnouncePolicy::default();
        let default = match globals.least {
            true => AnnouncePolicy {
                repeat: 1,
                delay: Duration::ZERO,
                ..default
            },
            false => default,
        };
        let delay = globals.delay.unwrap_or(default.delay);
        let repeat = globals.repeat.unwrap_or(default.repeat);
        let refresh = self
            .refresh
            .or(globals.refresh)
            .filter(|refresh| !refresh.is_zero());
        let refresh_repeat = self.refresh_repeat.or(globals.refresh_repeat);
        let lower_prio_repeat = self.lower_prio_repeat.or(globals.lower_prio_repeat);
        let lower_prio_delay = self.lower_prio_delay.or(globals.lower_prio_delay);
        AnnouncePolicy {
            repeat: self.repeat.unwrap_or(repeat),
            delay: self.delay.unwrap_or(delay),
            refresh,
            refresh_repeat: refresh_repeat.unwrap_or(default.refresh_repeat),
            lower_prio_repeat: lower_prio_repeat.unwrap_or(repeat),
            lower_prio_delay: lower_prio_delay.unwrap_or(delay),
            extra: self
                .extra
                .or(globals.extra)
                .filter(|extra| extra.all || has_vmac)
                .map(|extra| extra.period)
                .filter(|period| !period.is_zero()),
        }
    }
}

/// A value that could not be read leaves what was there.
pub fn keep<T>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}

pub fn lower(block: &Statement, globals: &mut Globals, sink: &mut Sink) {
    let mut reader = Reader::new(Block::GlobalDefs);
    for statement in block.block.iter().flatten() {
        match reader.read(statement, sink) {
            Some(Key::Global(key)) => set(key, statement, globals, sink),
            Some(Key::Tell(keyword)) => globals.tell.set(keyword, statement),
            Some(Key::Lvs(keyword)) => globals.lvs.set(keyword, statement, sink),
            Some(
                Key::Root(_)
                | Key::Instance(_)
                | Key::Auth(_)
                | Key::Track(_)
                | Key::GarpGroup(_)
                | Key::TrackGroup,
            )
            | None => {}
        }
    }
}

fn set(key: GlobalKey, statement: &Statement, globals: &mut Globals, sink: &mut Sink) {
    match key {
        GlobalKey::RouterId => globals.router_id = first(statement).map(|word| word.text.clone()),
        GlobalKey::Version => keep(&mut globals.version, version(statement, sink)),
        GlobalKey::Garp(key) => globals.garp.set(key, statement, sink),
        GlobalKey::DownTimerAdverts => keep(&mut globals.down_factor, down_factor(statement, sink)),
        GlobalKey::LowerPrioNoAdvert => {
            keep(&mut globals.lower_prio_no_advert, switch(statement, sink));
        }
        GlobalKey::HigherPrioSendAdvert => {
            keep(
                &mut globals.higher_prio_send_advert,
                switch(statement, sink),
            );
        }
        GlobalKey::V3ChecksumAsV2 => keep(&mut globals.v3_checksum_as_v2, switch(statement, sink)),
        GlobalKey::CheckUnicastSrc => keep(&mut globals.check_unicast_src, switch(statement, sink)),
        GlobalKey::DynamicInterfaces => {
            if let Some(word) = first(statement) {
                let kind = Kind::Choice(&["allow_if_changes"]);
                word::check("dynamic_interfaces", word, kind, sink);
            }
            globals.dynamic_interfaces = true;
        }
        GlobalKey::DefaultInterface => {
            keep(&mut globals.default_interface, interface(statement, sink));
        }
        GlobalKey::Process(key) => process::set(key, statement, globals, sink),
        GlobalKey::OwnerIgnoreAdverts => keep(&mut globals.owner_ignores, switch(statement, sink)),
        GlobalKey::ScriptUser => keep(&mut globals.script_user, run_as(statement.arguments())),
        GlobalKey::ScriptSecurity => {}
        GlobalKey::SkipCheckAdvAddr => {
            keep(&mut globals.skip_address_check, switch(statement, sink));
        }
        GlobalKey::MaxLearnedInterval => keep(
            &mut globals.max_learned,
            super::trust::interval(statement, sink),
        ),
        GlobalKey::Nftables => {
            if let Some(name) = super::firewall::table(statement, sink) {
                globals.firewall.table = name;
            }
        }
        GlobalKey::NftablesPriority => {
            if let Some(priority) = super::firewall::priority(statement, sink) {
                globals.firewall.priority = priority;
            }
        }
        GlobalKey::VmacPrefix => keep(
            &mut globals.vmac_prefix,
            super::vmac::prefix(statement, sink),
        ),
        GlobalKey::VmacAddrPrefix => keep(
            &mut globals.vmac_addr_prefix,
            super::vmac::prefix(statement, sink),
        ),
        GlobalKey::NftablesIfindex => globals.firewall.by_index = true,
        GlobalKey::NftablesCounters => globals.firewall.counters = true,
        GlobalKey::Files(key) => files::set(key, statement, &mut globals.files, sink),
        GlobalKey::Strict => globals.strict = Some(true),
        GlobalKey::GarpInterval
        | GlobalKey::GnaInterval
        | GlobalKey::MinGarp
        | GlobalKey::McastGroup4
        | GlobalKey::McastGroup6
        | GlobalKey::DisableLocalIgmp
        | GlobalKey::StartupDelay
        | GlobalKey::DelayAfterBoot
        | GlobalKey::IprouteUsrDir
        | GlobalKey::IprouteEtcDir
        | GlobalKey::LogUnknownVrids => set_agent(key, statement, globals, sink),
    }
}

/// What is no default of an instance.
fn set_agent(key: GlobalKey, statement: &Statement, globals: &mut Globals, sink: &mut Sink) {
    let mut span_of = |least| {
        let given = timer(
            statement,
            least..=u64::from(u32::MAX),
            "it is ignored",
            sink,
        );
        given.map(|(micros, _)| Duration::from_micros(micros))
    };
    match key {
        GlobalKey::GarpInterval => {
            globals.pacing.each.garp = span_of(1).unwrap_or(globals.pacing.each.garp);
        }
        GlobalKey::GnaInterval => {
            globals.pacing.each.na = span_of(1).unwrap_or(globals.pacing.each.na);
        }
        GlobalKey::StartupDelay => {
            let delay = &mut globals.start_delay;
            delay.after_start = span_of(1000).unwrap_or(delay.after_start);
        }
        GlobalKey::DelayAfterBoot => {
            let delay = &mut globals.start_delay;
            delay.after_boot = span_of(1000).unwrap_or(delay.after_boot);
        }
        GlobalKey::MinGarp => {
            globals.garp.least = switch(statement, sink).unwrap_or(globals.garp.least);
        }
        GlobalKey::McastGroup4 => {
            keep(&mut globals.group_v4, group_of(Family::V4, statement, sink));
        }
        GlobalKey::McastGroup6 => {
            keep(&mut globals.group_v6, group_of(Family::V6, statement, sink));
        }
        GlobalKey::DisableLocalIgmp => globals.disable_local_igmp = true,
        GlobalKey::LogUnknownVrids => globals.log_unknown_vrids = true,
        GlobalKey::IprouteUsrDir => {
            if let Some(word) = first(statement) {
                globals.names.usr = (&word.text).into();
            }
        }
        GlobalKey::IprouteEtcDir => {
            if let Some(word) = first(statement) {
                globals.names.etc = (&word.text).into();
            }
        }
        GlobalKey::RouterId
        | GlobalKey::Version
        | GlobalKey::Garp(_)
        | GlobalKey::DownTimerAdverts
        | GlobalKey::LowerPrioNoAdvert
        | GlobalKey::HigherPrioSendAdvert
        | GlobalKey::V3ChecksumAsV2
        | GlobalKey::CheckUnicastSrc
        | GlobalKey::OwnerIgnoreAdverts
        | GlobalKey::ScriptUser
        | GlobalKey::ScriptSecurity
        | GlobalKey::SkipCheckAdvAddr
        | GlobalKey::MaxLearnedInterval
        | GlobalKey::DynamicInterfaces
        | GlobalKey::DefaultInterface
        | GlobalKey::Process(_)
        | GlobalKey::Nftables
        | GlobalKey::NftablesPriority
        | GlobalKey::NftablesIfindex
        | GlobalKey::NftablesCounters
        | GlobalKey::VmacPrefix
        | GlobalKey::VmacAddrPrefix
        | GlobalKey::Files(_)
        | GlobalKey::Strict => {}
    }
}

/// A user, and a group where one is given.
pub fn run_as(words: &[Word]) -> Option<RunAs> {
    let mut words = words.iter().map(|word| word.text.clone());
    Some(RunAs {
        user: words.next()?,
        group: words.next(),
    })
}

pub fn version(statement: &Statement, sink: &mut Sink) -> Option<Version> {
    number(statement, 2..=3_u8, "it is ignored", sink).and_then(Version::from_nibble)
}

/// `down_timer_adverts` (T-14).
pub fn down_factor(statement: &Statement, sink: &mut Sink) -> Option<u8> {
    number(statement, 1..=100_u8, "it is ignored", sink)
}
