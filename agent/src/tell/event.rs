//! What is told, in keepalived's words.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Instance,
    Group,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Instance => "INSTANCE",
            Self::Group => "GROUP",
        }
    }
}

/// An instance or a sync group.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Who {
    pub kind: Kind,
    pub name: Arc<str>,
}

impl Who {
    pub fn instance(name: &str) -> Self {
        Self {
            kind: Kind::Instance,
            name: name.into(),
        }
    }

    pub fn group(name: &str) -> Self {
        Self {
            kind: Kind::Group,
            name: name.into(),
        }
    }
}

impl std::fmt::Display for Who {
    /// As log lines call it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            Kind::Instance => write!(f, "({})", self.name),
            Kind::Group => write!(f, "VRRP_Group({})", self.name),
        }
    }
}

/// What has happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Master,
    Backup,
    Fault,
    /// The agent ends.
    Stop,
    /// A reload has removed it.
    Deleted,
    /// As Active it heard an advert with a lower priority.
    LowerPriority,
    MasterPriority,
    BackupPriority,
}

impl What {
    /// As scripts and FIFOs have it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Master => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault => "FAULT",
            Self::Stop => "STOP",
            Self::Deleted => "DELETED",
            Self::LowerPriority => "MASTER_RX_LOWER_PRI",
            Self::MasterPriority => "MASTER_PRIORITY",
            Self::BackupPriority => "BACKUP_PRIORITY",
        }
    }

    pub fn of_word(word: &str) -> Option<Self> {
        [
            Self::Master,
            Self::Backup,
            Self::Fault,
            Self::Stop,
            Self::Deleted,
            Self::LowerPriority,
            Self::MasterPriority,
            Self::BackupPriority,
        ]
        .into_iter()
        .find(|what| what.word() == word)
    }

    /// A state that an instance or a group is in from then on.
    pub const fn is_state(self) -> bool {
        match self {
            Self::Master | Self::Backup | Self::Fault | Self::Stop | Self::Deleted => true,
            Self::LowerPriority | Self::MasterPriority | Self::BackupPriority => false,
        }
    }
}

/// One thing that has happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    pub who: Who,
    pub what: What,
    /// In force; of a group always 0.
    pub priority: u8,
}

impl Event {
    /// A line for a FIFO, with its end.
    pub fn line(&self) -> String {
        let Self {
            who,
            what,
            priority,
        } = self;
        let (kind, word) = (who.kind.word(), what.word());
        format!("{kind} \"{}\" {word} {priority}\n", who.name)
    }

    /// What `notify` scripts get behind their own arguments.
    pub fn arguments(&self) -> [String; 4] {
        [
            self.who.kind.word().to_owned(),
            self.who.name.to_string(),
            self.what.word().to_owned(),
            self.priority.to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As keepalived 2.2.7 writes and passes them.
    #[test]
    fn lines_and_arguments_are_keepalived_s() {
        let event = |who, what, priority| Event {
            who,
            what,
            priority,
        };
        let own = event(Who::instance("VI_1"), What::Master, 100);
        assert_eq!(own.line(), "INSTANCE \"VI_1\" MASTER 100\n");
        assert_eq!(own.arguments(), ["INSTANCE", "VI_1", "MASTER", "100"]);
        let group = event(Who::group("G1"), What::Backup, 0);
        assert_eq!(group.line(), "GROUP \"G1\" BACKUP 0\n");
        let lower = event(Who::instance("VI_1"), What::LowerPriority, 120);
        assert_eq!(lower.line(), "INSTANCE \"VI_1\" MASTER_RX_LOWER_PRI 120\n");
    }

    #[test]
    fn words_are_read_back() {
        for what in [What::Master, What::Deleted, What::BackupPriority] {
            assert_eq!(What::of_word(what.word()), Some(what));
        }
        assert_eq!(What::of_word("master"), None);
    }
}
