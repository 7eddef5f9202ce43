//! A copy of the repository, as it is in the work tree, to be mutated.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::patch::Mutant;
use crate::shell;

#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    /// Of all mutants, so that each builds only what it changes.
    target: PathBuf,
}

impl Tree {
    /// Makes it, or makes it up to date: what is equal is left alone, so that
    /// nothing is built anew for it.
    ///
    /// # Errors
    /// When the repository cannot be listed or a file not copied.
    pub fn copy() -> Result<Self> {
        let own = shell::target_directory().join("mutants");
        let tree = Self {
            root: own.join("tree"),
            target: own.join("target"),
        };
        let mut list = Command::new("git");
        list.current_dir(shell::root());
        list.args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]);
        let listed = shell::quiet(&mut list)?;
        let wanted: BTreeSet<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
        for path in &wanted {
            let from = shell::root().join(path);
            // Removed, and not yet from the index.
            if from.is_file() {
                put(
                    &tree.root.join(path),
                    &fs::read(&from).with_context(|| (*path).to_owned())?,
                )?;
            }
        }
        tree.remove_others(&tree.root, &wanted)?;
        Ok(tree)
    }

    /// What is in the copy and not in the repository.
    fn remove_others(&self, directory: &Path, wanted: &BTreeSet<&str>) -> Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name == "target") {
                continue;
            }
            if path.is_dir() {
                self.remove_others(&path, wanted)?;
            } else if let Ok(name) = path.strip_prefix(&self.root)
                && !name
                    .to_str()
                    .is_some_and(|name| wanted.contains(name) && shell::root().join(name).is_file())
            {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Cargo in the copy.
    pub fn cargo(&self) -> Command {
        let mut cargo = shell::cargo();
        cargo
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        cargo
    }

    /// Something that was built there.
    pub fn built(&self, path: &str) -> PathBuf {
        self.target.join(path)
    }

    /// Where the output of what runs is kept.
    pub fn log(&self) -> PathBuf {
        self.target.join("last-run.log")
    }

    /// # Errors
    /// When the mutation does not apply, or a file cannot be written.
    pub fn mutate(&self, mutant: &Mutant) -> Result<()> {
        for (file, text) in mutant.mutated(&shell::root())? {
            put(&self.root.join(file), text.as_bytes())?;
        }
        Ok(())
    }

    /// # Errors
    /// When a file cannot be written.
    pub fn restore(&self, mutant: &Mutant) -> Result<()> {
        for file in mutant.files() {
            put(&self.root.join(file), &fs::read(shell::root().join(file))?)?;
        }
        Ok(())
    }
}

fn put(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    let name = || path.display().to_string();
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(name)?;
    }
    fs::write(path, content).with_context(name)
}
