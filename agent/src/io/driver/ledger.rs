//! What the hands were given to do, what waits for them, and what they did.
//!
//! Of each instance one job is under way at most; what is wanted meanwhile is
//! merged into its account. A mark of the slow lane comes back when all that
//! was wanted before it is done.

use std::time::Duration;

use agent_common::{KernelTime, Priority, record::SLOTS};

use crate::{
    core::InstanceId,
    io::{
        hands::{Counts, Desk, Grip, Landed, Wish, Works},
        lane::Report,
    },
};

/// Marks that can wait: the slow lane sends one for a reload. Of more, the
/// last but one is left out, as the last says the same.
const MARKS: usize = 16;

/// A change of addresses takes less, even of thousands, unless the kernel is
/// kept from it.
const LONG: Duration = Duration::from_secs(1);

/// Of one instance.
#[derive(Debug, Default)]
struct Account {
    wish: Wish,
    /// Something is wanted that was not handed out.
    wanted: bool,
    /// Something was handed out.
    busy: bool,
    /// The first of what is wanted, and of what was handed out.
    wanted_ticket: u64,
    busy_ticket: u64,
    /// An advert that waits for its link to come up.
    held: Option<Priority>,
}

#[derive(Debug)]
pub(super) struct Ledger {
    grip: Grip,
    /// By id.
    accounts: Vec<Account>,
    /// Ids of which something is wanted, in the order in which it was.
    order: Vec<u16>,
    /// Done, and not looked at yet.
    landed: Landed,
    ticket: u64,
    /// A mark, and the last ticket before it.
    marks: Vec<(u32, u64)>,
    hold_asked: bool,
    told_long: Option<KernelTime>,
}

impl Ledger {
    pub(super) fn new(grip: Grip) -> Self {
        Self {
            grip,
            accounts: (0..SLOTS).map(|_| Account::default()).collect(),
            order: Vec::with_capacity(SLOTS),
            landed: Landed::default(),
            ticket: 0,
            marks: Vec::with_capacity(MARKS),
            hold_asked: false,
            told_long: None,
        }
    }

    pub(super) fn port(&self) -> u32 {
        self.grip.port()
    }

    pub(super) fn desk(&self) -> &Desk {
        self.grip.desk()
    }

    pub(super) fn counts(&self) -> Counts {
        self.desk().counts()
    }

    fn account(&mut self, id: InstanceId) -> Option<&mut Account> {
        self.accounts.get_mut(usize::from(id.0))
    }

    /// Notes what is wanted; [`Self::hand_out`] passes it on.
    pub(super) fn want<T: Default>(
        &mut self,
        id: InstanceId,
        wish: impl FnOnce(&mut Wish) -> T,
    ) -> T {
        let ticket = self.ticket.saturating_add(1);
        let Some(account) = self.accounts.get_mut(usize::from(id.0)) else {
            return T::default();
        };
        if !account.wanted {
            account.wanted = true;
            account.wanted_ticket = ticket;
            self.order.push(id.0);
        }
        self.ticket = ticket;
        wish(&mut account.wish)
    }

    /// Counts for what the hands are doing already.
    pub(super) fn set_active(&mut self, id: InstanceId, active: bool) {
        self.desk().set_active(id, active);
    }

    /// Plans that were replaced before the hands had them come back.
    pub(super) fn install(&mut self, id: InstanceId, works: Box<Works>) -> Option<Box<Works>> {
        self.want(id, |wish| wish.install(works))
    }

    /// The advert waits until the links of the instance are up.
    pub(super) fn hold_advert(&mut self, id: InstanceId, priority: Priority) {
        self.want(id, |_| ());
        if let Some(account) = self.account(id) {
            account.held = Some(priority);
        }
    }

    /// A Backup sends no advert of an Active; its farewell it does.
    pub(super) fn forget_advert(&mut self, id: InstanceId) {
        if let Some(account) = self.account(id) {
            account.held = account.held.filter(|priority| priority.is_release());
        }
    }

    pub(super) fn take_advert(&mut self, id: InstanceId) -> Option<Priority> {
        self.account(id)?.held.take()
    }

    pub(super) fn holds_advert(&self, id: InstanceId) -> bool {
        let account = self.accounts.get(usize::from(id.0));
        account.is_some_and(|account| account.held.is_some())
    }

    /// Something of the instance is under way, or will be.
    pub(super) fn is_busy(&self, id: InstanceId) -> bool {
        let account = self.accounts.get(usize::from(id.0));
        account.is_some_and(|account| account.busy || account.wanted)
    }

