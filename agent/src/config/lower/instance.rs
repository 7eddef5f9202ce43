//! A `vrrp_instance` block to a [`Draft`]: each statement on its own.

use std::net::IpAddr;
use std::time::Duration;

use agent_common::{Version, Vrid};

use super::address::{bad_interface, vip};
use super::global::{Garp, down_factor, keep, version};
use super::packets::Packets;
use super::paths;
use super::statement::Reader;
use super::transport::{self, Unicast};
use super::trust::{self, Trust};
use super::value::{MICROS, first, number, switch, timer};
use super::vmac::{self, Vmac};
use super::{tell, track, traps};
use crate::config::diagnostic::Code;
use crate::config::keywords::{AuthKey, Block, InstanceKey, Key};
use crate::config::lexer::{Span, Word};
use crate::config::model::{FastDetect, IfName, Track, Vip};
use crate::config::sink::Sink;
use crate::config::tree::Statement;

/// What was given, checked by itself. What must be given, or fits together, is
/// for [`super::finish`].
#[derive(Debug, Default)]
pub struct Draft {
    pub name: Option<Word>,
    pub keyword: Span,
    /// The inner one is `None` where it was given and reported as wrong.
    pub interface: Option<Option<IfName>>,
    pub vrid: Option<Option<Vrid>>,
    pub vrid_span: Span,
    /// Given as MASTER.
    pub master: bool,
    pub state_span: Option<Span>,
    /// `strict_mode`.
    pub strict: Option<bool>,
    /// VIPs without `/LEN`.
    pub bare_vips: Vec<(IpAddr, Span)>,
    pub priority_span: Option<Span>,
    /// A priority that cannot be read is keepalived's 100, even with MASTER.
    pub priority: Option<u8>,
    /// Microseconds.
    pub interval: Option<(u64, Span)>,
    pub version: Option<(Version, Span)>,
    pub native_ipv6: bool,
    pub authentication: Option<Authentication>,
    pub unicast: Unicast,
    pub vips: Vec<(Vip, Span)>,
    pub tracks: Vec<(Track, Span)>,
    pub dont_track_primary: bool,
    /// `Some(place)` for nopreempt.
    pub nopreempt: Option<Span>,
    pub preempt_delay: Option<(Duration, Span)>,
    pub garp: Garp,
    pub down_factor: Option<u8>,
    pub lower_prio_no_advert: Option<bool>,
    pub higher_prio_send_advert: Option<bool>,
    pub fast_detect: Option<FastDetect>,
    pub v3_checksum_as_v2: Option<bool>,
    pub owner_ignores: Option<bool>,
    pub packets: Packets,
    pub trust: Trust,
    /// The last of `accept` and `no_accept`, with its place.
    pub accept: Option<(bool, Span)>,
    pub promote_secondaries: bool,
    pub paths: paths::Given,
    /// `no_virtual_ipaddress`.
    pub no_vips: bool,
    /// `use_vmac`.
    pub vmac: Option<Vmac>,
    pub vmac_xmit_base: Option<Span>,
    /// `use_vmac_addr`.
    pub vmac_addr: Option<Span>,
    pub tell: tell::Given,
}

#[derive(Debug, Default)]
pub struct Authentication {
    pub span: Span,
    /// auth_type was given: PASS, or something that was reported.
    pub typed: bool,
    pub password: Option<Word>,
}

impl Draft {
    /// Where a problem with the whole instance is shown.
    pub fn place(&self) -> Span {
        self.name.as_ref().map_or(self.keyword, |name| name.span)
    }

    /// As keepalived's messages start: `(VI_1)`.
    pub fn title(&self) -> String {
        format!(
            "({})",
            self.name.as_ref().map_or("", |name| name.text.as_str())
        )
    }
}

