//! The Kubernetes Secrets that a tenant or client names in place of a value.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::Context;
use schemars::JsonSchema;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::written::Text;

/// `secretRef`: a Secret of the resource's own namespace.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct SecretRef {
    /// The name of the Secret.
    name: Option<Text>,
    /// The key in it, where it is not the usual one.
    key: Option<Text>,
}

impl SecretRef {
    /// How it is written.
    pub(super) const KEYS: [&str; 2] = ["secretRef", "secret_ref"];

    /// The key in the Secret, where one is named.
    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_ref().map(|Text(key)| key.as_str()).filter(|key| !key.is_empty())
    }
}

/// What is known of one Secret: its values by key, or why there are none.
pub type Secret = Result<BTreeMap<String, Zeroizing<String>>, String>;

/// Whether a Secret can be called like this: it becomes part of a path at the API server.
pub(super) fn is_secret_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    let is_edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    bytes.len() <= 253 && is_edge(bytes.first()) && is_edge(bytes.last()) && name.bytes().all(is_plain)
}

/// The Secrets that one document names, by their names. Cheap to clone.
#[derive(Clone, Default)]
pub struct Secrets(Arc<BTreeMap<String, Secret>>);

impl Secrets {
    /// What was read of each Secret.
    pub fn new(read: BTreeMap<String, Secret>) -> Self {
        Self(Arc::new(read))
    }

    /// The value that `named` stands for, under `key`, without white space at its ends.
    ///
    /// Errors: a sentence that says what is missing where; never a value.
    pub(super) fn value(&self, named: &SecretRef, key: &str) -> Result<String, String> {
        let Some(Text(name)) = named.name.as_ref().filter(|Text(name)| !name.is_empty()) else {
            return Err("secretRef: name is missing; write the name of a Secret in the same namespace".into());
        };
        if !is_secret_name(name) {
            return Err(format!(
                "secretRef: {name:?} is not the name of a Secret: lower case letters, digits, - and ."
            ));
        }
        let secret = self.0.get(name).ok_or_else(|| {
            "secretRef names a Kubernetes Secret, which only a resource can have; write the value instead".to_owned()
        })?;
        let values = secret.as_ref().map_err(|reason| format!("secretRef: Secret {name:?} {reason}"))?;
        match values.get(key).map(|value| value.trim()) {
            Some(value) if !value.is_empty() => Ok(value.to_owned()),
            _ => Err(format!("secretRef: Secret {name:?} has no text under the key {key:?}")),
        }
    }

    /// Makes documents differ whose Secrets do.
    pub(super) fn digest_into(&self, context: &mut Context) {
        for (name, secret) in self.0.iter() {
            let mut part = |text: &str| {
                context.update(&text.len().to_be_bytes());
                context.update(text.as_bytes());
            };
            part(name);
            match secret {
                Ok(values) => values.iter().for_each(|(key, value)| {
                    part(key);
                    part(value);
                }),
                Err(reason) => part(reason),
            }
        }
    }
}

impl fmt::Debug for Secrets {
    /// Names alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
