//! The dump files as an exporter takes them apart: by prefixes and indentation.
//!
//! Written from what the readers in use look for, and deliberately nothing of
//! the agent's own code.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// What is read of an instance in `.data`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Instance {
    pub state: usize,
    pub wanted: usize,
    pub interface: String,
    pub garp_delay: u32,
    pub vrid: u8,
    /// Address and device.
    pub vips: Vec<(String, String)>,
}

/// By name.
pub type Counters = BTreeMap<String, u64>;

const STATES: [&str; 4] = ["INIT", "BACKUP", "MASTER", "FAULT"];

fn state(word: &str) -> Result<usize> {
    let found = STATES.iter().position(|name| *name == word);
    found.with_context(|| format!("{word} is no state"))
}

/// `.data`, by name of the instance.
pub fn data(text: &str) -> Result<BTreeMap<String, Instance>> {
    let mut found: BTreeMap<String, Instance> = BTreeMap::new();
    let mut current: Option<String> = None;
    let mut key = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix(" VRRP Instance = ") {
            current = Some(name.to_owned());
            found.insert(name.to_owned(), Instance::default());
            continue;
        }
        let Some(instance) = current.as_ref().and_then(|name| found.get_mut(name)) else {
            continue;
        };
        if line.starts_with("     ") {
            if key.starts_with("Virtual IP (") {
                instance.vips.push(vip(line.trim())?);
            }
            continue;
        }
        let Some(rest) = line.strip_prefix("   ") else {
            current = None;
            continue;
        };
        let separator = if rest.contains('=') { '=' } else { ':' };
        let Some((name, value)) = rest.split_once(separator) else {
            continue;
        };
        name.trim().clone_into(&mut key);
        let value = value.trim();
        match key.as_str() {
            "State" => instance.state = state(value)?,
            "Wantstate" => instance.wanted = state(value)?,
            "Interface" | "Listening device" => value.clone_into(&mut instance.interface),
            "Gratuitous ARP delay" => instance.garp_delay = value.parse()?,
            "Virtual Router ID" => instance.vrid = value.parse()?,
            _ => {}
        }
    }
    Ok(found)
}

/// The first word is the address, the third the device.
pub fn vip(text: &str) -> Result<(String, String)> {
    let words: Vec<&str> = text.split(' ').collect();
    let [address, _, device, ..] = words.as_slice() else {
        bail!("{text:?} is no VIP");
    };
    Ok(((*address).to_owned(), (*device).to_owned()))
}

/// `.stats`: by instance, each value under `Section/Name` or `Name`.
pub fn stats(text: &str) -> Result<BTreeMap<String, Counters>> {
    let mut found: BTreeMap<String, Counters> = BTreeMap::new();
    let mut current = String::new();
    let mut section = String::new();
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let (name, value) = line.trim().split_once(':').context("no colon")?;
        match (depth, value.trim()) {
            (0, instance) => {
                ensure!(name == "VRRP Instance", "{line}");
                instance.clone_into(&mut current);
                found.insert(current.clone(), BTreeMap::new());
            }
            (2, "") => name.clone_into(&mut section),
            (2 | 4, value) => {
                let key = if depth == 2 {
                    name.to_owned()
                } else {
                    format!("{section}/{name}")
                };
                let values = found.get_mut(&current).context("no instance")?;
                values.insert(key, value.parse().with_context(|| line.to_owned())?);
            }
            _ => bail!("{line:?}"),
        }
    }
    Ok(found)
}

/// What is read of an instance in `.json`. Numbers must be whole where a
/// reader in a typed language has integers.
pub fn json(text: &str) -> Result<BTreeMap<String, (Instance, Counters)>> {
    let all: Value = serde_json::from_str(text)?;
    let mut found = BTreeMap::new();
    for entry in all.as_array().context("no array")? {
        let (data, stats) = (&entry["data"], &entry["stats"]);
        let number = |name: &str| data[name].as_u64().with_context(|| name.to_owned());
        let vips = data["vips"].as_array().context("vips")?.iter();
        let vips = vips.map(|text| vip(text.as_str().unwrap_or_default()));
        let instance = Instance {
            state: number("state")?.try_into()?,
            wanted: number("wantstate")?.try_into()?,
            interface: data["ifp_ifname"]
                .as_str()
                .context("ifp_ifname")?
                .to_owned(),
            garp_delay: number("garp_delay")?.try_into()?,
            vrid: number("vrid")?.try_into()?,
            vips: vips.collect::<Result<_>>()?,
        };
        let mut counters = BTreeMap::new();
        for name in [
            "advert_rcvd",
            "advert_sent",
            "become_master",
            "release_master",
            "packet_len_err",
            "advert_interval_err",
            "ip_ttl_err",
            "invalid_type_rcvd",
            "addr_list_err",
            "invalid_authtype",
            "authtype_mismatch",
            "auth_failure",
            "pri_zero_rcvd",
            "pri_zero_sent",
        ] {
            let count = stats[name].as_u64().with_context(|| name.to_owned())?;
            counters.insert(name.to_owned(), count);
        }
        let name = data["iname"].as_str().context("iname")?;
        found.insert(name.to_owned(), (instance, counters));
    }
    Ok(found)
}
