//! What hides a VLAN tag from XDP, the driver taking it out of the frame; and
//! which driver that is.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

/// Bit of `ETHTOOL_GFLAGS`: received tags are stripped (linux/ethtool.h).
const ETH_FLAG_RXVLAN: u32 = 1 << 8;
const ETHTOOL_GFLAGS: u32 = 0x25;

const ETHTOOL_GDRVINFO: u32 = 0x03;

/// `struct ethtool_drvinfo`: 196 bytes.
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    rest: [u8; 160],
}

const _: () = assert!(size_of::<DriverInfo>() == 196);

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Whether VLAN devices lie on top of `interface` while its driver strips
/// tags: then adverts of all its VLANs look alike to XDP.
///
/// `false` where either cannot be found out: a driver without ethtool does not
/// strip, a kernel without VLANs has none.
pub fn hides_vlan_tags(interface: &str) -> bool {
    has_vlan_devices(interface) && rx_flags(interface).unwrap_or(0) & ETH_FLAG_RXVLAN != 0
}

/// The table of the namespace that the calling thread is in, unlike /sys.
fn has_vlan_devices(interface: &str) -> bool {
    let table = std::fs::read_to_string("/proc/thread-self/net/vlan/config").unwrap_or_default();
    is_parent(&table, interface)
}

/// Lines are `device | id | parent`.
fn is_parent(table: &str, interface: &str) -> bool {
    table.lines().any(|line| {
        let mut columns = line.split('|').map(str::trim);
        columns.nth(2) == Some(interface)
    })
}

fn rx_flags(interface: &str) -> io::Result<u32> {
    let mut value = Value {
        command: ETHTOOL_GFLAGS,
        data: 0,
    };
    // SAFETY: the command writes no more than the value.
    unsafe { ask(interface, (&raw mut value).cast()) }?;
    Ok(value.data)
}

/// The name of the driver of `interface`; `None` where it does not say.
pub fn driver(interface: &str) -> Option<String> {
    let mut info = DriverInfo {
        command: ETHTOOL_GDRVINFO,
        driver: [0; 32],
        rest: [0; 160],
    };
    // SAFETY: the command writes a `struct ethtool_drvinfo`, which this is.
    unsafe { ask(interface, (&raw mut info).cast()) }.ok()?;
    let name = std::ffi::CStr::from_bytes_until_nul(&info.driver).ok()?;
    Some(name.to_string_lossy().into_owned())
}

/// One ethtool command.
///
/// # Safety
///
/// `data` must be valid for what the command that it begins with reads and
/// writes.
unsafe fn ask(interface: &str, data: *mut libc::c_char) -> io::Result<()> {
    // SAFETY: all zeroes is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let room = request.ifr_name.len().saturating_sub(1);
    for (to, from) in request
        .ifr_name
        .iter_mut()
        .take(room)
        .zip(interface.bytes())
    {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = data;
    // SAFETY: takes no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor, ours alone.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: `request` is live and points to what the caller answers for.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: R-22
    #[test]
    fn r22_vlan_parents() {
        let table = "VLAN Dev name\t | VLAN ID\n\
                     Name-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n\
                     eth0.100       | 100  | eth0\n\
                     bond0.7        | 7  | bond0\n";
        assert!(is_parent(table, "eth0"));
        assert!(is_parent(table, "bond0"));
        assert!(!is_parent(table, "eth0.100"));
        assert!(!is_parent(table, "eth"));
        assert!(!is_parent("", "eth0"));
    }

    #[test]
    fn no_such_interface() {
        assert!(rx_flags("no-such-if0").is_err());
        assert!(!hides_vlan_tags("lo"));
    }
}
