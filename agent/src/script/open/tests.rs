//! Paths that are safe for root, and paths that are not.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, lchown, symlink},
    path::{Path, PathBuf},
};

use super::*;

/// Below a directory that only root can change.
struct Place(PathBuf);

impl Place {
    /// `None` for other users than root: nothing here can be owned by it.
    fn new(name: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let path = PathBuf::from(format!("/run/fo-open-{}-{name}", std::process::id()));
        fs::create_dir(&path).ok()?;
        Some(Self(path))
    }

    fn file(&self, name: &str, mode: u32) -> String {
        let path = self.0.join(name);
        let written = fs::write(&path, "#!/bin/sh\n");
        let allowed = fs::set_permissions(&path, fs::Permissions::from_mode(mode));
        assert!(written.is_ok() && allowed.is_ok(), "{}", path.display());
        path.display().to_string()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: impl AsRef<Path>, mode: u32) {
    let path = path.as_ref();
    assert!(fs::set_permissions(path, fs::Permissions::from_mode(mode)).is_ok());
}

fn refused(program: &str) -> String {
    open(program, true)
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default()
}

#[test]
fn a_binary_is_told_from_a_script() {
    assert!(open("/bin/true", false).is_ok_and(|opened| opened.binary));
    assert!(open("true", false).is_ok_and(|opened| opened.binary));
    let Some(place) = Place::new("kind") else {
        return;
    };
    let script = place.file("x.sh", 0o755);
    let opened = open(&script, true);
    assert!(opened.is_ok_and(|opened| !opened.binary && *opened.name == *c"x.sh"));
}

#[test]
fn what_is_not_there_or_no_program_is_named() {
    let text = |program| open(program, false).err().map(|e| e.to_string());
    let missing = text("/nowhere/x").unwrap_or_default();
    assert!(missing.contains("'/nowhere/x' is not found"), "{missing}");
    assert!(text("no-such-program-at-all").is_some());
    assert!(text("../true").is_some_and(|e| e.contains("absolute")));
    assert!(text("").is_some());
    assert!(text("/dev/null").is_some_and(|e| e.contains("not a regular file")));
    assert!(text("/usr").is_some_and(|e| e.contains("not a regular file")));
    assert!(text("/bin/true/x").is_some_and(|e| e.contains("not found")));
}

#[test]
fn root_runs_nothing_that_others_could_change() {
    let Some(place) = Place::new("open") else {
        return;
    };
    let script = place.file("x.sh", 0o755);
    assert_eq!(refused(&script), "");
    mode(&script, 0o757);
    assert!(
        refused(&script).contains("x.sh may be changed"),
        "by anybody"
    );
    mode(&script, 0o755);
    assert!(chown(&script, Some(1), None).is_ok());
    assert!(
        refused(&script).contains("x.sh may be changed"),
        "by its owner"
    );
    assert!(chown(&script, Some(0), Some(1)).is_ok());
    assert_eq!(refused(&script), "", "a group that may not write");
    mode(&script, 0o775);
    assert!(
        refused(&script).contains("x.sh may be changed"),
        "by its group"
    );
    mode(&script, 0o755);
    mode(&place.0, 0o777);
    assert!(
        refused(&script).contains("may be changed"),
        "by its directory"
    );
    assert!(open(&script, false).is_ok(), "another user may");
    mode(&place.0, 0o1777);
    assert_eq!(refused(&script), "", "a sticky directory");
}

#[test]
fn links_are_followed_here_and_each_way_is_looked_at() {
    let Some(place) = Place::new("links") else {
        return;
    };
    place.file("x.sh", 0o755);
    let at = |name: &str| place.0.join(name);
    assert!(fs::create_dir(at("theirs")).is_ok() && symlink("../x.sh", at("theirs/x")).is_ok());
    assert!(symlink("theirs/x", at("y")).is_ok() && symlink("loop", at("loop")).is_ok());
    let through = at("y").display().to_string();
    assert_eq!(
        open(&through, true).ok().map(|o| o.name),
        Some(c"x.sh".to_owned())
    );
    let theirs = at("y");
    assert!(lchown(&theirs, Some(1), None).is_ok());
    assert!(
        refused(&through).contains("y may be changed"),
        "a link of theirs"
    );
    assert!(lchown(&theirs, Some(0), None).is_ok());
    assert!(chown(at("theirs"), Some(1), None).is_ok());
    // Where it ends is safe, and who owns the way there decides where it ends.
    assert!(refused(&through).contains("theirs may be changed"));
    assert!(refused(&at("loop").display().to_string()).contains("not found"));
}

#[test]
fn a_file_that_may_not_be_run_is_told_so() {
    let Some(place) = Place::new("exec") else {
        return;
    };
    let script = place.file("x.sh", 0o644);
    assert!(
        refused(&script).contains("ermission denied"),
        "{}",
        refused(&script)
    );
}
