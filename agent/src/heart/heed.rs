//! Between the heartbeats and the core: when answers have to be read, what the
//! core is told, and which take-overs are held back.
//!
//! Pure: the fast lane and the simulator go by the same step.

use agent_common::KernelTime;

use super::{Heart, Outcome};
use crate::core::{Input, InstanceId, Machine, Pulse};

impl Heart {
    /// Whether all answers are to be read at `now`, before [`Heart::judge`]:
    /// something is due here, or a Backup's deadline, which an answer can hold.
    pub fn is_wanted(&self, machine: &Machine, now: KernelTime) -> bool {
        let due = |at: Option<KernelTime>| at.is_some_and(|at| at <= now);
        let beats = self.poll_timeout();
        beats.is_some() && (due(beats) || due(machine.poll_timeout()))
    }

    /// What the core is to be told of an outcome; `None` for what is for people
    /// only. What the kernel has said of the own links has to be with the core
    /// before a Down: it may be them that went.
    pub fn heed(&mut self, outcome: &Outcome, machine: &Machine, now: KernelTime) -> Option<Input> {
        let (id, active, pulse) = match *outcome {
            Outcome::Down {
                id,
                active,
                why,
                since,
                interval,
            } => {
                let restart = machine.restart_takes(id, active);
                let until = restart.map(|takes| now.after(takes));
                self.disproved_until(id, until);
                (
                    id,
                    active,
                    Pulse::Down {
                        why,
                        since,
                        interval,
                    },
                )
            }
            Outcome::Up { id, active } => (id, active, Pulse::Up),
            Outcome::News { .. } => return None,
        };
        Some(Input::Heart { id, active, pulse })
    }

    /// What holds the take-over for want of adverts that is due at `now`, if its
    /// Active is vouched for. To be handed in after LATEST and before
    /// [`Input::Timeout`].
    pub fn hold_back(
        &mut self,
        id: InstanceId,
        machine: &Machine,
        now: KernelTime,
    ) -> Option<Input> {
        if !machine.is_unheard(id, now) {
            return None;
        }
        let (active, until) = self.vouches(id, now)?;
        let pulse = Pulse::Vouched { until };
        Some(Input::Heart { id, active, pulse })
    }
}
