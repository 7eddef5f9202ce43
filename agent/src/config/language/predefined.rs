//! The names that keepalived defines: `${_PWD}` and its like.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;

use crate::config::text::Source;

/// The largest number of `${_RANDOM}` without arguments.
const RANDOM_MAX: u64 = 32_767;

const NAMES: [&str; 6] = ["_PWD", "_INSTANCE", "_RANDOM", "_ENV", "_HASH", "_BANG"];

pub fn is_name(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The state behind `${_RANDOM}`: xorshift64*, from `random_seed` where given.
#[derive(Debug)]
pub struct Predefined(u64);

impl Default for Predefined {
    fn default() -> Self {
        // Each RandomState has keys of its own.
        Self(RandomState::new().build_hasher().finish() | 1)
    }
}

impl Predefined {
    /// A seed that is no number changes nothing; the keyword table reports it.
    pub fn seed(&mut self, text: &str) {
        if let Ok(seed) = text.parse::<u32>() {
            // Never 0, and small seeds differ at once.
            self.0 = (u64::from(seed) << 1 | 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }

    fn random(&mut self, low: u64, high: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16;
        let count = high.saturating_sub(low).saturating_add(1);
        low.saturating_add(drawn.checked_rem(count).unwrap_or(0))
    }
}

/// `None`: no such name, or not with these arguments, and the text stays.
/// `Some(None)`: the environment has no such variable.
pub fn value(
    state: &mut Predefined,
    name: &str,
    arguments: &str,
    source: &Source,
    config_id: &str,
) -> Option<Option<String>> {
    let text = match name {
        "_PWD" if arguments.is_empty() => directory(source),
        "_INSTANCE" if arguments.is_empty() => config_id.to_owned(),
        "_HASH" if arguments.is_empty() => "#".to_owned(),
        "_BANG" if arguments.is_empty() => "!".to_owned(),
        "_RANDOM" => {
            let (low, high) = range(arguments)?;
            state.random(low, high).to_string()
        }
        "_ENV" if !arguments.is_empty() && !arguments.contains(char::is_whitespace) => {
            let value = std::env::var(arguments).ok();
            return Some(value.map(|value| value.replace(['\n', '\0'], " ")));
        }
        _ => return None,
    };
    Some(Some(text))
}

fn range(arguments: &str) -> Option<(u64, u64)> {
    let mut numbers = arguments.split_ascii_whitespace().map(str::parse::<u32>);
    let low = numbers.next().unwrap_or(Ok(0)).ok()?;
    let high = match numbers.next() {
        Some(high) => u64::from(high.ok()?),
        None => RANDOM_MAX,
    };
    let low = u64::from(low);
    (numbers.next().is_none() && low <= high).then_some((low, high))
}

/// Absolute where the machine can tell.
fn directory(source: &Source) -> String {
    let directory = source.directory.as_deref().unwrap_or(Path::new("."));
    let absolute = directory.canonicalize();
    absolute
        .unwrap_or_else(|_| directory.to_owned())
        .display()
        .to_string()
}
