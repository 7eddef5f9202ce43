//! `failoverd-model`: explores every scenario to its end.

use std::{io::IsTerminal, process::ExitCode};

use failoverd_model::{Scenario, scenarios};

fn main() -> ExitCode {
    let mut good = true;
    println!("| scenario | states | depth | result |\n|---|---|---|---|");
    for Scenario {
        name,
        election,
        breaks,
    } in scenarios()
    {
        if std::io::stderr().is_terminal() {
            eprint!("{name} ...\r");
        }
        let found = failoverd_model::explore(election);
        let result = match (&found.broken, breaks) {
            (None, None) => "no property broken".to_owned(),
            (Some((property, _)), Some(expected)) if *property == expected => {
                format!("breaks, as it must: {property}")
            }
            (broken, _) => {
                good = false;
                format!("WRONG: {broken:#?}")
            }
        };
        println!("| {name} | {} | {} | {result} |", found.states, found.depth);
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
