//! The configuration file is read again, and what differs is applied.
//!
//! Everything that can be refused is tried first: the file, the interfaces,
//! the locks, the links. From then on nothing can fail as a whole, and what the
//! fast lane has let go of is given up only when it has said so.

use std::{collections::BTreeSet, path::Path};

use agent_common::record::SLOTS;
use tokio::time::{Instant, timeout_at};
use tracing::{error, info, warn};

use super::{Seat, Service, start::check_interfaces};
use crate::{
    config::{
        self, Code, Config, Diagnostic, Instance, Severity,
        diff::{Action, Changes, diff},
    },
    core::InstanceId,
    io::{
        advert::FamilySockets,
        clock,
        lane::Command,
        netlink::survey::{World, survey},
        plan,
    },
    supervise::notify,
};

/// What the fast lane has to carry out a reload.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// An instance as it was before a reload, until the fast lane has let go of it.
#[derive(Debug)]
pub(super) struct Leaving {
    id: InstanceId,
    /// Its VIPs may still be on the machine.
    pub instance: Instance,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// Goes on with another configuration.
    Former,
    /// To be told to leave.
    ToRetire,
    Retired,
}

/// Commands are carried out in order: a mark that came back says that all
/// before it are.
#[derive(Debug, Default)]
pub(super) struct Marks {
    sent: u32,
    back: u32,
}

impl Marks {
    pub(super) fn came_back(&mut self, mark: u32) {
        self.back = mark;
    }
}

impl Service {
    /// Reads the file again and applies it. What was changed; or why nothing
    /// was, in one sentence or one line per problem.
    pub(super) async fn reload(&mut self) -> Result<Changes, String> {
        use sd_notify::NotifyState;
        let mut state = vec![NotifyState::Reloading];
        state.extend(NotifyState::monotonic_usec_now().ok());
        notify::tell(&state);
        let result = self.reload_file().await;
        self.publish_reload(&result);
        match &result {
            Ok(changes) if changes.is_empty() => info!("Reloaded, nothing changed"),
            Ok(changes) => {
                for line in changes.to_string().lines() {
                    info!("Reloaded: {line}");
                }
            }
            Err(reason) => {
                for line in reason.lines() {
                    error!("Not reloaded, all goes on as before: {line}");
                }
            }
        }
        notify::tell(&[NotifyState::Ready]);
        result
    }

    async fn reload_file(&mut self) -> Result<Changes, String> {
        let path = self.file.clone().ok_or(
            "there is no file to read again: the agent was started with flags, restart it with others",
        )?;
        let (id, all) = (self.config_id.clone(), self.all_config);
        let reading = self.begin_reading();
        let file = path.clone();
        let loaded = tokio::task::spawn_blocking(move || config::load_with(&file, id, all));
        let loaded = loaded.await.map_err(|error| error.to_string())?;
        drop(reading);
        let mut config = match loaded.config {
            Some(config) if !config.instances.is_empty() => config,
            Some(_) | None => return Err(complaint(&path, &loaded.diagnostics)),
        };
        if self.namespace.is_some() {
            config.files.namespace.clone_from(&self.namespace);
        }
        let fixed = self.config.files.fixed_differences(&config.files);
        if !fixed.is_empty() {
            return Err(format!(
                "{} cannot be changed while running: restart it",
                fixed.join(" and ")
            ));
        }
        self.keep_answering(&mut config);
        let changes = diff(&(&self.config).into(), &(&config).into());
        if changes.is_empty() {
            // Nobody tells us of entries that somebody else removed.
            self.set_virtual_servers();
            return Ok(changes);
        }
        for diagnostic in &loaded.diagnostics {
            if self.ipvs.wanted && diagnostic.code == Code::VirtualServers {
                continue;
            }
            match diagnostic.severity {
                Severity::Error | Severity::Warning => warn!("{diagnostic}"),
                Severity::Note => info!("{diagnostic}"),
            }
        }
        let world = survey(&self.handle)
            .await
            .map_err(|error| format!("cannot ask the kernel for links and addresses: {error}"))?;
        let admitted = self.admit(&config, &changes, &world);
        // Links that were made for it are removed again.
        let ids = admitted.inspect_err(|_| self.look_at = Some(super::now()))?;
        self.apply(config, &changes, ids);
        self.set_virtual_servers();
        self.placement.change(&self.config.process);
        self.warn_of_news();
        self.forget_cleared();
        if let Err(failure) = self.look_around().await {
            // A link that went and came in this moment: it is looked at again.
            error!("{failure}");
            self.look_soon();
        }
        Ok(changes)
    }

