//! Which faults come, in which order: a row that the seed tells.

use std::time::Duration;

use crate::{impair::Impairment, random::Random};

/// What is done to a machine, or to its cable.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fault {
    /// SIGKILL to the agent; its parent lives.
    KillAgent,
    /// SIGKILL to the parent; the agent is told by the kernel.
    KillParent,
    /// SIGKILL to both: nobody is left to take the VIPs off.
    KillBoth,
    /// SIGSTOP to the agent, later SIGCONT.
    FreezeAgent,
    /// Likewise of the agent and its parent.
    FreezeAll,
    /// SIGTERM, later started again.
    Stop,
    /// The machine's link set down, later up.
    LinkDown,
    /// The carrier is lost.
    CutCable,
    /// Nothing gets through either way, with the carrier.
    CutSilently,
    /// What the machine sends is lost.
    Mute,
    /// What is sent to the machine is lost.
    Deaf,
    /// Frames are lost, late, doubled, in another order.
    Impaired(Impairment),
    /// Somebody removes the VIPs that the machine has.
    TakeVips,
    /// Somebody adds the VIPs that the machine does not have.
    StrayVips,
    /// The file as it is.
    ReloadSame,
    /// Other priorities, later the old ones.
    ReloadOther,
    /// The agent is exchanged for a new process of the same binary.
    Upgrade,
    /// Processes that want all of the CPU.
    Hog,
}

impl Fault {
    /// In the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillAgent => "kill -9 of the agent",
            Self::KillParent => "kill -9 of its parent",
            Self::KillBoth => "kill -9 of both",
            Self::FreezeAgent => "agent stopped, continued",
            Self::FreezeAll => "agent and parent stopped, continued",
            Self::Stop => "SIGTERM, started again",
            Self::LinkDown => "link down, up",
            Self::CutCable => "cable pulled",
            Self::CutSilently => "cable dead, with a carrier",
            Self::Mute => "mute",
            Self::Deaf => "deaf",
            Self::Impaired(_) => "loss, delay, doubles",
            Self::TakeVips => "VIPs removed",
            Self::StrayVips => "stray VIPs",
            Self::ReloadSame => "reload, the same file",
            Self::ReloadOther => "reload, other priorities",
            Self::Upgrade => "upgrade",
            Self::Hog => "CPU hogs",
        }
    }

    /// Whether the agent is started again for it.
    pub const fn ends_the_agent(self) -> bool {
        matches!(
            self,
            Self::KillAgent | Self::KillParent | Self::KillBoth | Self::Stop | Self::Upgrade
        )
    }
}

/// A fault of one round.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Planned {
    pub fault: Fault,
    /// Index of the machine.
    pub machine: usize,
}

/// One round: all faults come at once, and go at once.
#[derive(Clone, PartialEq, Debug)]
pub struct Round {
    pub faults: Vec<Planned>,
    /// For how long.
    pub hold: Duration,
}

/// Rounds after which a parent that starts its agent again waits no longer than
/// the first time.
const REST: u64 = 30;

/// The row.
#[derive(Clone, Debug)]
pub struct Plan {
    random: Random,
    machines: usize,
    round: u64,
    /// The round in which the agent of a machine was last killed.
    killed: Vec<Option<u64>>,
}

impl Plan {
    pub fn new(seed: u64, machines: usize) -> Self {
        Self {
            random: Random::new(seed),
            machines,
            round: 0,
            killed: vec![None; machines],
        }
    }

    /// A seed for what is random within the round.
    pub fn seed(&mut self) -> u64 {
        self.random.number()
    }

    pub fn next_round(&mut self) -> Round {
        self.round += 1;
        let first = self.fault(None);
        let mut faults = vec![first];
        if self.random.chance(25) {
            faults.push(self.fault(Some(first.machine)));
        }
        let spans = [20, 35, 60, 120, 300, 800, 2000];
        let hold = self.random.pick(&spans) * (70 + self.random.below(60)) / 100;
        Round {
            faults,
            hold: Duration::from_millis(hold),
        }
    }

    fn fault(&mut self, not_on: Option<usize>) -> Planned {
        // The first two are the ones that are Active.
        let machine = loop {
            let machine = match self.random.below(3) {
                0 => self.random.below(2) as usize,
                _ => self.random.below(self.machines as u64) as usize,
            };
            if Some(machine) != not_on {
                break machine;
            }
        };
        loop {
            let fault = self.kind();
            // The last one lives from the beginning to the end.
            if fault.ends_the_agent() && machine + 1 == self.machines {
                continue;
            }
            if fault == Fault::KillAgent {
                let last = self.killed[machine];
                if last.is_some_and(|last| self.round - last < REST) {
                    continue;
                }
                self.killed[machine] = Some(self.round);
            }
            return Planned { fault, machine };
        }
    }

    fn kind(&mut self) -> Fault {
        let random = &mut self.random;
        match random.below(20) {
            0 | 1 => Fault::KillAgent,
            2 => Fault::KillParent,
            3 => Fault::KillBoth,
            4 | 5 => Fault::FreezeAgent,
            6 => Fault::FreezeAll,
            7 => Fault::Stop,
            8 => Fault::LinkDown,
            9 => Fault::CutCable,
            10 => Fault::CutSilently,
            11 => Fault::Mute,
            12 => Fault::Deaf,
            13 => Fault::Impaired(impairment(random)),
            14 => Fault::TakeVips,
            15 => Fault::StrayVips,
            16 => Fault::ReloadSame,
            17 => Fault::ReloadOther,
            18 => Fault::Upgrade,
            _ => Fault::Hog,
        }
    }
}

fn impairment(random: &mut Random) -> Impairment {
    Impairment {
        loss: random.pick(&[1, 5, 20, 40]),
        burst: random.pick(&[0, 0, 50, 80]),
        doubled: random.pick(&[0, 5, 50]),
        delay: Duration::from_millis(random.pick(&[0, 1, 10, 100, 500])),
        jitter: Duration::from_millis(random.pick(&[0, 2, 30, 300])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(seed: u64) -> Vec<Round> {
        let mut plan = Plan::new(seed, 4);
        (0..400).map(|_| plan.next_round()).collect()
    }

    #[test]
    fn a_seed_tells_the_same_faults_and_all_kinds() {
        assert_eq!(rounds(3), rounds(3));
        assert_ne!(rounds(3), rounds(4));
        let of_all = rounds(3);
        let faults = of_all.iter().flat_map(|round| &round.faults);
        let names: std::collections::BTreeSet<_> =
            faults.map(|planned| planned.fault.name()).collect();
        assert_eq!(names.len(), 18, "{names:?}");
    }

    #[test]
    fn the_last_agent_is_never_ended_and_no_machine_has_two_faults() {
        for round in rounds(5) {
            let ended = |planned: &Planned| planned.fault.ends_the_agent() && planned.machine == 3;
            assert!(!round.faults.iter().any(ended));
            if let [first, second] = round.faults[..] {
                assert_ne!(first.machine, second.machine);
            }
        }
    }
}
