//! `interface_up_down_delays`: how long a link must be down or up before that counts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::instance::entries;
use super::value::{decimal_micros, seconds};
use crate::config::diagnostic::Code;
use crate::config::keywords::Kind;
use crate::config::lexer::{Span, Word};
use crate::config::machine::Delays;
use crate::config::model::{IfName, Instance};
use crate::config::sink::Sink;
use crate::config::survey::word;
use crate::config::tree::Statement;

/// The longest delay, in microseconds.
const MAX: u64 = 255_000_000;

/// Delays as they were given, and where.
pub type Given = BTreeMap<IfName, (Delays, Span)>;

pub fn lower(block: &Statement, given: &mut Given, sink: &mut Sink) {
    for entry in entries(block, sink) {
        let Some(first) = entry.words.first() else {
            continue;
        };
        word::check("interface", first, Kind::Interface, sink);
        let Some(name) = IfName::new(&first.text) else {
            continue;
        };
        let mut values = entry.arguments().iter().take(2);
        let Some(down) = values.next() else {
            let message = format!("No delay is given for {name}");
            sink.trap(Code::MissingValue, first.span, message)
                .help("write INTERFACE DOWN_SECONDS [UP_SECONDS]");
            continue;
        };
        let down = delay(down, sink);
        let up = values.next().map_or(down, |word| delay(word, sink));
        if let (Some(down), Some(up)) = (down, up) {
            given.insert(name, (Delays { down, up }, first.span));
        }
    }
}

fn delay(word: &Word, sink: &mut Sink) -> Option<Duration> {
    word::check("delay", word, Kind::Seconds(0, MAX), sink);
    let micros = decimal_micros(&word.text)?;
    (micros <= MAX).then(|| Duration::from_micros(micros))
}

/// The delays in force: shorter than it takes the peers to notice that an
/// Active on a dead link is silent, or both would be Active.
pub fn bounded(given: Given, instances: &[Instance], sink: &mut Sink) -> BTreeMap<IfName, Delays> {
    let mut delays = BTreeMap::new();
    for (name, (wanted, span)) in given {
        let users = instances.iter().filter(|instance| uses(instance, &name));
        let most = users.map(longest).min().unwrap_or(Duration::MAX);
        let used = Delays {
            down: wanted.down.min(most),
            up: wanted.up.min(most),
        };
        if used != wanted {
            let most = seconds(u64::try_from(most.as_micros()).unwrap_or(u64::MAX));
            let message = format!(
                "the delay of {name} is not less than (down_timer_adverts - 1) * advert_int of its instances; {most} s is used"
            );
            sink.trap(Code::OutOfRange, span, message)
                .help("shorten it: meanwhile the peers hear nothing and take over");
        }
        if used != Delays::default() {
            delays.insert(name, used);
        }
    }
    delays
}

fn uses(instance: &Instance, name: &IfName) -> bool {
    instance.interface == *name || instance.track_interfaces.contains(name)
}

/// As keepalived: less than the intervals by what is 1/256 s there, and here
/// the same part of an interval.
fn longest(instance: &Instance) -> Duration {
    let interval = instance.interval.duration();
    let intervals = u32::from(instance.down_factor.saturating_sub(1));
    let part = u64::try_from(interval.as_micros() / 256).unwrap_or(u64::MAX);
    interval
        .saturating_mul(intervals)
        .saturating_sub(Duration::from_micros(part))
}
