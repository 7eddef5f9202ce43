//! `disable_local_igmp`: the kernel reports no membership in 224.0.0.0/24.

use std::{fs, io};

use tracing::{info, warn};

const REPORTS: &str = "/proc/sys/net/ipv4/igmp_link_local_mcast_reports";

/// Whether the setting was changed, and so is put back at the end.
#[derive(Debug, Default)]
pub(super) struct LocalIgmp {
    /// What was there before.
    before: Option<String>,
    failed: bool,
}

impl LocalIgmp {
    /// Before a group is joined: the report is sent then.
    pub(super) fn disable(&mut self, wanted: bool) {
        match (wanted, &self.before) {
            (true, None) if !self.failed => match turn_off() {
                Ok(before) => self.before = Some(before),
                Err(error) => {
                    self.failed = true;
                    warn!("disable_local_igmp: cannot write {REPORTS}: {error}");
                }
            },
            (false, Some(_)) => self.restore(),
            (true, _) | (false, None) => {}
        }
    }

    /// What another is to put back.
    pub(super) fn give_away(&mut self) -> Option<String> {
        self.before.take()
    }

    pub(super) fn inherit(&mut self, before: String) {
        self.before = Some(before);
    }

    pub(super) fn restore(&mut self) {
        let Some(before) = self.before.take() else {
            return;
        };
        if let Err(error) = fs::write(REPORTS, &before) {
            warn!("cannot put {REPORTS} back to {}: {error}", before.trim());
        }
    }
}

fn turn_off() -> io::Result<String> {
    let before = fs::read_to_string(REPORTS)?;
    fs::write(REPORTS, "0\n")?;
    info!("IGMP reports for 224.0.0.0/24 are off until the agent ends (disable_local_igmp)");
    Ok(before)
}
