//! `cargo xtask mutants`: bugs that were seen in VRRP daemons, put into a copy
//! of this repository one at a time, to see which test finds each.
//!
//! A requirement counts as tested only when a break of it was seen to fail.

mod hunt;
mod patch;
mod table;
mod tree;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use failoverd_tests::clock::monotonic;
use indicatif::{ProgressBar, ProgressStyle};

use self::{
    hunt::{Catcher, Found, Hunt},
    patch::Mutant,
    table::Row,
    tree::Tree,
};

#[derive(clap::Args)]
pub struct Arguments {
    /// Only these: numbers, or parts of names
    names: Vec<String>,

    /// Say what there is, and do nothing
    #[arg(long)]
    list: bool,

    /// The table as JSON
    #[arg(long)]
    json: bool,

    /// Go on after the first that catches it: the simulator, too, has to find
    /// what a unit test has found
    #[arg(long)]
    all: bool,

    /// Schedules that the simulator runs before a bug counts as missed
    #[arg(long, default_value_t = 25_000)]
    schedules: u64,
}

pub fn main(arguments: &Arguments) -> Result<()> {
    let mutants = chosen(patch::all()?, &arguments.names)?;
    if arguments.list {
        for mutant in &mutants {
            println!("{:32} {}", mutant.name, mutant.what);
        }
        return Ok(());
    }
    let tree = Tree::copy()?;
    let hunt = Hunt::new(&tree, arguments.schedules);
    let mut catchers: Vec<&Catcher> = mutants.iter().flat_map(|mutant| &mutant.by).collect();
    catchers.sort();
    catchers.dedup();
    let bar = progress((catchers.len() + mutants.len()) as u64);
    for catcher in catchers {
        bar.set_message(format!("as it is: {catcher}"));
        match hunt.run(catcher)? {
            Found::Nothing => bar.inc(1),
            Found::Caught(by) => bail!("without any mutation, {catcher} fails: {by}"),
        }
    }
    let mut rows = Vec::new();
    for mutant in &mutants {
        bar.set_message(mutant.name.clone());
        let row = one(mutant, &tree, &hunt, arguments.all);
        // Also after an error: the next one starts from what is right.
        tree.restore(mutant)?;
        let row = row.with_context(|| mutant.name.clone())?;
        bar.suspend(|| eprintln!("{row}"));
        rows.push(row);
        bar.inc(1);
    }
    bar.finish_and_clear();
    if arguments.json {
        println!("{}", table::json(&rows));
    } else {
        print!("{}", table::markdown(&rows));
    }
    let missed: Vec<&str> = rows
        .iter()
        .filter(|row| !row.is_caught())
        .map(Row::name)
        .collect();
    if !missed.is_empty() {
        bail!("nothing has caught {}", missed.join(", "));
    }
    Ok(())
}

fn chosen(all: Vec<Mutant>, names: &[String]) -> Result<Vec<Mutant>> {
    for name in names {
        if !all.iter().any(|mutant| mutant.is_called(name)) {
            bail!("there is no mutation {name}: cargo xtask mutants --list");
        }
    }
    let wanted =
        |mutant: &Mutant| names.is_empty() || names.iter().any(|name| mutant.is_called(name));
    Ok(all.into_iter().filter(wanted).collect())
}

fn one(mutant: &Mutant, tree: &Tree, hunt: &Hunt, all: bool) -> Result<Row> {
    let start = monotonic();
    tree.mutate(mutant)?;
    let mut by = Vec::new();
    for catcher in &mutant.by {
        let found = hunt.run(catcher)?;
        let caught = matches!(found, Found::Caught(_));
        by.push((catcher.clone(), found));
        if caught && !all {
            break;
        }
    }
    Ok(Row {
        name: mutant.name.clone(),
        what: mutant.what.clone(),
        by,
        took: Duration::from_nanos(monotonic() - start),
    })
}

fn progress(steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {elapsed} {msg:40}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
