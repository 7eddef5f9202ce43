//! `track_file`: a number that somebody writes.
//!
//! The directory is watched and not the file, so that a file that is replaced
//! by another, removed or created is seen. Where the kernel cannot tell (no
//! directory yet, a symbolic link to elsewhere), it is looked at each second.

mod access;
mod number;

use std::{
    collections::BTreeMap,
    ffi::CString,
    io,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use tokio::{
    io::unix::AsyncFd,
    sync::{mpsc, watch},
    time::{Interval, MissedTickBehavior, interval},
};
use tracing::{info, warn};

use self::access::Found;
use super::Entry;
use crate::{
    config::model::FileSpec,
    io::ready::readable,
    track::{Reading, TrackerId, Value},
};

const RETRY: Duration = Duration::from_secs(1);
/// Hundreds of events.
const BUFFER: usize = 16 << 10;

/// Watches the files of `list` for as long as somebody wants to know.
pub(super) async fn watch(
    mut list: watch::Receiver<Vec<Entry<FileSpec>>>,
    readings: mpsc::Sender<Reading>,
) {
    let mut files = Files::new(readings);
    let mut again: Interval = interval(RETRY);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut wanted = Some(list.borrow_and_update().clone());
    loop {
        if let Some(wanted) = wanted.take() {
            files.change(wanted).await;
        }
        let read = tokio::select! {
            changed = list.changed() => {
                if changed.is_err() {
                    return;
                }
                wanted = Some(list.borrow_and_update().clone());
                Ok(())
            }
            touched = files.touched() => files.read(&touched).await,
            _ = again.tick() => files.look_again().await,
        };
        if read.is_err() {
            return;
        }
    }
}

/// Nobody wants readings any more.
struct Unwanted;

struct Watched {
    epoch: u32,
    spec: FileSpec,
    path: PathBuf,
    /// The number of its directory's watch, while there is one.
    watch: Option<i32>,
    link: bool,
    told: Option<(i64, String)>,
}

struct Files {
    readings: mpsc::Sender<Reading>,
    inotify: io::Result<AsyncFd<OwnedFd>>,
    watched: BTreeMap<TrackerId, Watched>,
}

impl Files {
    fn new(readings: mpsc::Sender<Reading>) -> Self {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)
            .map_err(io::Error::from)
            .and_then(readable);
        if let Err(error) = &inotify {
            warn!(
                "tracked files are looked at each second: the kernel cannot tell of changes: {error}"
            );
        }
        Self {
            readings,
            inotify,
            watched: BTreeMap::new(),
        }
    }

    /// Those that stay go on; the others are read for the first time.
    async fn change(&mut self, wanted: Vec<Entry<FileSpec>>) {
        let mut old = std::mem::take(&mut self.watched);
        let mut new = Vec::new();
        for Entry {
            tracker,
            epoch,
            spec,
        } in wanted
        {
            let known = old.remove(&tracker);
            if let Some(same) = known.as_ref().filter(|known| known.epoch == epoch) {
                debug_assert_eq!(same.spec.name, spec.name, "an epoch has one definition");
                self.watched.extend(known.map(|known| (tracker, known)));
                continue;
            }
            let path = PathBuf::from(&spec.path);
            // Only a file that is new to us gets its first value.
            if known.is_none_or(|known| known.path != path)
                && let Some(init) = spec.init
            {
                let target = path.clone();
                let written = blocking(move || access::init(&target, init)).await;
                if let Some(Err(error)) = written {
                    warn!(
                        "track_file {}: cannot write {}: {error}",
                        spec.name, spec.path
                    );
                }
            }
            new.push(tracker.clone());
            let (watch, link, told) = (None, false, None);
            let fresh = Watched {
                epoch,
                spec,
                path,
                watch,
                link,
                told,
            };
            self.watched.insert(tracker, fresh);
        }
        self.unwatch(old.into_values().filter_map(|gone| gone.watch));
        for tracker in &new {
            self.add_watch(tracker);
        }
        // Somebody who does not want to know is noticed at the next change.
        let _ = self.read(&new).await;
    }

    /// A directory may be shared: it goes with the last of its files.
    fn unwatch(&self, watches: impl Iterator<Item = i32>) {
        let Ok(inotify) = &self.inotify else { return };
        for number in watches {
            let used = self.watched.values().any(|file| file.watch == Some(number));
            if !used {
                // Fails when the directory has gone, and the watch with it.
                let _ = inotify::remove_watch(inotify.get_ref(), number);
            }
        }
    }

    fn add_watch(&mut self, tracker: &TrackerId) {
        let (Ok(inotify), Some(file)) = (&self.inotify, self.watched.get_mut(tracker)) else {
            return;
        };
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let directory = file.path.parent().unwrap_or(Path::new("/"));
        file.watch = inotify::add_watch(inotify.get_ref(), directory, flags).ok();
    }

    /// Waits for changes, and names the files that they are about.
    async fn touched(&mut self) -> Vec<TrackerId> {
        let Ok(inotify) = &self.inotify else {
            return std::future::pending().await;
        };
        let Ok(mut ready) = inotify.readable().await else {
            return std::future::pending().await;
        };
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut events = inotify::Reader::new(inotify.get_ref(), &mut buffer);
        let mut changes = Vec::new();
        // One buffer at a time: whoever touches files without end does not
        // keep us from all else.
        loop {
            match events.next() {
                Ok(event) => changes.push((
                    event.wd(),
                    event.events(),
                    event.file_name().map(CString::from),
                )),
                Err(_) => {
                    ready.clear_ready();
                    break;
                }
            }
            if events.is_buffer_empty() {
                break;
            }
        }
        let gone =
            ReadFlags::IGNORED | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT;
        let mut touched = Vec::new();
        for (tracker, file) in &mut self.watched {
            let about = |(number, what, name): &(i32, ReadFlags, Option<CString>)| {
                let all = what.contains(ReadFlags::QUEUE_OVERFLOW);
                let directory = file.watch == Some(*number) && what.intersects(gone);
                let own = || access::split(&file.path).map(|(_, name)| name);
                all || directory || file.watch == Some(*number) && *name == own()
            };
            let mut mine = changes.iter().filter(|change| about(change)).peekable();
            if mine.peek().is_some() {
                touched.push(tracker.clone());
            }
            if mine.any(|(_, what, _)| what.intersects(gone)) {
                file.watch = None;
            }
        }
        touched
    }

    /// What the kernel does not tell of.
    async fn look_again(&mut self) -> Result<(), Unwanted> {
        let unseen = |file: &Watched| file.watch.is_none() || file.link;
        let again: Vec<TrackerId> = self
            .watched
            .iter()
            .filter(|(_, file)| unseen(file))
            .map(|(tracker, _)| tracker.clone())
            .collect();
        for tracker in &again {
            self.add_watch(tracker);
        }
        self.read(&again).await
    }

    /// Reads these files and tells what is new.
    async fn read(&mut self, trackers: &[TrackerId]) -> Result<(), Unwanted> {
        for tracker in trackers {
            let Some(file) = self.watched.get_mut(tracker) else {
                continue;
            };
            let path = file.path.clone();
            let looked = blocking(move || (access::read(&path), access::is_link(&path))).await;
            let Some((found, link)) = looked else {
                return Err(Unwanted);
            };
            file.link = link;
            let Some(reading) = file.news(tracker, found) else {
                continue;
            };
            self.readings.send(reading).await.map_err(|_| Unwanted)?;
        }
        Ok(())
    }
}

