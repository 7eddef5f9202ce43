//! The Internet checksum (RFC 1071).
//!
//! Verification folds the sum of everything, the checksum field included, and
//! wants all ones: so 0x0000 and 0xFFFF, the two representations of zero, are
//! both accepted in the field (K-08).

use super::Frame;
use crate::record::WireAddress;

/// A running one's-complement sum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    #[inline(always)]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Adds one 16-bit word, given in host order.
    #[inline(always)]
    #[must_use]
    pub const fn add_u16(self, word: u16) -> Self {
        Self(self.0.wrapping_add(word as u64))
    }

    /// Adds a 32-bit word, given in host order: congruent to its two halves.
    #[inline(always)]
    #[must_use]
    pub const fn add_u32(self, word: u32) -> Self {
        Self(self.0.wrapping_add(word as u64))
    }

    #[inline(always)]
    #[must_use]
    pub fn add_address(mut self, address: &WireAddress) -> Self {
        let (words, _) = address.as_chunks::<4>();
        for word in words {
            self = self.add_u32(u32::from_be_bytes(*word));
        }
        self
    }

    /// Adds `length` bytes of `frame` from `at`. `None` when they are not
    /// readable, are more than `longest`, or not a multiple of 4 as all headers
    /// here are. `longest` is a constant, so that the BPF verifier sees the end
    /// of the loop.
    #[inline(always)]
    #[must_use]
    pub fn add_frame<F: Frame + ?Sized>(
        mut self,
        frame: &F,
        at: usize,
        length: usize,
        longest: usize,
    ) -> Option<Self> {
        if !length.is_multiple_of(4) || length > longest {
            return None;
        }
        let words = frame.opaque(length / 4);
        let mut at = frame.opaque(at);
        for word in 0..longest / 4 {
            if word >= words {
                break;
            }
            self = self.add_u32(u32::from_be_bytes(frame.bytes(at)?));
            at = at.wrapping_add(4);
        }
        Some(self)
    }

    /// Adds a buffer of any length; an odd last byte is the high one.
    #[must_use]
    pub fn add_slice(mut self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<2>();
        for word in words {
            self = self.add_u16(u16::from_be_bytes(*word));
        }
        match rest.first() {
            Some(last) => self.add_u16(u16::from_be_bytes([*last, 0])),
            None => self,
        }
    }

    #[inline(always)]
    const fn fold(self) -> u16 {
        let sum = (self.0 & 0xFFFF_FFFF) + (self.0 >> 32);
        let sum = (sum & 0xFFFF) + (sum >> 16);
        let sum = (sum & 0xFFFF) + (sum >> 16);
        let sum = (sum & 0xFFFF) + (sum >> 16);
        sum as u16
    }

    /// Whether a sum that includes the checksum field verifies.
    #[inline(always)]
    pub const fn verifies(self) -> bool {
        self.fold() == 0xFFFF
    }

    /// What belongs into the checksum field, in host order.
    pub const fn finish(self) -> u16 {
        !self.fold()
    }
}
