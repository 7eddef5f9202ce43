//! One look at a frame says what the three scans say.

use std::vec;

use super::super::{Sort, approach::scan_question, bfd::scan_probe, scan, sort};

/// What decides: bytes at offsets of the packet.
type Marks = &'static [(usize, u8)];

/// By ethertype.
const FRAMES: [(u16, Marks, Sort); 9] = [
    (0x0800, &[(0, 0x45), (9, 112)], Sort::Advert),
    (0x0800, &[(0, 0x45), (9, 51), (20, 112)], Sort::Advert),
    (0x0800, &[(9, 17), (22, 0x1E), (23, 0x68)], Sort::Probe),
    (0x86DD, &[(6, 112)], Sort::Advert),
    (0x86DD, &[(6, 0)], Sort::Advert),
    (0x86DD, &[(6, 17), (42, 0x1E), (43, 0x68)], Sort::Probe),
    (0x86DD, &[(6, 58), (40, 135)], Sort::Question),
    (0x0806, &[], Sort::Question),
    (0x88CC, &[], Sort::Other),
];

fn agrees(frame: &[u8], out_of_band: Option<u16>) -> Sort {
    let scans = if scan(frame, out_of_band) {
        Sort::Advert
    } else if scan_probe(frame, out_of_band) {
        Sort::Probe
    } else if scan_question(frame, out_of_band) {
        Sort::Question
    } else {
        Sort::Other
    };
    let found = sort(frame, out_of_band);
    assert_eq!(found, scans, "{out_of_band:?} {frame:02x?}");
    found
}

#[test]
fn a_frame_is_sorted_as_it_is_scanned() {
    for tags in [&[][..], &[0x8100], &[0x88A8, 0x8100], &[0x8100; 3]] {
        for (ethertype, bytes, wanted) in FRAMES {
            let mut frame = vec![0xA5; 12];
            for tag in tags {
                frame.extend(u16::to_be_bytes(*tag));
                frame.extend([0, 7]);
            }
            frame.extend(ethertype.to_be_bytes());
            let at = frame.len();
            frame.resize(at + 60, 0xA5);
            for (offset, byte) in bytes {
                frame[at + offset] = *byte;
            }
            // More tags than are looked through are nobody's.
            let seen = if tags.len() > 2 { Sort::Other } else { wanted };
            assert_eq!(agrees(&frame, None), seen, "{tags:?} {ethertype:04x}");
            for length in 0..frame.len() {
                agrees(&frame[..length], None);
                agrees(&frame[..length], Some(5));
            }
            for changed in 0..frame.len() {
                for value in [0, 17, 58, 112, 0x45, 0x86, 0xFF] {
                    let mut frame = frame.clone();
                    frame[changed] = value;
                    agrees(&frame, None);
                }
            }
        }
    }
}