    /// Gets everything that the new configuration needs beyond what we have,
    /// or nothing. Ids for the instances that are new.
    fn admit(
        &mut self,
        config: &Config,
        changes: &Changes,
        world: &World,
    ) -> Result<Vec<InstanceId>, String> {
        let new: Vec<&Instance> = changes
            .instances
            .iter()
            .filter(|delta| matches!(delta.action, Action::Added | Action::Replaced))
            .filter_map(|delta| config.instances.get(delta.new?))
            .collect();
        if !config.interfaces.dynamic {
            let names = self.new_names(config, changes);
            check_interfaces(names.into_iter(), config, world)
                .map_err(|failure| failure.to_string())?;
        }
        let ids = self.free_ids(new.len())?;
        let families = self.open_families(&new)?;
        self.locks
            .take(&config.instances)
            .map_err(|failure| failure.to_string())?;
        let stay = self.config.instances.iter();
        let stay = stay.chain(self.leaving.iter().map(|leaving| &leaving.instance));
        if let Err(failure) = self.virtual_links.apply(&config.instances, stay, world) {
            let leaving = self.leaving.iter().map(|leaving| &leaving.instance);
            self.locks
                .keep_only(self.config.instances.iter().chain(leaving));
            return Err(failure.to_string());
        }
        // Those that are to go keep their rules until they are gone.
        let leaving = self.leaving.iter().map(|leaving| &leaving.instance);
        let before = self.config.instances.iter().chain(leaving);
        let guarded = self.machine.guard(config, before, world);
        let guarded = guarded.map_err(|failure| failure.to_string());
        if let Err(reason) = guarded.and_then(|()| self.prepare_links(config, world)) {
            let leaving = self.leaving.iter().map(|leaving| &leaving.instance);
            let before = self.machine.guard(&self.config, leaving.clone(), world);
            if let Err(failure) = before {
                error!("{failure}");
            }
            self.locks
                .keep_only(self.config.instances.iter().chain(leaving));
            return Err(reason);
        }
        for sockets in families {
            let family = sockets.family;
            if self
                .lane
                .send(Command::AddFamily(Box::new(sockets)))
                .is_ok()
            {
                for known in &mut self.families {
                    known.1 |= known.0 == family;
                }
            }
        }
        Ok(ids)
    }