/// `block` is statement `at` of the file.
pub fn lower(
    block: &Statement,
    at: usize,
    definitions: &track::Definitions,
    sink: &mut Sink,
) -> Draft {
    let name = first(block).cloned();
    let mut draft = Draft {
        name,
        keyword: block.span(),
        ..Draft::default()
    };
    let mut reader = Reader::new(Block::VrrpInstance);
    for statement in block.block.iter().flatten() {
        match reader.read(statement, sink) {
            Some(Key::Instance(key)) => set(key, statement, &mut draft, sink),
            Some(Key::Tell(keyword)) => draft.tell.set(keyword, statement),
            Some(Key::Track(keyword)) => {
                let list = track::LISTS.iter().find(|(name, _)| *name == keyword);
                if let Some((_, kind)) = list {
                    draft
                        .tracks
                        .extend(track::tracked(statement, *kind, at, definitions));
                }
            }
            Some(
                Key::Root(_)
                | Key::Global(_)
                | Key::Auth(_)
                | Key::Lvs(_)
                | Key::GarpGroup(_)
                | Key::TrackGroup,
            )
            | None => {}
        }
    }
    traps::alone(block, sink);
    draft
}

fn set(key: InstanceKey, statement: &Statement, draft: &mut Draft, sink: &mut Sink) {
    use InstanceKey as K;
    match key {
        K::State => state(statement, draft, sink),
        K::Interface => draft.interface = Some(interface(statement, sink)),
        K::VirtualRouterId => vrid(statement, draft, sink),
        K::Priority => {
            let given = number(statement, 1..=255_u8, "100 is used", sink);
            draft.priority = Some(given.unwrap_or(100));
            draft.priority_span = first(statement).map(|word| word.span);
        }
        K::AdvertInt => {
            let range = MICROS / 100..=255 * MICROS;
            keep(
                &mut draft.interval,
                timer(statement, range, "1 second is used", sink),
            );
        }
        K::Version => {
            let given = version(statement, sink).map(|version| (version, statement.span()));
            keep(&mut draft.version, given);
        }
        K::NativeIpv6 => draft.native_ipv6 = true,
        K::Authentication => authentication(statement, draft, sink),
        K::UnicastSrcIp => draft.unicast.source = transport::source(statement, sink),
        K::UnicastPeer => transport::peers(statement, draft, sink),
        K::McastDstIp => draft.packets.set_group(statement, sink),
        K::UnicastTtl => draft.packets.set_ttl(statement, sink),
        K::UnicastFaultNoPeer => draft.packets.fault_without_peers = true,
        K::OldUnicastChecksum => draft.packets.set_old_checksum(statement, sink),
        K::SkipCheckAdvAddr => {
            keep(
                &mut draft.packets.skip_address_check,
                switch(statement, sink),
            );
        }
        K::AllowedSources => draft.trust.add_sources(statement, sink),
        K::MaxLearnedInterval => {
            keep(
                &mut draft.trust.max_learned,
                trust::interval(statement, sink),
            );
        }
        K::StrictMode => keep(&mut draft.strict, switch(statement, sink)),
        K::McastSrcIp => draft.unicast.mcast_source = transport::source(statement, sink),
        K::CheckUnicastSrc => keep(&mut draft.unicast.check_source, switch(statement, sink)),
        K::VirtualIpaddress => vips(statement, true, draft, sink),
        K::VirtualIpaddressExcluded => vips(statement, false, draft, sink),
        K::VirtualRoutes => draft.paths.routes(statement, sink),
        K::VirtualRules => draft.paths.rules(statement, sink),
        K::DontTrackPrimary => draft.dont_track_primary = true,
        K::Preempt => draft.nopreempt = None,
        K::Nopreempt => draft.nopreempt = Some(statement.span()),
        K::PreemptDelay => {
            let given = timer(statement, 0..=1000 * MICROS, "it is ignored", sink);
            let given = given.map(|(micros, span)| (Duration::from_micros(micros), span));
            keep(&mut draft.preempt_delay, given);
        }
        K::Garp(key) => draft.garp.set(key, statement, sink),
        K::DownTimerAdverts => keep(&mut draft.down_factor, down_factor(statement, sink)),
        K::LowerPrioNoAdvert => keep(&mut draft.lower_prio_no_advert, switch(statement, sink)),
        K::HigherPrioSendAdvert => {
            keep(&mut draft.higher_prio_send_advert, switch(statement, sink));
        }
        K::FastDetect => draft.fast_detect = super::fast::fast_detect(statement, sink),
        K::V3ChecksumAsV2 => keep(&mut draft.v3_checksum_as_v2, switch(statement, sink)),
        K::OwnerIgnoreAdverts => keep(&mut draft.owner_ignores, switch(statement, sink)),
        K::Accept => draft.accept = Some((true, statement.span())),
        K::NoAccept => draft.accept = Some((false, statement.span())),
        K::PromoteSecondaries => draft.promote_secondaries = true,
        K::NoVirtualIpaddress => draft.no_vips = true,
        K::UseVmac => draft.vmac = Some(vmac::read(statement, sink)),
        K::UseVmacAddr => draft.vmac_addr = Some(statement.span()),
        K::VmacXmitBase => draft.vmac_xmit_base = Some(statement.span()),
    }
}

