//! Seamless BFD over UDP, as an initiator speaks it (RFC 7880 7.3, RFC 7881):
//! the payload of a probe, and what may be believed of an answer.
//!
//! Nothing here panics, whatever the bytes.

use super::bfd::{
    FLAG_AUTH, FLAG_DEMAND, FLAG_FINAL, FLAG_MULTIPOINT, FLAG_POLL, LENGTH, SessionState, VERSION,
};

/// State of an initiator that has no answer yet, and of one that has (RFC 5880 4.1).
const DOWN: u8 = 1;
const UP: u8 = 3;

/// One question to a reflector. All integers are in host order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Question {
    /// My Discriminator, never 0: comes back as Your Discriminator.
    pub mine: u32,
    /// Your Discriminator: what is asked for.
    pub yours: u32,
    /// Detection Time Multiplier, never 0.
    pub multiplier: u8,
    /// Desired Min TX Interval in microseconds.
    pub interval_us: u32,
    /// The last answer was Up.
    pub is_up: bool,
}

/// The control packet of a question: the Demand bit, no authentication.
pub const fn question(question: &Question) -> [u8; LENGTH] {
    let state = if question.is_up { UP } else { DOWN };
    let mine = question.mine.to_be_bytes();
    let yours = question.yours.to_be_bytes();
    let interval = question.interval_us.to_be_bytes();
    let mut packet = [0; LENGTH];
    packet[0] = VERSION << 5;
    packet[1] = state << 6 | FLAG_DEMAND;
    packet[2] = question.multiplier;
    packet[3] = LENGTH as u8;
    let mut at = 0;
    while at < 4 {
        packet[4 + at] = mine[at];
        packet[8 + at] = yours[at];
        packet[12 + at] = interval[at];
        at += 1;
    }
    packet
}

/// What a reflector says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Said {
    /// Its discriminator: what was asked for.
    pub theirs: u32,
    /// The My Discriminator of the question.
    pub ours: u32,
    pub state: SessionState,
    /// Required Min RX Interval in microseconds: it wants to be asked no more
    /// often.
    pub min_rx_us: u32,
}

/// Why a datagram is no answer to a question of ours.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NotSaid {
    /// Not a control packet of version 1 with the length that it has.
    Malformed,
    /// Authentication, multipoint, Poll or Final, none of which we ask for; or
    /// the Demand bit, which only an initiator sets (RFC 7880 7.2.2).
    Flags,
    /// A discriminator of 0.
    Discriminator,
    /// A state that no reflector is in (RFC 7880 7.2.2).
    State,
}

/// Reads the payload of a datagram by the rules of RFC 5880 6.8.6 that need no
/// session, and of RFC 7880 7.2.2.
///
/// # Errors
///
/// Why it is not an answer.
pub fn answer(packet: &[u8]) -> Result<Said, NotSaid> {
    let Some((packet, _)) = packet.split_first_chunk::<LENGTH>() else {
        return Err(NotSaid::Malformed);
    };
    let [version, flags, multiplier, length, rest @ ..] = packet;
    let [a, b, c, d, e, f, g, h, _, _, _, _, i, j, k, l, ..] = *rest;
    if version >> 5 != VERSION || usize::from(*length) != LENGTH || *multiplier == 0 {
        return Err(NotSaid::Malformed);
    }
    if flags & (FLAG_AUTH | FLAG_MULTIPOINT | FLAG_POLL | FLAG_FINAL | FLAG_DEMAND) != 0 {
        return Err(NotSaid::Flags);
    }
    let theirs = u32::from_be_bytes([a, b, c, d]);
    let ours = u32::from_be_bytes([e, f, g, h]);
    if theirs == 0 || ours == 0 {
        return Err(NotSaid::Discriminator);
    }
    let state = match flags >> 6 {
        0 => SessionState::AdminDown,
        UP => SessionState::Up,
        _ => return Err(NotSaid::State),
    };
    Ok(Said {
        theirs,
        ours,
        state,
        min_rx_us: u32::from_be_bytes([i, j, k, l]),
    })
}
