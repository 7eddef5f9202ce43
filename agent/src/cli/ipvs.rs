//! `failoverd ipvs`.

use std::process::ExitCode;

use clap::Args;

use super::{exit, status};
use crate::{
    io::netlink::ipvs::{Ipvs, IpvsError},
    ipvs::show::Shown,
};

/// Show virtual servers and real servers as the kernel has them
///
/// Of the network namespace that it is run in, whoever made them; no agent is
/// needed for it.
#[derive(Args, Debug)]
pub struct IpvsArgs {
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &IpvsArgs) -> ExitCode {
    let picture = Ipvs::open().and_then(|mut kernel| kernel.picture());
    let text = picture
        .map(|picture| Shown::from(&picture))
        .map_err(|error| (code(&error), error.to_string()))
        .and_then(|shown| match arguments.json {
            true => serde_json::to_string_pretty(&shown)
                .map(|json| json + "\n")
                .map_err(|error| (exit::FAILURE, error.to_string())),
            false => Ok(shown.to_string()),
        });
    let printed = text
        .and_then(|text| status::print(&text).map_err(|error| (exit::FAILURE, error.to_string())));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, error)) => {
            eprintln!("failoverd: {error}");
            ExitCode::from(code)
        }
    }
}

const fn code(error: &IpvsError) -> u8 {
    match error {
        IpvsError::Forbidden => exit::PERMISSION,
        IpvsError::Missing | IpvsError::Netlink(_) => exit::FAILURE,
    }
}
