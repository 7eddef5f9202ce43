//! Whom scripts run as.

use nix::unistd::{Group, User};

use crate::config::model::RunAs;

/// keepalived's user for scripts, where it exists and the file names none.
pub const DEFAULT_USER: &str = "keepalived_script";

/// A user and a group, looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub user: String,
    pub home: String,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("there is no user '{0}' on this machine")]
    NoUser(String),
    #[error("there is no group '{0}' on this machine")]
    NoGroup(String),
    #[error("cannot look up '{name}': {reason}")]
    Lookup { name: String, reason: String },
}

impl Identity {
    /// Looks `run_as` up; without one it is [`DEFAULT_USER`] where that user
    /// exists, else whoever runs the agent. May ask a directory service, and
    /// so take its time.
    ///
    /// # Errors
    ///
    /// When there is no such user or group, or nobody can tell.
    pub fn of(run_as: Option<&RunAs>) -> Result<Self, IdentityError> {
        let Some(RunAs { user, group }) = run_as else {
            return match user_named(DEFAULT_USER) {
                Ok(found) => Ok(found),
                Err(IdentityError::NoUser(_)) => Ok(Self::own()),
                Err(error) => Err(error),
            };
        };
        let mut identity = user_named(user)?;
        if let Some(name) = group {
            let found = Group::from_name(name).map_err(|error| failed(name, error))?;
            let found = found.ok_or_else(|| IdentityError::NoGroup(name.clone()))?;
            identity.gid = found.gid.as_raw();
        }
        Ok(identity)
    }

    /// Whoever runs this process.
    pub fn own() -> Self {
        let uid = nix::unistd::geteuid();
        let named = User::from_uid(uid).ok().flatten();
        Self {
            uid: uid.as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            user: named.as_ref().map_or(uid.to_string(), |u| u.name.clone()),
            home: named.map_or("/".to_owned(), |u| u.dir.display().to_string()),
        }
    }
}

fn user_named(name: &str) -> Result<Identity, IdentityError> {
    let found = User::from_name(name).map_err(|error| failed(name, error))?;
    let found = found.ok_or_else(|| IdentityError::NoUser(name.to_owned()))?;
    Ok(Identity {
        uid: found.uid.as_raw(),
        gid: found.gid.as_raw(),
        user: found.name,
        home: found.dir.display().to_string(),
    })
}

fn failed(name: &str, error: nix::errno::Errno) -> IdentityError {
    IdentityError::Lookup {
        name: name.to_owned(),
        reason: error.desc().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(user: &str, group: Option<&str>) -> Result<Identity, IdentityError> {
        Identity::of(Some(&RunAs {
            user: user.to_owned(),
            group: group.map(str::to_owned),
        }))
    }

    #[test]
    fn a_user_brings_its_group_unless_another_is_named() {
        assert_eq!(of("root", None).map(|i| (i.uid, i.gid)), Ok((0, 0)));
        let daemon = of("root", Some("daemon")).map(|i| (i.uid, i.gid));
        assert_eq!(daemon, Ok((0, 1)));
    }

    #[test]
    fn who_is_not_there_is_named() {
        let missing = IdentityError::NoUser("nobody-of-that-name".to_owned());
        assert_eq!(of("nobody-of-that-name", None), Err(missing));
        let missing = IdentityError::NoGroup("no-such-group".to_owned());
        assert_eq!(of("root", Some("no-such-group")), Err(missing));
    }
}
