//! From reports to events: each state once, groups after their members.
//!
//! Knows what was told of whom, so that a group is told of when its last
//! member has got there, a state that nothing has changed is not told again,
//! and a successor goes on where its predecessor has stopped.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::event::{Event, Kind, What, Who};
use crate::{
    config::{
        Config,
        model::{Deleted, Hook, Notify},
    },
    core::{Cause, InstanceId, State},
};

/// An event, and who is to hear of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    pub event: Event,
    /// Programs with their arguments, in this order.
    pub run: Vec<Hook>,
    pub fifo: bool,
    pub mail: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    name: Arc<str>,
    group: Option<Arc<str>>,
    notify: Notify,
    /// In force.
    priority: u8,
    told: Option<What>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Book {
    entries: BTreeMap<InstanceId, Entry>,
    groups: BTreeMap<Arc<str>, Notify>,
    told: BTreeMap<Arc<str>, What>,
}

impl Book {
    /// Takes a configuration over, with the ids of its instances in their
    /// order, and the priorities in force of those that are new. Instances
    /// that it does not have stay until [`Self::deleted`], but their groups are
    /// without them. One that has another id is told to be gone at once, as
    /// with keepalived: nothing of it may be told after the new one.
    pub fn set(
        &mut self,
        config: &Config,
        seats: impl Iterator<Item = (InstanceId, u8)>,
    ) -> Vec<Told> {
        let seats: Vec<(InstanceId, u8)> = seats.take(config.instances.len()).collect();
        let mut told = self.leave_out(config, &seats);
        let names: BTreeSet<Arc<str>> = config
            .instances
            .iter()
            .filter_map(|one| one.group.as_deref().map(Arc::from))
            .collect();
        for (instance, (id, priority)) in config.instances.iter().zip(seats) {
            let before = self.entries.get(&id);
            let entry = Entry {
                name: instance.name.as_str().into(),
                group: instance.group.as_deref().map(Arc::from),
                notify: instance.notify.clone(),
                priority: before.map_or(priority, |entry| entry.priority),
                told: before.and_then(|entry| entry.told),
            };
            self.entries.insert(id, entry);
        }
        self.told.retain(|name, _| names.contains(name));
        let groups = names.iter().map(|name| {
            let notify = config.tell.groups.get(&**name).cloned();
            (name.clone(), notify.unwrap_or_default())
        });
        self.groups = groups.collect();
        for name in &names {
            // A group that a reload has made is told of when it moves.
            match (self.told.contains_key(name), self.common(name)) {
                (false, Some(common)) => {
                    self.told.insert(name.clone(), common);
                }
                // Without those that have left it may be elsewhere.
                (true, Some(_)) => told.extend(self.group_state(name)),
                (_, None) => {}
            }
        }
        told
    }

    /// Those who have no seat any more leave their groups; of those whose name
    /// another one has, what is to be told of their end.
    fn leave_out(&mut self, config: &Config, seats: &[(InstanceId, u8)]) -> Vec<Told> {
        let stay: BTreeSet<InstanceId> = seats.iter().map(|(id, _)| *id).collect();
        let names: BTreeSet<&str> = config.instances.iter().map(|one| &*one.name).collect();
        let mut replaced = Vec::new();
        for (id, entry) in &mut self.entries {
            if !stay.contains(id) {
                entry.group = None;
                if names.contains(&*entry.name) {
                    replaced.push(*id);
                }
            }
        }
        let told = replaced.into_iter().flat_map(|id| self.deleted(id));
        told.collect()
    }

    /// A report of the fast lane. The end of an instance is told by
    /// [`Self::stop`] or [`Self::deleted`], which know more.
    pub fn transition(&mut self, id: InstanceId, to: State, cause: &Cause) -> Vec<Told> {
        match (to, cause) {
            (State::Initialize, Cause::Shutdown) => Vec::new(),
            (State::Initialize, _) => self.state(id, What::Fault),
            (State::Backup, _) => self.state(id, What::Backup),
            (State::Active, _) => self.state(id, What::Master),
        }
    }

    /// An instance that was never up cannot take part; and so cannot the
    /// members of its group, of which the fast lane has nothing to report then.
    pub fn down(&mut self, id: InstanceId) -> Vec<Told> {
        let mut told = self.state(id, What::Fault);
        let group = self.entries.get(&id).and_then(|entry| entry.group.clone());
        if let Some(group) = group {
            let never_up = |entry: &Entry| entry.told.is_none();
            let others: Vec<InstanceId> = self
                .members(&group)
                .filter(|(_, entry)| never_up(entry))
                .map(|(id, _)| id)
                .collect();
            for id in others {
                told.extend(self.state(id, What::Fault));
            }
        }
        told
    }

    pub fn priority(&mut self, id: InstanceId, to: u8) -> Vec<Told> {
        let Some(entry) = self.entries.get_mut(&id) else {
            return Vec::new();
        };
        entry.priority = to;
        let what = match entry.told {
            Some(What::Master) => What::MasterPriority,
            Some(What::Backup) => What::BackupPriority,
            Some(_) | None => return Vec::new(),
        };
        self.entry_told(id, what).into_iter().collect()
    }

    pub fn is_in_fault(&self, id: InstanceId) -> bool {
        let entry = self.entries.get(&id);
        entry.is_some_and(|entry| entry.told == Some(What::Fault))
    }

    /// As Active it heard an advert with a lower priority.
    pub fn lower_priority(&mut self, id: InstanceId) -> Vec<Told> {
        self.entry_told(id, What::LowerPriority)
            .into_iter()
            .collect()
    }

