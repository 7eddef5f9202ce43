//! Interfaces by name, for callers that have no netlink connection.

use std::{io, mem::zeroed, os::fd::AsRawFd};

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
