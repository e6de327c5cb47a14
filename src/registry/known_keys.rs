//! Which keys a type reads, so that an operator hears of the others.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;
use yaml_serde::Value as Yaml;

use super::document::Findings;
use super::spelling;

/// Says of each key of `value` that `T` does not read that it has no effect.
pub(super) fn unknown_keys<'de, T: Deserialize<'de>>(value: Option<&Yaml>, path: &str, findings: &mut Findings) {
    let mut known: &'static [&'static str] = &[];
    // It fails as soon as it has named its keys, which is all that is wanted.
    let _ = T::deserialize(KeysOf(&mut known));
    if let Some(value) = value {
        unknown_among(known, value, path, findings);
    }
}

/// Says of each key of `value` that is not `known` that it has no effect. One that was meant to protect something is an
/// error: without it the document would be weaker than its author believes.
pub(super) fn unknown_among(known: &[&str], value: &Yaml, path: &str, findings: &mut Findings) {
    let keys = value.as_mapping().into_iter().flat_map(|mapping| mapping.keys());
    for key in keys.filter_map(Yaml::as_str) {
        if key == "<<" || key.starts_with("x-") || known.contains(&key) {
            continue;
        }
        if findings.is_full() && findings.has_errors() {
            return;
        }
        let place = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let hint = spelling::hint(known.iter().copied(), key);
        if protects(key) {
            findings.error(format!(
                "{place} is not known, and looks like a key that protects something{hint}; correct or remove it"
            ));
        } else {
            findings.warn(format!("{place} is not known and has no effect{hint}"));
        }
    }
}

/// What keys are made of that protect something.
const PROTECTING: [&str; 7] = ["secret", "consent", "pkce", "enabled", "enable", "disabled", "mfa"];

/// In bytes; none of them has so many.
const LONGEST_WORD: usize = 16;

/// Whether a key has one of the words in it, perhaps with one letter too many, too few, wrong or in another's place.
fn protects(key: &str) -> bool {
    let key = key.trim_end_matches(['s', 'S']);
    let joined: String = key.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let resembles = |word: &str| {
        word.len() < LONGEST_WORD
            && PROTECTING
                .iter()
                .any(|protecting| strsim::damerau_levenshtein(protecting, word) <= usize::from(word.len() > 2))
    };
    PROTECTING.iter().any(|word| joined.contains(word)) || resembles(&joined) || words(key).any(|word| resembles(&word))
}

/// `requirePkceNow`, `require_pkce_now` and `require-pkce-now` as three words in lower case.
fn words(key: &str) -> impl Iterator<Item = String> {
    let mut apart = String::with_capacity(key.len() + 8);
    let mut was_lower = false;
    for c in key.chars() {
        if c.is_uppercase() && was_lower {
            apart.push(' ');
        }
        was_lower = c.is_lowercase();
        apart.extend(if c.is_alphanumeric() { c } else { ' ' }.to_lowercase());
    }
    apart.split_whitespace().map(str::to_owned).collect::<Vec<_>>().into_iter()
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

#[cfg(test)]
mod tests {
    use super::protects;

    #[test]
    fn a_key_that_was_meant_to_protect_something_is_told_from_others() {
        for key in [
            "clientSecret",
            "client-secret",
            "SECRET",
            "secerts",
            "sercet",
            "secretRefs",
            "requirePkce",
            "pcke_only",
            "PKCE",
            "consnet",
            "concent",
            "requireConsent",
            "enable",
            "isEnabled",
            "enbaled",
            "disabled",
            "mfa",
            "requireMFA",
            "mfa_required",
            "maf",
        ] {
            assert!(protects(key), "{key}");
        }
        for key in ["colour", "description", "hots", "redirects", "scope", "labels", "owner", "id", "", "a", "ü"] {
            assert!(!protects(key), "{key}");
        }
    }
}
