//! Either daemon behind one interface, for comparisons and demonstrations.

use std::fmt;

use anyhow::Result;

use crate::{
    agent::Agent,
    keepalived::Keepalived,
    netns::Netns,
    router::{Router, VirtualRouter},
};

/// Which daemon runs a virtual router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Daemon {
    Failoverd,
    /// failoverd that must not run without XDP.
    FailoverdXdp,
    Keepalived,
}

impl Daemon {
    /// Starts it in a namespace.
    ///
    /// # Errors
    /// When it is not there or cannot be started.
    pub fn start(self, ns: &Netns, router: &VirtualRouter) -> Result<Box<dyn Router>> {
        match self {
            Self::Failoverd => Ok(Box::new(Agent::start(ns, router)?)),
            Self::FailoverdXdp => {
                let mut arguments = router.agent_arguments();
                arguments.push("--require-xdp".to_owned());
                Ok(Box::new(Agent::start_with(ns, &arguments, &router.name)?))
            }
            Self::Keepalived => Ok(Box::new(Keepalived::start(ns, router)?)),
        }
    }
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failoverd | Self::FailoverdXdp => "failoverd",
            Self::Keepalived => "keepalived",
        })
    }
}
