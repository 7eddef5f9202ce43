//! A list of fixed room that is written and read without allocation.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
    ser::SerializeSeq as _,
};

/// As many as fit are read; places that the writer had not are empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Row<T, const N: usize>(pub [Option<T>; N]);

impl<T: Copy, const N: usize> Default for Row<T, N> {
    fn default() -> Self {
        Self([None; N])
    }
}

impl<T: Serialize, const N: usize> Serialize for Row<T, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(N))?;
        for entry in &self.0 {
            list.serialize_element(entry)?;
        }
        list.end()
    }
}

impl<'de, T: Copy + Deserialize<'de>, const N: usize> Deserialize<'de> for Row<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Entries(PhantomData))
    }
}

struct Entries<T, const N: usize>(PhantomData<T>);

impl<'de, T: Copy + Deserialize<'de>, const N: usize> Visitor<'de> for Entries<T, N> {
    type Value = Row<T, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Row<T, N>, A::Error> {
        let mut row = Row::default();
        let mut places = row.0.iter_mut();
        while let Some(entry) = list.next_element()? {
            if let Some(place) = places.next() {
                *place = entry;
            }
        }
        Ok(row)
    }
}
