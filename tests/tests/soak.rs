//! A short soak with a fixed seed, so that the long one (`cargo xtask soak`)
//! does not rot.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    require_agent,
    soak::{self, Options},
};

#[test]
fn half_a_minute_of_faults_breaks_no_invariant() -> Result<()> {
    require_agent!("nft");
    let options = Options {
        span: Duration::from_secs(25),
        seed: 3,
        routers: 3,
    };
    let report = soak::run(options, |line| eprintln!("{line}"))?;
    assert!(report.is_clean(), "{report}");
    assert!(report.rounds >= 3, "{report}");
    assert!(report.adverts >= 1000, "{report}");
    Ok(())
}
