//! Lines on their way to a reader who may stand still: whoever logs never waits.
//!
//! A pipe that nobody reads, or a disk that hangs, would stop the slow lane
//! with its next line, and systemd's watchdog would end an agent that is well.
//! So a thread of its own writes, and what it cannot keep up with is counted
//! and told in its place.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

use crate::sandbox;

/// Lines that wait at most, and their bytes.
const LINES: usize = 4096;
const BYTES: usize = 1 << 20;
/// The thread only writes; all memory is locked, so its stack is small.
const STACK: usize = 128 << 10;
/// What a reader has to take the last lines when the process ends.
const LAST_LINES: Duration = Duration::from_millis(300);

/// Those of this process.
static OPEN: Mutex<Vec<Queue>> = Mutex::new(Vec::new());

/// Waits for what was logged to be written, for a moment.
pub(super) fn finish() {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    for queue in open.iter() {
        queue.flush(LAST_LINES);
    }
}

/// The sending end; clones share one queue.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    written: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Since the last line that found room.
    lost: u64,
    /// The thread has a line in its hands.
    writing: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Starts the thread that writes to `sink`, for as long as the process lives.
    ///
    /// # Errors
    ///
    /// When there is no thread to be had.
    pub fn start(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Self(Arc::default());
        let shared = Arc::clone(&queue.0);
        thread::Builder::new()
            .name("log".to_owned())
            .stack_size(STACK)
            .spawn(move || shared.write_to(sink))?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.push(queue.clone());
        Ok(queue)
    }

    /// Takes a line, or counts it where there is no room. Never waits for the
    /// reader.
    fn push(&self, line: &[u8]) {
        let mut state = self.0.state();
        let bytes = state.bytes.saturating_add(line.len());
        // One place is kept for what is said of those that were lost.
        if state.lines.len().saturating_add(1) >= LINES || bytes > BYTES {
            state.lost = state.lost.saturating_add(1);
            return;
        }
        if let Some(note) = state.note() {
            state.enqueue(note);
        }
        state.enqueue(line.to_vec());
        drop(state);
        self.0.arrived.notify_one();
    }

    /// Waits until all is written, `within` that time at most.
    fn flush(&self, within: Duration) {
        let waits = |state: &mut State| state.writing || !state.is_empty();
        let state = self.0.state();
        let result = self.0.written.wait_timeout_while(state, within, waits);
        drop(result);
    }
}

impl State {
    /// Nothing to be written, not even that something was lost.
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.lost == 0
    }

    /// What is said of those that were lost, in their place.
    fn note(&mut self) -> Option<Vec<u8>> {
        let lost = std::mem::take(&mut self.lost);
        let note = format!("failoverd: {lost} lines of the log were lost, nobody read it\n");
        (lost > 0).then_some(note.into_bytes())
    }

    fn enqueue(&mut self, line: Vec<u8>) {
        self.bytes = self.bytes.saturating_add(line.len());
        self.lines.push_back(line);
    }
}

impl Shared {
    fn write_to(&self, mut sink: impl Write) {
        loop {
            let mut state = self.state();
            state.writing = false;
            self.written.notify_all();
            let mut state = self
                .arrived
                .wait_while(state, |state| state.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            let line = match state.lines.pop_front() {
                Some(line) => {
                    state.bytes = state.bytes.saturating_sub(line.len());
                    line
                }
                // All that was there is written, and no line came since.
                None => state.note().unwrap_or_default(),
            };
            state.writing = true;
            drop(state);
            sandbox::follow();
            // Nobody can be told that the log does not work.
            let _ = sink.write_all(&line).and_then(|()| sink.flush());
        }
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self)
    }
}

/// One line of the log, which comes in one piece.
#[derive(Debug)]
pub struct Line<'a>(&'a Queue);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn lines_arrive_in_order_and_a_flush_waits_for_them() {
        let (mut read, write) = io::pipe().unwrap();
        let queue = Queue::start(write).unwrap();
        for number in 0..100 {
            queue
                .make_writer()
                .write_all(format!("{number}\n").as_bytes())
                .unwrap();
        }
        queue.flush(Duration::from_secs(10));
        let mut text = vec![0; 290];
        read.read_exact(&mut text).unwrap();
        let expected: String = (0..100).map(|number| format!("{number}\n")).collect();
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn without_a_reader_nobody_waits_and_what_is_lost_is_told() {
        const SENT: usize = 3 * LINES;
        let (read, write) = io::pipe().unwrap();
        let queue = Queue::start(write).unwrap();
        let line = format!("{}\n", "x".repeat(99));
        for _ in 0..SENT {
            queue.make_writer().write_all(line.as_bytes()).unwrap();
        }
        queue.flush(Duration::from_millis(1));
        let state = queue.0.state();
        assert!(state.lines.len() < LINES && state.bytes <= BYTES);
        assert!(state.lost > 0);
        drop(state);
        // Somebody reads again.
        let reader = thread::spawn(move || {
            let mut seen = 0;
            for found in io::BufRead::lines(io::BufReader::new(read)) {
                let found = found.unwrap();
                match found.strip_prefix("failoverd: ") {
                    Some(note) => {
                        let lost = note.split(' ').next().unwrap();
                        return (seen, lost.parse::<usize>().unwrap());
                    }
                    None => seen += 1,
                }
            }
            (seen, 0)
        });
        let (seen, lost) = reader.join().unwrap();
        assert_eq!(seen + lost, SENT);
    }
}
