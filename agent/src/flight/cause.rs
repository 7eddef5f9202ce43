//! Why a transition happened, for people and programs.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::Flight;
use crate::core::{Cause, Fault, InstanceId, Lost};

/// An interface: kinds are added, never renamed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Why {
    /// The instance takes part from here on.
    Started,
    /// It does, and owns the addresses (priority 255).
    Owner,
    /// Adverts of the Active were missing for an Active_Down_Interval; without
    /// a router none was heard since the start.
    Silence { router: Option<IpAddr> },
    /// Adverts of this router are heard, and it has less priority.
    Preemption { router: IpAddr, priority: u8 },
    /// The machine of the Active answered no probe any more.
    HeartSilence { router: IpAddr },
    /// It answered that it does not serve any more.
    HeartRefusal { router: IpAddr },
    /// Priority 0 of this router.
    Released { router: IpAddr },
    /// A router of more priority, or with a higher address.
    Outranked { router: IpAddr, priority: u8 },
    /// Somebody removes the VIPs faster than they are put back.
    AddressesTaken,
    /// Another member of the sync group left Active.
    SyncGroup { member: String },
    /// The instance cannot take part.
    Fault { fault: Fault },
    /// It was configured otherwise, or is not wanted any more.
    Configuration,
    /// The agent ends.
    Shutdown,
}

impl Why {
    /// `name` says what instances are called.
    pub fn of(flight: &Flight, name: impl Fn(InstanceId) -> String) -> Self {
        if flight.configured {
            match flight.cause {
                Cause::Shutdown => return Self::Configuration,
                Cause::Started
                | Cause::Owner
                | Cause::ActiveSilent { .. }
                | Cause::HeartStopped { .. }
                | Cause::ActiveReleased { .. }
                | Cause::Outranked { .. }
                | Cause::AddressesTaken
                | Cause::Group { .. }
                | Cause::Fault(_) => {}
            }
        }
        match flight.cause {
            Cause::Started => Self::Started,
            Cause::Owner => Self::Owner,
            Cause::ActiveSilent { .. } => match flight.rival {
                Some((router, priority)) => Self::Preemption {
                    router,
                    priority: priority.get(),
                },
                None => Self::Silence {
                    router: flight.active,
                },
            },
            Cause::HeartStopped {
                active: router,
                why: Lost::Silence,
            } => Self::HeartSilence { router },
            Cause::HeartStopped {
                active: router,
                why: Lost::AdminDown,
            } => Self::HeartRefusal { router },
            Cause::ActiveReleased { by: router } => Self::Released { router },
            Cause::Outranked {
                by: router,
                priority,
            } => Self::Outranked {
                router,
                priority: priority.get(),
            },
            Cause::AddressesTaken => Self::AddressesTaken,
            Cause::Group { with } => Self::SyncGroup { member: name(with) },
            Cause::Fault(fault) => Self::Fault { fault },
            Cause::Shutdown => Self::Shutdown,
        }
    }

    /// Whether the predecessor did not serve any more: then its last sign of
    /// life is where the blackout begins.
    pub const fn is_take_over(&self) -> bool {
        match self {
            Self::Silence { .. }
            | Self::HeartSilence { .. }
            | Self::HeartRefusal { .. }
            | Self::Released { .. } => true,
            Self::Started
            | Self::Owner
            | Self::Preemption { .. }
            | Self::Outranked { .. }
            | Self::AddressesTaken
            | Self::SyncGroup { .. }
            | Self::Fault { .. }
            | Self::Configuration
            | Self::Shutdown => false,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => write!(f, "start"),
            Self::Owner => write!(f, "start as owner"),
            Self::Silence { router: None } => write!(f, "no advert heard"),
            Self::Silence { router: Some(by) } => write!(f, "silence of {by}"),
            Self::Preemption { router, priority } => {
                write!(f, "preempts {router} (priority {priority})")
            }
            Self::HeartSilence { router } => write!(f, "{router} answers no probe"),
            Self::HeartRefusal { router } => write!(f, "{router} says that it does not serve"),
            Self::Released { router } => write!(f, "priority 0 from {router}"),
            Self::Outranked { router, priority } => {
                write!(f, "better router {router} (priority {priority})")
            }
            Self::AddressesTaken => write!(f, "somebody removes the VIPs"),
            Self::SyncGroup { member } => write!(f, "sync group, with {member}"),
            Self::Fault { fault } => write!(f, "fault: {}", word(*fault)),
            Self::Configuration => write!(f, "configuration"),
            Self::Shutdown => write!(f, "shutdown"),
        }
    }
}

const fn word(fault: Fault) -> &'static str {
    match fault {
        Fault::InterfaceGone => "interface gone",
        Fault::LinkDown => "link down",
        Fault::NoSourceAddress => "no source address",
        Fault::NoPeers => "no unicast peers",
        Fault::TrackedDown => "tracked interface down",
        Fault::TrackedAddressGone => "tracked address gone",
        Fault::TrackedScript => "tracked script",
        Fault::TrackedFile => "tracked file",
        Fault::TrackedProcess => "tracked process",
        Fault::Unread => "a tracker has no result yet",
        Fault::Group => "sync group",
    }
}
