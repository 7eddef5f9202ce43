//! How long nobody serves.

use std::time::Duration;

use crate::clock::nanos;

use super::{
    super::{INTERVAL, plan::Fault},
    DELTA, Judge, Suffered,
};

/// A Backup that handles a deadline later than that cannot know whether the
/// Active was alive: a quarter of an interval.
const TOLERANCE: Duration = Duration::from_micros(2500);
/// And gives it one more Active_Down_Interval, so many times at most.
const GRANTS: u32 = 3;

impl Judge<'_> {
    /// Active_Down_Interval of a machine.
    pub(super) fn down(&self, machine: usize) -> Duration {
        3 * INTERVAL + self.skew(machine)
    }

    fn skew(&self, machine: usize) -> Duration {
        INTERVAL * (256 - u32::from(self.priority(machine))) / 256
    }

    /// 18: when the right one goes, another one takes over in time. 29: who
    /// leaves in good order says so.
    pub(super) fn fail_over(&mut self) {
        let right = self.episode.right[self.router];
        let mut suffered = self.suffered(right).filter(|suffered| suffered.apart);
        let Some(suffered) = suffered.next() else {
            return;
        };
        // Who may be heard without hearing keeps the others from it.
        let disturbed = self.episode.suffered.iter().any(|other| {
            matches!(
                other.fault,
                Fault::Deaf | Fault::Impaired(_) | Fault::ReloadOther
            )
        });
        let others = self
            .machines()
            .filter(|machine| self.is_untouched(*machine));
        let best = others.max_by_key(|machine| self.priority(*machine));
        let (false, Some(best)) = (disturbed, best) else {
            return;
        };
        match suffered.fault {
            Fault::KillParent | Fault::Stop => self.hand_over(right, best, suffered),
            Fault::KillAgent
            | Fault::KillBoth
            | Fault::FreezeAgent
            | Fault::FreezeAll
            | Fault::LinkDown
            | Fault::CutCable
            | Fault::CutSilently
            | Fault::Mute => self.take_over(right, best, suffered),
            Fault::Deaf
            | Fault::Impaired(_)
            | Fault::TakeVips
            | Fault::StrayVips
            | Fault::ReloadSame
            | Fault::ReloadOther
            | Fault::Upgrade
            | Fault::Hog => {}
        }
    }

    fn take_over(&mut self, right: usize, best: usize, suffered: &Suffered) {
        let bound = self.down(best) + DELTA;
        // Undone before that, nobody need have taken over.
        if suffered.mended < suffered.done + nanos(bound + DELTA) {
            return;
        }
        let mut heard = self.track(right).claims(0, suffered.done);
        let last = heard.next_back().unwrap_or(suffered.begun);
        let taken = self.first_claim(right, suffered.begun);
        let Some(taken) = taken else {
            let text = format!(
                "nobody took over from machine {right} after {}",
                suffered.fault.name()
            );
            self.note(18, suffered.done, text, false);
            return;
        };
        let silence = Duration::from_nanos(taken.saturating_sub(last));
        self.measured
            .fail_overs
            .push((suffered.fault.name(), silence));
        // The fault takes effect at some time until it is done.
        let took = Duration::from_nanos(taken.saturating_sub(suffered.done.min(taken)));
        // A Backup that wakes late grants more time, at most three times.
        let stalled = self.stalled(suffered.begun, taken);
        let granted = if stalled < TOLERANCE { 0 } else { GRANTS };
        let late = took > bound && took <= bound + stalled + self.down(best) * granted;
        let text = format!(
            "take-over from machine {right} after {}",
            suffered.fault.name()
        );
        if late {
            self.note(18, suffered.begun, format!("{text}: {took:?}"), true);
        } else {
            self.bound(18, (suffered.begun, taken), took, bound, || text);
        }
    }

    fn hand_over(&mut self, right: usize, best: usize, suffered: &Suffered) {
        let released = self.track(right).sent.iter().find(|(time, priority)| {
            *priority == 0 && (suffered.begun..=suffered.mended).contains(time)
        });
        let Some((released, _)) = released.copied() else {
            let text = format!("machine {right} left without a priority 0");
            self.note(29, suffered.begun, text, false);
            return;
        };
        let bound = self.skew(best) + DELTA;
        let Some(taken) = self.first_claim(right, released) else {
            let text = format!("nobody took over from machine {right}, which left");
            self.note(18, released, text, false);
            return;
        };
        let took = Duration::from_nanos(taken.saturating_sub(released));
        self.measured.hand_overs.push(took);
        self.bound(
            18,
            (released, taken.min(suffered.mended)),
            took,
            bound,
            || format!("hand-over from machine {right}"),
        );
    }

    /// The first advert of anybody else, after that.
    fn first_claim(&self, not: usize, after: u64) -> Option<u64> {
        let others = self.machines().filter(|machine| *machine != not);
        let firsts =
            others.filter_map(|machine| self.track(machine).claims(after, self.episode.to).next());
        firsts.min()
    }
}
