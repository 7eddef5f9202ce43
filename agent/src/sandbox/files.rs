//! What is left of the file system to a thread, as Landlock rules.

use std::{
    fs,
    path::{Path, PathBuf},
};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};

/// Directories of the root that hold the system itself: nothing is written,
/// made or removed there, unless the configuration names a place in them.
const SYSTEM: &[&str] = &[
    "bin", "boot", "dev", "efi", "etc", "gnu", "lib", "lib32", "lib64", "libx32", "nix", "proc",
    "root", "sbin", "sys", "usr",
];

/// What is written in those all the same.
const EXCEPTIONS: &[&str] = &[
    "/dev/console",
    "/dev/null",
    "/dev/pts",
    "/dev/shm",
    "/dev/tty",
    // Settings of interfaces.
    "/proc/sys/net",
];

/// What a kernel may know by now; an older one enforces what it knows.
const KNOWN: ABI = ABI::V6;
/// Without the right over the ioctls of devices, which come by open
/// descriptors.
const WRITES: ABI = ABI::V3;

/// No file system at all, no TCP, and neither signals to others nor sockets of
/// others.
///
/// # Errors
///
/// When the kernel refuses a rule that it knows.
pub fn nothing() -> Result<RulesetCreated, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()
}

/// Reading anything; running nothing; writing outside of the system and in
/// `places`, directories that the configuration names; no device nodes.
///
/// A reload may name any file, so that what is writable cannot be less.
///
/// # Errors
///
/// As [`nothing`].
pub fn no_system(places: &[PathBuf]) -> Result<RulesetCreated, RulesetError> {
    let writes = AccessFs::from_write(WRITES);
    let nodes: BitFlags<AccessFs> = AccessFs::MakeChar | AccessFs::MakeBlock;
    let writable = outside()
        .into_iter()
        .chain(EXCEPTIONS.iter().map(PathBuf::from))
        .chain(places.iter().cloned());
    Ruleset::default()
        .handle_access(writes | AccessFs::Execute)?
        .create()?
        .add_rules(path_beneath_rules(writable, writes & !nodes))
}

/// Whether [`no_system`] leaves the directory of `file` writable.
pub fn is_writable(file: &Path, places: &[PathBuf]) -> bool {
    let Some(directory) = file.parent() else {
        return false;
    };
    // As the kernel will find it; what is not there yet is taken by its name.
    let real = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let allowed = EXCEPTIONS.iter().map(Path::new);
    let allowed = allowed.chain(places.iter().map(PathBuf::as_path));
    let mut parts = real.components().skip(1);
    let top = parts.next().map(|top| top.as_os_str().to_owned());
    let outside = top.is_some_and(|top| SYSTEM.iter().all(|system| top != *system));
    outside || allowed.into_iter().any(|place| real.starts_with(place))
}

/// The directories of the root that are not the system.
fn outside() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir("/") else {
        return Vec::new();
    };
    let ours = entries.flatten().filter(|entry| {
        let name = entry.file_name();
        // A symbolic link leads to what has a rule of its own, or to the system.
        entry.file_type().is_ok_and(|kind| kind.is_dir())
            && SYSTEM.iter().all(|system| name != *system)
    });
    ours.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_not_written_but_where_the_configuration_says_so() {
        let places = [PathBuf::from("/etc/keepalived")];
        for (file, writable) in [
            ("/run/failoverd/keepalived.data", true),
            ("/tmp/keepalived.json", true),
            ("/var/lib/no-such-directory/file", true),
            ("/etc/keepalived/fifo", true),
            ("/etc/passwd", false),
            ("/usr/sbin/failoverd", false),
            ("/root/.ssh/authorized_keys", false),
            ("/proc/sys/kernel/core_pattern", false),
            ("/proc/sys/net/ipv4/ip_forward", true),
            ("/file", false),
        ] {
            assert_eq!(is_writable(Path::new(file), &places), writable, "{file}");
        }
    }
}
