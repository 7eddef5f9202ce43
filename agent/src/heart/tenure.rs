//! What becomes of a lease: how long the kernel vouches for an instance that is
//! Active here, should its agent say nothing more.

use agent_common::Priority;

use crate::core::State;

/// What is to be told to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tenure {
    /// The whole lease from now on: the agent runs, and others can hear it.
    Renewed,
    /// Nothing any more: it serves no longer, and that is not because it hangs.
    Ended,
}

impl Tenure {
    /// After an advert with this priority. `reached` when it has left the
    /// machine for somebody; a farewell counts all the same.
    pub const fn after_advert(priority: Priority, reached: bool) -> Option<Self> {
        match (priority.is_release(), reached) {
            (true, _) => Some(Self::Ended),
            (false, true) => Some(Self::Renewed),
            (false, false) => None,
        }
    }

    /// After a change from this state to another one.
    pub const fn after_leaving(from: State) -> Option<Self> {
        match from {
            State::Active => Some(Self::Ended),
            State::Initialize | State::Backup => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_heard_renews_and_what_leaves_ends() {
        let usual = Priority(100);
        assert_eq!(Tenure::after_advert(usual, true), Some(Tenure::Renewed));
        assert_eq!(Tenure::after_advert(usual, false), None, "nobody heard it");
        for reached in [true, false] {
            let farewell = Tenure::after_advert(Priority::RELEASE, reached);
            assert_eq!(farewell, Some(Tenure::Ended));
        }
        assert_eq!(Tenure::after_leaving(State::Active), Some(Tenure::Ended));
        assert_eq!(Tenure::after_leaving(State::Backup), None);
    }
}
