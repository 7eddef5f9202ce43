//! Carries out what is wanted for an instance, in order.

use std::{io, net::IpAddr, sync::atomic::Ordering};

use agent_common::KernelTime;

use super::{
    Hands, Seat,
    wish::{Restore, Wish},
    works::Works,
};
use crate::{
    core::InstanceId,
    flight::{Burst, Carried, Done, Step},
    io::{
        announce::Which,
        clock,
        lane::{Report, Returned},
        netlink::batch::{AddressPlan, BatchResult, Comparison, Difference},
    },
};

/// Announcements of a single VIP that was put back.
const RESTORED_REPEAT: u8 = 3;

impl Hands {
    /// Says whether the links with virtual MAC addresses are up, where that
    /// was asked for.
    pub(super) fn carry_out(&mut self, id: InstanceId, wish: Wish) -> Option<bool> {
        let Wish {
            before,
            works,
            inherited,
            change,
            remove,
            raise,
            add,
            restore,
            ensure,
            announce,
            elsewhere,
            rest,
            retire,
            flight,
        } = wish;
        self.carried = Carried::default();
        if before {
            self.take_off(id, true);
        }
        // A change whose plans came with an earlier wish.
        let unseen = change.filter(|_| works.is_none());
        if let Some(works) = works {
            self.exchange(id, works, change.unwrap_or(0));
        }
        if let (true, Some(seat)) = (inherited, self.seat(id)) {
            seat.on = true;
        }
        if remove {
            self.take_off(id, retire);
        }
        let mut raised = None;
        if raise {
            raised = Some(self.raise(id));
        }
        // What is not wanted any more by now is followed by its removal.
        if (add || unseen.is_some()) && self.desk.is_active(id) {
            raised = Some(self.put_on(id));
        }
        raised = self.restore(id, restore).or(raised);
        if ensure {
            self.ensure_paths(id);
        }
        self.announce(id, Which::All, announce.max(unseen.unwrap_or(0)));
        if let (true, Some(ifindex)) = (elsewhere, self.ifindex(id)) {
            self.announce(id, Which::Elsewhere(ifindex), 1);
        }
        self.queue(id, Which::All, rest);
        if retire && let Some(seat) = self.seat(id) {
            let Seat { works, .. } = std::mem::take(seat);
            self.give_back(works);
        }
        if let Some(serial) = flight {
            let done = Done::Carried(self.carried);
            self.teller.report(Report::Step(Step { id, serial, done }));
        }
        raised
    }

    fn works(&mut self, id: InstanceId) -> Option<&mut Works> {
        self.seat(id)?.works.as_deref_mut()
    }

    fn ifindex(&mut self, id: InstanceId) -> Option<u32> {
        self.works(id).map(|works| works.ifindex)
    }

    fn give_back(&self, works: Option<Box<Works>>) {
        if let Some(works) = works {
            self.teller.give_back(Returned::Works(works));
        }
    }

    /// `carefully`: a VIP may be another instance's by now, as a reload has it.
    fn take_off(&mut self, id: InstanceId, carefully: bool) {
        let Some(mut works) = self.seat(id).and_then(|seat| seat.works.take()) else {
            return;
        };
        // Whatever waits must not be announced by a Backup.
        works.announce.cancel();
        let result = self.command.remove_paths(&mut works.paths);
        self.paths_changed(id, result);
        let shares = |place: &(u32, IpAddr)| carefully && self.is_held_by_another(id, *place);
        let result = match works.vips.iter().any(shares) {
            false => self.command.remove_all(&mut works.addresses),
            true => self.remove_unshared(id, &mut works),
        };
        self.carried = Carried::changed(&result, works.vips.len(), clock::now());
        self.addresses_changed(id, result);
        if let Some(seat) = self.seat(id) {
            seat.works = Some(works);
            seat.on = false;
        }
    }

    fn remove_unshared(&mut self, id: InstanceId, works: &mut Works) -> io::Result<BatchResult> {
        let mut all = BatchResult::default();
        for (number, place) in (0..=u16::MAX).zip(&works.vips) {
            if !self.is_held_by_another(id, *place) {
                let result = self.command.remove_one(&mut works.addresses, number);
                all = all.and(result?);
            }
        }
        Ok(all)
    }

    /// A VIP that moves from one of our instances to another stays.
    fn is_held_by_another(&self, id: InstanceId, place: (u32, IpAddr)) -> bool {
        let others = self.seats.iter().enumerate();
        let mut others = others.filter(|(at, seat)| *at != usize::from(id.0) && seat.on);
        others.any(|(_, seat)| {
            let works = seat.works.as_ref();
            works.is_some_and(|works| works.vips.contains(&place))
        })
    }

