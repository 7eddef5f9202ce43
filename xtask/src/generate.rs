//! `cargo xtask generate`: the documents that come from the code.

use anyhow::Result;

use crate::{ledger, shell};

/// docs/CONFORMANCE.md from the tests' own words; docs/KEEPALIVED.md, written by the test that checks it: the agent's library
/// is the one place that knows the keyword table.
pub fn main() -> Result<()> {
    let mut test = shell::cargo();
    test.args(["test", "--quiet", "--package", "failoverd", "--lib"])
        .args([
            "--",
            "--exact",
            "config::reference::tests::the_document_is_up_to_date",
        ])
        .env("FAILOVERD_GENERATE", "1");
    shell::run(&mut test)?;
    println!("docs/KEEPALIVED.md is up to date");
    ledger::write()?;
    println!("docs/CONFORMANCE.md is up to date");
    Ok(())
}
