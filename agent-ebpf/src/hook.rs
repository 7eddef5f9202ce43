//! What differs between the hooks: how bytes and the incoming link are got at.

use agent_common::{
    record::reflect_hook,
    wire::{Bytes, Link},
};
use aya_ebpf::{
    EbpfContext,
    helpers::generated::{
        bpf_skb_load_bytes, bpf_skb_store_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes,
        bpf_xdp_store_bytes,
    },
    programs::{TcContext, XdpContext},
};

use crate::scratch::Scratch;

/// Bytes that [`agent_common::wire::scan`] and
/// [`agent_common::wire::bfd::scan_probe`] may read: Ethernet, two tags, an IPv6
/// header and the ports behind it.
const SCANNED: usize = 14 + 8 + 40 + 4;

/// Longer than any answer of the reflector: Ethernet, two tags, IPv6, UDP and a
/// control packet are 94 bytes. A power of two.
const ANSWER_ROOM: usize = 128;

/// What tells who is asked for or sent to: Ethernet, two tags, IPv6, and a
/// solicitation up to its target are 86 bytes. A power of two.
const HEAD: usize = 128;

/// A place in the kernel where frames are seen.
pub trait Hook: EbpfContext {
    /// The value of [`agent_common::record::ReflectTarget::hook`] that means
    /// this one.
    const REFLECTS: u8;

    fn link(&self) -> Link;

    /// Length of the whole frame.
    fn frame_len(&self) -> usize;

    /// Copies the first `length` bytes, wherever the driver has put them.
    fn load(&self, to: *mut u8, length: u32) -> bool;

    /// Writes the first `length` bytes of the copy back into the frame.
    fn put_back(&self, from: *mut u8, length: u32) -> bool;

    /// [`Self::put_back`] of a frame that was changed, as far as an answer goes.
    #[inline(always)]
    fn store(&self, scratch: &mut Scratch, length: usize) -> bool {
        // For the verifier, as in `fill`.
        let last = core::hint::black_box(length).wrapping_sub(1) & (ANSWER_ROOM - 1);
        self.put_back(scratch.bytes.as_mut_ptr(), last as u32 + 1)
    }

    /// Copies the start of the frame; false when the kernel would not.
    #[inline(always)]
    fn fill(&self, scratch: *mut Scratch) -> bool {
        self.fill_up_to::<{ Scratch::CAPACITY }>(scratch)
    }

    /// [`Self::fill`] with no more than the headers.
    #[inline(always)]
    fn fill_head(&self, scratch: *mut Scratch) -> bool {
        self.fill_up_to::<HEAD>(scratch)
    }

    /// `LIMIT` must be a power of two.
    #[inline(always)]
    fn fill_up_to<const LIMIT: usize>(&self, scratch: *mut Scratch) -> bool {
        const { assert!(LIMIT.is_power_of_two() && LIMIT <= Scratch::CAPACITY) };
        let received = self.frame_len();
        let readable = received.min(LIMIT);
        if readable == 0 {
            return false;
        }
        // SAFETY: `scratch` is a value of a per-CPU map, so valid, and nobody
        // else's while this program runs.
        let scratch = unsafe { &mut *scratch };
        scratch.received = received as u64;
        scratch.readable = readable as u64;
        // From 1 to `LIMIT`, as it is already. Linux 6.1 has forgotten that
        // by now, and the compiler must not know that it need not be said.
        let last = core::hint::black_box(readable).wrapping_sub(1) & (LIMIT - 1);
        self.load(scratch.bytes.as_mut_ptr(), last as u32 + 1)
    }
}

impl Hook for XdpContext {
    const REFLECTS: u8 = reflect_hook::XDP;

    #[inline(always)]
    fn link(&self) -> Link {
        Link {
            ifindex: self.ingress_ifindex() as u32,
            vlan: None,
        }
    }

    #[inline(always)]
    fn frame_len(&self) -> usize {
        // SAFETY: the context is the one that the kernel called us with.
        unsafe { bpf_xdp_get_buff_len(self.ctx) as usize }
    }

    #[inline(always)]
    fn load(&self, to: *mut u8, length: u32) -> bool {
        // SAFETY: `to` has room for `length`, which `fill` has limited; the
        // verifier proves it again.
        unsafe { bpf_xdp_load_bytes(self.ctx, 0, to.cast(), length) == 0 }
    }

    #[inline(always)]
    fn put_back(&self, from: *mut u8, length: u32) -> bool {
        // SAFETY: `from` has `length` bytes, which `store` has limited.
        unsafe { bpf_xdp_store_bytes(self.ctx, 0, from.cast(), length) == 0 }
    }
}

impl Hook for TcContext {
    const REFLECTS: u8 = reflect_hook::TCX;

    #[inline(always)]
    fn link(&self) -> Link {
        let skb = crate::skb_of(self);
        // SAFETY: the context is the one that the kernel called us with; the
        // verifier knows each of these fields.
        let (ifindex, present, control) =
            unsafe { ((*skb).ifindex, (*skb).vlan_present, (*skb).vlan_tci) };
        Link {
            ifindex,
            vlan: (present != 0).then_some(control as u16),
        }
    }

    #[inline(always)]
    fn frame_len(&self) -> usize {
        self.len() as usize
    }

    #[inline(always)]
    fn load(&self, to: *mut u8, length: u32) -> bool {
        // SAFETY: as for XDP.
        unsafe { bpf_skb_load_bytes(self.as_ptr(), 0, to.cast(), length) == 0 }
    }

    #[inline(always)]
    fn put_back(&self, from: *mut u8, length: u32) -> bool {
        // SAFETY: as for XDP.
        unsafe { bpf_skb_store_bytes(self.skb.skb, 0, from.cast(), length, 0) == 0 }
    }
}

/// The bytes of a frame in place, between two pointers that the verifier knows.
#[derive(Clone, Copy)]
pub struct Direct {
    start: usize,
    end: usize,
}

impl Direct {
    #[inline(always)]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Whether all that a scan reads lies here, of a frame of `length` bytes.
    /// Of a short one as well: some drivers leave no more than the Ethernet
    /// header in the linear part.
    #[inline(always)]
    pub fn is_whole(&self, length: u32) -> bool {
        self.start + (length as usize).min(SCANNED) <= self.end
    }
}

impl Bytes for Direct {
    #[inline(always)]
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let from = self.start + at;
        if from + N > self.end {
            return None;
        }
        // SAFETY: the one read of packet memory. It ends at or before the end
        // of the packet, as just compared, and the verifier proves it again.
        Some(unsafe { *(from as *const [u8; N]) })
    }
}
