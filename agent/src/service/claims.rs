//! Another machine says by ARP that it has a VIP while we are Active: poisoned
//! caches, or an address that is in use twice. VRRP does not notice either.
//!
//! A claim is judged a moment later, by a picture of the fast lane: what comes
//! with a change of the Active is no news. Against what is left VIPs are
//! announced again, at most once in ten seconds, and a claimant that goes on for
//! longer than routers need to agree is one line in a minute.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use agent_common::KernelTime;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tracing::warn;

use super::{Service, now, readable};
use crate::{
    config::Instance,
    core::{InstanceId, Snapshot, State},
    io::{
        clock,
        lane::{Command, Picture},
        netlink::survey::World,
        receive::claims::{Claim, ClaimSocket},
    },
};

/// A new Active announces before its predecessor may have heard of it.
const GRACE: Duration = Duration::from_millis(200);
/// Between two looks at the claims.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two answers of an instance (RFC 5227 2.4, DEFEND_INTERVAL): two
/// Actives that hear each other's ARP and not each other's adverts must not go
/// on answering each other.
const DEFEND: Duration = Duration::from_secs(10);
/// Routers that disagree, as after a partition, have agreed by then; who goes on
/// is none of them.
const PERSISTENT: Duration = Duration::from_secs(3);
/// A claimant that was silent for longer begins anew.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// Between two lines about one claimant.
const QUIET: Duration = Duration::from_secs(60);
/// Claims read in one go; a flood of them has to wait.
const BATCH: usize = 64;
const BREATH: Duration = Duration::from_millis(50);
/// Claimants kept in mind.
const SUSPECTS: usize = 64;

/// A claim, and the link that it came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Heard {
    ifindex: u32,
    claim: Claim,
}

#[derive(Clone, Copy, Debug)]
struct Suspect {
    heard: Heard,
    /// The first claim of those that go on, and the last one.
    first: KernelTime,
    last: KernelTime,
    /// Since the last look.
    fresh: bool,
    told: Option<KernelTime>,
}

#[derive(Debug)]
struct Listener {
    addresses: Vec<Ipv4Addr>,
    worker: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

#[derive(Debug)]
pub(super) struct Claims {
    listeners: BTreeMap<u32, Listener>,
    /// Whose an address on a link is, by position in the configuration.
    homes: BTreeMap<(u32, Ipv4Addr), Vec<usize>>,
    /// Of all links of this machine: what they say is no claim.
    own: Vec<[u8; 6]>,
    tell: mpsc::Sender<Heard>,
    told: mpsc::Receiver<Heard>,
    suspects: Vec<Suspect>,
    /// When each instance has answered last; only those of late.
    answered: Vec<(InstanceId, KernelTime)>,
    looked: Option<Instant>,
    /// When to ask the fast lane who is Active.
    pub(super) look_at: Option<Instant>,
}

impl Default for Claims {
    fn default() -> Self {
        let (tell, told) = mpsc::channel(BATCH);
        Self {
            listeners: BTreeMap::new(),
            homes: BTreeMap::new(),
            own: Vec::new(),
            tell,
            told,
            suspects: Vec::new(),
            answered: Vec::new(),
            looked: None,
            look_at: None,
        }
    }
}

/// An alarm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Alarm {
    id: InstanceId,
    heard: Heard,
    /// It has not been told of for a while.
    news: bool,
}

impl Claims {
    pub(super) async fn heard(&mut self) -> Option<Heard> {
        self.told.recv().await
    }

    /// Listens for the IPv4 addresses of each link, and only there.
    pub(super) fn watch(&mut self, instances: &[Instance], world: &World) {
        self.own = world.links.iter().map(|link| link.mac).collect();
        let mut wanted: BTreeMap<u32, Vec<Ipv4Addr>> = BTreeMap::new();
        self.homes.clear();
        for (at, instance) in instances.iter().enumerate() {
            for vip in &instance.vips {
                let home = world.link(instance.home(vip).as_str());
                if let (IpAddr::V4(address), Some(home)) = (vip.address, home) {
                    wanted.entry(home.ifindex).or_default().push(address);
                    let homes = self.homes.entry((home.ifindex, address));
                    homes.or_default().push(at);
                }
            }
        }
        let same = |ifindex: &u32, listener: &Listener| {
            wanted.get(ifindex) == Some(&listener.addresses) && !listener.worker.is_finished()
        };
        self.listeners
            .retain(|ifindex, listener| same(ifindex, listener));
        for (ifindex, addresses) in wanted {
            if self.listeners.contains_key(&ifindex) {
                continue;
            }
            match listen(ifindex, &addresses, self.tell.clone()) {
                Ok(worker) => {
                    let listener = Listener { addresses, worker };
                    self.listeners.insert(ifindex, listener);
                }
                Err(error) => warn!(
                    "interface {ifindex}: other machines that claim our VIPs go unseen: {error}"
                ),
            }
        }
    }

    /// The link is gone; another one may have its index.
    pub(super) fn forget(&mut self, ifindex: u32) {
        self.listeners.remove(&ifindex);
    }

