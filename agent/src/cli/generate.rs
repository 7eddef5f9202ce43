//! `failoverd generate`: manual pages and shell completions, for packagers.

use std::{io, path::PathBuf, process::ExitCode};

use clap::Args;
use clap_complete::Shell;

use super::exit;

/// Write manual pages or shell completions
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct GenerateArgs {
    /// Write the manual pages, one for each command, into this directory
    #[arg(long, value_name = "DIR")]
    man: Option<PathBuf>,

    /// Write completions for this shell to the standard output
    #[arg(long, value_enum, value_name = "SHELL")]
    completions: Option<Shell>,
}

pub fn run(arguments: &GenerateArgs) -> ExitCode {
    let mut command = super::command();
    if let Some(shell) = arguments.completions {
        clap_complete::generate(shell, &mut command, "failoverd", &mut io::stdout());
    }
    let Some(directory) = &arguments.man else {
        return ExitCode::SUCCESS;
    };
    match clap_mangen::generate_to(command, directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let directory = directory.display();
            eprintln!("failoverd: cannot write manual pages to {directory}: {error}");
            ExitCode::from(exit::FAILURE)
        }
    }
}