    /// Gives the hands what is wanted of instances of which nothing is under
    /// way.
    pub(super) fn hand_out(&mut self) {
        if self.order.is_empty() {
            return;
        }
        let Self {
            order,
            accounts,
            grip,
            ..
        } = self;
        order.retain(|id| match accounts.get_mut(usize::from(*id)) {
            Some(account) => !account.hand_out(InstanceId(*id), grip),
            None => false,
        });
    }

    /// Takes note of what was done. The news of the kernel that it brought
    /// about are to be read before [`Self::next_landed`].
    pub(super) fn collect(&mut self) {
        let landed = self.desk().landed();
        for (mine, new) in self.landed.iter_mut().zip(landed) {
            *mine |= new;
        }
    }

    pub(super) fn has_landed(&self) -> bool {
        self.landed.iter().any(|word| *word != 0)
    }

    /// The next instance whose job is done, with whether its links are up,
    /// where that was tried.
    pub(super) fn next_landed(&mut self) -> Option<(InstanceId, Option<bool>)> {
        let (at, word) = self
            .landed
            .iter_mut()
            .enumerate()
            .find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros();
        *word &= word.wrapping_sub(1);
        let id = u16::try_from(at.saturating_mul(64)).unwrap_or(u16::MAX);
        let id = InstanceId(id.saturating_add(u16::try_from(bit).unwrap_or(0)));
        if let Some(account) = self.account(id) {
            account.busy = false;
        }
        Some((id, self.desk().raised(id)))
    }

    pub(super) fn is_idle(&self) -> bool {
        let busy = |account: &Account| account.busy || account.wanted;
        !self.accounts.iter().any(busy)
    }

    /// Nothing is under way, and nothing will be by itself.
    pub(super) fn is_quiet(&mut self) -> bool {
        if !self.is_idle() {
            return false;
        }
        if !self.hold_asked {
            // Of an earlier hand-over, until the hands have come to its end.
            if self.desk().is_held() {
                return false;
            }
            self.hold_asked = self.grip.hold();
        }
        self.hold_asked && self.desk().is_held()
    }

    pub(super) fn resume(&mut self) {
        if self.hold_asked && self.grip.resume() {
            self.hold_asked = false;
        }
    }

    pub(super) fn mark(&mut self, mark: u32) {
        let ticket = self.ticket;
        if self.marks.len() < MARKS {
            self.marks.push((mark, ticket));
        } else if let Some(last) = self.marks.last_mut() {
            *last = (mark, ticket);
        }
    }

    /// A mark before which all is done.
    pub(super) fn next_mark(&mut self) -> Option<u32> {
        if self.marks.is_empty() {
            return None;
        }
        let open = self.accounts.iter().flat_map(|account| {
            let busy = account.busy.then_some(account.busy_ticket);
            busy.into_iter()
                .chain(account.wanted.then_some(account.wanted_ticket))
        });
        let first = open.min();
        let done = |ticket: u64| first.is_none_or(|first| first > ticket);
        let at = self.marks.iter().position(|(_, ticket)| done(*ticket))?;
        Some(self.marks.remove(at).0)
    }

    /// What is to be said of how long the kernel takes.
    pub(super) fn delay(&mut self, now: KernelTime) -> Option<Report> {
        let since = self.desk().since();
        match (since, self.told_long) {
            (Some(since), None) if since.after(LONG) <= now => {
                self.told_long = Some(since);
                let span = now.since(since);
                Some(Report::HandsWait { span })
            }
            (since, Some(told)) if since != Some(told) => {
                self.told_long = None;
                let span = now.since(told);
                Some(Report::HandsGoOn { span })
            }
            (Some(_) | None, Some(_) | None) => None,
        }
    }

    /// When to look at that again.
    pub(super) fn delay_due(&self) -> Option<KernelTime> {
        let since = self.desk().since().filter(|_| self.told_long.is_none());
        since.map(|since| since.after(LONG))
    }
}

impl Account {
    /// True when all that is wanted is on its way.
    fn hand_out(&mut self, id: InstanceId, grip: &Grip) -> bool {
        if self.busy {
            return false;
        }
        let first = self.held.is_some();
        let wish = match first {
            true => self.wish.take_first(),
            false => std::mem::take(&mut self.wish),
        };
        match grip.ask(id, wish) {
            Ok(()) => {
                self.busy = true;
                self.busy_ticket = self.wanted_ticket;
                // What stays behind is as old as what went ahead.
                self.wanted = first;
                !first
            }
            Err(wish) => {
                // Not by what the queue holds; nothing is lost all the same.
                self.wish = wish;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
