//! What the stream of events says: see [`crate::tell::feed`].

use std::collections::BTreeMap;

use super::{
    Service,
    reload::named_interfaces,
    words::{self, Words},
};
use crate::{
    config::diff::Changes,
    core::InstanceId,
    io::{clock, lane::Report, netlink::survey::World},
    tell::feed::{State, What},
};

/// Interfaces that instances need, as they were when last looked at.
pub(super) type Seen = BTreeMap<String, bool>;

impl Service {
    /// Tells readers what the fast lane has reported.
    pub(super) fn publish(&self, report: &Report) {
        let name = |id: InstanceId| self.reporter.name(id).to_owned();
        let mut at = clock::now();
        let what = match report {
            Report::Transition {
                id,
                from,
                to,
                cause,
                at: then,
            } => {
                at = *then;
                let Words {
                    name: short, text, ..
                } = words::cause(cause, self.reporter.instance(*id));
                What::Transition {
                    instance: name(*id),
                    from: words::state_before(*from, self.telling.is_in_fault(*id)),
                    to: words::state(*to, cause),
                    cause: short.to_owned(),
                    text,
                }
            }
            Report::PriorityChanged { id, from, to } => What::Priority {
                instance: name(*id),
                from: from.get(),
                to: to.get(),
            },
            Report::Notice { id, notice } => {
                let words = words::notice(notice, |vip| self.reporter.vip(*id, vip));
                What::Notice {
                    instance: name(*id),
                    notice: words.name.to_owned(),
                    text: words.text,
                }
            }
            Report::Heart { id, active, news } => {
                let words = words::heart(news, *active);
                What::Notice {
                    instance: name(*id),
                    notice: words.name.to_owned(),
                    text: words.text,
                }
            }
            Report::AddressesRefused { id, errno, .. } => What::Notice {
                instance: name(*id),
                notice: "addresses_refused".to_owned(),
                text: format!(
                    "the kernel refused address changes: {}",
                    std::io::Error::from_raw_os_error(*errno)
                ),
            },
            // Told by those who know all of it, or at the pace of adverts.
            Report::Flight(_)
            | Report::Step(_)
            | Report::GroupTransition { .. }
            | Report::WentDown { .. }
            | Report::LinkGone { .. }
            | Report::StrayRemoved { .. }
            | Report::AdvertFailed { .. }
            | Report::PathsRefused { .. }
            | Report::PathsRestored { .. }
            | Report::AnnounceFailed { .. }
            | Report::LeaseLapsed { .. }
            | Report::Privileges(_)
            | Report::HandsPrivileges(_)
            | Report::HandsWait { .. }
            | Report::HandsGoOn { .. }
            | Report::Released { .. }
            | Report::Refused(_)
            | Report::Overrun
            | Report::TookOver => return,
        };
        self.feed.publish(what, at);
    }

    /// Tells readers of interfaces that went or came since the last look.
    pub(super) fn publish_links(&mut self, world: &World) {
        let names = self.config.instances.iter().flat_map(named_interfaces);
        let usable = |name: &str| world.link(name).is_some_and(|link| link.usable);
        let seen: Seen = names.map(|name| (name.to_owned(), usable(name))).collect();
        for (name, usable) in &seen {
            let before = self.links_seen.get(name);
            if before.is_some_and(|before| before != usable) {
                let (interface, usable) = (name.clone(), *usable);
                let what = What::Link { interface, usable };
                self.feed.publish(what, clock::now());
            }
        }
        self.links_seen = seen;
    }

    pub(super) fn publish_reload(&self, result: &Result<Changes, String>) {
        let (changes, error) = match result {
            Ok(changes) if changes.is_empty() => (Vec::new(), None),
            Ok(changes) => {
                let lines = changes.to_string();
                (lines.lines().map(str::to_owned).collect(), None)
            }
            Err(reason) => (Vec::new(), Some(reason.clone())),
        };
        let what = What::Reload { changes, error };
        self.feed.publish(what, clock::now());
    }
}

/// Of an instance that was never up.
pub(super) fn never_up(instance: &str, text: &str) -> What {
    What::Transition {
        instance: instance.to_owned(),
        from: State::Initialize,
        to: State::Fault,
        cause: "fault".to_owned(),
        text: text.to_owned(),
    }
}
