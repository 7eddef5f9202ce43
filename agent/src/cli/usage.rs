//! What is wrong with a command line, in one sentence.

use std::process::ExitCode;

use clap::error::ErrorKind;

use super::exit;

/// Prints help and version as they are, and of an error one line.
pub fn end(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that has seen enough is no failure.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(exit::USAGE)
        }
        _ => {
            eprintln!("failoverd: {}", sentence(&error.to_string()));
            ExitCode::from(exit::USAGE)
        }
    }
}

/// clap spreads an error over several lines: what is wrong, a list, a hint,
/// how the command is used.
fn sentence(text: &str) -> String {
    let mut words = Vec::new();
    let mut hint = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with("Usage:") || line.starts_with("For more information") {
            break;
        }
        match line.strip_prefix("tip:") {
            Some(tip) => hint = hint.or(Some(tip.trim().to_owned())),
            None if line.is_empty() => {}
            None => words.push(line.strip_prefix("error: ").unwrap_or(line)),
        }
    }
    let hint = hint.unwrap_or_else(|| "see --help".to_owned());
    format!("{}; {hint}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        let words = std::iter::once("failoverd").chain(line.split_whitespace());
        let error = super::super::command().try_get_matches_from(words);
        sentence(&error.expect_err(line).to_string())
    }

    #[test]
    fn every_error_is_one_line_that_names_what_is_wrong() {
        for (line, part) in [
            ("runn", "'runn'"),
            ("run --confg x", "'--confg'"),
            ("run --config", "'--config <FILE>'"),
            ("run --config x --vrid 51", "'--config <FILE>'"),
            ("run --backend magic", "'magic'"),
            ("run extra", "'extra'"),
            ("generate", "--man"),
            ("status --control", "'--control <PATH>'"),
        ] {
            let said = said(line);
            assert!(said.contains(part), "{line}: {said}");
            assert!(!said.contains('\n') && !said.contains("Usage"), "{said}");
            assert!(!said.starts_with("error"), "{said}");
        }
    }
}
