//! One router: its state, its timer, and what an event does to it.

use crate::{CHECKPOINT, INTERVAL, ROUTERS, down, skew};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    Gone,
    Backup,
    Active,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    Advert,
    /// Priority 0.
    Release,
}

/// Whether a router gets to run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Plight {
    Runs,
    Stopped,
    Frozen,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Router {
    pub role: Role,
    pub plight: Plight,
    /// Ticks until Adver_Timer or Active_Down_Timer goes off.
    pub timer: u8,
    /// Could not run when the timer went off or, in Backup, at the checkpoint
    /// before that.
    pub late: bool,
    /// It has answered in this tick (S-46).
    pub answered: bool,
    /// What waits to be read, the newest of each sender.
    pub waiting: [Option<Kind>; ROUTERS],
}

impl Router {
    pub const fn backup(number: usize) -> Self {
        Self {
            role: Role::Backup,
            plight: Plight::Runs,
            timer: down(number),
            late: false,
            answered: false,
            waiting: [None; ROUTERS],
        }
    }

    pub const fn active(number: usize) -> Self {
        Self {
            role: Role::Active,
            timer: INTERVAL,
            ..Self::backup(number)
        }
    }

    pub const fn gone(number: usize) -> Self {
        Self {
            role: Role::Gone,
            timer: 0,
            ..Self::backup(number)
        }
    }

    /// Takes part and gets to run.
    pub fn is_up(&self) -> bool {
        self.role != Role::Gone && self.plight == Plight::Runs
    }

    pub fn serves(&self) -> bool {
        self.is_up() && self.role == Role::Active
    }

    /// Reads one message. True when an advert is to be sent.
    pub fn read(&mut self, own: usize, from: usize, kind: Kind) -> bool {
        match (self.role, kind) {
            (Role::Gone, _) => false,
            (Role::Backup, Kind::Release) => {
                self.timer = skew(own);
                self.late = false;
                false
            }
            (Role::Backup, Kind::Advert) => {
                if from > own {
                    self.timer = down(own);
                    self.late = false;
                }
                false
            }
            (Role::Active, Kind::Advert) if from > own => {
                let waiting = self.waiting;
                *self = Self {
                    waiting,
                    ..Self::backup(own)
                };
                false
            }
            (Role::Active, kind) => {
                if kind == Kind::Release {
                    self.timer = INTERVAL;
                    self.late = false;
                }
                !std::mem::replace(&mut self.answered, true)
            }
        }
    }

    /// One tick passes. True when the timer goes off and can be heeded.
    pub fn tick(&mut self) -> bool {
        self.answered = false;
        if self.role == Role::Gone {
            return false;
        }
        self.timer = self.timer.saturating_sub(1);
        let checked = match self.role {
            Role::Backup => CHECKPOINT,
            Role::Active | Role::Gone => 0,
        };
        let runs = self.plight == Plight::Runs;
        self.late |= !runs && self.timer <= checked;
        runs && self.timer == 0
    }

    /// The timer went off. True when an advert is to be sent.
    pub fn expire(&mut self, own: usize) -> bool {
        match self.role {
            Role::Gone => false,
            Role::Backup | Role::Active => {
                *self = Self::active(own);
                true
            }
        }
    }

    /// Runs again: all that waited first, then what is late. `grants`: a
    /// Backup that overslept gives its Active one more interval. True when an
    /// advert is to be sent.
    pub fn resume(&mut self, own: usize, grants: bool) -> bool {
        self.plight = Plight::Runs;
        let mut sends = false;
        // The best one last, as the answer waits for all of them.
        for from in 0..ROUTERS {
            if let Some(kind) = self.waiting[from].take() {
                sends |= self.read(own, from, kind);
            }
        }
        sends &= self.role == Role::Active;
        if std::mem::take(&mut self.late) {
            if self.role == Role::Backup && grants {
                self.timer = down(own);
            } else if self.timer == 0 {
                sends |= self.expire(own);
            }
        }
        sends
    }
}
