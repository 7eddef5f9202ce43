//! Did you mean: the keyword that a misspelt word is close to.

use super::{Block, all};

/// Longer than the longest keyword and two typing errors.
const MAX_WORD: usize = 48;

/// The keyword of `block` within two typing errors of `word` (one in a short
/// word), the closest first.
pub fn nearest(block: Block, word: &str) -> Option<&'static str> {
    if !word.is_ascii() || word.len() > MAX_WORD {
        return None;
    }
    let allowed = if word.len() < 6 { 1 } else { 2 };
    all()
        .filter(|keyword| keyword.block == block)
        .map(|keyword| {
            (
                distance(word.as_bytes(), keyword.name.as_bytes()),
                keyword.name,
            )
        })
        .filter(|&(distance, _)| distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal
/// string alignment).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (row, &in_a) in a.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut previous_b = None;
        for (column, &in_b) in b.iter().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&above, column) + usize::from(in_a != in_b))
                .min(at(&above, column + 1) + 1)
                .min(at(&current, column) + 1);
            if previous_a == Some(in_b) && previous_b == Some(in_a) && column > 0 {
                best = best.min(at(&before, column - 1) + 1);
            }
            current.push(best);
            previous_b = Some(in_b);
        }
        previous_a = Some(in_a);
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "acb", 1),
            ("abc", "abxc", 1),
            ("abc", "xbc", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
    }

    #[test]
    fn near_misses_of_the_same_block_only() {
        assert_eq!(
            nearest(Block::VrrpInstance, "virtual_ipadress"),
            Some("virtual_ipaddress")
        );
        assert_eq!(nearest(Block::VrrpInstance, "prority"), Some("priority"));
        assert_eq!(nearest(Block::VrrpInstance, "satte"), Some("state"));
        assert_eq!(nearest(Block::GlobalDefs, "prority"), None);
        assert_eq!(nearest(Block::VrrpInstance, "xyz"), None);
        assert_eq!(nearest(Block::VrrpInstance, &"p".repeat(5000)), None);
    }
}
