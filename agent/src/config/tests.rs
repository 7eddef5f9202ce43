//! The whole front-end on text: seeds, every kind of diagnostic, values, garbage.

mod addresses;
mod codes;
mod fast;
mod garbage;
mod knobs;
mod machine;
mod paths;
pub(super) mod seeds;
mod telling;
mod tracking;
mod trust;
mod values;
mod verdicts;
mod vmac;

pub(super) use self::verdicts::corpus;
use super::{Code, Config, Diagnostic, Instance, Loaded, parse_str};

/// A file with one instance `VI_1` that has all it needs, plus `lines`.
pub(super) fn with(lines: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress {{\n192.0.2.1/24\n}}\n{lines}\n}}\n"
    )
}

/// As [`with`], after a `global_defs` of `globals`.
fn with_globals(globals: &str, lines: &str) -> String {
    format!("global_defs {{\n{globals}\n}}\n{}", with(lines))
}

fn codes(text: &str) -> Vec<Code> {
    parse_str("test.conf", text)
        .diagnostics
        .into_iter()
        .map(|found| found.code)
        .collect()
}

/// The configuration and its warnings.
fn accepted(text: &str) -> (Config, Vec<Code>) {
    let Loaded {
        config,
        diagnostics,
        ..
    } = parse_str("test.conf", text);
    let codes = diagnostics.iter().map(|found| found.code).collect();
    (
        config.unwrap_or_else(|| panic!("{text}\n{diagnostics:#?}")),
        codes,
    )
}

/// The only instance of a file without a single diagnostic.
fn clean(text: &str) -> Instance {
    let (mut config, codes) = accepted(text);
    assert_eq!(codes, [], "{text}");
    config.instances.remove(0)
}

/// What is wrong with a file that is refused.
fn refused(text: &str) -> Vec<Diagnostic> {
    let Loaded {
        config,
        diagnostics,
        ..
    } = parse_str("test.conf", text);
    assert_eq!(config, None, "{text}");
    diagnostics
        .into_iter()
        .filter(Diagnostic::is_error)
        .collect()
}
