//! The sockets that adverts leave by, as the kernel has them.

use agent_common::Family;
use failoverd::io::advert::raw_socket;

use crate::lab;

/// The socket, or `None` with a line that says why not.
fn socket(family: Family) -> Option<socket2::Socket> {
    match raw_socket(family) {
        Ok(socket) => Some(socket),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            lab::skip(&error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

// proves: F-07, F-09, F-30, X-07
#[test]
fn adverts_of_ipv4_leave_as_internet_control_with_ttl_255_and_do_not_come_back() {
    let Some(socket) = socket(Family::V4) else {
        return;
    };
    assert_eq!(socket.protocol().unwrap().map(i32::from), Some(112));
    assert_eq!(socket.multicast_ttl_v4().unwrap(), 255);
    assert_eq!(socket.ttl_v4().unwrap(), 255);
    assert_eq!(socket.tos_v4().unwrap(), 0xC0);
    assert!(!socket.multicast_loop_v4().unwrap());
}

// proves: F-08, F-10, F-30, X-07
#[test]
fn adverts_of_ipv6_leave_as_internet_control_with_hop_limit_255_and_do_not_come_back() {
    let Some(socket) = socket(Family::V6) else {
        return;
    };
    assert_eq!(socket.protocol().unwrap().map(i32::from), Some(112));
    assert_eq!(socket.multicast_hops_v6().unwrap(), 255);
    assert_eq!(socket.unicast_hops_v6().unwrap(), 255);
    assert_eq!(socket.tclass_v6().unwrap(), 0xC0);
    assert!(!socket.multicast_loop_v6().unwrap());
}
