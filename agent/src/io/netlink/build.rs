//! Netlink messages byte by byte, where no crate of ours knows them.

/// Set in the type of an attribute that holds attributes.
const NESTED: u16 = 0x8000;
const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;

/// Messages one behind the other. An attribute's value is shorter than 64 KiB:
/// whoever has more spreads it over messages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Builder {
    bytes: Vec<u8>,
    messages: u32,
}

impl Builder {
    /// A message whose sequence number is its place, the first being 1.
    pub fn message(&mut self, kind: u16, flags: u16, body: impl FnOnce(&mut Self)) {
        self.messages = self.messages.saturating_add(1);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&self.messages.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        body(self);
        let length = u32::try_from(self.bytes.len().saturating_sub(start)).unwrap_or(u32::MAX);
        self.patch(start, &length.to_ne_bytes());
    }

    /// The header that a family puts in front of the attributes.
    pub fn header(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.enclosed(kind, |builder| builder.bytes.extend_from_slice(value));
    }

    /// A text with the NUL at its end.
    pub fn text(&mut self, kind: u16, text: &str) {
        self.enclosed(kind, |builder| {
            builder.bytes.extend_from_slice(text.as_bytes());
            builder.bytes.push(0);
        });
    }

    pub fn nested(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        self.enclosed(kind | NESTED, body);
    }

    fn enclosed(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        body(self);
        let length = self.bytes.len().saturating_sub(start);
        debug_assert!(length >= ATTRIBUTE_HEADER && length <= usize::from(u16::MAX));
        let field = u16::try_from(length).unwrap_or(u16::MAX);
        self.patch(start, &field.to_ne_bytes());
        let padded = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(padded, 0);
    }

    fn patch(&mut self, at: usize, field: &[u8]) {
        let end = at.saturating_add(field.len());
        if let Some(place) = self.bytes.get_mut(at..end) {
            place.copy_from_slice(field);
        }
    }

    /// How many messages there are: the sequence number of the last.
    pub const fn count(&self) -> u32 {
        self.messages
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

const _: () = assert!(HEADER == 4 + 2 + 2 + 4 + 4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_headers_and_not_the_padding_behind() {
        let mut builder = Builder::default();
        builder.message(7, 5, |message| {
            message.header(&[9; 4]);
            message.nested(2, |inner| {
                inner.text(1, "abc");
                inner.attribute(3, &[1]);
            });
        });
        let expected = [
            &40_u32.to_ne_bytes()[..],
            &7_u16.to_ne_bytes(),
            &5_u16.to_ne_bytes(),
            &1_u32.to_ne_bytes(),
            &[0; 4],
            &[9; 4],
            &20_u16.to_ne_bytes(),
            &0x8002_u16.to_ne_bytes(),
            &8_u16.to_ne_bytes(),
            &1_u16.to_ne_bytes(),
            b"abc\0",
            &5_u16.to_ne_bytes(),
            &3_u16.to_ne_bytes(),
            &[1, 0, 0, 0],
        ]
        .concat();
        assert_eq!(builder.as_bytes(), expected);
        assert_eq!(builder.count(), 1);
    }
}
