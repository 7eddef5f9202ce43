//! A copy of the start of a frame, which the verifier lets us read anywhere.
//!
//! Packet pointers plus offsets that depend on the packet are more than older
//! verifiers can follow, and the frame need not be contiguous; adverts are a
//! handful per second, so they can afford a copy.

use core::cell::UnsafeCell;

use agent_common::wire::{Bytes, Frame, bfd::FrameMut};

/// Bytes copied: an IPv6 advert of 120 addresses. A power of two, so that a
/// mask keeps every offset within it.
const COPIED: usize = 2048;
/// The longest single read of the parser, with room to spare.
const LONGEST_READ: usize = 32;

/// Value of the per-CPU map that holds the copy.
#[repr(C)]
pub struct Scratch {
    /// Length of the frame.
    pub received: u64,
    /// Bytes of it that are here.
    pub readable: u64,
    /// What goes through here, the verifier forgets.
    opaque: UnsafeCell<u64>,
    pub bytes: [u8; COPIED + LONGEST_READ],
}

// SAFETY: a value of a per-CPU map: no two CPUs ever share one.
unsafe impl Sync for Scratch {}

impl Scratch {
    pub const CAPACITY: usize = COPIED;
}

impl Frame for Scratch {
    const LONGEST_MESSAGE: usize = COPIED;

    #[inline(always)]
    fn received(&self) -> usize {
        self.received as usize
    }

    #[inline(always)]
    fn readable(&self) -> usize {
        self.readable as usize
    }

    #[inline(always)]
    fn opaque(&self, value: usize) -> usize {
        let cell = self.opaque.get();
        // SAFETY: aligned, valid, and this CPU's alone while the program runs.
        unsafe {
            cell.write_volatile(value as u64);
            cell.read_volatile() as usize
        }
    }
}

impl FrameMut for Scratch {
    #[inline(always)]
    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        const { assert!(N <= LONGEST_READ) };
        if at.wrapping_add(N) > self.readable as usize {
            return;
        }
        // As in `bytes`.
        let at = core::hint::black_box(at) & (COPIED - 1);
        // SAFETY: at most `COPIED - 1 + LONGEST_READ` bytes into the array.
        unsafe { *self.bytes.as_mut_ptr().add(at).cast::<[u8; N]>() = bytes }
    }
}

impl Bytes for Scratch {
    #[inline(always)]
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        const { assert!(N <= LONGEST_READ) };
        if at.wrapping_add(N) > self.readable as usize {
            return None;
        }
        // The mask changes nothing, as `readable` is at most `COPIED`. It is
        // for the verifier, which does not know that, and hidden from the
        // compiler, which might.
        let at = core::hint::black_box(at) & (COPIED - 1);
        // SAFETY: at most `COPIED - 1 + LONGEST_READ` bytes into the array.
        Some(unsafe { *self.bytes.as_ptr().add(at).cast::<[u8; N]>() })
    }
}
