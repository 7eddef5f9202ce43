//! The `failoverd` binary: only dispatches.

use std::process::ExitCode;

fn main() -> ExitCode {
    failoverd::cli::main()
}
