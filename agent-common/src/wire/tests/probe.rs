//! The initiator's side of Seamless BFD: golden bytes, and one good answer bent
//! in one place.

use crate::wire::{
    bfd::{LENGTH, SessionState},
    probe::{NotSaid, Question, Said, answer, question},
    tests::lab::hex,
};

const ASKED: Question = Question {
    mine: 0x0001_0203,
    yours: 0xF0FA_0433,
    multiplier: 3,
    interval_us: 1000,
    is_up: false,
};

#[test]
fn a_question_is_as_the_rfc_has_it() {
    // RFC 5880 4.1: version 1, Down, Demand; then Up.
    let down = hex("20 42 03 18 00 01 02 03 f0 fa 04 33 00 00 03 e8 00 00 00 00 00 00 00 00");
    assert_eq!(question(&ASKED)[..], down[..]);
    let up = question(&Question {
        is_up: true,
        ..ASKED
    });
    assert_eq!(up[..2], [0x20, 0xC2]);
    assert_eq!(up[2..], down[2..]);
}

/// As `wire::bfd` answers it.
fn good() -> [u8; LENGTH] {
    let bytes = hex("20 c0 03 18 f0 fa 04 33 00 01 02 03 00 00 03 e8 00 00 00 32 00 00 00 00");
    bytes.try_into().unwrap()
}

#[test]
fn an_answer_is_read() {
    let up = Said {
        theirs: ASKED.yours,
        ours: ASKED.mine,
        state: SessionState::Up,
        min_rx_us: 50,
    };
    assert_eq!(answer(&good()), Ok(up));
    let mut down = good();
    down[1] = 0;
    let state = SessionState::AdminDown;
    assert_eq!(answer(&down), Ok(Said { state, ..up }));
}

#[test]
fn what_is_bent_is_no_answer() {
    for (at, value, why) in [
        (0, 0x40, NotSaid::Malformed),
        (2, 0, NotSaid::Malformed),
        (3, 23, NotSaid::Malformed),
        (3, 52, NotSaid::Malformed),
        (1, 0xC0 | 0x20, NotSaid::Flags),
        (1, 0xC0 | 0x10, NotSaid::Flags),
        (1, 0xC0 | 0x04, NotSaid::Flags),
        (1, 0xC0 | 0x02, NotSaid::Flags),
        (1, 0xC0 | 0x01, NotSaid::Flags),
        (1, 0x40, NotSaid::State),
        (1, 0x80, NotSaid::State),
    ] {
        let mut packet = good();
        packet[at] = value;
        assert_eq!(answer(&packet), Err(why), "{at} {value:#x}");
    }
    for at in [4, 8] {
        let mut packet = good();
        packet[at..at + 4].fill(0);
        assert_eq!(answer(&packet), Err(NotSaid::Discriminator));
    }
    for length in 0..LENGTH {
        assert_eq!(answer(&good()[..length]), Err(NotSaid::Malformed));
    }
}
