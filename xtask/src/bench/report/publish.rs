//! What a run leaves in the documentation: docs/BENCHMARKS.md between two
//! marks, the plot of the front page, and the raw data.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};

use super::{super::data::Run, json, markdown, plot};
use crate::shell;

const BEGIN: &str = "<!-- figures: cargo xtask bench --publish -->";
const END: &str = "<!-- end of figures -->";
/// Raw data beyond this is not for a repository.
const LARGEST: u64 = 1 << 20;

pub fn publish(run: &Run) -> Result<()> {
    let docs = shell::root().join("docs");
    let raw = raw(run, &docs.join("bench"))?;
    let plot = plot(run, &docs.join("img"))?;
    let path = docs.join("BENCHMARKS.md");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let caution = if run.mode == "quick" || !run.machine.optimised {
        "\n**A quick run or a debug build, on a busy machine: it shows that everything runs. \
         These are no figures to quote.**\n"
    } else {
        ""
    };
    let figures = format!(
        "{caution}\n{}\n{plot}Raw data, all samples: `{raw}`.\n",
        markdown::figures(run)
    );
    fs::write(&path, replaced(&text, &figures)?)?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Draws the plot of the front page; the line that shows it here.
fn plot(run: &Run, directory: &Path) -> Result<String> {
    let Some(svg) = plot::blackouts(run)? else {
        return Ok(String::new());
    };
    fs::create_dir_all(directory)?;
    let path = directory.join("blackout.svg");
    fs::write(&path, svg)?;
    println!("wrote {}", path.display());
    Ok("![Blackout of a dead machine](img/blackout.svg)\n\n".to_owned())
}

/// Writes the raw data; its path from the root.
fn raw(run: &Run, directory: &Path) -> Result<String> {
    fs::create_dir_all(directory)?;
    let name = format!("{}.json", run.mode);
    let path = directory.join(&name);
    fs::write(&path, json(run)?)?;
    shell::quiet(
        Command::new("gzip")
            .args(["--best", "--no-name", "--force"])
            .arg(&path),
    )?;
    let packed = directory.join(format!("{name}.gz"));
    let size = fs::metadata(&packed)?.len();
    if size > LARGEST {
        fs::remove_file(&packed)?;
        bail!("the raw data is {size} bytes when compressed, {LARGEST} are allowed: use --json");
    }
    Ok(format!("docs/bench/{name}.gz"))
}

fn replaced(text: &str, figures: &str) -> Result<String> {
    let (before, rest) = text.split_once(BEGIN).context("no mark for the figures")?;
    let (_, after) = rest.split_once(END).context("no mark for their end")?;
    ensure!(!after.contains(BEGIN), "two marks for the figures");
    Ok(format!("{before}{BEGIN}\n{figures}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() -> Result<()> {
        let text = format!("a\n{BEGIN}\nold\n{END}\nz\n");
        let once = replaced(&text, "new")?;
        assert_eq!(once, format!("a\n{BEGIN}\nnew\n{END}\nz\n"));
        assert_eq!(replaced(&once, "new")?, once);
        assert!(replaced("none", "new").is_err());
        Ok(())
    }
}
