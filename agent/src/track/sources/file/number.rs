//! The number that a file holds, as keepalived reads it.

/// Why a file has no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the number does not fit into 32 bits")]
pub struct TooLarge;

/// The number at the beginning of `text`: after white space, with a sign, in
/// decimal, hexadecimal (`0x10`) or octal (`010`). What follows does not
/// matter, and where there is no number it is 0.
///
/// # Errors
///
/// When it does not fit into 32 bits; the value of before then stays.
pub fn number(text: &[u8]) -> Result<i64, TooLarge> {
    let text = text.trim_ascii_start();
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let (radix, digits) = match text {
        [b'0', b'x' | b'X', rest @ ..] if is_hex(rest.first()) => (16, rest),
        [b'0', rest @ ..] => (8, rest),
        rest => (10, rest),
    };
    let mut value: i64 = 0;
    for byte in digits {
        let Some(digit) = char::from(*byte).to_digit(radix) else {
            break;
        };
        value = value
            .saturating_mul(i64::from(radix))
            .saturating_add(i64::from(digit));
    }
    let value = if negative {
        value.saturating_neg()
    } else {
        value
    };
    if i32::try_from(value).is_err() {
        return Err(TooLarge);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_keepalived_does() {
        let cases: [(&str, i64); 13] = [
            ("", 0),
            ("garbage\n", 0),
            ("5 x", 5),
            ("  -7\n", -7),
            ("0x10", 16),
            ("010", 8),
            ("0x", 0),
            ("\n3\n", 3),
            ("+300", 300),
            ("-300", -300),
            ("1.5", 1),
            ("2147483647", 2_147_483_647),
            ("-", 0),
        ];
        for (text, expected) in cases {
            assert_eq!(number(text.as_bytes()), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_no_number() {
        for text in [
            "2147483648",
            "99999999999999999999",
            "-99999999999999999999",
        ] {
            assert_eq!(number(text.as_bytes()), Err(TooLarge), "{text:?}");
        }
    }
}
