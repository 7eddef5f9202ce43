//! Names that statements have in common: scripts and who tracks them, groups
//! and their members.

use std::collections::HashSet;

use crate::config::diagnostic::Code;
use crate::config::lexer::Word;
use crate::config::sink::Sink;
use crate::config::tree::Statement;

/// What can have a name, and be asked for by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Named {
    Instance,
    Script,
    File,
    Process,
    Bfd,
    ServerGroup,
}

impl Named {
    fn of(keyword: &str) -> Option<Self> {
        Some(match keyword {
            "vrrp_instance" => Self::Instance,
            "vrrp_script" => Self::Script,
            "track_file" | "vrrp_track_file" => Self::File,
            "vrrp_track_process" => Self::Process,
            "bfd_instance" => Self::Bfd,
            "virtual_server_group" => Self::ServerGroup,
            _ => return None,
        })
    }

    /// What the entries of a list refer to.
    fn tracked_by(keyword: &str) -> Option<Self> {
        Some(match keyword {
            "track_script" => Self::Script,
            "track_file" => Self::File,
            "track_process" => Self::Process,
            "track_bfd" => Self::Bfd,
            _ => return None,
        })
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Instance => "vrrp_instance",
            Self::Script => "track script",
            Self::File => "track file",
            Self::Process => "track process",
            Self::Bfd => "BFD instance",
            Self::ServerGroup => "virtual_server_group",
        }
    }

    /// keepalived resolves members of groups at the end of the file, all the
    /// rest where it stands.
    const fn may_come_later(self) -> bool {
        match self {
            Self::Instance | Self::ServerGroup => true,
            Self::Script | Self::File | Self::Process | Self::Bfd => false,
        }
    }
}

/// The names of a whole configuration.
#[derive(Debug, Default)]
pub struct Names {
    all: HashSet<(Named, String)>,
    so_far: HashSet<(Named, String)>,
}

impl Names {
    /// Reports every name that nothing has, or not yet where it is needed.
    pub fn check(tree: &[Statement], sink: &mut Sink) {
        let mut names = Self::default();
        for statement in tree {
            if let Some(name) = named(statement) {
                names.all.insert(name);
            }
        }
        for statement in tree {
            if let Some(name) = named(statement) {
                names.define(statement, name, sink);
            }
            names.references(statement, sink);
        }
    }

    fn define(&mut self, statement: &Statement, name: (Named, String), sink: &mut Sink) {
        let kind = name.0;
        let again = !self.so_far.insert(name);
        // Instances report it themselves.
        if let Some(word) = statement.arguments().first().filter(|_| again)
            && kind != Named::Instance
        {
            let message = format!("{} {} already defined", kind.word(), word.text);
            sink.warn(Code::Duplicate, word.span, message)
                .help("give it a name of its own");
        }
    }

    fn references(&self, statement: &Statement, sink: &mut Sink) {
        match statement.keyword() {
            "vrrp_instance" => self.trackers(statement, sink),
            "vrrp_sync_group" => {
                self.members(statement, sink);
                self.trackers(statement, sink);
            }
            "track_group" => self.members(statement, sink),
            "virtual_server" => {
                if let [group, name, ..] = statement.arguments()
                    && group.text == "group"
                {
                    self.need(Named::ServerGroup, name, sink);
                }
                self.checkers(statement, sink);
            }
            _ => {}
        }
    }

    fn members(&self, statement: &Statement, sink: &mut Sink) {
        for inner in inside(statement).filter(|inner| inner.keyword() == "group") {
            for name in inside(inner).flat_map(|entry| &entry.words) {
                self.need(Named::Instance, name, sink);
            }
        }
    }

    fn trackers(&self, statement: &Statement, sink: &mut Sink) {
        for inner in inside(statement) {
            let Some(kind) = Named::tracked_by(inner.keyword()) else {
                continue;
            };
            for name in inside(inner).filter_map(|entry| entry.words.first()) {
                self.need(kind, name, sink);
            }
        }
    }

    fn checkers(&self, statement: &Statement, sink: &mut Sink) {
        for checker in inside(statement).flat_map(inside) {
            let (kind, keyword) = match checker.keyword() {
                "FILE_CHECK" => (Named::File, "track_file"),
                "BFD_CHECK" => (Named::Bfd, "name"),
                _ => continue,
            };
            let wanted = inside(checker).filter(|inner| inner.keyword() == keyword);
            for name in wanted.filter_map(|inner| inner.arguments().first()) {
                self.need(kind, name, sink);
            }
        }
    }

    fn need(&self, kind: Named, name: &Word, sink: &mut Sink) {
        let key = (kind, name.text.clone());
        if !self.all.contains(&key) {
            let message = format!("{} {} not found, ignoring...", kind.word(), name.text);
            let hint = sink.warn(Code::UnknownName, name.span, message);
            hint.help("names are case sensitive; look for a misspelling");
        } else if !kind.may_come_later() && !self.so_far.contains(&key) {
            let message = format!("{} {} not found, ignoring...", kind.word(), name.text);
            let hint = sink.warn(Code::Order, name.span, message);
            hint.help(
                "it is defined further down, where keepalived does not see it yet: move it up",
            );
        }
    }
}

fn inside(statement: &Statement) -> impl Iterator<Item = &Statement> {
    statement.block.iter().flatten()
}

fn named(statement: &Statement) -> Option<(Named, String)> {
    let kind = Named::of(statement.keyword())?;
    let name = statement.arguments().first()?;
    statement.block.as_ref()?;
    Some((kind, name.text.clone()))
}
