//! `netlink`: any bytes as what the kernel announces.

use failoverd::io::netlink::monitor::{Event, events};

/// Of a message without a payload.
const HEADER: usize = 16;

pub fn run(data: &[u8]) {
    let all: Vec<Event> = events(data).collect();
    assert!(all.len() <= data.len() / HEADER);
    // An overrun is the socket's to tell.
    assert!(!all.contains(&Event::Overrun));
    // What was cut off takes nothing of what came before it along.
    for cut in [data.len() / 2, data.len().saturating_sub(1)] {
        let some: Vec<Event> = events(&data[..cut]).collect();
        assert_eq!(all.get(..some.len()), Some(&some[..]));
    }
}
