//! placeholder
use anyhow::Result;
#[derive(clap::Args)]
pub struct Arguments {}
pub fn main(_: &Arguments) -> Result<()> {
    Ok(())
}
