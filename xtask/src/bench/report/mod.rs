//! What becomes of a run: a table, JSON, HTML, a plot, and what is published.

mod html;
mod markdown;
mod plot;
mod publish;
mod table;

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use super::{
    Arguments,
    data::{FORMAT, Run},
};
use crate::shell;

/// Reads what an earlier run wrote.
///
/// # Errors
/// When it is no such file, or one of another format.
pub fn read(path: &Path) -> Result<Run> {
    let name = path.display().to_string();
    let text = if path.extension().is_some_and(|extension| extension == "gz") {
        shell::quiet(
            Command::new("gzip")
                .args(["--decompress", "--stdout"])
                .arg(path),
        )?
    } else {
        fs::read_to_string(path).with_context(|| name.clone())?
    };
    let run: Run = serde_json::from_str(&text).with_context(|| name.clone())?;
    ensure!(
        run.format == FORMAT,
        "{name}: format {}, this reads {FORMAT}",
        run.format
    );
    Ok(run)
}

/// The table on the terminal, and whatever files are asked for.
///
/// # Errors
/// When a file cannot be written.
pub fn write(arguments: &Arguments, run: &Run) -> Result<()> {
    println!("{}", table::text(run));
    if let Some(path) = &arguments.json {
        save(path, &json(run)?)?;
    }
    if let Some(path) = &arguments.html {
        save(path, &html::page(run)?)?;
    }
    if let Some(path) = &arguments.svg {
        let plot = plot::blackouts(run)?.context("no blackouts to plot")?;
        save(path, &plot)?;
    }
    if arguments.publish {
        publish::publish(run)?;
    }
    Ok(())
}

fn json(run: &Run) -> Result<String> {
    Ok(serde_json::to_string(run)? + "\n")
}

fn save(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())?;
    println!("wrote {}", path.display());
    Ok(())
}
