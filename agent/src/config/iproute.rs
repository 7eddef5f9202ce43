//! Names of tables, protocols and the like, as iproute2's files give them.
//!
//! Read at configuration time, and only where a file uses a name that is not
//! a number and not the kernel's own.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// The most that is read of one file.
const MAX_BYTES: u64 = 64 << 10;

/// Where the files are.
#[derive(Clone, Debug)]
pub struct Names {
    /// The administrator's: counts before the other one.
    pub etc: PathBuf,
    pub usr: PathBuf,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            etc: "/etc/iproute2".into(),
            usr: "/usr/share/iproute2".into(),
        }
    }
}

/// What a number is of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Of {
    Table,
    Protocol,
    Scope,
    Realm,
    Dsfield,
    Group,
}

impl Of {
    const fn file(self) -> &'static str {
        match self {
            Self::Table => "rt_tables",
            Self::Protocol => "rt_protos",
            Self::Scope => "rt_scopes",
            Self::Realm => "rt_realms",
            Self::Dsfield => "rt_dsfield",
            Self::Group => "group",
        }
    }

    /// What needs no file.
    const fn known(self) -> &'static [(&'static str, u32)] {
        match self {
            Self::Table => &[("default", 253), ("main", 254), ("local", 255)],
            Self::Protocol => &[
                ("redirect", 1),
                ("kernel", 2),
                ("boot", 3),
                ("static", 4),
                ("ra", 9),
                ("keepalived", 18),
            ],
            Self::Scope => &[
                ("global", 0),
                ("universe", 0),
                ("site", 200),
                ("link", 253),
                ("host", 254),
                ("nowhere", 255),
            ],
            Self::Realm => &[],
            Self::Dsfield | Self::Group => &[("default", 0)],
        }
    }

    const fn most(self) -> u32 {
        match self {
            Self::Table | Self::Group => u32::MAX,
            Self::Protocol | Self::Scope | Self::Dsfield => 0xff,
            Self::Realm => 0xffff,
        }
    }
}

impl Names {
    /// The number that a word stands for; `None` where nobody says, or where
    /// it is too large.
    pub fn number(&self, of: Of, word: &str) -> Option<u32> {
        let known = || of.known().iter().find(|(name, _)| *name == word);
        let number = number(word)
            .or_else(|| known().map(|(_, number)| *number))
            .or_else(|| self.named(of, word))?;
        (number <= of.most()).then_some(number)
    }

    fn named(&self, of: Of, word: &str) -> Option<u32> {
        let usr_lib = Path::new("/usr/lib/iproute2");
        let places = [self.etc.as_path(), self.usr.as_path(), usr_lib];
        places
            .iter()
            .find_map(|place| look_up(&place.join(of.file()), word))
    }
}

/// Decimal, or hexadecimal behind `0x`.
pub fn number(word: &str) -> Option<u32> {
    match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u32::from_str_radix(hex, 16).ok()
        }
        Some(_) => None,
        None if word.bytes().all(|byte| byte.is_ascii_digit()) => word.parse().ok(),
        None => None,
    }
}

/// Only regular files: nothing that waits for somebody.
fn look_up(path: &Path, word: &str) -> Option<u32> {
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_BYTES).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let found = number(words.next()?)?;
        (words.next()? == word).then_some(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers_those_of_the_kernel_or_those_of_a_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("rt_tables"),
            "# x\n 0x10\tblue # y\n300 red\n",
        )
        .unwrap();
        let names = Names {
            etc: dir.path().into(),
            ..Names::default()
        };
        for (of, word, expected) in [
            (Of::Table, "main", Some(254)),
            (Of::Table, "blue", Some(16)),
            (Of::Table, "red", Some(300)),
            (Of::Table, "#", None),
            (Of::Table, "0x1ff", Some(511)),
            (Of::Table, "-1", None),
            (Of::Protocol, "keepalived", Some(18)),
            (Of::Protocol, "256", None),
            (Of::Scope, "link", Some(253)),
            (Of::Realm, "65536", None),
        ] {
            assert_eq!(names.number(of, word), expected, "{word}");
        }
    }
}
