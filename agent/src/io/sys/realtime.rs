//! The real-time signals that keepalived gives a meaning; their numbers depend
//! on the C library.

/// keepalived.json.
pub fn json() -> i32 {
    libc::SIGRTMIN().saturating_add(2)
}

/// keepalived.stats, and all counters from 0 again.
pub fn stats_clear() -> i32 {
    libc::SIGRTMAX().saturating_sub(1)
}

/// What the threads do, into the log.
pub fn threads() -> i32 {
    libc::SIGRTMAX()
}
