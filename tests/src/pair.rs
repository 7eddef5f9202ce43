//! Two machines that hold an address between them, and a client: the scene of
//! most tests.

use std::{fmt, time::Duration};

use anyhow::{Context, Result};

use crate::{
    daemon::Daemon,
    router::{Router, State, VirtualRouter},
    topology::{Host, Lan},
};

/// Longer than any start takes, so that a slow machine fails no test.
const START: Duration = Duration::from_secs(15);

/// Host 0 is Active with priority 200, host 1 is Backup with 100, host 2 is
/// the client.
pub struct Pair {
    // Before the LAN: daemons end before their namespaces go.
    pub active: Box<dyn Router>,
    pub backup: Box<dyn Router>,
    pub lan: Lan,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("lan", &self.lan)
            .finish_non_exhaustive()
    }
}

impl Pair {
    /// Starts one daemon after the other and waits for both states. `adjust`
    /// changes what each is configured with; it gets the index of the host.
    ///
    /// # Errors
    /// When a daemon does not start or the election does not end as it must.
    pub fn start(
        daemons: [Daemon; 2],
        mut adjust: impl FnMut(&Lan, usize, &mut VirtualRouter),
    ) -> Result<Self> {
        let lan = Lan::new(3)?;
        let mut start = |index: usize, priority, state| -> Result<Box<dyn Router>> {
            let mut router = VirtualRouter::new(priority, lan.vip());
            adjust(&lan, index, &mut router);
            let daemon = daemons[index].start(&lan.host(index).ns, &router)?;
            daemon
                .wait_state(state, START)
                .with_context(|| format!("host {index}"))?;
            Ok(daemon)
        };
        let active = start(0, 200, State::Active)?;
        let backup = start(1, 100, State::Backup)?;
        Ok(Self {
            active,
            backup,
            lan,
        })
    }

    pub fn client(&self) -> &Host {
        self.lan.host(2)
    }
}
