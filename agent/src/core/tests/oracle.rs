//! The state tables of CONFORMANCE 2.6 written down once more, as plainly as
//! possible and without anything of the machine: what must one event do?

use core::cmp::Ordering;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OracleState {
    Initialize,
    Backup,
    Active,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    Startup,
    Shutdown,
    /// Priority, and the sender's address compared with ours.
    Advert(u8, Ordering),
    ActiveDownTimer,
    AdverTimer,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimerChange {
    Keep,
    Off,
    /// Active_Down_Timer = Active_Down_Interval, from the event.
    Down,
    /// Active_Down_Timer = Skew_Time, from the event.
    Skew,
    /// Adver_Timer = Advertisement_Interval, from the event.
    Advertise,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expected {
    pub next: OracleState,
    /// Priority of the one advert that leaves.
    pub sends: Option<u8>,
    pub timer: TimerChange,
    /// The sender's interval is adopted (v3 only, T-04, T-06, T-07).
    pub learns: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Local {
    pub priority: u8,
    pub preempt: bool,
    /// RFC 9568 (true) or RFC 5798 and 3768 (false) on lower adverts.
    pub asserts: bool,
}

fn expect(next: OracleState, sends: Option<u8>, timer: TimerChange) -> Expected {
    Expected {
        next,
        sends,
        timer,
        learns: false,
    }
}

pub fn oracle(state: OracleState, event: Event, local: Local) -> Expected {
    use OracleState::{Active, Backup, Initialize};
    use TimerChange::{Advertise, Down, Keep, Off, Skew};
    let own = Some(local.priority);
    match (state, event) {
        // S-01, S-02, S-03
        (Initialize, Event::Startup) if local.priority == 255 => expect(Active, own, Advertise),
        (Initialize, Event::Startup) => expect(Backup, None, Down),
        (Initialize, _) => expect(Initialize, None, Keep),

        // S-15, S-16
        (Backup, Event::Shutdown) => expect(Initialize, None, Off),
        (Backup, Event::ActiveDownTimer) => expect(Active, own, Advertise),
        // S-17; R-23: our own farewell coming back is nobody's.
        (Backup, Event::Advert(0, Ordering::Equal)) => expect(Backup, None, Keep),
        (Backup, Event::Advert(0, _)) => expect(Backup, None, Skew),
        // S-18, S-20, S-44
        (Backup, Event::Advert(p, _))
            if (!local.preempt && local.priority != 255) || p >= local.priority =>
        {
            Expected {
                learns: true,
                ..expect(Backup, None, Down)
            }
        }
        // S-19
        (Backup, Event::Advert(..)) => expect(Backup, None, Keep),
        (Backup, Event::Startup | Event::AdverTimer) => expect(Backup, None, Keep),

        // S-37, S-38
        (Active, Event::Shutdown) => expect(Initialize, Some(0), Off),
        (Active, Event::AdverTimer) => expect(Active, own, Advertise),
        // S-39 and R-23
        (Active, Event::Advert(0, Ordering::Equal)) => expect(Active, None, Keep),
        (Active, Event::Advert(0, _)) => expect(Active, own, Advertise),
        // S-40, S-43, S-48
        (Active, Event::Advert(p, address))
            if p > local.priority || (p == local.priority && address == Ordering::Greater) =>
        {
            Expected {
                learns: true,
                ..expect(Backup, None, Down)
            }
        }
        // S-45
        (Active, Event::Advert(p, Ordering::Equal)) if p == local.priority => {
            expect(Active, None, Keep)
        }
        // S-42, S-41
        (Active, Event::Advert(..)) if local.asserts => expect(Active, own, Keep),
        (Active, Event::Advert(..)) => expect(Active, None, Keep),
        (Active, Event::Startup | Event::ActiveDownTimer) => expect(Active, None, Keep),
    }
}
