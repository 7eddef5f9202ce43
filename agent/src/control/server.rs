//! The agent's end of the control socket.

use std::{
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::{fs::Mode, process::umask};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};

use super::{Answer, MAX_REQUEST, Refusal, Request, events, peer::Rights};
use crate::tell::feed::Feed;

/// A client that is slower than this is not served.
const PATIENCE: Duration = Duration::from_secs(5);
/// What clients have to take their answers when a successor goes on.
const LAST_ANSWERS: Duration = Duration::from_millis(200);
/// Clients served at a time; the next ones wait in the listen queue.
const CLIENTS: usize = 16;
/// Of those, how many may be there who can only look; more are turned away, so
/// that nobody keeps an operator waiting.
const ONLOOKERS: usize = 4;

/// A question to the agent's main loop.
#[derive(Debug)]
pub struct Question {
    pub request: Request,
    /// Answered with the reason when it cannot be had.
    pub answer: oneshot::Sender<Result<Answer, String>>,
}

/// A bound control socket, removed when dropped.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    clients: Arc<Semaphore>,
    onlookers: Arc<Semaphore>,
    /// The path is somebody else's.
    spared: AtomicBool,
}

impl Server {
    /// Binds the socket, mode 0660, in a directory that is made if need be. A socket that a dead agent left is
    /// replaced; one that answers, or a file that is no socket, is not.
    ///
    /// # Errors
    ///
    /// When somebody listens there, or the path cannot be used.
    pub fn bind(path: &Path) -> io::Result<Self> {
        if let Ok(metadata) = fs::symlink_metadata(path) {
            if !metadata.file_type().is_socket() {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "exists and is no socket",
                ));
            }
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(io::Error::new(
                    io::ErrorKind::AddrInUse,
                    "another failoverd is listening there",
                ));
            }
            fs::remove_file(path)?;
        }
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        if let Some(directory) = directory.filter(|directory| !directory.exists()) {
            fs::DirBuilder::new().mode(0o750).create(directory)?;
        }
        // Nobody gets in between bind and chmod.
        let before = umask(Mode::from_raw_mode(0o177));
        let listener = UnixListener::bind(path);
        umask(before);
        let listener = listener?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
        Ok(Self::new(listener, path))
    }

    /// Goes on with the socket of a predecessor, which is bound to `path`.
    ///
    /// # Errors
    ///
    /// When it is no listening socket.
    pub fn adopt(listener: OwnedFd, path: &Path) -> io::Result<Self> {
        let listener = std::os::unix::net::UnixListener::from(listener);
        listener.set_nonblocking(true)?;
        Ok(Self::new(UnixListener::from_std(listener)?, path))
    }

    fn new(listener: UnixListener, path: &Path) -> Self {
        Self {
            listener,
            path: path.to_owned(),
            clients: Arc::new(Semaphore::new(CLIENTS)),
            onlookers: Arc::new(Semaphore::new(ONLOOKERS)),
            spared: AtomicBool::new(false),
        }
    }

    /// Whether the path stays when this end goes.
    pub fn spare(&self, spared: bool) {
        self.spared.store(spared, Ordering::Relaxed);
    }

    /// Leaves the socket to a successor, once all clients have their answers.
    pub async fn leave(self) {
        self.spare(true);
        // One that does not read is not waited for: our end is what tells the
        // supervisor who has the VIPs.
        let _ = timeout(LAST_ANSWERS, self.clients.acquire_many(CLIENTS as u32)).await;
    }

    /// Serves clients for ever; their questions go to `questions`.
    pub async fn serve(&self, questions: mpsc::Sender<Question>, feed: Feed) {
        loop {
            let Ok(permit) = self.clients.clone().acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let rights = Rights::of(&stream, &self.path);
                    let place = match rights {
                        Rights::All => None,
                        Rights::Look => match self.onlookers.clone().try_acquire_owned() {
                            Ok(place) => Some(place),
                            Err(_) => continue,
                        },
                    };
                    let (questions, feed) = (questions.clone(), feed.clone());
                    tokio::spawn(async move {
                        // Kept for as long as events are read.
                        let _place = place;
                        // A client that breaks off harms only itself.
                        let served = client(stream, rights, questions, &feed).await;
                        // Readers of events have places of their own.
                        drop(permit);
                        if let Ok(Some(reader)) = served {
                            events::stream(reader).await;
                        }
                    });
                }
                // Out of descriptors, most likely: others may come free.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.spared.load(Ordering::Relaxed) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

async fn client(
    stream: UnixStream,
    rights: Rights,
    questions: mpsc::Sender<Question>,
    feed: &Feed,
) -> io::Result<Option<events::Reader>> {
    let (read, mut write) = stream.into_split();
    let mut line = Vec::new();
    let mut reader = BufReader::new(read.take(MAX_REQUEST as u64));
    timeout(PATIENCE, reader.read_until(b'\n', &mut line)).await??;
    let request = Request::parse(&line).and_then(|request| {
        rights.check(&request)?;
        Ok(request)
    });
    let answer = match request {
        Ok(Request::Events) => match events::subscribe(feed) {
            Ok(subscription) => {
                let (to, from) = (write, reader);
                return Ok(Some(events::Reader {
                    subscription,
                    to,
                    from,
                }));
            }
            Err(refusal) => Err(refusal),
        },
        Ok(request) => ask(request, &questions)
            .await
            .map_err(|error| Refusal { error }),
        Err(refusal) => Err(refusal),
    };
    let mut text = match answer {
        Ok(answer) => serde_json::to_string(&answer)?,
        Err(refusal) => serde_json::to_string(&refusal)?,
    };
    text.push('\n');
    timeout(PATIENCE, write.write_all(text.as_bytes())).await??;
    Ok(None)
}

async fn ask(request: Request, questions: &mpsc::Sender<Question>) -> Result<Answer, String> {
    let gone = || "the agent is shutting down".to_owned();
    let (answer, result) = oneshot::channel();
    questions
        .send(Question { request, answer })
        .await
        .map_err(|_| gone())?;
    result.await.map_err(|_| gone())?
}
