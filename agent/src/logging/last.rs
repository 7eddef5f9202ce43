//! The last words of a process, or of one that must not wait.

use std::{fmt, io, os::fd::AsFd, os::fd::BorrowedFd};

use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};

/// What a pipe that has any room takes whole (PIPE_BUF).
const ROOM: usize = 4096;

/// One line to standard error, cut after 4096 bytes; nothing where nobody
/// reads: whoever has to end or to restart an agent waits for nobody.
pub fn say_last(message: fmt::Arguments<'_>) {
    say_to(io::stderr().as_fd(), &format!("{message}\n"));
}

fn say_to(fd: BorrowedFd<'_>, text: &str) {
    let text = text.get(..text.floor_char_boundary(ROOM));
    let mut ready = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    let at_once = Timespec::default();
    if poll(&mut ready, Some(&at_once)).is_ok_and(|count| count > 0) {
        let _ = rustix::io::write(fd, text.unwrap_or_default().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, sync::mpsc, thread, time::Duration};

    use super::*;

    #[test]
    fn a_full_pipe_holds_nobody_up_and_an_empty_one_gets_it() {
        let (mut read, write) = io::pipe().unwrap();
        say_to(write.as_fd(), &"ä".repeat(ROOM));
        let mut text = vec![0; 2 * ROOM];
        let length = read.read(&mut text).unwrap();
        assert_eq!(length, ROOM);
        let (done, ended) = mpsc::channel();
        // On its own: it would never end otherwise.
        thread::spawn(move || {
            for _ in 0..1000 {
                say_to(write.as_fd(), &"x".repeat(ROOM));
            }
            let _ = done.send(());
        });
        ended.recv_timeout(Duration::from_secs(30)).unwrap();
    }
}