impl Watched {
    fn news(&mut self, tracker: &TrackerId, found: Found) -> Option<Reading> {
        let before = self.told.as_ref().map(|(value, _)| *value);
        let (value, detail) = match found {
            Found::Number(value) => (value, String::new()),
            Found::Missing => (0, "the file is not there".to_owned()),
            Found::Unreadable(why) => (0, format!("cannot be read: {why}")),
            Found::TooLarge => (
                before.unwrap_or(0),
                "holds a number that is too large, which is ignored".to_owned(),
            ),
        };
        let now = (value, detail);
        if self.told.as_ref() == Some(&now) {
            return None;
        }
        let (value, detail) = now.clone();
        self.told = Some(now);
        let name = &self.spec.name;
        let colon = if detail.is_empty() { "" } else { ": " };
        let path = &self.spec.path;
        info!("Tracked file {name} ({path}) has value {value}{colon}{detail}");
        Some(Reading {
            tracker: tracker.clone(),
            epoch: self.epoch,
            value: Value::Number(value),
            detail,
        })
    }
}

/// Off the slow lane's thread: a file system may hang. `None` at the end of
/// the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let confined = move || {
        // A thread of the start may be kept busy by files that change, and
        // would otherwise never be.
        crate::sandbox::follow();
        work()
    };
    tokio::task::spawn_blocking(confined).await.ok()
}
