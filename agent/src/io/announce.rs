//! GARP and unsolicited NA: how hosts and switches learn where the VIPs are now.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, OwnedFd},
};

use agent_common::wire::{
    arp::{self, GratuitousForm},
    ndisc::{self, Announcement},
};

use super::sys;

/// The longest frame announced: an unsolicited NA.
const LONGEST: usize = if ndisc::FRAME_LEN > arp::FRAME_LEN {
    ndisc::FRAME_LEN
} else {
    arp::FRAME_LEN
};

/// The socket that sends frames on any link and receives none.
#[derive(Debug)]
pub struct Announcer(OwnedFd);

impl Announcer {
    /// # Errors
    ///
    /// Without CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        sys::packet_sender().map(Self)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Frame {
    ifindex: u32,
    len: usize,
    bytes: [u8; LONGEST],
}

/// One frame for each VIP, built beforehand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AnnouncePlan {
    frames: Vec<Frame>,
}

/// One VIP and where it lives.
#[derive(Clone, Copy, Debug)]
pub struct Announced {
    pub address: IpAddr,
    pub ifindex: u32,
    /// All zero on a link without Ethernet addresses: nothing to announce.
    pub mac: [u8; 6],
    /// The R flag of an NA: this node forwards IPv6.
    pub router: bool,
}

impl AnnouncePlan {
    pub fn new(vips: impl Iterator<Item = Announced>) -> Self {
        Self {
            frames: vips.map(frame).collect(),
        }
    }

    /// Announces VIP number `vip` `repeat` times, or all of them with `None`.
    ///
    /// Repeats go around all VIPs, so that a lost frame of one is not followed
    /// at once by the loss of its repetition.
    ///
    /// # Errors
    ///
    /// What the first frame that could not be sent met; the others are sent
    /// all the same.
    pub fn send(&self, socket: &Announcer, vip: Option<u16>, repeat: u8) -> io::Result<()> {
        const CHUNK: usize = 64;
        let all = match vip {
            Some(vip) => {
                let at = usize::from(vip);
                self.frames.get(at..=at).unwrap_or_default()
            }
            None => self.frames.as_slice(),
        };
        let mut first_error = None;
        for _ in 0..repeat {
            for chunk in all.chunks(CHUNK) {
                let mut refs: [(u32, &[u8]); CHUNK] = [(0, &[]); CHUNK];
                let mut count = 0;
                for (slot, frame) in refs
                    .iter_mut()
                    .zip(chunk.iter().filter(|frame| frame.len > 0))
                {
                    *slot = (
                        frame.ifindex,
                        frame.bytes.get(..frame.len).unwrap_or_default(),
                    );
                    count += 1;
                }
                // A VIP on a link that is down must not silence the others: a
                // frame that fails is left out. One that ended a batch heads
                // the next, where its error is told.
                let mut rest = refs.get(..count).unwrap_or_default();
                while !rest.is_empty() {
                    let done = match sys::send_frames(socket.0.as_fd(), rest) {
                        Ok(sent) => sent.max(1),
                        Err(error) => {
                            first_error.get_or_insert(error);
                            1
                        }
                    };
                    rest = rest.get(done..).unwrap_or_default();
                }
            }
        }
        first_error.map_or(Ok(()), Err)
    }
}

fn frame(vip: Announced) -> Frame {
    let mut frame = Frame {
        ifindex: vip.ifindex,
        len: 0,
        bytes: [0; LONGEST],
    };
    // A multicast group is where everybody is.
    if vip.mac == [0; 6] || vip.address.is_multicast() {
        return frame;
    }
    frame.len = match vip.address {
        IpAddr::V4(address) => {
            arp::gratuitous(&mut frame.bytes, vip.mac, address, GratuitousForm::Request)
        }
        IpAddr::V6(address) => ndisc::unsolicited_na(
            &mut frame.bytes,
            &Announcement {
                mac: vip.mac,
                source: address,
                vip: address,
                router: vip.router,
            },
        ),
    }
    .unwrap_or(0);
    frame
}
