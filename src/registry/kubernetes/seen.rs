//! What is known of the cluster: every tenant and client as a document, and the Secrets that they name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kube::{Resource, ResourceExt};
use serde_json::{Map, Value, json};

use super::news::News;
use super::object::{Object, kind_name};
use super::secrets::SecretName;
use crate::registry::document::{Document, Kind};
use crate::registry::secrets::{Secret, Secrets, is_secret_name};

/// Which resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn of(kind: Kind, object: &Object) -> Self {
        Self { kind, namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
    }

    /// `<namespace>/<name>`
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// How problems name what it declares.
    pub(super) fn entity(&self) -> String {
        format!("{} {}", self.kind.as_str(), self.full_name())
    }

    /// How problems name where it stands.
    pub(super) fn source(&self) -> String {
        format!("kubernetes:{}/{}/{}", self.namespace, kind_name(self.kind), self.name)
    }
}

/// One resource.
pub(super) struct Entry {
    created: String,
    pub(super) generation: i64,
    /// The generation that the registry has taken; 0 if none.
    pub(super) taken: i64,
    /// What its status says as far as we know.
    pub(super) status: Value,
    names: BTreeSet<String>,
    document: Document,
}

/// When it was created, its namespace, and which: what is first came first, and wins.
type Age = (String, String, Key);

fn age(key: &Key, created: &str) -> Age {
    (created.to_owned(), key.namespace.clone(), key.clone())
}

/// Everything that is known.
#[derive(Default)]
pub(super) struct Seen {
    entries: HashMap<Key, Entry>,
    /// Their documents by age.
    by_age: BTreeMap<Age, Document>,
    secrets: HashMap<SecretName, Secret>,
    listed: BTreeSet<Kind>,
    reasons: BTreeMap<Kind, String>,
}

impl Seen {
    /// Takes note; says whether something other than a status changed.
    pub(super) fn learn(&mut self, news: News) -> bool {
        match news {
            News::Listed(kind, objects) => {
                let is_first = self.listed.insert(kind);
                self.reasons.remove(&kind);
                let mut gone: BTreeSet<Key> = self.entries.keys().filter(|key| key.kind == kind).cloned().collect();
                let mut changed = is_first;
                for object in objects {
                    gone.remove(&Key::of(kind, &object));
                    changed |= self.put(kind, object);
                }
                for key in gone {
                    changed |= self.remove(&key);
                }
                changed
            }
            News::Changed(kind, object) => self.put(kind, object),
            News::Gone(kind, object) => self.remove(&Key::of(kind, &object)),
            News::Away(kind, reason) => {
                self.reasons.insert(kind, reason);
                false
            }
        }
    }

