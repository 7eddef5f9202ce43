//! One of the two routers, whichever daemon it is.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};

use crate::{
    agent::Agent,
    frr::Frr,
    keepalived::Keepalived,
    router::{Router, State, VirtualRouter},
    topology::{Host, Mac},
};

/// As many complaints as anybody reads.
const MANY: usize = 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Agent,
    Keepalived,
    Frr,
}

/// A running daemon.
#[derive(Debug)]
pub enum Side {
    Agent(Agent),
    Keepalived(Keepalived),
    Frr(Frr),
}

impl Kind {
    /// Starts it on a machine, also again after it has ended there.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(self, host: &Host, router: &VirtualRouter) -> Result<Side> {
        Ok(match self {
            Self::Agent => Side::Agent(Agent::start(&host.ns, router)?),
            Self::Keepalived => Side::Keepalived(Keepalived::start(&host.ns, router)?),
            Self::Frr => Side::Frr(Frr::start(&host.ns, router)?),
        })
    }

    /// The Ethernet address that answers for the VIPs while it is Active.
    pub fn answering(self, host: &Host, router: &VirtualRouter) -> Mac {
        let family = if has_ipv4(router) { 1 } else { 2 };
        match self {
            Self::Agent | Self::Keepalived => host.port.mac,
            // RFC 9568 7.3.
            Self::Frr => Mac([0, 0, 0x5e, 0, family, router.vrid]),
        }
    }

    /// Whether the kernel has a VIP only while this daemon is Active. FRR's are
    /// always on the macvlan, which is shut while it is Backup.
    pub fn moves_addresses(self) -> bool {
        match self {
            Self::Agent | Self::Keepalived => true,
            Self::Frr => false,
        }
    }

    /// Undoes what the operator did for a daemon that has ended.
    ///
    /// # Errors
    /// When the macvlan of FRR was not there.
    pub fn clear(self, host: &Host, router: &VirtualRouter) -> Result<()> {
        match self {
            Self::Agent | Self::Keepalived => Ok(()),
            Self::Frr => {
                let family = if has_ipv4(router) { 4 } else { 6 };
                let line = format!("ip link del vrrp{family}-{}", router.vrid);
                host.ns.sh(&line).map(drop)
            }
        }
    }
}

fn has_ipv4(router: &VirtualRouter) -> bool {
    router.vips.iter().any(|(vip, _)| IpAddr::is_ipv4(vip))
}

impl Side {
    pub fn router(&self) -> &dyn Router {
        match self {
            Self::Agent(agent) => agent,
            Self::Keepalived(keepalived) => keepalived,
            Self::Frr(frr) => frr,
        }
    }

    /// SIGTERM and its end: a planned hand-over when it is Active.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<()> {
        match self {
            Self::Agent(agent) => agent.stop(),
            Self::Keepalived(keepalived) => keepalived.stop(),
            Self::Frr(frr) => frr.process_mut().terminate().map(drop),
        }
    }

    /// Adverts that it says it has accepted; `None` where it does not count.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn accepted(&self) -> Result<Option<u64>> {
        match self {
            Self::Agent(agent) => {
                Ok(agent.status()?["instances"][0]["outcomes"]["accepted"].as_u64())
            }
            Self::Keepalived(keepalived) => {
                let counters = keepalived.statistics()?;
                Ok(counters.get("Advertisements: Received").copied())
            }
            Self::Frr(_) => Ok(None),
        }
    }

    /// How often it has become Active: by its own count where it has one, for
    /// a log line may come long after what it tells.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn take_overs(&self) -> Result<u64> {
        if let Self::Agent(agent) = self {
            let count = &agent.status()?["instances"][0]["counters"]["became_active"];
            return count.as_u64().context("became_active");
        }
        let transitions = self.router().transitions().into_iter();
        let active = transitions.filter(|transition| transition.state == State::Active);
        Ok(active.count() as u64)
    }

    /// Fails when its log or its counters hold something against what it heard.
    ///
    /// # Errors
    /// With the complaints.
    pub fn content(&self) -> Result<()> {
        let complaints = self.complaints();
        ensure!(complaints.is_empty(), "complaints: {complaints:#?}");
        match self {
            Self::Keepalived(keepalived) => {
                let counters = keepalived.statistics()?;
                let wrong: Vec<_> = counters
                    .iter()
                    .filter(|(name, count)| name.contains("Errors") && **count > 0)
                    .collect();
                ensure!(wrong.is_empty(), "counted by keepalived: {wrong:?}");
            }
            Self::Agent(agent) => {
                let status = agent.status()?;
                let outcomes = &status["instances"][0]["outcomes"];
                let wrong: Vec<_> = outcomes
                    .as_object()
                    .into_iter()
                    .flatten()
                    .filter(|(label, _)| *label != "accepted")
                    .collect();
                ensure!(wrong.is_empty(), "verdicts of the agent: {wrong:?}");
            }
            Self::Frr(_) => {}
        }
        Ok(())
    }

    /// Lines of the log that speak of something wrong.
    pub fn complaints(&self) -> Vec<String> {
        let (signs, harmless): (&[&str], &[&str]) = match self {
            Self::Agent(_) => (
                &[" WARN ", " ERROR ", "panicked"],
                &[
                    "the first 8 are used",
                    "forcing new election",
                    // On a machine that is busy.
                    "ms late",
                ],
            ),
            Self::Keepalived(_) | Self::Frr(_) => (
                &[
                    "nvalid", "ncorrect", "mismatch", "xpect", "bogus", "gnoring", "rong", "rror",
                    "hecksum", "iscard", "ailed", "nable to", "annot", "Bad ",
                ],
                &[
                    // The election itself.
                    "received lower priority",
                    "Discarding advertisement from",
                    // vrrpd tells all it hears, with the checksum.
                    "Received VRRP Advertisement from",
                    // Until zebra has told it of the macvlan's own.
                    "Failed to find address to bind on",
                ],
            ),
        };
        let lines = self.router().process().lines().into_iter();
        lines
            .map(|line| line.text)
            .filter(|text| signs.iter().any(|sign| text.contains(sign)))
            .filter(|text| !harmless.iter().any(|known| text.contains(known)))
            .take(MANY)
            .collect()
    }
}
