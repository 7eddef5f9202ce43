//! Into the background, and back to whoever called: did it start?

use std::{
    io::{self, Read, Write},
    process::ExitCode,
};

use crate::io::sys::{self, Fork};

/// Which process this is after [`detach`].
#[derive(Debug)]
pub enum Side {
    /// The one that was called, at its end: the daemon runs, or has said why not.
    Caller(ExitCode),
    Daemon(Teller),
}

/// Tells the caller how the start went. Dropped before, it has failed.
#[derive(Debug)]
pub struct Teller(io::PipeWriter);

impl Teller {
    /// Ends the caller with this exit code.
    pub fn tell(mut self, code: u8) {
        // A caller that was killed does not mind.
        let _ = self.0.write_all(&[code]);
    }
}

/// Goes on in a copy of this process that has no terminal, while the original
/// waits to be told how the start went.
///
/// # Errors
///
/// When there is no process or no descriptor to be had.
pub fn detach() -> io::Result<Side> {
    let (mut read, write) = io::pipe()?;
    match sys::fork()? {
        Fork::Parent => {
            drop(write);
            let mut code = [1];
            // Without a word it died.
            let _ = read.read_exact(&mut code);
            Ok(Side::Caller(ExitCode::from(code[0])))
        }
        Fork::Child => {
            drop(read);
            rustix::process::setsid()?;
            // No file system is kept from being unmounted.
            rustix::process::chdir("/")?;
            Ok(Side::Daemon(Teller(write)))
        }
    }
}