    /// A reload has removed it, and nothing of it is left.
    pub fn deleted(&mut self, id: InstanceId) -> Vec<Told> {
        let Some(entry) = self.entries.get(&id) else {
            return Vec::new();
        };
        let what = match entry.notify.deleted {
            Deleted::AsFault => What::Fault,
            Deleted::Told(_) => What::Deleted,
        };
        // What is gone already does not go once more.
        let news = entry.told != Some(what);
        let mut told = self.entry_told(id, what).filter(|_| news);
        if let (Some(told), What::Fault) = (&mut told, what) {
            // keepalived runs `notify` for it, and `notify_fault` not.
            let own = usize::from(entry.notify.fault.is_some());
            told.run.drain(..own);
            told.mail = false;
        }
        self.entries.remove(&id);
        told.into_iter().collect()
    }

    /// The agent ends: all that it has.
    pub fn stop(&mut self) -> Vec<Told> {
        let ids: Vec<InstanceId> = self.entries.keys().copied().collect();
        let told = ids.into_iter().flat_map(|id| self.state(id, What::Stop));
        told.collect()
    }

    /// The states of all, for FIFOs only.
    pub fn again(&self) -> Vec<Told> {
        let instances = self.entries.values().filter_map(|entry| {
            Some(Event {
                who: Who::instance(&entry.name),
                what: entry.told?,
                priority: entry.priority,
            })
        });
        let groups = self.told.iter().map(|(name, what)| Event {
            who: Who::group(name),
            what: *what,
            priority: 0,
        });
        let told = instances.chain(groups).map(|event| Told {
            event,
            run: Vec::new(),
            fifo: true,
            mail: false,
        });
        told.collect()
    }

    /// What was told last of each, for a successor.
    pub fn state_of_all(&self) -> Vec<(Who, What)> {
        let again = self.again().into_iter();
        again
            .map(|told| (told.event.who, told.event.what))
            .collect()
    }

    /// What a predecessor told last.
    pub fn inherit(&mut self, who: &Who, what: What) {
        match who.kind {
            Kind::Instance => {
                let mut all = self.entries.values_mut();
                if let Some(entry) = all.find(|entry| entry.name == who.name) {
                    entry.told = Some(what);
                }
            }
            Kind::Group => {
                if self.groups.contains_key(&who.name) {
                    self.told.insert(who.name.clone(), what);
                }
            }
        }
    }

    fn state(&mut self, id: InstanceId, what: What) -> Vec<Told> {
        let Some(entry) = self.entries.get_mut(&id) else {
            return Vec::new();
        };
        if entry.told == Some(what) {
            return Vec::new();
        }
        entry.told = Some(what);
        let group = entry.group.clone();
        let own = self.entry_told(id, what);
        let group = group.and_then(|group| self.group_state(&group));
        own.into_iter().chain(group).collect()
    }

    /// Of a group, when its last member has got there.
    fn group_state(&mut self, group: &Arc<str>) -> Option<Told> {
        let common = self.common(group)?;
        if self.told.insert(group.clone(), common) == Some(common) {
            return None;
        }
        let notify = self.groups.get(group)?;
        let who = Who {
            kind: Kind::Group,
            name: group.clone(),
        };
        Some(told(notify, who, common, 0))
    }

    /// The state that all members are in.
    fn common(&self, group: &str) -> Option<What> {
        let mut states = self.members(group).map(|(_, entry)| entry.told);
        let first = states.next()??;
        states.all(|state| state == Some(first)).then_some(first)
    }

    fn members(&self, group: &str) -> impl Iterator<Item = (InstanceId, &Entry)> {
        let all = self.entries.iter().map(|(id, entry)| (*id, entry));
        all.filter(move |(_, entry)| entry.group.as_deref() == Some(group))
    }

    fn entry_told(&self, id: InstanceId, what: What) -> Option<Told> {
        let Entry {
            name,
            notify,
            priority,
            ..
        } = self.entries.get(&id)?;
        let who = Who {
            kind: Kind::Instance,
            name: name.clone(),
        };
        Some(told(notify, who, what, *priority))
    }
}

/// The program for this event, then the one for all, as with keepalived.
fn told(notify: &Notify, who: Who, what: What, priority: u8) -> Told {
    let event = Event {
        who,
        what,
        priority,
    };
    let own = match what {
        What::Master => notify.master.as_ref(),
        What::Backup => notify.backup.as_ref(),
        What::Fault => notify.fault.as_ref(),
        What::Stop => notify.stop.as_ref(),
        What::LowerPriority => notify.lower_priority.as_ref(),
        What::Deleted => match &notify.deleted {
            Deleted::AsFault => None,
            Deleted::Told(hook) => hook.as_ref(),
        },
        What::MasterPriority | What::BackupPriority => None,
    };
    let mut run = Vec::from_iter(own.cloned());
    if what.is_state()
        && let Some(any) = &notify.any
    {
        let mut any = any.clone();
        any.words.extend(event.arguments());
        run.push(any);
    }
    let fifo = match what {
        What::MasterPriority | What::BackupPriority => notify.priority_changes,
        What::Master
        | What::Backup
        | What::Fault
        | What::Stop
        | What::Deleted
        | What::LowerPriority => true,
    };
    let mail = match what {
        What::Master | What::Backup | What::Fault => notify.mail,
        What::Stop
        | What::Deleted
        | What::LowerPriority
        | What::MasterPriority
        | What::BackupPriority => false,
    };
    Told {
        event,
        run,
        fifo,
        mail,
    }
}

#[cfg(test)]
mod tests;
