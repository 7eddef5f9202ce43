//! Strict mode: what the standards forbid is refused or taken back.
//!
//! keepalived takes most of it back with a line in its log, and ends itself
//! over unicast peers.

use std::net::IpAddr;

use agent_common::{Family, Version};

use super::finish::family_of_vips;
use super::global::Globals;
use super::instance::Draft;
use crate::config::diagnostic::Code;
use crate::config::lexer::Span;
use crate::config::model::Instance;
use crate::config::sink::Sink;

pub fn is_on(draft: &Draft, globals: &Globals) -> bool {
    draft.strict.or(globals.strict).unwrap_or(false)
}

/// Takes back what can be, before the draft is finished.
pub fn enforce(draft: &mut Draft, globals: &Globals, sink: &mut Sink) {
    if !is_on(draft, globals) {
        return;
    }
    let owner = draft
        .priority
        .unwrap_or(if draft.master { 255 } else { 100 })
        == u8::MAX;
    draft
        .priority
        .get_or_insert(if draft.master { 255 } else { 100 });
    if draft.master != owner {
        forbid(
            draft,
            draft.state_span,
            "state MASTER goes with priority 255, and with no other,",
            "use state BACKUP: the priority decides all the same",
            sink,
        );
    }
    draft.master = owner;
    if let Some(given) = draft.authentication.take() {
        let remedy = "remove the authentication block on all routers, or vrrp_strict";
        let what = "authentication is not allowed and left out";
        forbid(draft, Some(given.span), what, remedy, sink);
    }
    if let Some((delay, span)) = draft.preempt_delay.take()
        && !delay.is_zero()
    {
        let remedy = "remove it, or vrrp_strict";
        forbid(
            draft,
            Some(span),
            "preempt_delay is not allowed and left out",
            remedy,
            sink,
        );
    }
    if let Some(span) = draft.vmac_xmit_base.take() {
        let remedy = "remove it, or vrrp_strict";
        let what = "vmac_xmit_base is not allowed and left out";
        forbid(draft, Some(span), what, remedy, sink);
    }
    adverts(draft, globals, sink);
    if !owner {
        accept(draft, globals, sink);
    }
}

/// RFC 9568 6.1: what is not the owner's own is forwarded, not answered.
/// Version 3 has an Accept_Mode for whoever wants it otherwise (6.1).
fn accept(draft: &mut Draft, globals: &Globals, sink: &mut Sink) {
    let ipv6 = family_of_vips(draft) == Some(Family::V6);
    let given = draft.version.map(|(version, _)| version);
    let version = given.or(globals.version).unwrap_or(Version::V2);
    match draft.accept {
        Some((true, _)) if ipv6 || version == Version::V3 => return,
        Some((true, span)) => {
            let what = "accept is not allowed in version 2 and left out";
            forbid(
                draft,
                Some(span),
                what,
                "use version 3, or remove vrrp_strict",
                sink,
            );
        }
        Some((false, _)) | None => {}
    }
    draft.accept = Some((false, draft.place()));
}

/// Adverts of lower priority are not answered in any way.
fn adverts(draft: &mut Draft, globals: &Globals, sink: &mut Sink) {
    let place = Some(draft.place());
    let remedy = "remove it, or vrrp_strict";
    let higher = draft.higher_prio_send_advert;
    if higher.or(globals.higher_prio_send_advert) == Some(true) {
        let what = "higher_prio_send_advert is not allowed and left out";
        forbid(draft, place, what, remedy, sink);
    }
    let no_advert = draft.lower_prio_no_advert;
    if no_advert.or(globals.lower_prio_no_advert) == Some(false) {
        let what = "lower_prio_no_advert cannot be off and is on";
        forbid(draft, place, what, remedy, sink);
    }
    if draft.garp.answers_lower(&globals.garp) {
        let what = "garp_lower_prio_repeat is not allowed and left out";
        forbid(draft, place, what, remedy, sink);
    }
    draft.higher_prio_send_advert = Some(false);
    draft.lower_prio_no_advert = Some(true);
    draft.garp.never_answer_lower();
    if draft.owner_ignores.or(globals.owner_ignores).is_none() {
        draft.owner_ignores = Some(true);
    }
}

/// Refuses what cannot be taken back. False where the instance cannot be used.
pub fn allows(draft: &Draft, instance: &Instance, sink: &mut Sink) -> bool {
    let mut refuse = |place: Span, what: &str, remedy: &str| {
        let message = format!("{} {what} in strict mode", draft.title());
        sink.error(Code::Strict, place, message).help(remedy);
    };
    let mut good = true;
    if let Some(span) = draft
        .unicast
        .block
        .filter(|_| !draft.unicast.peers.is_empty())
    {
        let remedy = "remove vrrp_strict or unicast_peer: keepalived ends itself over this";
        refuse(span, "unicast peers are not allowed", remedy);
        good = false;
    }
    let first = instance.advertised().next();
    if first.is_none() && instance.version == Version::V2 {
        let remedy = "list its addresses in virtual_ipaddress";
        refuse(
            draft.place(),
            "an instance without a VIP is not allowed",
            remedy,
        );
        good = false;
    }
    if let (Family::V6, Some(IpAddr::V6(first))) = (instance.family, first)
        && !first.is_unicast_link_local()
    {
        let remedy = "put a fe80:: address first, the same on all routers";
        refuse(
            draft.place(),
            "the first IPv6 VIP address must be link local",
            remedy,
        );
        good = false;
    }
    good
}

fn forbid(draft: &Draft, place: Option<Span>, what: &str, remedy: &str, sink: &mut Sink) {
    if let Some(place) = place {
        let message = format!("{} {what} in strict mode", draft.title());
        sink.warn(Code::Strict, place, message).help(remedy);
    }
}
