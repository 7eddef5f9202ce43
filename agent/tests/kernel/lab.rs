//! What the tests share: the kernel half or a reason to skip, and a watch on
//! the ring.

use std::{
    ffi::CString,
    fs::File,
    io, mem,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
    path::PathBuf,
    process::{Child, Command},
};

use failoverd::io::bpf::{BpfError, Kernel};
use failoverd_tests::packet::Packet;

/// Test runs come in on the loopback interface.
pub const LOOPBACK: u32 = 1;

/// The kernel half, or `None` with a line that says why not. In CI there is
/// no why not.
pub fn kernel() -> Option<Kernel> {
    match Kernel::load() {
        Ok(kernel) => Some(kernel),
        Err(error @ (BpfError::NoPermission | BpfError::NoBpf)) => {
            skip(&error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Says why a test does not run; fails where it is required to.
pub fn skip(why: &str) {
    failoverd_tests::privilege::ready(Some(why.to_owned()));
}

/// Notices wake-ups as a sleeping agent would: poll(2) would look for data.
pub struct Wakeups(OwnedFd);

impl Wakeups {
    /// The ring must be empty.
    pub fn of(ring: BorrowedFd<'_>) -> Self {
        // SAFETY: takes no pointer, returns a new descriptor.
        let epoll = unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(libc::EPOLL_CLOEXEC)) };
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: 0,
        };
        // SAFETY: `event` is live and only read.
        let added = unsafe {
            libc::epoll_ctl(
                epoll.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                ring.as_raw_fd(),
                &raw mut event,
            )
        };
        assert_eq!(added, 0, "{}", io::Error::last_os_error());
        Self(epoll)
    }

    /// Whether a wake-up came, waiting for one up to `timeout_ms`.
    pub fn came(&self, timeout_ms: i32) -> bool {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: room for the one event that is asked for.
        let count = unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, timeout_ms) };
        assert!(count >= 0, "{}", io::Error::last_os_error());
        count > 0
    }
}

/// Runs `ip` in the namespace of the calling thread.
pub fn link(arguments: &str) {
    assert!(try_link(arguments), "ip {arguments}");
}

/// As [`link`], for what a kernel may not have.
pub fn try_link(arguments: &str) -> bool {
    let mut ip = Command::new("ip");
    ip.args(arguments.split(' '))
        .status()
        .expect("iproute2")
        .success()
}

/// What `ip link` says of an interface.
pub fn shown(interface: &str) -> String {
    let output = Command::new("ip")
        .args(["link", "show", interface])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

pub fn ifindex(name: &str) -> u32 {
    let name = CString::new(name).unwrap();
    // SAFETY: a string that ends with zero.
    unsafe { libc::if_nametoindex(name.as_ptr()) }
}

/// Whether the running kernel is at least 6.6.
pub fn kernel_has_tcx() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(6))
}

/// The MAC address of an interface, by `ip`, as /sys shows the namespace it
/// was mounted in.
pub fn mac(interface: &str) -> [u8; 6] {
    let output = Command::new("ip")
        .args(["-br", "link", "show", interface])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mac = text.split_whitespace().nth(2).unwrap().to_owned();
    let bytes: Vec<u8> = mac
        .split(':')
        .map(|b| u8::from_str_radix(b, 16).unwrap())
        .collect();
    bytes.try_into().unwrap()
}

fn checked(fd: i32) -> OwnedFd {
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: a new descriptor, ours alone.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Sends a whole frame out of an interface.
pub fn send(interface: &str, frame: &[u8]) {
    // SAFETY: takes no pointer.
    let socket = checked(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) });
    // SAFETY: all zeroes is an address.
    let mut to: libc::sockaddr_ll = unsafe { mem::zeroed() };
    to.sll_family = libc::AF_PACKET as u16;
    to.sll_ifindex = ifindex(interface) as i32;
    // SAFETY: frame and address are live, with their sizes.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            0,
            (&raw const to).cast(),
            mem::size_of_val(&to) as u32,
        )
    };
    assert_eq!(sent, frame.len() as isize, "{}", io::Error::last_os_error());
}

/// A raw socket of protocol 112.
pub fn raw_socket() -> OwnedFd {
    // SAFETY: takes no pointer.
    checked(unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW, 112) })
}

/// The next packet, IPv4 header included.
pub fn receive(socket: &OwnedFd, timeout_ms: i32) -> Option<Vec<u8>> {
    let mut poll = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one live entry.
    if unsafe { libc::poll(&raw mut poll, 1, timeout_ms) } == 0 {
        return None;
    }
    let mut buffer = vec![0; 2048];
    // SAFETY: the buffer is live, with its size.
    let length = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            0,
        )
    };
    buffer.truncate(usize::try_from(length).unwrap());
    Some(buffer)
}

/// The packet in two fragments, 16 bytes in the first.
pub fn fragments(packet: &Packet) -> [Vec<u8>; 2] {
    let (first, second) = packet.message.split_at(16);
    let part = |message: &[u8]| Packet {
        message: message.to_vec(),
        ..packet.clone()
    };
    [
        part(first).frame_with_ipv4_byte(6, 0x20),
        part(second).frame_with_ipv4_byte(7, 2),
    ]
}

/// A keepalived of the calling thread's namespace.
pub struct Keepalived {
    child: Child,
    directory: PathBuf,
}

impl Keepalived {
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(configuration: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("failoverd-{}", std::process::id()));
        // A test that was killed may have left a pid file of the same name.
        let _nothing_there = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        let path = |name: &str| directory.join(name);
        std::fs::write(path("conf"), configuration).unwrap();
        let log = File::create(path("log")).unwrap();
        let child = Command::new("keepalived")
            .args(["-n", "-l", "-P", "-D", "-f"])
            .arg(path("conf"))
            .arg("-p")
            .arg(path("pid"))
            .arg("-r")
            .arg(path("vrrp-pid"))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, directory }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Asks it to leave and waits until it has.
    pub fn stop(&mut self) {
        // SAFETY: our own child, not waited for yet.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        self.child.wait().unwrap();
    }
}

impl Drop for Keepalived {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.stop();
        }
        let _gone = std::fs::remove_dir_all(&self.directory);
    }
}