    /// Other plans. Of VIPs, routes and rules that are in use only what differs
    /// is changed, and only what is new is announced.
    fn exchange(&mut self, id: InstanceId, mut works: Box<Works>, repeat: u8) {
        let Some(seat) = self.seat(id) else {
            return self.give_back(Some(works));
        };
        let on = seat.on;
        seat.refused_up = false;
        let former = seat.works.take();
        let mut left = 0;
        if let Some(mut former) = former {
            left = former.announce.most_left();
            if on {
                self.change(id, &mut former, &mut works);
                self.announce_news(id, &former, &mut works, repeat);
            }
            self.give_back(Some(former));
        }
        if let Some(seat) = self.seat(id) {
            seat.works = Some(works);
        }
        // What was still to be announced, with the limits of now; what has none
        // any more at once, as it may have been all that waited. Once too often
        // does no harm.
        if left > 0 {
            self.queue(id, Which::All, left);
            self.send(id, Which::All, 1);
        }
    }

    fn change(&mut self, id: InstanceId, former: &mut Works, works: &mut Works) {
        let paths = self
            .command
            .remove_paths_beside(&mut former.paths, &works.paths);
        self.paths_changed(id, paths);
        let mut comparison = Comparison::default();
        while let Some(difference) = comparison.next(&former.addresses, &works.addresses) {
            let Difference::Gone(vip) = difference else {
                continue;
            };
            let place = former.vips.get(usize::from(vip)).copied();
            if place.is_some_and(|place| !self.is_held_by_another(id, place)) {
                let result = self.command.remove_one(&mut former.addresses, vip);
                self.addresses_changed(id, result);
            }
        }
        if news(&former.addresses, &works.addresses).next().is_some() {
            let result = self.command.raise(&mut works.addresses);
            self.addresses_changed(id, result);
        }
        let mut comparison = Comparison::default();
        while let Some(difference) = comparison.next(&former.addresses, &works.addresses) {
            if let Difference::New(vip) = difference {
                let result = self.command.add_one(&mut works.addresses, vip);
                self.addresses_changed(id, result);
            }
        }
        let result = self.command.add_paths(&mut works.paths);
        self.paths_changed(id, result);
    }

    fn announce_news(&mut self, id: InstanceId, former: &Works, works: &mut Works, repeat: u8) {
        let Self { pacer, desk, .. } = self;
        for vip in news(&former.addresses, &works.addresses) {
            let announce = &mut works.announce;
            announce.queue(Which::One(vip), repeat, |pace| pacer.admit(pace));
        }
        let (announcer, go) = (&self.announcer, || desk.may_announce(id));
        let mut result = Ok(());
        let mut burst = Burst::default();
        for _ in 0..repeat {
            for vip in news(&former.addresses, &works.addresses) {
                let sent = works
                    .announce
                    .send(announcer, Which::One(vip), 1, &mut burst, go);
                result = result.and(sent);
            }
        }
        self.announced(id, result);
    }

    fn raise(&mut self, id: InstanceId) -> bool {
        let Some(seat) = self.seats.get_mut(usize::from(id.0)) else {
            return false;
        };
        let Some(works) = seat.works.as_mut().filter(|works| works.has_links) else {
            return false;
        };
        let result = self.command.raise(&mut works.addresses);
        let raised = result.as_ref().is_ok_and(|result| result.failed == 0);
        // Tried with each advert, said once.
        let news = raised || !std::mem::replace(&mut seat.refused_up, true);
        seat.refused_up &= !raised;
        if news {
            self.addresses_changed(id, result);
        }
        raised
    }

    /// All VIPs, then routes and rules. Says whether the links are up.
    fn put_on(&mut self, id: InstanceId) -> bool {
        let Some(seat) = self.seats.get_mut(usize::from(id.0)) else {
            return false;
        };
        let Some(works) = &mut seat.works else {
            return false;
        };
        seat.on = true;
        let has_links = works.has_links;
        let result = self.command.add_all(&mut works.addresses);
        let all = result.as_ref().is_ok_and(|result| result.failed == 0);
        let vips = works.vips.len();
        // Routes come after what counts.
        self.carried = Carried::changed(&result, vips, clock::now());
        let paths = match works.paths.is_empty() {
            true => Ok(BatchResult::default()),
            false => self.command.add_paths(&mut works.paths),
        };
        self.addresses_changed(id, result);
        self.paths_changed(id, paths);
        all && has_links
    }

    /// VIPs that somebody removed.
    fn restore(&mut self, id: InstanceId, restore: Restore) -> Option<bool> {
        if restore == Restore::None || !self.desk.is_active(id) {
            return None;
        }
        let (vips, count) = match restore {
            Restore::None => return None,
            Restore::All => {
                let raised = self.put_on(id);
                self.announce(id, Which::All, RESTORED_REPEAT);
                return Some(raised);
            }
            Restore::Some { vips, count } => (vips, count),
        };
        let raised = self.raise(id);
        for vip in vips.into_iter().take(count) {
            let Some(seat) = self.seats.get_mut(usize::from(id.0)) else {
                break;
            };
            let Some(works) = &mut seat.works else {
                break;
            };
            let result = self.command.add_one(&mut works.addresses, vip);
            self.addresses_changed(id, result);
        }
        // Its removal took routes along that have it for their source.
        self.ensure_paths(id);
        for vip in vips.into_iter().take(count) {
            self.announce(id, Which::One(vip), RESTORED_REPEAT);
        }
        Some(raised)
    }

