//! VIPs, a line each, in blocks that keep their order.

use super::writer::{Writer, word};
use crate::config::model::Vip;

/// The blocks of `vips`. One that is advertised after one that is not needs a
/// block of its own: the order is the model's.
pub fn print(vips: &[Vip], writer: &mut Writer) {
    for run in vips.chunk_by(|a, b| a.advertised == b.advertised) {
        let keyword = match run.first() {
            Some(Vip {
                advertised: true, ..
            }) => "virtual_ipaddress",
            Some(Vip {
                advertised: false, ..
            })
            | None => "virtual_ipaddress_excluded",
        };
        writer.lines(keyword, run.iter().map(line));
    }
}

/// `ADDRESS/LENGTH` and what goes with it.
pub fn line(vip: &Vip) -> String {
    let Vip {
        address,
        prefix,
        device,
        broadcast,
        label,
        scope,
        options,
        // It is in the keyword of the block.
        advertised: _,
    } = vip;
    let mut line = options.beginning(*address, *prefix);
    let mut option = |keyword: &str, value: Option<String>| {
        if let Some(value) = value {
            line.push(' ');
            line.push_str(keyword);
            line.push(' ');
            line.push_str(&word(&value));
        }
    };
    option("brd", broadcast.map(|address| address.to_string()));
    option("dev", device.as_ref().map(ToString::to_string));
    option("scope", (*scope != 0).then(|| scope_name(*scope)));
    option("label", label.clone());
    line + &options.words()
}

fn scope_name(scope: u8) -> String {
    match scope {
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        255 => "nowhere".to_owned(),
        number => number.to_string(),
    }
}
