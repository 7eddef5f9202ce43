//! The hands: a thread of its own that changes addresses and announces them.
//!
//! The kernel changes addresses, routes and links under its RTNL lock, which
//! anybody on the machine may hold for long, and with thousands of VIPs for
//! long itself. The fast lane says what it wants and goes on sending adverts;
//! here is who waits. Wishes of one instance are merged while an earlier one is
//! carried out ([`wish`]), so nothing can overflow.
//!
//! The thread comes right behind the fast lane, allocates nothing after its
//! start, and decides nothing.

mod carry;
mod desk;
mod pace;
mod wish;
mod works;

use std::{io, os::fd::BorrowedFd, sync::Arc, thread::JoinHandle, time::Duration};

use agent_common::record::SLOTS;

pub use self::{
    desk::{Counts, Desk, Landed},
    wish::Wish,
    works::Works,
};
use self::{pace::Pacer, wish::Job};
use super::{
    announce::Announcer,
    clock,
    lane::{Report, Teller},
    netlink::batch::CommandSocket,
    sched,
};
use crate::{config::machine::Process, core::InstanceId, flight::Carried, sandbox::Confinement};

/// What the hands know of an instance.
#[derive(Debug, Default)]
struct Seat {
    works: Option<Box<Works>>,
    /// The VIPs were put on the machine, as far as the kernel let us.
    on: bool,
    /// That the links cannot be taken up was said.
    refused_up: bool,
}

/// The thread's whole state.
#[derive(Debug)]
struct Hands {
    desk: Arc<Desk>,
    teller: Teller,
    command: CommandSocket,
    announcer: Announcer,
    /// By id.
    seats: Vec<Seat>,
    pacer: Pacer,
    held: bool,
    /// What was done for the wish in hand.
    carried: Carried,
}

/// The fast lane's hold on the thread; dropping it ends the thread when all
/// that it was given is done.
#[derive(Debug)]
pub struct Grip {
    desk: Arc<Desk>,
    port: u32,
    thread: Option<JoinHandle<()>>,
}

impl Grip {
    /// Starts the thread, which confines itself.
    ///
    /// # Errors
    ///
    /// When there can be no thread, or no descriptor to wake it by.
    pub fn start(
        command: CommandSocket,
        announcer: Announcer,
        teller: Teller,
        process: Process,
        confinement: Option<Confinement>,
    ) -> io::Result<Self> {
        let desk = Arc::new(Desk::new()?);
        let port = command.port();
        let hands = Hands {
            desk: desk.clone(),
            teller,
            command,
            announcer,
            seats: (0..SLOTS).map(|_| Seat::default()).collect(),
            pacer: Pacer::new(),
            held: false,
            carried: Carried::default(),
        };
        let thread = std::thread::Builder::new()
            .name("failoverd-hands".to_owned())
            .spawn(move || hands.run(&process, confinement))?;
        Ok(Self {
            desk,
            port,
            thread: Some(thread),
        })
    }

    /// The netlink port that addresses are changed by: the monitor knows our
    /// own changes by it.
    pub fn port(&self) -> u32 {
        self.port
    }

    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Readable when a job was carried out.
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.desk.wake_fd()
    }

    /// Hands over what is wanted for one instance, of which nothing else is
    /// under way. There is room for one of each; should there not be, the wish
    /// comes back.
    ///
    /// # Errors
    ///
    /// The wish, where there is no room.
    pub fn ask(&self, id: InstanceId, wish: Wish) -> Result<(), Wish> {
        match self.desk.put(Job::Wish { id, wish }) {
            Ok(()) => Ok(()),
            Err(Job::Wish { wish, .. }) => Err(wish),
            Err(Job::Hold | Job::Resume | Job::End) => Ok(()),
        }
    }

    /// Has announcements that wait for their pace wait on; see
    /// [`Desk::is_held`]. False where it has to be asked for again.
    pub fn hold(&self) -> bool {
        self.desk.put(Job::Hold).is_ok()
    }

    pub fn resume(&self) -> bool {
        self.desk.put(Job::Resume).is_ok()
    }
}

#[cfg(test)]
impl Grip {
    /// Hands that do nothing by themselves.
    pub fn limp() -> io::Result<Self> {
        Ok(Self {
            desk: Arc::new(Desk::new()?),
            port: 0,
            thread: None,
        })
    }

    /// Has the oldest wish carried out, by nobody.
    pub fn carry_out_one(&self) -> Option<(InstanceId, Wish)> {
        loop {
            match self.desk.take()? {
                Job::Wish { id, wish } => {
                    self.desk.land(id, wish.raise.then_some(true));
                    return Some((id, wish));
                }
                Job::Hold => self.desk.set_held(true),
                Job::Resume => self.desk.set_held(false),
                Job::End => {}
            }
        }
    }
}

impl Drop for Grip {
    fn drop(&mut self) {
        let mut end = self.desk.put(Job::End);
        while let Err(job) = end {
            std::thread::yield_now();
            end = self.desk.put(job);
        }
        if let Some(thread) = self.thread.take() {
            // A panic ends the process by itself.
            let _ = thread.join();
        }
    }
}

impl Hands {
    fn run(mut self, process: &Process, confinement: Option<Confinement>) {
        let mut entered = sched::enter(sched::Rank::Hands, process);
        entered.confined = confinement.map(Confinement::enter).unwrap_or_default();
        self.teller.report(Report::HandsPrivileges(entered));
        loop {
            while let Some(job) = self.desk.take() {
                if !self.work(job) {
                    return;
                }
                self.pace_announcements();
            }
            self.pace_announcements();
            let next = self.pacer.next().filter(|_| !self.held);
            let now = clock::now();
            let least = match self.desk.is_late(now) {
                true => desk::PAUSE,
                false => Duration::ZERO,
            };
            let patience = next.map(|next| next.since(now).max(least));
            self.desk.sleep(patience);
        }
    }

    /// False when it was the last.
    fn work(&mut self, job: Job) -> bool {
        match job {
            Job::Wish { id, wish } => {
                self.desk.begin(clock::now());
                let raised = self.carry_out(id, wish);
                if self.held {
                    self.note_left(id);
                }
                self.desk.land(id, raised);
            }
            Job::Hold => {
                self.held = true;
                for id in (1..=u16::MAX).take(self.seats.len()) {
                    self.note_left(InstanceId(id));
                }
                self.desk.set_held(true);
            }
            Job::Resume => {
                self.held = false;
                self.desk.set_held(false);
            }
            Job::End => return false,
        }
        true
    }

    fn seat(&mut self, id: InstanceId) -> Option<&mut Seat> {
        self.seats.get_mut(usize::from(id.0))
    }

    fn note_left(&mut self, id: InstanceId) {
        let works = self.seats.get(usize::from(id.0));
        let works = works.and_then(|seat| seat.works.as_ref());
        let left = works.map_or(0, |works| works.announce.most_left());
        self.desk.note_left(id, left);
    }
}
