//! `global_defs`: what every instance starts from.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use agent_common::Version;

use super::statement::Reader;
use super::value::{count, first, number, switch, whole_seconds};
use crate::config::keywords::{Block, GarpKey, GlobalKey, Key};
use crate::config::model::{AnnouncePolicy, RunAs};
use crate::config::sink::Sink;
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
    /// `vrrp_strict`.
    pub strict: Option<bool>,
    /// Whom scripts run as that name no user.
    pub script_user: Option<RunAs>,
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
        }
    }

    /// As observed with keepalived: the global lower_prio settings follow the
    /// global master ones, but an instance's follow the global lower_prio ones
    /// and not its own.
    pub fn policy(&self, globals: &Self) -> AnnouncePolicy {
        let default = AnnouncePolicy::default();
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
        if statement.keyword() == "vrrp_strict" {
            globals.strict = Some(true);
        }
        match reader.read(statement, sink) {
            Some(Key::Global(key)) => set(key, statement, globals, sink),
            Some(Key::Root(_) | Key::Instance(_) | Key::Auth(_) | Key::Track(_)) | None => {}
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
        GlobalKey::OwnerIgnoreAdverts => keep(&mut globals.owner_ignores, switch(statement, sink)),
        GlobalKey::ScriptUser => keep(&mut globals.script_user, run_as(statement)),
        GlobalKey::ScriptSecurity => {}
    }
}

/// A user, and a group where one is given.
pub fn run_as(statement: &Statement) -> Option<RunAs> {
    let mut words = statement.arguments().iter().map(|word| word.text.clone());
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
