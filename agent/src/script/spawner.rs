//! The one thread that starts programs.
//!
//! What a thread has given up, a program that it starts has not either: a
//! seccomp filter, Landlock rules and `no_new_privs` pass on to it for ever.
//! Scripts are nobody's business but their owner's, so they are started by a
//! thread that gives up nothing, and does nothing else.

use std::{
    io,
    process::{Child, Command},
    sync::{
        OnceLock,
        mpsc::{Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

/// It starts processes and no more; all memory is locked, so its stack is small.
const STACK: usize = 256 << 10;

type Job = (Command, SyncSender<io::Result<Child>>);

static THREAD: OnceLock<Sender<Job>> = OnceLock::new();

/// Starts the thread, for as long as the process lives. To be called before
/// anything is given up; without it whoever asks starts a program itself.
///
/// # Errors
///
/// When there is no thread to be had.
pub fn begin() -> io::Result<()> {
    if THREAD.get().is_some() {
        return Ok(());
    }
    let (sender, jobs) = channel::<Job>();
    thread::Builder::new()
        .name("failoverd-spawn".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            for (mut command, answer) in jobs {
                // Whoever asked waits for it.
                let _ = answer.send(command.spawn());
            }
        })?;
    // Somebody else was faster: one is enough, and that of the loser ends.
    let _ = THREAD.set(sender);
    Ok(())
}

/// Starts `command`, by that thread where there is one. Waits for as long as
/// the start of a process takes.
///
/// # Errors
///
/// Why there is no process.
pub fn spawn(mut command: Command) -> io::Result<Child> {
    let Some(jobs) = THREAD.get() else {
        return command.spawn();
    };
    let gone = || io::Error::other("the thread that starts programs is gone");
    let (answer, child) = sync_channel(1);
    jobs.send((command, answer)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}
