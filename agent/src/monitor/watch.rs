//! The loop: wait, drain, then look at the time, then tell.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use agent_common::KernelTime;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    Failure, Options,
    event::{Event, LinkState},
    listen::Listener,
    model::Model,
    screen::Key,
    sink::Sink,
    table::View,
};
use crate::io::{clock, sys};

/// Frames a round; further ones wait for the next, which follows at once.
const ROUND: usize = 1024;
const SECOND: Duration = Duration::from_secs(1);

/// Listens until the duration is over, a signal or a key ends it, or the
/// interface is gone.
///
/// # Errors
///
/// See [`Failure`]. That nobody reads the output any more is not an error.
pub fn run(options: &Options) -> Result<(), Failure> {
    let interface = options.interface.as_str();
    let listener = Listener::open(&options.interface)?;
    match Watch::open(options, listener).and_then(Watch::run) {
        Ok(End::Asked) => Ok(()),
        Ok(End::Gone) => Err(Failure::Gone {
            interface: interface.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(source) => Err(Failure::Io {
            interface: interface.to_owned(),
            source,
        }),
    }
}

/// Why it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Asked,
    Gone,
}

struct Watch<'a> {
    options: &'a Options,
    listener: Listener,
    signals: OwnedFd,
    model: Model,
    view: View,
    start: KernelTime,
    seconds: u64,
    // Last, so that the terminal is given back after all else is done.
    sink: Sink,
}

impl<'a> Watch<'a> {
    fn open(options: &'a Options, mut listener: Listener) -> io::Result<Self> {
        let signals = sys::block_signals(&[libc::SIGINT, libc::SIGTERM, libc::SIGHUP])?;
        let start = clock::now();
        let notes = std::mem::take(&mut listener.notes);
        let sink = Sink::open(options.style, start)?;
        match &sink {
            Sink::Json(_) | Sink::Text(..) => {
                for note in &notes {
                    eprintln!("failoverd: {}: {note}", options.interface);
                }
            }
            Sink::Table(_) => {}
        }
        let view = View {
            interface: options.interface.to_string(),
            link: listener.state,
            scroll: 0,
            notes,
        };
        let model = Model::default();
        Ok(Self {
            options,
            listener,
            signals,
            model,
            view,
            start,
            seconds: 0,
            sink,
        })
    }

    fn run(mut self) -> io::Result<End> {
        if self.view.link != LinkState::Up {
            self.tell_link(clock::now())?;
        }
        loop {
            // Taken before the drain: whatever came before `now` is then seen.
            let now = clock::now();
            let more = self.drain()?;
            if !more {
                self.model.tick(now);
            }
            let events = self.model.take_events();
            self.sink.tell(&events, now)?;
            let ended = self.ended(now)?;
            if ended.is_none() && now >= self.next_second() {
                // Seconds that were overslept are not made up for.
                self.seconds = now.since(self.start).as_secs();
                self.sink.summarise(&self.model, self.seconds, false, now)?;
            }
            if let Some(end) = ended {
                self.sink.summarise(&self.model, self.seconds, true, now)?;
                return Ok(end);
            }
            self.sink.draw(&self.model, &self.view, now)?;
            if !more {
                self.wait();
            }
        }
    }

    /// True when there may be more to read.
    fn drain(&mut self) -> io::Result<bool> {
        // The frames that were kept come before those that found no room, but
        // reading makes room at once: the gap may be anywhere until all is read.
        let lost = self.listener.receiver.lost();
        if lost > 0 {
            self.model.lossy(lost);
        }
        let more = self.drain_round()?;
        if !more && self.model.is_lossy() {
            self.model.interrupt();
        }
        Ok(more)
    }

    fn drain_round(&mut self) -> io::Result<bool> {
        let model = &mut self.model;
        match self
            .listener
            .receiver
            .drain_frames(ROUND, |arrival| model.observe(&arrival))
        {
            Ok(more) => Ok(more),
            // The socket tells of the link going down once, and works on.
            Err(error) => match error.raw_os_error() {
                Some(libc::ENETDOWN | libc::ENXIO | libc::EINTR) => Ok(false),
                _ => Err(error),
            },
        }
    }

    fn ended(&mut self, now: KernelTime) -> io::Result<Option<End>> {
        if let Some(state) = self.listener.link_changes(&self.options.interface)? {
            self.view.link = state;
            // What was sent meanwhile is not missed by the routers.
            self.model.interrupt();
            self.tell_link(now)?;
            if state == LinkState::Gone {
                return Ok(Some(End::Gone));
            }
        }
        let over = self.end().is_some_and(|end| now >= end);
        let signalled = sys::next_signal(self.signals.as_fd()).is_some();
        Ok((over || signalled || self.keys()?).then_some(End::Asked))
    }

    fn tell_link(&mut self, now: KernelTime) -> io::Result<()> {
        let event = Event::Link {
            interface: self.view.interface.clone(),
            state: self.view.link,
        };
        self.sink.tell(&[event], now)
    }

    /// Handles what was typed; true when it asks for the end.
    fn keys(&mut self) -> io::Result<bool> {
        let screen = match &mut self.sink {
            Sink::Json(_) | Sink::Text(..) => return Ok(false),
            Sink::Table(screen) => screen,
        };
        while let Some(key) = screen.key()? {
            match key {
                Key::End => return Ok(true),
                Key::Scroll(by) => {
                    let last = self.model.routers().count().saturating_sub(1);
                    self.view.scroll = self.view.scroll.saturating_add_signed(by).min(last);
                }
                Key::Other => {}
            }
        }
        Ok(false)
    }

    fn next_second(&self) -> KernelTime {
        self.start.after(
            SECOND
                .saturating_mul(u32::try_from(self.seconds.saturating_add(1)).unwrap_or(u32::MAX)),
        )
    }

    fn end(&self) -> Option<KernelTime> {
        self.options.duration.map(|span| self.start.after(span))
    }

    fn wait(&self) {
        let mut deadline = self.next_second();
        for other in [self.end(), self.model.next_silence()]
            .into_iter()
            .flatten()
        {
            deadline = deadline.min(other);
        }
        let stdin = io::stdin();
        let mut fds = vec![
            readable(self.listener.receiver.as_fd()),
            readable(self.listener.links.as_fd()),
            readable(self.signals.as_fd()),
        ];
        match &self.sink {
            Sink::Json(_) | Sink::Text(..) => {}
            Sink::Table(screen) => {
                deadline = deadline.min(screen.next_draw());
                fds.push(readable(stdin.as_fd()));
            }
        }
        let left = deadline.since(clock::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        // Interrupted or not: the loop looks around.
        let _ = poll(&mut fds, Some(&timeout));
    }
}

fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(fd, PollFlags::IN)
}
