//! The election as RFC 9568 6.4 and RFC 3768 6.4 have it, written from its text and much simpler
//! than the core: the peer that is not ours, and what the core is held against.

use agent_common::{KernelTime, Version};

use crate::{
    network::Advert,
    schedule::{Kind, RouterSpec, Setting},
};

const CENTI: u64 = 10_000_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Initialize,
    Backup,
    Active,
}

/// What a step asks for, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Outcome {
    /// Send an advert with this priority.
    pub send: Option<u8>,
    /// Add (and announce), or remove the VIPs.
    pub vips: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
pub struct Reference {
    pub state: State,
    pub host: u8,
    pub priority: u8,
    pub preempt: bool,
    interval_cs: u64,
    active_interval_cs: u64,
    /// v2 knows no other interval than its own, and a skew of up to 1 s.
    old: bool,
    /// Answers a lower priority (RFC 9568), or stays silent (RFC 5798).
    asserts: bool,
    /// And tells hosts anew where the VIPs are (keepalived).
    announces: bool,
    /// Adver_Timer or Active_Down_Timer.
    pub timer: Option<KernelTime>,
}

impl Reference {
    pub fn new(spec: &RouterSpec, setting: &Setting, instance: usize) -> Self {
        let interval_cs = u64::from(spec.interval_cs);
        Self {
            state: State::Initialize,
            host: spec.host,
            priority: spec.priority[instance],
            preempt: spec.preempt,
            interval_cs,
            active_interval_cs: interval_cs,
            old: setting.version == Version::V2,
            asserts: spec.kind != Kind::Rfc5798,
            announces: spec.kind == Kind::Keepalived,
            timer: None,
        }
    }

    /// Another Advertisement_Interval; timers that run go on.
    pub fn configure(&mut self, interval_cs: u16) {
        self.interval_cs = u64::from(interval_cs);
        if self.old {
            self.active_interval_cs = self.interval_cs;
        }
    }

    /// keepalived, when somebody takes a VIP: it begins anew, soon.
    pub fn robbed(&mut self, now: KernelTime) -> Outcome {
        if self.state != State::Active {
            return Outcome::default();
        }
        self.state = State::Backup;
        self.timer = Some(KernelTime(now.0 + self.skew()));
        Outcome {
            send: Some(0),
            vips: Some(false),
        }
    }

    /// Skew_Time in nanoseconds (RFC 9568 6.1).
    pub fn skew(&self) -> u64 {
        let base = if self.old {
            100
        } else {
            self.active_interval_cs
        };
        (256 - u64::from(self.priority)) * base * CENTI / 256
    }

    /// Active_Down_Interval in nanoseconds.
    pub fn down(&self) -> u64 {
        3 * self.active_interval_cs * CENTI + self.skew()
    }

    /// 6.4.1
    pub fn startup(&mut self, now: KernelTime) -> Outcome {
        self.active_interval_cs = self.interval_cs;
        if self.priority == 255 {
            return self.become_active(now);
        }
        self.state = State::Backup;
        self.timer = Some(KernelTime(now.0 + self.down()));
        Outcome::default()
    }

    pub fn shutdown(&mut self) -> Outcome {
        let was = std::mem::replace(&mut self.state, State::Initialize);
        self.timer = None;
        match was {
            State::Active => Outcome {
                send: Some(0),
                vips: Some(false),
            },
            State::Backup | State::Initialize => Outcome::default(),
        }
    }

    pub fn timeout(&mut self, now: KernelTime) -> Outcome {
        if self.timer.is_none_or(|timer| timer > now) {
            return Outcome::default();
        }
        match self.state {
            State::Initialize => Outcome::default(),
            State::Backup => self.become_active(now),
            State::Active => self.advertise(now),
        }
    }

    /// 6.4.2 and 6.4.3
    pub fn advert(&mut self, advert: &Advert, now: KernelTime) -> Outcome {
        let theirs = advert.priority.get();
        match self.state {
            State::Initialize => Outcome::default(),
            State::Backup if theirs == 0 => {
                self.timer = Some(KernelTime(now.0 + self.skew()));
                Outcome::default()
            }
            State::Backup => {
                if !self.preempt || theirs >= self.priority {
                    self.learn(advert);
                    self.timer = Some(KernelTime(now.0 + self.down()));
                }
                Outcome::default()
            }
            State::Active if theirs == 0 => self.advertise(now),
            State::Active => {
                let loses = (theirs, advert.host) > (self.priority, self.host);
                if loses {
                    self.learn(advert);
                    self.state = State::Backup;
                    self.timer = Some(KernelTime(now.0 + self.down()));
                    Outcome {
                        send: None,
                        vips: Some(false),
                    }
                } else if self.asserts {
                    Outcome {
                        vips: self.announces.then_some(true),
                        ..self.advertise(now)
                    }
                } else {
                    Outcome::default()
                }
            }
        }
    }

    fn learn(&mut self, advert: &Advert) {
        if !self.old {
            self.active_interval_cs = u64::from(advert.interval.centis());
        }
    }

    fn become_active(&mut self, now: KernelTime) -> Outcome {
        self.state = State::Active;
        Outcome {
            vips: Some(true),
            ..self.advertise(now)
        }
    }

    fn advertise(&mut self, now: KernelTime) -> Outcome {
        self.timer = Some(KernelTime(now.0 + self.interval_cs * CENTI));
        Outcome {
            send: Some(self.priority),
            vips: None,
        }
    }
}
