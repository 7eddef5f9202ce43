//! `cargo xtask setup`: installs what is missing, and nothing else.
//!
//! Idempotent. One line per item: present, installed, or missing with the
//! command that would install it. Nothing is ever removed or stopped that was
//! there before.

mod debian;
mod ebpf;
mod machine;

use anyhow::{Result, bail};

pub use machine::{kernels, virtme};

#[derive(clap::Args)]
pub struct Arguments {
    /// Only say what is missing; exit code 1 when something is
    #[arg(long)]
    check: bool,
    /// Also the daemons and tools that the tests in namespaces use
    #[arg(long)]
    tests: bool,
    /// Also the virtual machine with Debian's kernel
    #[arg(long)]
    vm: bool,
}

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// The tool chain that builds the kernel side.
    Ebpf,
    /// Daemons and tools of the tests in namespaces.
    Tests,
    /// QEMU, a kernel and virtme-ng.
    Machine,
}

impl Group {
    /// The flag of `setup` that asks for it.
    const fn flag(self) -> &'static str {
        match self {
            Self::Ebpf => "",
            Self::Tests => " --tests",
            Self::Machine => " --vm",
        }
    }
}

/// How one item ended.
pub enum Outcome {
    Present,
    Installed,
    /// Not there; how to get it by hand, and what went wrong if it was tried.
    Missing {
        command: String,
        error: Option<String>,
    },
}

/// One line of the report.
pub struct Item {
    name: String,
    outcome: Outcome,
}

impl Item {
    fn new(name: impl Into<String>, outcome: Outcome) -> Self {
        let item = Self {
            name: name.into(),
            outcome,
        };
        item.print();
        item
    }

    fn is_missing(&self) -> bool {
        matches!(self.outcome, Outcome::Missing { .. })
    }

    fn print(&self) {
        match &self.outcome {
            Outcome::Present => println!("present    {}", self.name),
            Outcome::Installed => println!("installed  {}", self.name),
            Outcome::Missing { command, error } => {
                println!("missing    {}: {command}", self.name);
                for line in error.iter().flat_map(|error| error.lines()) {
                    println!("           | {line}");
                }
            }
        }
    }
}

pub fn main(arguments: &Arguments) -> Result<()> {
    let mut groups = vec![Group::Ebpf];
    groups.extend(arguments.tests.then_some(Group::Tests));
    groups.extend(arguments.vm.then_some(Group::Machine));
    let missing = install(&groups, !arguments.check);
    match missing.as_slice() {
        [] => Ok(()),
        missing => bail!("missing: {}", missing.join(", ")),
    }
}

/// Installs (or with `change` false only checks) groups; the names of what is
/// missing in the end.
pub fn install(groups: &[Group], change: bool) -> Vec<String> {
    let items = groups.iter().flat_map(|group| match group {
        Group::Ebpf => ebpf::install(change),
        Group::Tests => debian::install_tests(change),
        Group::Machine => machine::install(change),
    });
    items
        .filter(Item::is_missing)
        .map(|item| item.name)
        .collect()
}

/// Whether a group is complete; asks without a word and changes nothing.
pub fn is_complete(group: Group) -> bool {
    match group {
        Group::Ebpf => ebpf::is_ready(),
        Group::Tests => debian::missing_tests().is_empty(),
        Group::Machine => machine::is_ready(),
    }
}

/// Installs a group if it is not complete.
///
/// # Errors
/// When something is still missing then.
pub fn ensure(group: Group) -> Result<()> {
    if is_complete(group) {
        return Ok(());
    }
    println!(
        "setting up what is missing (cargo xtask setup{})",
        group.flag()
    );
    match install(&[group], true).as_slice() {
        [] => Ok(()),
        missing => bail!(
            "missing: {}; see cargo xtask setup{}",
            missing.join(", "),
            group.flag()
        ),
    }
}
