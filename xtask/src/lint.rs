//! x
use anyhow::Result;
pub fn main() -> Result<()> {
    Ok(())
}
