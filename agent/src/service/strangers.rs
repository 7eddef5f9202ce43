//! Adverts of virtual routers that are not configured here (`log_unknown_vrids`).
//!
//! The kernel side counts them without a wake-up. Only where they are wanted
//! in the log a packet socket reads them too, one line for each virtual router
//! and link in a minute.

use std::{collections::BTreeMap, io, net::IpAddr, time::Duration};

use agent_common::{Family, KernelTime, wire::locate};
use tokio::{sync::mpsc, task::JoinHandle};
use tracing::{info, warn};

use super::{Service, links::Links, readable};
use crate::io::{
    clock,
    receive::{raw::RawReceiver, refusal::source_of},
};

const QUIET: Duration = Duration::from_secs(60);
/// Frames read in one go, and those on their way to the log.
const FRAMES: usize = 64;

/// An advert that may be nobody's here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stranger {
    ifindex: u32,
    family: Family,
    vrid: u8,
    source: IpAddr,
}

#[derive(Debug)]
struct Listener(JoinHandle<()>);

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
pub(super) struct Strangers {
    listeners: BTreeMap<u32, Listener>,
    tell: mpsc::Sender<Stranger>,
    told: mpsc::Receiver<Stranger>,
    /// When each was last logged. Bounded by the links: 510 of each.
    logged: BTreeMap<(u32, bool, u8), KernelTime>,
}

impl Default for Strangers {
    fn default() -> Self {
        let (tell, told) = mpsc::channel(FRAMES);
        Self {
            listeners: BTreeMap::new(),
            tell,
            told,
            logged: BTreeMap::new(),
        }
    }
}

impl Strangers {
    pub(super) async fn heard(&mut self) -> Option<Stranger> {
        self.told.recv().await
    }

    /// Listens on the links in use, or on none.
    pub(super) fn watch(&mut self, wanted: bool, links: &Links) {
        let in_use = |ifindex: &u32| wanted && links.by_index.contains_key(ifindex);
        self.listeners.retain(|ifindex, _| in_use(ifindex));
        self.logged.retain(|(ifindex, ..), _| in_use(ifindex));
        for (ifindex, link) in links.by_index.iter().filter(|(ifindex, _)| in_use(ifindex)) {
            if self.listeners.contains_key(ifindex) {
                continue;
            }
            match listen(*ifindex, self.tell.clone()) {
                Ok(listener) => drop(self.listeners.insert(*ifindex, listener)),
                Err(error) => warn!("{}: unknown VRIDs go unseen: {error}", link.name),
            }
        }
    }

    fn is_news(&mut self, stranger: &Stranger, now: KernelTime) -> bool {
        let Stranger {
            ifindex,
            family,
            vrid,
            source: _,
        } = *stranger;
        let last = self.logged.entry((ifindex, family == Family::V4, vrid));
        let mut news = false;
        let last = last.or_insert_with(|| {
            news = true;
            now
        });
        if now.since(*last) >= QUIET {
            (*last, news) = (now, true);
        }
        news
    }
}

impl Service {
    pub(super) fn stranger(&mut self, stranger: Stranger) {
        let Some(link) = self.links.by_index.get(&stranger.ifindex) else {
            return;
        };
        let ours = self.config.instances.iter().any(|instance| {
            instance.interface.as_str() == link.name
                && instance.family == stranger.family
                && instance.vrid.get() == stranger.vrid
        });
        if !ours && self.strangers.is_news(&stranger, clock::now()) {
            let Stranger { vrid, source, .. } = stranger;
            info!(
                "{}: advert for VRID {vrid} from {source}, which is not configured here",
                link.name
            );
        }
    }
}

fn listen(ifindex: u32, tell: mpsc::Sender<Stranger>) -> io::Result<Listener> {
    let mut socket = readable(RawReceiver::open(ifindex)?)?;
    Ok(Listener(tokio::spawn(async move {
        while let Ok(mut guard) = socket.readable_mut().await {
            let read = guard.get_inner_mut().drain_frames(FRAMES, |arrival| {
                let Ok(located) = locate(arrival.frame, arrival.link) else {
                    return;
                };
                // What finds no room comes again with the next advert.
                let _ = tell.try_send(Stranger {
                    ifindex,
                    family: located.family,
                    vrid: located.key.vrid,
                    source: source_of(&located),
                });
            });
            match read {
                Ok(true) => {}
                Ok(false) | Err(_) => guard.clear_ready(),
            }
            tokio::task::yield_now().await;
        }
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_virtual_router_in_a_minute() {
        let mut strangers = Strangers::default();
        let of = |vrid| Stranger {
            ifindex: 1,
            family: Family::V4,
            vrid,
            source: [192, 0, 2, 1].into(),
        };
        let at = |seconds: u64| KernelTime(seconds * 1_000_000_000);
        assert!(strangers.is_news(&of(7), at(1)));
        assert!(!strangers.is_news(&of(7), at(60)));
        assert!(strangers.is_news(&of(8), at(60)));
        assert!(strangers.is_news(&of(7), at(61)));
        assert!(!strangers.is_news(&of(7), at(62)));
    }
}
