//! The kernel half of failoverd: VRRP adverts are parsed, judged and stamped
//! before anything on this machine can delay them.
//!
//! Three programs over one verdict: XDP, tcx where XDP cannot attach, and the
//! filter of the slow path's raw socket. A fourth answers probes where XDP
//! cannot, and two more are the fence of links that hear no adverts. Whatever
//! is not provably an advert for a configured instance passes untouched, but
//! for what a fence is against, and so does everything when anything in here
//! fails.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "compare-and-exchange, see emit.rs; the BPF target is a nightly one anyway"
)]

mod budget;
mod emit;
mod fence;
mod hook;
mod log;
mod maps;
mod reflect;
mod scratch;
mod verdict;

use agent_common::{
    Outcome,
    wire::{Sort, approach::scan_question, bfd::scan_probe, scan, sort},
};
use aya_ebpf::{
    bindings::{__sk_buff, TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action},
    helpers::generated::bpf_redirect,
    macros::{classifier, socket_filter, xdp},
    programs::{SkBuffContext, TcContext, XdpContext},
};

use crate::{
    fence::fenced,
    hook::{Direct, Hook},
    maps::slow_path_is_open,
    reflect::reflect,
    verdict::receive,
};

/// TC_PRIO_CONTROL: an answer must not wait behind what this machine sends
/// besides, where a link's queue has bands.
const PRIORITY_CONTROL: u32 = 7;

/// What becomes of the frame.
enum Action {
    /// On to the stack, and to whoever else listens.
    Pass,
    /// Beyond the budget of a flood.
    Drop,
}

// Inlined, as all programs here: the wrapper around it would be a call, which
// costs each frame more than all that is done for it.
#[xdp(frags)]
#[inline(always)]
pub fn failoverd_xdp(ctx: XdpContext) -> u32 {
    let head = Direct::new(ctx.data(), ctx.data_end());
    let question = match sort(&head, None) {
        Sort::Advert => {
            return match action(receive(&ctx)) {
                Action::Pass => xdp_action::XDP_PASS,
                Action::Drop => xdp_action::XDP_DROP,
            };
        }
        Sort::Probe if reflect(&ctx) => return xdp_action::XDP_TX,
        Sort::Probe | Sort::Other => false,
        Sort::Question => true,
    };
    if fenced(&ctx, question) {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    }
}

#[classifier]
#[inline(always)]
pub fn failoverd_tcx(ctx: TcContext) -> i32 {
    let head = Direct::new(ctx.data(), ctx.data_end());
    let vlan = ctx.link().vlan;
    // Headers may lie outside the linear part of an skb: then copy and look.
    let whole = head.is_whole(ctx.len());
    let advert = whole && scan(&head, vlan);
    if !advert && fenced(&ctx, !whole || scan_question(&head, vlan)) {
        return TC_ACT_SHOT;
    }
    if whole && !advert {
        return TC_ACT_UNSPEC;
    }
    match action(receive(&ctx)) {
        Action::Pass => TC_ACT_UNSPEC,
        Action::Drop => TC_ACT_SHOT,
    }
}

/// The fence alone, on links that have VIPs and hear no adverts.
#[classifier]
#[inline(always)]
pub fn failoverd_fence(ctx: TcContext) -> i32 {
    let head = Direct::new(ctx.data(), ctx.data_end());
    let question = !head.is_whole(ctx.len()) || scan_question(&head, ctx.link().vlan);
    if fenced(&ctx, question) {
        return TC_ACT_SHOT;
    }
    TC_ACT_UNSPEC
}

/// [`failoverd_fence`] on kernels without tcx.
#[xdp(frags)]
#[inline(always)]
pub fn failoverd_fence_xdp(ctx: XdpContext) -> u32 {
    let head = Direct::new(ctx.data(), ctx.data_end());
    if fenced(&ctx, scan_question(&head, None)) {
        return xdp_action::XDP_DROP;
    }
    xdp_action::XDP_PASS
}

/// Answers probes where XDP cannot send: beside the XDP program, or where there
/// is none.
#[classifier]
#[inline(always)]
pub fn failoverd_reflect(ctx: TcContext) -> i32 {
    let head = Direct::new(ctx.data(), ctx.data_end());
    let link = ctx.link();
    let candidate = !head.is_whole(ctx.len()) || scan_probe(&head, link.vlan);
    if candidate && reflect(&ctx) {
        // SAFETY: the context is the one that the kernel called us with, and
        // its priority may be written; the other takes two numbers.
        return unsafe {
            (*skb_of(&ctx).cast_mut()).priority = PRIORITY_CONTROL;
            bpf_redirect(link.ifindex, 0) as i32
        };
    }
    TC_ACT_UNSPEC
}

/// Wakes the reader of the raw socket only when this hook left it something:
/// steady adverts, which it gets copies of, never do.
#[socket_filter]
pub fn failoverd_slow(_ctx: SkBuffContext) -> i64 {
    const WHOLE_PACKET: i64 = u32::MAX as i64;
    if slow_path_is_open() { WHOLE_PACKET } else { 0 }
}

#[inline(always)]
fn action(outcome: Outcome) -> Action {
    match outcome {
        Outcome::OverBudget => Action::Drop,
        Outcome::Fragment | Outcome::ExtensionChain | Outcome::Oversize => {
            maps::open_slow_path();
            Action::Pass
        }
        Outcome::Accepted
        | Outcome::Foreign
        | Outcome::UnknownVrid
        | Outcome::Truncated
        | Outcome::IpHeader
        | Outcome::IpChecksum
        | Outcome::IpLength
        | Outcome::Ttl
        | Outcome::BadSource
        | Outcome::OwnSource
        | Outcome::Destination
        | Outcome::DestinationMac
        | Outcome::AuthHeader
        | Outcome::Version
        | Outcome::Type
        | Outcome::Incomplete
        | Outcome::Trailing
        | Outcome::Checksum
        | Outcome::NoAddresses
        | Outcome::IntervalZero
        | Outcome::IntervalMismatch
        | Outcome::NotLinkLocal
        | Outcome::AuthType
        | Outcome::AuthFailed
        | Outcome::UnknownPeer
        | Outcome::PeerTtl
        | Outcome::SourceNotAllowed
        | Outcome::OwnerIgnores
        | Outcome::RingFull => Action::Pass,
    }
}

/// `__sk_buff` of a tc context; here so that the field names are in one place.
#[inline(always)]
pub(crate) fn skb_of(ctx: &TcContext) -> *const __sk_buff {
    ctx.skb.skb.cast_const()
}

/// The kernel offers the helpers that we call to programs under the GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Unreachable: nothing here panics, and the verifier would refuse the loop.
#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
