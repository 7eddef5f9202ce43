//! A plain reflector of Seamless BFD (RFC 7880 7.2, RFC 7881): an ordinary UDP
//! socket that answers by the letter of RFC 5880 4.1. It knows nothing of the
//! agent.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{initiator::Said, netns::Netns, sys};

const PORT: u16 = 7784;
const LENGTH: usize = 24;
const DEMAND: u8 = 0x02;
const NOTHING: u8 = 0xFF;

/// Answers for one discriminator until it is dropped.
#[derive(Debug)]
pub struct Reflector {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    ended: AtomicBool,
    state: AtomicU8,
    answered: AtomicU64,
}

impl Reflector {
    /// Says Up for `discriminator` on all IPv4 addresses of a namespace.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn start(ns: &Netns, discriminator: u32) -> Result<Self> {
        let socket = ns.enter(|| {
            let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
            let socket = UdpSocket::bind(any).context("the reflector's port")?;
            sys::set_hops(&socket, false, 255)?;
            socket.set_read_timeout(Some(Duration::from_millis(20)))?;
            Ok(socket)
        })?;
        let shared = Arc::new(Shared {
            ended: AtomicBool::new(false),
            state: AtomicU8::new(3),
            answered: AtomicU64::new(0),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve(&socket, discriminator, &theirs));
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// What it says from now on; `None` for nothing at all.
    pub fn says(&self, said: Option<Said>) {
        let state = match said {
            Some(Said::AdminDown) => 0,
            Some(Said::Up) => 3,
            None => NOTHING,
        };
        self.shared.state.store(state, Ordering::Relaxed);
    }

    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }
}

impl Drop for Reflector {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, discriminator: u32, shared: &Shared) {
    let mut packet = [0; 128];
    while !shared.ended.load(Ordering::Relaxed) {
        let (length, from) = match socket.recv_from(&mut packet) {
            Ok(received) => received,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            Err(_) => return,
        };
        let good = length == LENGTH
            && packet[0] >> 5 == 1
            && packet[1] & DEMAND != 0
            && packet[3] == 24
            && packet[8..12] == discriminator.to_be_bytes()
            && from.port() != PORT;
        let state = shared.state.load(Ordering::Relaxed);
        if !good || state == NOTHING {
            continue;
        }
        let mut answer = [0; LENGTH];
        answer[..4].copy_from_slice(&[0x20, state << 6, packet[2], 24]);
        answer[4..8].copy_from_slice(&packet[8..12]);
        answer[8..12].copy_from_slice(&packet[4..8]);
        answer[12..16].copy_from_slice(&packet[12..16]);
        answer[16..20].copy_from_slice(&1000_u32.to_be_bytes());
        if socket.send_to(&answer, from).is_ok() {
            shared.answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}