    /// Puts back what is missing.
    fn ensure_paths(&mut self, id: InstanceId) {
        if !self.desk.is_active(id) {
            return;
        }
        let Some(seat) = self.seats.get_mut(usize::from(id.0)) else {
            return;
        };
        let Some(works) = seat.works.as_mut().filter(|works| !works.paths.is_empty()) else {
            return;
        };
        let wanted = works.paths.tracked();
        let result = self.command.ensure_paths(&mut works.paths);
        if let Ok(result) = result {
            let there = result.fulfilled.saturating_add(result.failed);
            let count = wanted.saturating_sub(there);
            if count > 0 {
                self.teller.report(Report::PathsRestored { id, count });
            }
        }
        self.paths_changed(id, result);
    }

    fn announce(&mut self, id: InstanceId, which: Which, repeat: u8) {
        if repeat > 0 && self.desk.is_active(id) {
            self.queue(id, which, repeat);
            self.send(id, which, repeat);
        }
    }

    /// What limits hold back.
    fn queue(&mut self, id: InstanceId, which: Which, repeat: u8) {
        if repeat == 0 || !self.desk.is_active(id) {
            return;
        }
        let Self { seats, pacer, .. } = self;
        let seat = seats.get_mut(usize::from(id.0));
        if let Some(works) = seat.and_then(|seat| seat.works.as_mut()) {
            let announce = &mut works.announce;
            announce.queue(which, repeat, |pace| pacer.admit(pace));
        }
    }

    /// What no limit holds back, for as long as the instance is Active.
    fn send(&mut self, id: InstanceId, which: Which, repeat: u8) {
        let Some(seat) = self.seats.get(usize::from(id.0)) else {
            return;
        };
        let Some(works) = &seat.works else { return };
        let go = || self.desk.may_announce(id);
        let burst = &mut self.carried.burst;
        let announce = &works.announce;
        let result = announce.send(&self.announcer, which, repeat, burst, go);
        self.carried.paced |= announce.most_left() > 0;
        self.announced(id, result);
    }

    fn addresses_changed(&self, id: InstanceId, result: io::Result<BatchResult>) {
        let (failed, errno) = match result {
            Ok(result) => (result.failed, result.first_errno),
            Err(error) => (u32::MAX, error.raw_os_error().unwrap_or(0)),
        };
        if failed > 0 {
            self.desk.addresses_refused.fetch_add(1, Ordering::Relaxed);
            self.teller
                .report(Report::AddressesRefused { id, failed, errno });
        }
    }

    /// One that the kernel refuses stops nothing else: the VIPs count.
    fn paths_changed(&self, id: InstanceId, result: io::Result<BatchResult>) {
        let (path, failed, errno) = match result {
            Ok(BatchResult { failed: 0, .. }) => return,
            Ok(result) => (Some(result.first), result.failed, result.first_errno),
            Err(error) => (None, u32::MAX, error.raw_os_error().unwrap_or(0)),
        };
        self.desk.paths_refused.fetch_add(1, Ordering::Relaxed);
        self.teller.report(Report::PathsRefused {
            id,
            path,
            failed,
            errno,
        });
    }

    pub(super) fn announced(&self, id: InstanceId, result: io::Result<()>) {
        if let Err(error) = result {
            self.desk.announce_failed.fetch_add(1, Ordering::Relaxed);
            let errno = error.raw_os_error().unwrap_or(0);
            self.teller.report(Report::AnnounceFailed { id, errno });
        }
    }
}

impl Carried {
    /// All of `vips` were asked for, and this is what the kernel said.
    fn changed(result: &io::Result<BatchResult>, vips: usize, now: KernelTime) -> Self {
        let vips = u32::try_from(vips).unwrap_or(u32::MAX);
        // Links that were refused are among them.
        let refused = result
            .as_ref()
            .map_or(vips, |result| result.failed.min(vips));
        Self {
            at: Some(now),
            done: vips.saturating_sub(refused),
            refused,
            ..Self::default()
        }
    }
}

/// The VIPs of `new` that `old` has not.
fn news(old: &AddressPlan, new: &AddressPlan) -> impl Iterator<Item = u16> {
    let mut comparison = Comparison::default();
    std::iter::from_fn(move || {
        loop {
            match comparison.next(old, new)? {
                Difference::New(vip) => return Some(vip),
                Difference::Gone(_) => {}
            }
        }
    })
}
