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

/// Whether the interface of this name is up and operational, as the kernel has
/// it at this moment: earlier than it says so over netlink. Any socket of the
/// network namespace will do.
///
/// Neither request waits for a lock. SIOCGIFNAME, which would find the name by
/// the index, does on Linux 5.8 to 6.9: for one that renames hold.
///
/// # Errors
///
/// ENODEV where there is none of this name, or it has another index.
pub fn is_running(socket: BorrowedFd<'_>, name: &str, ifindex: u32) -> io::Result<bool> {
    let mut request = request(name);
    // SAFETY: the request is a live ifreq with a name that ends with 0, and
    // SIOCGIFFLAGS writes only its flags, an integer.
    let flags = unsafe {
        let told = libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request);
        check(told as libc::ssize_t)?;
        i32::from(request.ifr_ifru.ifru_flags)
    };
    // SAFETY: as above, and SIOCGIFINDEX writes only its index, an integer.
    let index = unsafe {
        let told = libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFINDEX, &raw mut request);
        check(told as libc::ssize_t)?;
        request.ifr_ifru.ifru_ifindex
    };
    // The name may be another interface's by now.
    if u32::try_from(index) != Ok(ifindex) {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    Ok(flags & libc::IFF_RUNNING != 0)
}

/// IFF_ flags of an interface; the 16 bits that fit the old request.
pub fn interface_flags(name: &str) -> io::Result<u32> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    let mut request = request(name);
    // SAFETY: the request is a live ifreq, and SIOCGIFFLAGS writes only its flags.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
    check(result as libc::ssize_t)?;
    // SAFETY: a successful SIOCGIFFLAGS filled the flags, an integer.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok(u32::from(flags as u16))
}

/// About the interface of this name, which always ends with 0.
fn request(name: &str) -> libc::ifreq {
    // SAFETY: ifreq is plain data for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name.iter_mut().take(room).zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request
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
        assert!(is_running(socket.as_fd(), "lo", ifindex).is_ok());
        // Another one has the name now.
        for other in [0, u32::MAX, i32::MAX as u32] {
            assert!(is_running(socket.as_fd(), "lo", other).is_err());
        }
        for nobody in ["", "nobody-has-this"] {
            assert!(is_running(socket.as_fd(), nobody, ifindex).is_err());
        }
    }
}
