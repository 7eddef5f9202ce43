//! `cargo xtask model`: the model of the protocol, explored to its end.

use anyhow::Result;

use crate::shell;

pub fn main() -> Result<()> {
    let mut run = shell::cargo();
    run.args(["run", "--quiet", "--profile", "sim"])
        .args(["--package", "failoverd-model"]);
    shell::run(&mut run)
}