    /// Interfaces that are named where they were not before: without one of
    /// them an instance that runs would have a fault.
    fn new_names<'a>(&self, config: &'a Config, changes: &Changes) -> Vec<&'a str> {
        let mut names = Vec::new();
        for delta in &changes.instances {
            let Some(new) = delta.new.and_then(|index| config.instances.get(index)) else {
                continue;
            };
            let old = delta.old.and_then(|index| self.config.instances.get(index));
            let old: Vec<&str> = old.map(named_interfaces).unwrap_or_default();
            let new = named_interfaces(new).into_iter();
            names.extend(new.filter(|name| !old.contains(name)));
        }
        names
    }

    /// Ids that nobody has, beyond the newest first: a report about an instance
    /// that has just left is not taken for its successor's.
    fn free_ids(&self, count: usize) -> Result<Vec<InstanceId>, String> {
        let taken = self.seats.iter().map(|seat| seat.id);
        let leaving = self.leaving.iter().map(|leaving| leaving.id);
        let taken: BTreeSet<InstanceId> = taken.chain(leaving).collect();
        let newest = taken.last().map_or(0, |id| id.0);
        let slots = u16::try_from(SLOTS).unwrap_or(u16::MAX);
        let free: Vec<InstanceId> = (newest + 1..slots)
            .chain(1..=newest)
            .map(InstanceId)
            .filter(|id| !taken.contains(id))
            .take(count)
            .collect();
        match free.len() < count {
            true => Err(format!(
                "{count} instances cannot start before others have left: reload in two steps"
            )),
            false => Ok(free),
        }
    }

    fn open_families(&self, new: &[&Instance]) -> Result<Vec<FamilySockets>, String> {
        let missing = self.families.iter().filter(|(family, open)| {
            !open && new.iter().any(|instance| instance.family == *family)
        });
        missing
            .map(|(family, _)| {
                let sockets = FamilySockets::open(*family)
                    .map_err(|error| format!("cannot open raw sockets: {error}"))?;
                self.filter_slow(&sockets);
                Ok(sockets)
            })
            .collect()
    }

    fn filter_slow(&self, sockets: &FamilySockets) {
        use std::os::fd::AsFd;
        if let (Some(kernel), Some(slow)) = (&self.kernel, &sockets.slow)
            && let Err(error) = kernel.slow_filter(slow.as_fd())
        {
            warn!("steady adverts will wake the agent: {error}");
        }
    }

    /// Attaches to every link that is new; on failure to none.
    fn prepare_links(&mut self, config: &Config, world: &World) -> Result<(), String> {
        let mut fresh = Vec::new();
        for instance in &config.instances {
            // One that has a fault now gets its link when the fault ends.
            let (standing, _) = self.health.standing(instance);
            let Ok(port) = plan::plan(InstanceId(0), instance, standing, world) else {
                continue;
            };
            if self.links.by_index.contains_key(&port.ifindex) {
                continue;
            }
            let prepared = self.links.prepare(
                &port,
                instance.interface.as_str(),
                &mut self.kernel,
                &self.policy,
                &self.lane,
            );
            fresh.push(port.ifindex);
            if let Err(error) = prepared {
                for ifindex in fresh {
                    self.links.detach(ifindex, &mut self.kernel, &self.lane);
                }
                return Err(format!("({}) {error}", instance.name));
            }
        }
        Ok(())
    }

    /// From here on the new configuration is the one in force; what it means
    /// on this machine is for [`Self::look_around`] to find out.
    fn apply(&mut self, config: Config, changes: &Changes, ids: Vec<InstanceId>) {
        let old = std::mem::replace(&mut self.config, config).instances;
        self.health.set(&self.config);
        for (id, name) in self.health.groups() {
            self.reporter.name_group(id, name);
        }
        let old: Vec<(Instance, Seat)> = old
            .into_iter()
            .zip(std::mem::take(&mut self.seats))
            .collect();
        let mut ids = ids.into_iter();
        for delta in &changes.instances {
            let before = delta.old.and_then(|index| old.get(index));
            let role = match delta.action {
                Action::Removed | Action::Replaced => Some(Role::ToRetire),
                Action::Changed => Some(Role::Former),
                Action::Added | Action::Unchanged => None,
            };
            if let (Some((instance, seat)), Some(role)) = (before, role) {
                self.leaving.push(Leaving {
                    id: seat.id,
                    instance: instance.clone(),
                    role,
                });
            }
            let seat = match delta.action {
                Action::Removed => continue,
                Action::Unchanged | Action::Changed => before.map(|(_, seat)| seat.clone()),
                Action::Added | Action::Replaced => ids.next().map(Seat::new),
            };
            // In the order of the new configuration, as the changes are.
            if let (Some(seat), Some(index)) = (seat, delta.new)
                && let Some(instance) = self.config.instances.get(index)
            {
                self.reporter.name_it(seat.id, instance);
                self.seats.push(seat);
            }
        }
        self.tell_anew();
    }

    /// Tells the fast lane whom to retire; false when some could not be told.
    pub(super) fn send_retired(&mut self) -> bool {
        let mut all = true;
        for leaving in &mut self.leaving {
            if leaving.role == Role::ToRetire {
                let id = leaving.id;
                match self.lane.send(Command::Retire { id }) {
                    Ok(()) => leaving.role = Role::Retired,
                    Err(_) => all = false,
                }
            }
        }
        all
    }

    /// Gives up what no instance needs any more, once the fast lane has
    /// carried out everything that it was told.
    pub(super) async fn let_go(&mut self, world: &World) -> bool {
        if !self.fence().await {
            return false;
        }
        for leaving in std::mem::take(&mut self.leaving) {
            if leaving.role != Role::Retired {
                continue;
            }
            self.telling.deleted(leaving.id);
            let slot = u32::from(leaving.id.0);
            if let Some(kernel) = &mut self.kernel {
                if let Ok(counters) = kernel.counters(slot) {
                    self.baselines.insert(slot, counters);
                }
                if let Err(error) = kernel.retire_slot(slot) {
                    warn!("({}) {error}", leaving.instance.name);
                }
            }
        }
        let instances = self.config.instances.iter();
        self.links
            .release_unused(instances.clone(), &mut self.kernel, &self.lane);
        self.locks.keep_only(instances.clone());
        let links = &self.config.instances;
        let settled = self.virtual_links.apply(links, std::iter::empty(), world);
        if let Err(failure) = settled {
            error!("{failure}");
        }
        if self.virtual_links.take_changed() {
            self.look_at = Some(super::now());
        }
        let links = self.config.instances.iter();
        self.virtual_links.quiet.foresee(links, world);
        self.tell_guard(world);
        match self.machine.apply(&self.config, std::iter::empty(), world) {
            Ok(settled) => settled,
            Err(failure) => {
                error!("{failure}");
                false
            }
        }
    }

    /// Waits until the fast lane has carried out all commands.
    pub(super) async fn fence(&mut self) -> bool {
        self.marks.sent = self.marks.sent.wrapping_add(1);
        if self.lane.send(Command::Mark(self.marks.sent)).is_err() {
            return false;
        }
        let until = Instant::from_std(clock::instant()) + PATIENCE;
        while self.marks.back != self.marks.sent {
            match timeout_at(until, self.wake.readable()).await {
                Ok(Ok(mut guard)) => guard.clear_ready(),
                Ok(Err(_)) | Err(_) => return false,
            }
            self.lane.clear_wake();
            if self.hear().await {
                self.look_soon();
            }
        }
        true
    }
}

/// Every interface that an instance needs.
pub(super) fn named_interfaces(instance: &Instance) -> Vec<&str> {
    let homes = instance.vips.iter().filter_map(|vip| vip.device.as_ref());
    std::iter::once(&instance.interface)
        .chain(homes)
        .chain(&instance.track_interfaces)
        .chain(instance.paths.devices())
        .map(config::IfName::as_str)
        .collect()
}

/// What is wrong with a file, as `failoverd run` says it: a line for each, also
/// for what is no error but may be the cause of one, then why it is not used.
fn complaint(path: &Path, diagnostics: &[Diagnostic]) -> String {
    let mut lines: Vec<String> = diagnostics.iter().map(Diagnostic::located).collect();
    lines.extend(config::verdict(path, diagnostics));
    lines.join("\n")
}
