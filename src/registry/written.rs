//! The values of a tenant or client as people write them in YAML: numbers where text is meant, one entry where a list
//! is meant, `yes` where `true` is meant.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use crate::protocol::duration;

/// Text; a number or a word like `true` is taken as it stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

/// The text, unless it is empty.
pub(super) fn text(written: Option<Text>) -> Option<String> {
    written.map(|Text(text)| text).filter(|text| !text.is_empty())
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for a string, the reader hands out the characters of the file: `0123` and `1e5` stay what they are.
        deserializer.deserialize_str(Word { expected: "text", read: |text| Ok(Self(text.to_owned())) })
    }
}

/// A list, or its only entry without the list around it.
#[derive(Clone, Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl List<Text> {
    /// The entries that are not empty.
    pub(super) fn texts(self) -> Vec<String> {
        self.0.into_iter().map(|Text(text)| text).filter(|text| !text.is_empty()).collect()
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E: Error>(self) -> Result<List<T>, E> {
        Ok(List::default())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<List<T>, E> {
        T::deserialize(serde::de::value::StrDeserializer::new(text)).map(|only| List(vec![only]))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<List<T>, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<List<T>, E> {
        self.visit_str(if flag { "true" } else { "false" })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, entries: A) -> Result<List<T>, A::Error> {
        Vec::<Option<T>>::deserialize(SeqAccessDeserializer::new(entries))
            .map(|entries| List(entries.into_iter().flatten().collect()))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// True or false in any spelling of YAML, quoted or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Word {
            expected: "true or false",
            read: |text| match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" | "1" => Ok(Self(true)),
                "false" | "no" | "off" | "n" | "0" => Ok(Self(false)),
                _ => Err(format!("expected true or false, found {text:?}")),
            },
        })
    }
}

/// Hours, as a number that may have a fraction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hours(pub(super) Duration);

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |text: &str| duration::scaled(text, 3600).map(Self);
        deserializer.deserialize_str(Word { expected: "a number of hours", read })
    }
}

/// Reads a value while the reader still stands on it, so that the message of an error names the key and the line.
struct Word<T> {
    expected: &'static str,
    read: fn(&str) -> Result<T, String>,
}

impl<T> Visitor<'_> for Word<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text.trim()).map_err(E::custom)
    }
}

/// What has no type in a schema of Kubernetes, because several would do; what is wrong with it is said here.
macro_rules! any_type {
    ($($written:ty),*) => {$(
        impl JsonSchema for $written {
            fn schema_name() -> Cow<'static, str> {
                stringify!($written).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
            }
        }
    )*};
}

any_type!(Text, Flag, Hours, List<Text>);
