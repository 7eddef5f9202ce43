//! A look at the machine, and what comes of it: every instance gets a port or
//! a fault.

use tracing::{error, warn};

use super::{
    Failure, RETRY, Seat, Service, events,
    fault::{Known, fault_text},
    links, now, reports,
};
use crate::io::{
    clock,
    lane::Command,
    netlink::survey::{World, survey},
    plan,
};

impl Service {
    /// Looks at the machine and gives every instance a port or a fault.
    /// What could not be done now is tried again; then false.
    pub(super) async fn look_around(&mut self) -> Result<bool, Failure> {
        self.look_at = None;
        let mut world = match survey(&self.handle).await {
            Ok(world) => world,
            Err(error) => {
                warn!("cannot ask the kernel for links and addresses: {error}");
                self.look_within(RETRY);
                return Ok(false);
            }
        };
        // Of the machine itself a successor changes nothing before its turn.
        let acts = !self.is_heir || self.took_over;
        let linked = !acts || self.provide_links(&world)?;
        if self.virtual_links.take_changed() {
            world = survey(&self.handle).await.unwrap_or(world);
        }
        if acts {
            self.igmp.disable(self.config.disable_local_igmp);
        }
        let settling = self
            .debounce
            .settle(&mut world, &self.config.interfaces, now());
        if let Some(until) = settling {
            self.look_at = Some(until);
        }
        self.links.forget_gone(&world, &mut self.kernel, &self.lane);
        self.links.rename(&world);
        self.health.look(&world);
        self.publish_links(&world);
        self.reprioritise();
        // Before an instance is let onto a link: an owner adds its VIPs at once.
        if acts {
            let leaving = self.leaving.iter().map(|leaving| &leaving.instance);
            let all = self.config.instances.iter().chain(leaving);
            self.virtual_links.quiet.foresee(all, &world);
        }
        self.tell_guard(&world);
        self.provide_askers();
        if acts {
            self.virtual_links.quiet.apply();
        }
        let leaving = self.leaving.iter().map(|leaving| &leaving.instance);
        let prepared = match acts {
            true => self.machine.apply(&self.config, leaving, &world),
            false => Ok(true),
        };
        let mut settled = match prepared {
            Ok(settled) => settled,
            Err(failure) if !self.running => return Err(failure),
            Err(failure) => {
                error!("{failure}");
                false
            }
        };
        let world = match self.machine.statics.take_changed() {
            true => survey(&self.handle).await.unwrap_or(world),
            false => world,
        };
        settled &= linked & self.send_retired();
        for index in 0..self.config.instances.len() {
            settled &= self.settle(index, &world)?;
            // With many links this takes long: whoever wants us to stop is not
            // kept waiting for the last of them.
            tokio::task::yield_now().await;
        }
        settled &= self.ensure_paths();
        if settled && !self.leaving.is_empty() {
            settled = self.let_go(&world).await;
        }
        if !settled {
            self.look_within(RETRY);
        }
        if let Some(rest) = self.held.rest() {
            self.look_within(rest);
        }
        if acts {
            self.reflect();
            self.fence_vips();
        }
        self.strangers
            .watch(self.config.log_unknown_vrids, &self.links);
        self.claims.watch(&self.config.instances, &world);
        Ok(settled)
    }

    /// Has routes and rules of instances put back, where some may be missing.
    fn ensure_paths(&mut self) -> bool {
        if !self.machine.paths.take_doubt() {
            return true;
        }
        let mut settled = true;
        let mut rest = None;
        for (instance, seat) in self.config.instances.iter().zip(&self.seats) {
            if instance.paths.is_empty() || seat.installed.is_none() {
                continue;
            }
            match self.machine.paths.rest(seat.id, clock::now()) {
                Some(span) => rest = rest.into_iter().chain([span]).min(),
                None => {
                    let id = seat.id;
                    settled &= self.lane.send(Command::EnsurePaths { id }).is_ok();
                }
            }
        }
        if !settled || rest.is_some() {
            self.machine.paths.doubt();
        }
        if let Some(rest) = rest {
            self.look_within(rest);
        }
        settled
    }