    /// Notes a claim, to be judged a moment later.
    fn note(&mut self, heard: Heard, at: KernelTime) {
        if self.own.contains(&heard.claim.mac) {
            return;
        }
        let mut known = self.suspects.iter_mut();
        if let Some(known) = known.find(|known| known.heard == heard) {
            if at.since(known.last) > FORGOTTEN {
                known.first = at;
            }
            (known.last, known.fresh) = (at, true);
        } else if self.suspects.len() < SUSPECTS {
            // Beyond that, the others are alarm enough.
            self.suspects.push(Suspect {
                heard,
                first: at,
                last: at,
                fresh: true,
                told: None,
            });
        }
        let earliest = now() + GRACE;
        let pace = self.looked.map_or(earliest, |looked| looked + PAUSE);
        self.look_at.get_or_insert(earliest.max(pace));
    }

    /// Which of the new claims are against an instance that is Active. `owner`
    /// says whose an address on a link is.
    fn judge(
        &mut self,
        instances: &[Snapshot],
        at: KernelTime,
        owner: impl Fn(&Heard) -> Option<InstanceId>,
    ) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        for suspect in self.suspects.iter_mut().filter(|suspect| suspect.fresh) {
            suspect.fresh = false;
            let Some(id) = owner(&suspect.heard) else {
                continue;
            };
            // The one before us may have spoken until it heard of us.
            let actives = instances
                .iter()
                .filter(|found| found.id == id && found.state == State::Active);
            let settled = actives.map(|found| found.since.after(found.interval.duration()));
            let Some(settled) = settled.max().filter(|settled| suspect.last > *settled) else {
                suspect.first = suspect.last;
                continue;
            };
            if suspect.first <= settled {
                suspect.first = suspect.last;
            }
            let news = suspect.last.since(suspect.first) >= PERSISTENT
                && suspect.told.is_none_or(|told| at.since(told) >= QUIET);
            if news {
                suspect.told = Some(at);
            }
            alarms.push(Alarm {
                id,
                heard: suspect.heard,
                news,
            });
        }
        let remembered = |suspect: &Suspect| {
            at.since(suspect.last) < FORGOTTEN
                || suspect.told.is_some_and(|told| at.since(told) < QUIET)
        };
        self.suspects.retain(remembered);
        alarms
    }
}

impl Claims {
    /// Whether an instance may answer now, which counts as its answer.
    fn may_answer(&mut self, id: InstanceId, at: KernelTime) -> bool {
        self.answered
            .retain(|(_, answered)| at.since(*answered) < DEFEND);
        let may = self.answered.iter().all(|(other, _)| *other != id);
        if may {
            self.answered.push((id, at));
        }
        may
    }
}

impl Service {
    pub(super) fn claimed(&mut self, heard: Heard) {
        self.claims.note(heard, clock::now());
    }

    /// With every picture of the fast lane.
    pub(super) fn look_at_claims(&mut self, picture: &Picture) {
        let due = self.claims.look_at.is_none();
        if !due || !self.claims.suspects.iter().any(|suspect| suspect.fresh) {
            return;
        }
        self.claims.looked = Some(now());
        let homes = std::mem::take(&mut self.claims.homes);
        let owner = |heard: &Heard| {
            let place = (heard.ifindex, heard.claim.address);
            let seats = homes.get(&place)?.iter();
            let mut seats = seats.filter_map(|at| self.seats.get(*at));
            seats
                .find(|seat| seat.installed.is_some())
                .map(|seat| seat.id)
        };
        let judged = self.claims.judge(&picture.instances, picture.at, owner);
        self.claims.homes = homes;
        for Alarm { id, heard, news } in judged {
            if self.claims.may_answer(id, picture.at) {
                // A full queue: the claims after ten seconds ask again.
                let _ = self.lane.send(Command::AddressClaimed { id });
            }
            if news {
                self.tell_of_claim(id, &heard);
            }
        }
    }

    fn tell_of_claim(&self, id: InstanceId, heard: &Heard) {
        let name = self.reporter.name(id);
        let Claim { address, mac } = heard.claim;
        let [a, b, c, d, e, f] = mac;
        warn!(
            instance = name,
            "({name}) {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x} says by ARP that it has VIP \
             {address} while we are Active: announcing it again; find that machine, \
             hosts may send to it"
        );
    }
}

fn listen(
    ifindex: u32,
    addresses: &[Ipv4Addr],
    tell: mpsc::Sender<Heard>,
) -> io::Result<JoinHandle<()>> {
    let mut socket = readable(ClaimSocket::open(ifindex, addresses)?)?;
    Ok(tokio::spawn(async move {
        while let Ok(mut guard) = socket.readable_mut().await {
            let mut left = BATCH;
            while left > 0 {
                match guard.get_inner_mut().read() {
                    Ok(Some(claim)) => {
                        // What finds no room comes again, or is one of many.
                        let _ = tell.try_send(Heard { ifindex, claim });
                        left = left.saturating_sub(1);
                    }
                    Ok(None) => {
                        guard.clear_ready();
                        break;
                    }
                    // The link is down; what comes after that is new.
                    Err(_) => {
                        guard.clear_ready();
                        break;
                    }
                }
            }
            drop(guard);
            sleep(BREATH).await;
        }
    }))
}

#[cfg(test)]
mod tests;
