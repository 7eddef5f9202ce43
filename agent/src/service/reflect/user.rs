//! The reflector of a link where the kernel has no program for it: a task of
//! the slow lane. It is slower, and says so in its answers.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, SocketAddrV6, UdpSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use agent_common::{
    Family,
    record::{Lease, NO_SLOT, ReflectCounters, ReflectKey, ReflectTarget},
    wire::{
        bfd::{Probe, REFLECTOR_PORT, SessionState, Unanswered},
        frame::ip_address,
    },
};
use tokio::task::JoinHandle;

use crate::io::{clock, lane::SlowEnd, ready::readable, receive::probes::ProbeSocket};

/// Probes taken before the rest of the slow lane has its turn.
const AT_ONCE: usize = 64;

/// Whom the answers are for, and what was answered: by slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Book(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    targets: BTreeMap<u32, Entry>,
    unclaimed: u64,
}

#[derive(Debug)]
struct Entry {
    key: ReflectKey,
    target: ReflectTarget,
    counters: ReflectCounters,
    /// Nobody reads it: without a listener the stack would tell the initiator
    /// that there is none (ICMP). Somebody else's listener does as well.
    _listener: Option<UdpSocket>,
}

impl Book {
    fn open(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn tell(&self, key: ReflectKey, target: ReflectTarget) {
        let mut entries = self.open();
        // Before its port is asked for anew.
        let former = entries.targets.remove(&target.slot);
        let counters = former.map(|former| former.counters);
        let entry = Entry {
            key,
            target,
            counters: counters.unwrap_or_default(),
            _listener: listen(&key, &target).ok(),
        };
        entries.targets.insert(target.slot, entry);
    }

    pub fn remove(&self, slot: u32) {
        self.open().targets.remove(&slot);
    }

    /// What became of the probes of a slot; slot 0 counts those of nobody here.
    pub fn counters(&self, slot: u32) -> ReflectCounters {
        let entries = self.open();
        if slot == NO_SLOT {
            return ReflectCounters {
                passed: entries.unclaimed,
                ..ReflectCounters::default()
            };
        }
        let entry = entries.targets.get(&slot);
        entry.map_or_else(ReflectCounters::default, |entry| entry.counters)
    }

    /// As the kernel side does it, see agent-ebpf.
    fn judge(&self, probe: Result<&Probe, Unanswered>, lane: &SlowEnd) -> Option<SessionState> {
        let mut entries = self.open();
        let probe = match probe {
            Ok(probe) => probe,
            Err(Unanswered::Foreign) => return None,
            Err(Unanswered::Header | Unanswered::Ttl | Unanswered::Packet | Unanswered::Answer) => {
                entries.unclaimed = entries.unclaimed.saturating_add(1);
                return None;
            }
        };
        let found = entries.targets.values_mut();
        let Some(entry) = found.into_iter().find(|entry| entry.key == probe.key) else {
            entries.unclaimed = entries.unclaimed.saturating_add(1);
            return None;
        };
        let (target, counters) = (&entry.target, &mut entry.counters);
        if probe.destination != target.own || probe.destination_mac != target.mac {
            counters.passed = counters.passed.saturating_add(1);
            return None;
        }
        let lease = Lease {
            until_ns: lane.lease(target.slot),
            ..Lease::default()
        };
        let (counter, state) = if lease.until_ns == 0 {
            (&mut counters.down, SessionState::AdminDown)
        } else if lease.has_run_out(clock::now().nanos()) {
            (&mut counters.stale, SessionState::AdminDown)
        } else {
            (&mut counters.up, SessionState::Up)
        };
        *counter = counter.saturating_add(1);
        Some(state)
    }
}

fn listen(key: &ReflectKey, target: &ReflectTarget) -> io::Result<UdpSocket> {
    let family = if key.family == Family::V4 as u8 {
        Family::V4
    } else {
        Family::V6
    };
    let address = match ip_address(family, target.own) {
        std::net::IpAddr::V4(v4) => SocketAddr::from((v4, REFLECTOR_PORT)),
        std::net::IpAddr::V6(v6) => SocketAddrV6::new(v6, REFLECTOR_PORT, 0, key.ifindex).into(),
    };
    UdpSocket::bind(address)
}

/// Answers on one link for as long as it lives.
#[derive(Debug)]
pub(super) struct UserReflector(JoinHandle<()>);

impl UserReflector {
    /// # Errors
    ///
    /// Without CAP_NET_RAW, or when the link is gone.
    pub fn start(ifindex: u32, book: Book, lane: SlowEnd) -> io::Result<Self> {
        let socket = readable(ProbeSocket::open(ifindex)?)?;
        Ok(Self(tokio::spawn(async move {
            while let Ok(mut ready) = socket.readable().await {
                let more = socket
                    .get_ref()
                    .answer(AT_ONCE, |probe| book.judge(probe, &lane));
                // An error is the link going down; it may come back.
                if !matches!(more, Ok(true)) {
                    ready.clear_ready();
                }
                tokio::task::yield_now().await;
            }
        })))
    }
}

impl Drop for UserReflector {
    fn drop(&mut self) {
        self.0.abort();
    }
}
