//! What is wrong with a configuration file, on standard error.

use std::io::IsTerminal;

pub use crate::config::verdict;

use crate::config::Diagnostic;

/// With source line and caret on a terminal, else a line for each that starts
/// with the program's name as other programs' do.
pub fn show(diagnostics: &[Diagnostic]) {
    let rich = std::io::stderr().is_terminal();
    for one in diagnostics {
        if rich {
            eprintln!("{}\n", one.rich());
        } else {
            eprintln!("failoverd: {}", one.located());
        }
    }
}
