//! `cargo xtask run`: the demonstration, or the agent on a real interface.

use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};

use crate::{build, demo, shell};

#[derive(clap::Args)]
pub struct Arguments {
    /// Arguments of `failoverd run`, as `--iface ens3 --vrid 51 --vip 192.0.2.10/24`; none for
    /// the demonstration in namespaces; with an interface but neither a VIP nor a
    /// configuration the agent only monitors
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    failoverd: Vec<String>,
}

pub fn main(arguments: &Arguments) -> Result<()> {
    let arguments = &arguments.failoverd;
    if arguments.is_empty() {
        return demo::main(&demo::Arguments::default());
    }
    let binary = build::agent()?;
    let command = subcommand(arguments);
    if command == "monitor" {
        eprintln!("neither --vip nor --config: taking no part, only monitoring");
    }
    let mut command_line = shell::as_root(binary)?;
    command_line.arg(command).args(arguments);
    eprintln!("{}", shell::line(&command_line));
    // Instead of this process, so that signals and the exit code are the agent's.
    Err(command_line.exec()).context("start of failoverd")
}

/// What the agent is to do with these arguments. A virtual router that is
/// half described is for `run` to refuse, not to be watched.
fn subcommand(arguments: &[String]) -> &'static str {
    const OF_MONITOR: [&str; 3] = ["--iface", "--json", "--duration"];
    let mut flags = arguments.iter().filter(|word| word.starts_with('-'));
    let only_watches = flags.all(|flag| {
        let name = flag.split_once('=').map_or(flag.as_str(), |(name, _)| name);
        OF_MONITOR.contains(&name)
    });
    if only_watches { "monitor" } else { "run" }
}

#[cfg(test)]
mod tests {
    use super::subcommand;

    #[test]
    fn without_a_vip_and_a_configuration_the_agent_monitors() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(subcommand(&words("--iface ens3")), "monitor");
        assert_eq!(subcommand(&words("--iface ens3 --vip 192.0.2.1")), "run");
        assert_eq!(subcommand(&words("--iface=ens3 --vip=192.0.2.1")), "run");
        assert_eq!(subcommand(&words("--config keepalived.conf")), "run");
        assert_eq!(subcommand(&words("--iface ens3 --vrid 7")), "run");
        assert_eq!(subcommand(&words("--iface=ens3 --json")), "monitor");
    }
}
