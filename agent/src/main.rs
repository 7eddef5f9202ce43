//! The `failoverd` binary: only dispatches.

use std::process::ExitCode;

fn main() -> ExitCode {
    if failoverd::script::shim::is_wanted() {
        return failoverd::script::shim::main();
    }
    failoverd::cli::main()
}
