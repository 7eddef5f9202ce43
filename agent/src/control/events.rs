//! The stream of events, from the control socket to whoever wants it.

use std::{
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
};

use super::{Refusal, Request, client::ClientError};
use crate::tell::feed::{Feed, READERS, Record, Subscription, What};

/// The agent's side: writes until the last event, or until the client goes.
pub(super) async fn stream(reader: Reader) {
    let Reader {
        mut subscription,
        mut to,
        mut from,
    } = reader;
    let begin = Record::now(What::Begin {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
    });
    if to.write_all(begin.line().as_bytes()).await.is_err() {
        return;
    }
    loop {
        let line = tokio::select! {
            line = subscription.next() => line,
            // It has nothing more to say: this is its end.
            _ = from.read_u8() => None,
        };
        let Some(line) = line else { return };
        // Whoever does not read waits here, and loses events there.
        if to.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A client that reads events.
pub(super) struct Reader {
    pub subscription: Subscription,
    pub to: OwnedWriteHalf,
    pub from: Asking,
}

/// What a client asks by.
pub(super) type Asking = tokio::io::BufReader<tokio::io::Take<OwnedReadHalf>>;

/// A place for one more reader.
pub(super) fn subscribe(feed: &Feed) -> Result<Subscription, Refusal> {
    feed.subscribe().ok_or_else(|| Refusal {
        error: format!("{READERS} programs read events already: end one of them"),
    })
}

/// The client's side: hands each line to `take`, which says whether to go on,
/// until the agent ends the stream.
///
/// # Errors
///
/// When nobody is there or it refuses, and what `take` says.
pub fn read(
    path: &Path,
    mut take: impl FnMut(&str) -> io::Result<bool>,
) -> Result<(), ClientError> {
    let broken = |source: io::Error| ClientError::Broken {
        path: path.display().to_string(),
        source,
    };
    let mut stream = super::client::connect(path)?;
    let mut request = serde_json::to_string(&Request::Events).map_err(|e| broken(e.into()))?;
    request.push('\n');
    stream.write_all(request.as_bytes()).map_err(broken)?;
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    let mut begun = false;
    loop {
        line.clear();
        if lines.read_line(&mut line).map_err(broken)? == 0 {
            return Ok(());
        }
        // An event can have an `error` as well.
        if !std::mem::replace(&mut begun, true)
            && let Ok(Refusal { error }) = serde_json::from_str(&line)
        {
            return Err(ClientError::Refused(error));
        }
        if !take(&line).map_err(broken)? {
            return Ok(());
        }
    }
}
