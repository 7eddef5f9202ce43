//! Interfaces by name, for callers that have no netlink connection.

use std::{
    io,
    mem::zeroed,
    os::fd::{AsRawFd, BorrowedFd},
};

use super::check;

/// Names and indices of all network interfaces.
pub fn interfaces() -> io::Result<Vec<(u32, String)>> {
    // SAFETY: no arguments; the result is checked before it is used.
    let list = unsafe { libc::if_nameindex() };
    if list.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    // SAFETY: if_nameindex returns an array that an entry with index 0 ends;
    // every name before it is a C string, and the array is freed once, after
    // the names were copied.
    unsafe {
        let mut entry = list;
        while (*entry).if_index != 0 {
            let name = std::ffi::CStr::from_ptr((*entry).if_name);
            found.push(((*entry).if_index, name.to_string_lossy().into_owned()));
            entry = entry.add(1);
        }
        libc::if_freenameindex(list);
    }
    Ok(found)
}

/// Whether an interface is up and operational, as the kernel has it at this
/// moment: earlier than it says so over netlink, and without its RTNL lock. Any
/// socket of the network namespace will do.
///
/// # Errors
///
/// ENODEV for one that is gone.
pub fn is_running(socket: BorrowedFd<'_>, ifindex: u32) -> io::Result<bool> {
    // SAFETY: ifreq is plain data for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    request.ifr_ifru.ifru_ifindex = i32::try_from(ifindex).unwrap_or(0);
    // SAFETY: the request is a live ifreq, of which SIOCGIFNAME reads the index
    // and writes the name, and SIOCGIFFLAGS reads the name and writes the flags.
    unsafe {
        let named = libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFNAME, &raw mut request);
        check(named as libc::ssize_t)?;
        let told = libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request);
        check(told as libc::ssize_t)?;
    }
    // SAFETY: a successful SIOCGIFFLAGS filled the flags, an integer.
    let flags = i32::from(unsafe { request.ifr_ifru.ifru_flags });
    Ok(flags & libc::IFF_RUNNING != 0)
}

/// IFF_ flags of an interface; the 16 bits that fit the old request.
pub fn interface_flags(name: &str) -> io::Result<u32> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    // SAFETY: ifreq is plain data for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name.iter_mut().take(room).zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: the request is a live ifreq, and SIOCGIFFLAGS writes only its flags.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
    check(result as libc::ssize_t)?;
    // SAFETY: a successful SIOCGIFFLAGS filled the flags, an integer.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok(u32::from(flags as u16))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn an_interface_that_is_gone_is_an_error() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let loopback = interfaces()
            .unwrap()
            .into_iter()
            .find(|(_, name)| name == "lo");
        let ifindex = loopback.expect("a loopback interface").0;
        assert!(is_running(socket.as_fd(), ifindex).is_ok());
        for nobody in [0, u32::MAX, i32::MAX as u32] {
            assert!(is_running(socket.as_fd(), nobody).is_err());
        }
    }
}
