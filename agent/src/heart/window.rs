//! The newest probes of a stream: when each was sent, for whom, and whether it
//! is still to be answered.

use agent_common::KernelTime;

/// Probes that are remembered: more than may be missed (20), and some that do
/// not count among them. An answer to an older one is late beyond use.
pub(super) const REMEMBERED: usize = 32;

/// Sequence numbers go from 1 to this, and begin anew.
const NUMBERS: u64 = 65_535;

#[derive(Clone, Copy, Debug)]
struct Slot {
    sent: KernelTime,
    member: u16,
    answered: bool,
    /// Its silence would say something: the member is known to be answered.
    counts: bool,
}

/// Probes are counted from 1; probe N lies in slot N modulo the length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    slots: [Slot; REMEMBERED],
    /// The newest probe.
    last: u64,
    /// The newest one that is not waited for: the machine was alive after it,
    /// or it must not be judged by.
    base: u64,
    /// When the oldest probe was sent that counts and is waited for, be it
    /// remembered or not.
    since: Option<KernelTime>,
}

impl Window {
    pub(super) const fn new() -> Self {
        let slot = Slot {
            sent: KernelTime(0),
            member: 0,
            answered: true,
            counts: false,
        };
        Self {
            slots: [slot; REMEMBERED],
            last: 0,
            base: 0,
            since: None,
        }
    }

    /// The number of the probe that [`Self::sent`] records next, never 0.
    pub(super) const fn next_number(&self) -> u16 {
        number(self.last + 1)
    }

    /// Records a probe. Gives the member whose probe was never answered and is
    /// forgotten for it.
    pub(super) fn sent(&mut self, member: u16, sent: KernelTime, counts: bool) -> Option<u16> {
        self.last += 1;
        let slot = self.slot_mut(self.last);
        let lost = (!slot.answered).then_some(slot.member);
        *slot = Slot {
            sent,
            member,
            answered: false,
            counts,
        };
        if counts {
            self.since.get_or_insert(sent);
        }
        lost
    }

    /// Whom the probe with this number was for; nothing for one that is
    /// unknown or was answered before.
    pub(super) fn asked(&self, number: u16) -> Option<u16> {
        let slot = self.slot(self.find(number)?);
        (!slot.answered).then_some(slot.member)
    }

    /// An answer to the probe with this number: when it was sent.
    pub(super) fn answered(&mut self, number: u16) -> Option<KernelTime> {
        let probe = self.find(number)?;
        let slot = self.slot_mut(probe);
        if std::mem::replace(&mut slot.answered, true) {
            return None;
        }
        let sent = slot.sent;
        if probe > self.base {
            self.settle(probe);
        }
        Some(sent)
    }

    /// How many probes for `member` were sent after this one.
    pub(super) fn followed(&self, number: u16, member: u16) -> u8 {
        let Some(probe) = self.find(number) else {
            return 0;
        };
        let after = (probe + 1..=self.last).filter(|probe| self.slot(*probe).member == member);
        u8::try_from(after.count()).unwrap_or(u8::MAX)
    }

    /// No probe up to this one is waited for.
    fn settle(&mut self, probe: u64) {
        self.base = probe;
        let since = self.waited().next();
        self.since = since;
    }

    /// The newest probe with this number, if it is remembered.
    fn find(&self, number: u16) -> Option<u64> {
        let number = u64::from(number).checked_sub(1)?;
        let newest = self.last.checked_sub(1)? % NUMBERS;
        let back = (newest + NUMBERS - number) % NUMBERS;
        (back < self.last.min(REMEMBERED as u64)).then(|| self.last - back)
    }

    /// The machine was alive at this time.
    pub(super) fn alive_at(&mut self, stamp: KernelTime) {
        let mut probe = self.first_waited();
        while probe <= self.last && self.slot(probe).sent <= stamp {
            self.settle(probe);
            probe = self.first_waited();
        }
    }

    /// Nothing is judged by what was sent until now.
    pub(super) const fn void(&mut self) {
        self.base = self.last;
        self.since = None;
    }

    /// Since when an answer is waited for.
    pub(super) const fn since(&self) -> Option<KernelTime> {
        self.since
    }

    /// When the probes that count and are waited for were sent, oldest first.
    pub(super) fn waited(&self) -> impl Iterator<Item = KernelTime> {
        let waited = (self.first_waited()..=self.last).map(|probe| self.slot(probe));
        waited
            .filter(|slot| slot.counts && !slot.answered)
            .map(|slot| slot.sent)
    }

    /// The oldest probe that is remembered and waited for.
    fn first_waited(&self) -> u64 {
        let remembered = (self.last + 1).saturating_sub(REMEMBERED as u64);
        (self.base + 1).max(remembered)
    }

    fn slot(&self, probe: u64) -> &Slot {
        &self.slots[(probe % REMEMBERED as u64) as usize]
    }

    fn slot_mut(&mut self, probe: u64) -> &mut Slot {
        &mut self.slots[(probe % REMEMBERED as u64) as usize]
    }
}

const fn number(probe: u64) -> u16 {
    ((probe - 1) % NUMBERS + 1) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> KernelTime {
        KernelTime(nanos)
    }

    #[test]
    fn an_answer_stands_for_all_before_it() {
        let mut window = Window::new();
        for probe in 1..=5 {
            assert_eq!(u64::from(window.next_number()), probe);
            window.sent(7, at(probe * 10), true);
        }
        assert_eq!(window.asked(3), Some(7));
        assert_eq!(window.answered(3), Some(at(30)));
        assert_eq!(window.asked(3), None);
        assert_eq!(window.waited().collect::<Vec<_>>(), [at(40), at(50)]);
        assert_eq!(window.answered(3), None, "once");
        assert_eq!(window.answered(1), Some(at(10)), "late, but an answer");
        assert_eq!(window.waited().count(), 2);
        window.alive_at(at(40));
        assert_eq!(window.waited().collect::<Vec<_>>(), [at(50)]);
        window.void();
        assert_eq!(window.waited().count(), 0);
    }

    #[test]
    fn unknown_numbers_are_no_answers() {
        let mut window = Window::new();
        assert_eq!(window.answered(0), None);
        assert_eq!(window.answered(1), None);
        window.sent(1, at(1), true);
        assert_eq!(window.answered(2), None);
        assert_eq!(window.answered(u16::MAX), None);
        assert!(window.answered(1).is_some());
    }

    #[test]
    fn numbers_begin_anew_without_a_zero() {
        let mut window = Window::new();
        for probe in 1..=70_000 {
            let number = window.next_number();
            assert_ne!(number, 0);
            window.sent(0, at(probe), true);
            assert_eq!(window.answered(number), Some(at(probe)));
        }
        assert_eq!(window.waited().count(), 0);
    }

    #[test]
    fn what_is_forgotten_is_told() {
        let mut window = Window::new();
        window.sent(9, at(1), true);
        let lost: Vec<u16> = (0..40)
            .filter_map(|probe| window.sent(1, at(2 + probe), true))
            .collect();
        assert_eq!(lost[0], 9);
        assert_eq!(lost.len(), 9);
        assert_eq!(window.answered(1), None);
        assert!(window.waited().count() <= REMEMBERED);
        assert_eq!(window.since(), Some(at(1)), "all the same");
        window.alive_at(at(20));
        assert_eq!(window.since(), window.waited().next());
    }
}