    fn put(&mut self, kind: Kind, mut object: Object) -> bool {
        let key = Key::of(kind, &object);
        let status = object.content.remove("status").unwrap_or_default();
        let generation = object.meta().generation.unwrap_or_default();
        let created = object.created().to_owned();
        let text = text(&key, &object);
        if let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.document.text.as_deref() == Ok(&text)) {
            entry.status = status;
            let is_changed = std::mem::replace(&mut entry.generation, generation) != generation;
            // Recreated while the watch was down: it is younger than the others now.
            let before = std::mem::replace(&mut entry.created, created.clone());
            if before == created {
                return is_changed;
            }
            let document = self.by_age.remove(&age(&key, &before));
            document.into_iter().for_each(|document| drop(self.by_age.insert(age(&key, &created), document)));
            return true;
        }
        let names = secret_names(object.content.get("spec"));
        let secrets = self.secrets_of(&key.namespace, &names);
        let document = Document::new(&key.source(), 0, Some(kind), Ok(text.into()), secrets);
        let taken = self.entries.get(&key).map_or(0, |entry| entry.taken);
        self.remove(&key);
        self.by_age.insert(age(&key, &created), document.clone());
        self.entries.insert(key, Entry { created, generation, taken, status, names, document });
        true
    }

    fn remove(&mut self, key: &Key) -> bool {
        let Some(entry) = self.entries.remove(key) else { return false };
        self.by_age.remove(&age(key, &entry.created));
        true
    }

    /// Why not everything has been listed yet.
    pub(super) fn unlisted(&self) -> Option<String> {
        let kind = [Kind::Tenant, Kind::Client].into_iter().find(|kind| !self.listed.contains(kind))?;
        let waiting = || format!("{}s have not been listed yet", kind.as_str());
        Some(self.reasons.get(&kind).cloned().unwrap_or_else(waiting))
    }

    /// All documents, the first created first: of two that claim the same thing, it wins.
    pub(super) fn documents(&self) -> Vec<Document> {
        self.by_age.values().cloned().collect()
    }

    /// The registry has all of it.
    pub(super) fn taken(&mut self) {
        self.entries.values_mut().for_each(|entry| entry.taken = entry.generation);
    }

    /// All resources, for their status.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.entries.iter()
    }

    /// Notes the status that a resource was given.
    pub(super) fn put_status(&mut self, key: &Key, status: Value) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.status = status;
        }
    }

    /// The Secrets that are named: those that are not known yet, or all (`again`).
    pub(super) fn wanted_secrets(&self, again: bool) -> BTreeSet<SecretName> {
        let named = self
            .entries
            .iter()
            .flat_map(|(key, entry)| entry.names.iter().map(|name| (key.namespace.clone(), name.clone())));
        named.filter(|name| again || !self.secrets.contains_key(name)).collect()
    }

    /// Takes note of Secrets. `None`: it could not be asked for, and what was known of it stays. From here on each of
    /// them is known, so that none holds up the next change again.
    pub(super) fn put_secrets(&mut self, read: Vec<(SecretName, Option<Secret>)>) {
        for (name, secret) in read {
            match secret {
                Some(secret) => drop(self.secrets.insert(name, secret)),
                None => drop(self.secrets.entry(name).or_insert_with(unread)),
            }
        }
        let wanted = self.wanted_secrets(true);
        self.secrets.retain(|name, _| wanted.contains(name));
        let named: Vec<(Key, Secrets)> = self
            .entries
            .iter()
            .filter(|(_, entry)| !entry.names.is_empty())
            .map(|(key, entry)| (key.clone(), self.secrets_of(&key.namespace, &entry.names)))
            .collect();
        for (key, secrets) in named {
            if let Some(entry) = self.entries.get_mut(&key) {
                let text = entry.document.text.clone();
                entry.document = Document::new(&key.source(), 0, Some(key.kind), text, secrets);
                self.by_age.insert(age(&key, &entry.created), entry.document.clone());
            }
        }
    }

    fn secrets_of(&self, namespace: &str, names: &BTreeSet<String>) -> Secrets {
        let secret = |name: &String| {
            let known = self.secrets.get(&(namespace.to_owned(), name.clone()));
            (name.clone(), known.cloned().unwrap_or_else(unread))
        };
        Secrets::new(names.iter().map(secret).collect())
    }
}

/// What is known of a Secret that the API server said nothing about yet.
fn unread() -> Secret {
    Err("cannot be read at the moment; it is tried again".to_owned())
}

/// A resource as a document: without status and without what the API server keeps for itself, so that neither makes a
/// difference.
pub(super) fn text(key: &Key, object: &Object) -> String {
    let mut content: Map<String, Value> = object.content.clone();
    content.remove("status");
    content.insert("metadata".to_owned(), json!({ "name": key.name, "namespace": key.namespace }));
    content.entry("kind").or_insert_with(|| kind_name(key.kind).into());
    yaml_safe(&Value::Object(content).to_string())
}

/// JSON is YAML, except for characters that YAML takes for line breaks or does not take at all. In JSON they can only
/// stand in strings, where they can be escaped.
fn yaml_safe(text: &str) -> String {
    let is_strange =
        |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    if !text.contains(is_strange) {
        return text.to_owned();
    }
    text.chars().map(|c| if is_strange(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }).collect()
}

/// The names of the Secrets that `spec` names where one may: anywhere else they could be thousands.
pub(super) fn secret_names(spec: Option<&Value>) -> BTreeSet<String> {
    let places = [spec, spec.and_then(|spec| spec.get("templates"))];
    let named = places.into_iter().flatten().flat_map(|place| [place.get("secretRef"), place.get("secret_ref")]);
    let names = named.flatten().filter_map(|named| named.get("name")?.as_str());
    names.filter(|name| is_secret_name(name)).map(str::to_owned).collect()
}
