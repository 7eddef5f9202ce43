//! Mutations of text that keep its lines: a statement is moved, doubled,
//! dropped, or gets another value.

/// What values are made of, beside those that the text has already.
const VALUES: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "3",
    "100",
    "254",
    "255",
    "256",
    "0.01",
    "0.004",
    "40.95",
    "40.96",
    "1.5",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "on",
    "off",
    "MASTER",
    "BACKUP",
    "eth0",
    "eth1",
    "192.0.2.1/24",
    "192.0.2.2",
    "2001:db8::1/64",
    "fe80::1",
    "224.0.0.18",
    "\"\"",
    "\"a b\"",
    "PASS",
    "$A",
    "${A}",
    "${_HASH}",
    "${_INSTANCE}",
    "+",
    "-",
    "link",
    "{",
    "}",
];

/// xorshift64*, from libFuzzer's seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        drawn as usize % end.max(1)
    }
}

/// Changes the text in `data[..size]` and returns its new size, `max_size` at
/// most.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random(u64::from(seed) << 1 | 1);
    let text = data[..size].to_vec();
    let mut lines: Vec<Vec<u8>> = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    for _ in 0..=random.below(3) {
        change(&mut lines, &mut random);
    }
    let text = lines.join(&b'\n');
    let used = text.len().min(max_size).min(data.len());
    data[..used].copy_from_slice(&text[..used]);
    used
}

fn change(lines: &mut Vec<Vec<u8>>, random: &mut Random) {
    if lines.is_empty() {
        lines.push(Vec::new());
    }
    let at = random.below(lines.len());
    let other = random.below(lines.len());
    match random.below(7) {
        0 => {
            lines.remove(at);
        }
        1 => {
            let copy = lines[at].clone();
            lines.insert(other, copy);
        }
        2 => lines.swap(at, other),
        3 => {
            // A stretch of lines, most likely a block, once more.
            let end = (at + 1 + random.below(12)).min(lines.len());
            let stretch = lines[at..end].to_vec();
            let into = random.below(lines.len() + 1);
            lines.splice(into..into, stretch);
        }
        4 => {
            // The value of another line.
            let value = lines[other].split(|byte| *byte == b' ').next_back();
            let value = value.unwrap_or_default().to_vec();
            set_last_word(&mut lines[at], &value);
        }
        5 => {
            let value = VALUES[random.below(VALUES.len())];
            set_last_word(&mut lines[at], value.as_bytes());
        }
        _ => {
            let value = VALUES[random.below(VALUES.len())];
            lines[at].push(b' ');
            lines[at].extend_from_slice(value.as_bytes());
        }
    }
}

fn set_last_word(line: &mut Vec<u8>, value: &[u8]) {
    let from = line
        .iter()
        .rposition(|byte| *byte == b' ')
        .map_or(0, |space| space + 1);
    line.truncate(from);
    line.extend_from_slice(value);
}
