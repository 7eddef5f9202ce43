//! The service address on a dummy interface, VRRP on another one.

use anyhow::Result;
use failoverd_tests::{interop::Kind, router::State};

use crate::{each_way, require_both, scene::*};

/// Either interface that goes down moves the service, and its return brings it
/// back: `ip link set eth0 down`, and dummy0 for maintenance.
fn as_written_up(kinds: [Kind; 2]) -> Result<()> {
    require_both!();
    let site = Site::start_both(DUMMY, kinds)?;
    for interface in ["eth0", "dummy0"] {
        let link = |state: &str| {
            site.hosts[0]
                .ns
                .sh(&format!("ip link set {interface} {state}"))
        };
        link("down")?;
        site.wait(0, State::Fault)?;
        site.wait(1, State::Active)?;
        site.serves(1)?;
        link("up")?;
        site.wait(0, State::Active)?;
        site.wait(1, State::Backup)?;
        site.serves(0)?;
    }
    Ok(())
}

each_way!(as_written_up);
