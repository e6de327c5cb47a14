//! Which keys a type reads, so that an operator hears of the others.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;
use yaml_serde::Value as Yaml;

use super::spelling;

/// Sentences about the keys of `value` that `T` does not read.
pub(super) fn unknown_keys<'de, T: Deserialize<'de>>(value: Option<&Yaml>, path: &str) -> Vec<String> {
    let mut known: &'static [&'static str] = &[];
    // It fails as soon as it has named its keys, which is all that is wanted.
    let _ = T::deserialize(KeysOf(&mut known));
    value.map(|value| unknown_among(known.iter().copied(), value, path)).unwrap_or_default()
}

/// Sentences about the keys of `value` that are not `known`.
pub(super) fn unknown_among<'a>(
    known: impl IntoIterator<Item = &'a str> + Clone,
    value: &Yaml,
    path: &str,
) -> Vec<String> {
    let keys = value.as_mapping().into_iter().flat_map(|mapping| mapping.keys());
    keys.filter_map(Yaml::as_str)
        .filter(|key| *key != "<<" && !key.starts_with("x-") && !known.clone().into_iter().any(|known| known == *key))
        .map(|key| {
            let place = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            format!("{place} is not known and has no effect{}", spelling::hint(known.clone(), key))
        })
        .collect()
}

/// Asks a type which keys it reads, other spellings included.
struct KeysOf<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for KeysOf<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("only the keys are wanted"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