    /// What the supervisor has to remove and put back should we die.
    pub(super) fn tell_guard(&mut self, world: &World) {
        if let Some(guard) = &mut self.guard {
            let leaving = self.leaving.iter().map(|leaving| &leaving.instance);
            let instances = self.config.instances.iter().chain(leaving);
            guard.tell(instances, world, self.virtual_links.quiet.before());
        }
    }

    /// Interfaces with virtual MAC addresses, for instances that are leaving as
    /// well. False when it should be tried again.
    fn provide_links(&mut self, world: &World) -> Result<bool, Failure> {
        let leaving = self.leaving.iter().map(|leaving| &leaving.instance);
        let instances = &self.config.instances;
        match self.virtual_links.apply(instances, leaving, world) {
            Ok(()) => Ok(true),
            Err(failure) if !self.running => Err(failure),
            Err(failure) => {
                error!("{failure}");
                Ok(false)
            }
        }
    }

    /// One instance on the machine as it is; false when it should be tried again.
    pub(super) fn settle(&mut self, index: usize, world: &World) -> Result<bool, Failure> {
        let (Some(instance), Some(seat)) =
            (self.config.instances.get(index), self.seats.get_mut(index))
        else {
            return Ok(true);
        };
        let id = seat.id;
        let (standing, tracked) = self.health.standing(instance);
        seat.tracked_fault = tracked.is_some();
        let planned = plan::plan(id, instance, standing, world);
        let port = match planned.and_then(|port| tracked.map_or(Ok(port), Err)) {
            Ok(port) => port,
            Err(fault) => {
                let config = plan::core_config(id, instance, standing);
                if seat.told != Some(config) {
                    let command = Command::Configure(Box::new(config));
                    if self.lane.send(command).is_err() {
                        return Ok(false);
                    }
                    seat.told = Some(config);
                    seat.unsure = true;
                }
                let news = seat.fault != Some(fault);
                if news || seat.unsure {
                    // Of an instance that was up, the fast lane tells.
                    if news && seat.installed.is_none() {
                        let why = fault_text(fault, instance, &Known::all(world, &self.health));
                        reports::still_down(&instance.name, &why, seat.fault.is_none());
                        self.feed
                            .publish(events::never_up(&instance.name, &why), clock::now());
                        self.telling.down(id);
                    }
                    seat.installed = None;
                    seat.fault = Some(fault);
                    seat.unsure = self.lane.send(Command::Fault { id, fault }).is_err();
                }
                return Ok(!seat.unsure);
            }
        };
        let essence = port.essence().clone();
        if seat.installed.as_ref() == Some(&essence) {
            return Ok(true);
        }
        // Before its link is attached: no advert is to be taken for a stranger's.
        if let Some(kernel) = &mut self.kernel
            && let Err(error) = kernel.place_instance(&port.key, &port.filter)
        {
            error!(
                "({}) cannot tell the XDP program of the instance: {error}",
                instance.name
            );
            return Ok(false);
        }
        let interface = instance.interface.as_str();
        let prepared =
            self.links
                .prepare(&port, interface, &mut self.kernel, &self.policy, &self.lane);
        match prepared {
            Ok(()) => {}
            // Once it runs, a link that comes back without the backend takes
            // its own instances down, not those of all other links.
            Err(error @ links::LinkError::Wanted { .. }) if !self.running => {
                return Err(Failure::Backend(error.to_string()));
            }
            Err(error) => {
                error!("({}) {error}", instance.name);
                return Ok(false);
            }
        }
        // Adverts are received and counted from here on; the core hears none.
        if self.held.is_on() {
            return Ok(true);
        }
        let placed = Some((port.key, port.filter));
        let (config, surplus) = (port.config, port.surplus);
        if surplus > 0 && surplus != seat.surplus {
            reports::surplus(&instance.name, surplus, interface);
        }
        // A full queue means that the fast lane does not run: try again.
        if self.lane.send(Command::Install(Box::new(port))).is_err() {
            return Ok(false);
        }
        *seat = Seat {
            told: Some(config),
            installed: Some(essence),
            placed,
            began: seat.began,
            surplus,
            ..Seat::new(id)
        };
        Ok(true)
    }
}
