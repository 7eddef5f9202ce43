//! Refused adverts, told by the names of the instance and the interface.

use agent_common::{Family, KernelTime, Outcome, record::SLOTS};
use tracing::{debug, warn};

use super::{
    Service,
    alarms::{End, News, remedy},
    now,
};
use crate::{
    config::Instance,
    control::status::RefusedSender,
    core::InstanceId,
    io::{
        clock,
        lane::Picture,
        receive::refusal::{Refusal, Sender, explain},
    },
};

/// Refusals of the kernel side on their way here: it tells one of each kind in
/// ten seconds.
pub(super) const ROOM: usize = 256;

/// How often senders that are refused are looked at.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

impl Service {
    /// One line for each sender and reason until there is an alarm, which then
    /// stands for all of them.
    pub(super) fn refusal(&mut self, refusal: &Refusal) {
        let Refusal { outcome, sender } = refusal;
        let why = explain(*outcome).map(|why| format!(": {why}"));
        let (label, why) = (outcome.label(), why.unwrap_or_default());
        let Some(sender) = sender else {
            warn!("advert refused: {label}{why}");
            return;
        };
        let found = self.instance_of(sender);
        let found = found.map(|(id, instance)| (id, instance.name.clone()));
        let Sender { source, vrid, .. } = sender;
        let interface = self.link_name(sender.ifindex);
        let Some((id, name)) = found else {
            warn!("advert refused: {label} from {source} vrid {vrid} on {interface}{why}");
            return;
        };
        let news = match alarming(*outcome) {
            true => {
                self.alarms_at.get_or_insert(now());
                self.alarms.refused(id, *source, *outcome, clock::now())
            }
            false => true,
        };
        if news {
            warn!(
                instance = name,
                "({name}) advert refused: {label} from {source} vrid {vrid} on {interface}{why}"
            );
        } else {
            debug!(
                instance = name,
                "({name}) advert refused: {label} from {source} vrid {vrid} on {interface}{why}"
            );
        }
    }

    /// The instance that an advert was for.
    fn instance_of(&self, sender: &Sender) -> Option<(InstanceId, &Instance)> {
        let mut seated = self.config.instances.iter().zip(&self.seats);
        let link = &self.links.by_index.get(&sender.ifindex)?.name;
        let (instance, seat) = seated.find(|(instance, _)| {
            instance.interface.as_str() == link
                && instance.vrid.get() == sender.vrid
                && (instance.family == Family::V4) == sender.source.is_ipv4()
        })?;
        Some((seat.id, instance))
    }

    fn link_name(&self, ifindex: u32) -> String {
        match self.links.by_index.get(&ifindex) {
            Some(link) => link.name.clone(),
            None => format!("interface {ifindex}"),
        }
    }

    /// With every picture of the fast lane.
    pub(super) fn look_at_alarms(&mut self, picture: &Picture) {
        if self.alarms.is_empty() {
            return;
        }
        let kernel = self.kernel.as_ref();
        let count = |id: InstanceId, reason: Outcome| {
            let (slot, reason) = (usize::from(id.0), reason.index() as usize);
            let sockets = picture.outcomes.get(slot.min(SLOTS));
            let sockets = sockets.and_then(|counters| counters.get(reason).copied());
            let kernel = kernel.and_then(|kernel| kernel.counters(u32::from(id.0)).ok());
            let kernel = kernel.and_then(|counters| counters.get(reason).copied());
            sockets.unwrap_or(0).saturating_add(kernel.unwrap_or(0))
        };
        let news = self.alarms.look(&picture.instances, picture.at, count);
        news.iter().for_each(|news| self.tell(news));
        if !self.alarms.is_empty() {
            self.alarms_at = Some(now() + PAUSE);
        }
    }

    fn tell(&self, news: &News) {
        let mut seated = self.config.instances.iter().zip(&self.seats);
        let Some((instance, _)) = seated.find(|(_, seat)| seat.id == news.instance) else {
            return;
        };
        let Instance {
            name, interface, ..
        } = instance;
        let News { source, lasted, .. } = news;
        let (reason, meaning) = (news.reason.label(), meaning(news.reason));
        let seconds = lasted.as_secs_f64();
        match news.end {
            None => warn!(
                instance = name,
                "({name}) all adverts of {source} on {interface} are refused ({reason}): {meaning}"
            ),
            Some(End::Accepted) => warn!(
                instance = name,
                "({name}) adverts of {source} on {interface} are accepted again after {seconds:.1} s ({reason})"
            ),
            Some(End::Silent) => warn!(
                instance = name,
                "({name}) no more adverts of {source} on {interface}, which were all refused for {seconds:.1} s ({reason})"
            ),
        }
    }

    pub(super) fn refused_senders(&self, id: InstanceId, at: KernelTime) -> Vec<RefusedSender> {
        let alarms = self.alarms.of(id);
        let shown = alarms.map(|(source, reason, since)| RefusedSender {
            source,
            reason: reason.label().to_owned(),
            meaning: meaning(reason),
            for_ms: u64::try_from(at.since(since).as_millis()).unwrap_or(u64::MAX),
        });
        shown.collect()
    }
}

fn meaning(reason: Outcome) -> String {
    match explain(reason) {
        Some(why) => format!("{why}; {}", remedy(reason)),
        None => remedy(reason).to_owned(),
    }
}

/// Whether it is a mistake of somebody's when all adverts of a sender are
/// refused for this.
fn alarming(reason: Outcome) -> bool {
    !matches!(
        reason,
        Outcome::OwnerIgnores | Outcome::DestinationMac | Outcome::OverBudget | Outcome::RingFull
    )
}