fn state(statement: &Statement, draft: &mut Draft, sink: &mut Sink) {
    let Some(word) = first(statement) else { return };
    draft.master = word.text == "MASTER";
    draft.state_span = Some(word.span);
    if !draft.master && word.text != "BACKUP" {
        let message = format!("unknown state '{}', defaulting to BACKUP", word.text);
        sink.warn(Code::BadValue, word.span, message)
            .help("use MASTER or BACKUP, in upper case");
    }
}

pub fn interface(statement: &Statement, sink: &mut Sink) -> Option<IfName> {
    let word = first(statement)?;
    let name = IfName::new(&word.text);
    if name.is_none() {
        bad_interface(word, sink);
    }
    name
}

fn vrid(statement: &Statement, draft: &mut Draft, sink: &mut Sink) {
    let Some(word) = first(statement) else { return };
    let vrid = word.text.parse().ok().and_then(Vrid::new);
    if vrid.is_none() {
        let message = format!("VRID '{}' not valid - must be between 1 & 255", word.text);
        sink.error(Code::MissingVrid, word.span, message)
            .help("use the same number on all routers that share these VIPs");
    }
    draft.vrid = Some(vrid);
    draft.vrid_span = word.span;
}

fn authentication(block: &Statement, draft: &mut Draft, sink: &mut Sink) {
    let mut given = Authentication {
        span: block.span(),
        ..Authentication::default()
    };
    let mut reader = Reader::new(Block::Authentication);
    for statement in block.block.iter().flatten() {
        match reader.read(statement, sink) {
            Some(Key::Auth(AuthKey::Type)) => auth_type(statement, &mut given, sink),
            Some(Key::Auth(AuthKey::Pass)) => given.password = first(statement).cloned(),
            Some(
                Key::Root(_)
                | Key::Global(_)
                | Key::Instance(_)
                | Key::Track(_)
                | Key::Tell(_)
                | Key::Lvs(_)
                | Key::GarpGroup(_)
                | Key::TrackGroup,
            )
            | None => {}
        }
    }
    draft.authentication = Some(given);
}

fn auth_type(statement: &Statement, given: &mut Authentication, sink: &mut Sink) {
    let Some(word) = first(statement) else { return };
    given.typed = true;
    match word.text.as_str() {
        "PASS" => {}
        "AH" => sink
            .error(Code::Refused, word.span, "auth_type AH is not supported")
            .help("remove authentication on all routers of this VRID, or use PASS"),
        other => sink
            .error(
                Code::Refused,
                word.span,
                format!("unknown authentication type '{other}'"),
            )
            .help("use PASS, in upper case"),
    }
}

fn vips(block: &Statement, advertised: bool, draft: &mut Draft, sink: &mut Sink) {
    for entry in entries(block, sink) {
        let Some((vip, span)) = vip(entry, advertised, sink) else {
            continue;
        };
        let bare = entry
            .words
            .first()
            .is_some_and(|word| !word.text.contains('/'));
        // A peer has the prefix.
        let peer = entry.arguments().iter().any(|word| word.text == "peer");
        if bare && !peer {
            draft.bare_vips.push((vip.address, span));
        }
        draft.vips.push((vip, span));
    }
}

/// The lines of a list block, without those that are no entries.
pub fn entries<'a>(block: &'a Statement, sink: &mut Sink) -> Vec<&'a Statement> {
    let usable = |entry: &&Statement| {
        let Some(word) = entry.words.first() else {
            return false;
        };
        if entry.block.is_some() {
            let message = format!(
                "Unexpected '{{' after '{}', its block is skipped",
                word.text
            );
            sink.warn(Code::UnexpectedBlock, word.span, message);
        }
        true
    };
    block.block.iter().flatten().filter(usable).collect()
}
