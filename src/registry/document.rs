//! One YAML document: which tenant or client it declares, in the file form (`name`, `config`) or the Kubernetes form
//! (`apiVersion`, `kind`, `metadata`, `spec`).

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, Visitor};
use serde::{Deserialize as DeriveDeserialize, forward_to_deserialize_any};
use yaml_serde::Value as Yaml;

use super::client::Client;
use super::client_spec::{self, ClientSpec};
use super::tenant::Tenant;
use super::tenant_spec::{self, TenantSpec, text};
use super::written::Text;
use super::{Severity, spelling};

/// What a document declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the two words of this module")]
pub enum Kind {
    Tenant,
    Client,
}

impl Kind {
    /// In sentences.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Client => "client",
        }
    }
}

/// One document and where it stands. Its namespace, if it has one, is in its own `metadata`.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file or resource. A source that cannot be read is one document without text.
    pub source: String,
    /// The line on which it begins, from 1; 0 for what has no lines.
    pub line: usize,
    /// What it declares when it does not say so itself: the folder decides.
    pub kind: Option<Kind>,
    /// YAML or JSON; or why there is none.
    pub text: Result<Arc<str>, String>,
}

impl Document {
    /// The documents of a file, each parsed apart so that a broken one does not hide the others.
    pub fn split(source: &str, kind: Option<Kind>, text: &str) -> Vec<Self> {
        let mut documents = Vec::new();
        let mut part = String::new();
        let mut begins = 1;
        let mut finish = |part: &mut String, line: usize| {
            let says_something = |line: &str| {
                let line = line.trim();
                !line.is_empty() && !line.starts_with(['#', '%']) && line != "..."
            };
            let text = std::mem::take(part);
            if text.lines().any(says_something) {
                documents.push(Self { source: source.into(), line, kind, text: Ok(text.into()) });
            }
        };
        // YAML 1.2 §9.1.4: a marker at the start of a line ends a document wherever it stands, even inside a scalar.
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').split_inclusive('\n')) {
            match line.strip_prefix("---") {
                Some(rest) if rest.is_empty() || rest.starts_with(char::is_whitespace) => {
                    finish(&mut part, begins);
                    begins = number;
                    part.push_str("   ");
                    part.push_str(rest);
                }
                _ => part.push_str(line),
            }
        }
        finish(&mut part, begins);
        documents
    }

    /// A source that could not be read.
    pub fn unreadable(source: &str, kind: Option<Kind>, reason: String) -> Self {
        Self { source: source.into(), line: 0, kind, text: Err(reason) }
    }

    /// Where it stands, for people.
    pub(super) fn place(&self) -> String {
        if self.line == 0 { self.source.clone() } else { format!("{}:{}", self.source, self.line) }
    }

    /// The same for documents that read the same.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(&[self.kind.map_or(0, |kind| kind as u8 + 1), u8::from(self.text.is_ok())]);
        context.update(self.text.as_ref().map_or(b"", |text| text.as_bytes()));
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        bytes
    }
}

/// What is wrong with one document.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings(pub(super) Vec<(Severity, String)>);

impl Findings {
    pub(super) fn error(&mut self, message: impl Into<String>) {
        self.0.push((Severity::Error, message.into()));
    }

    pub(super) fn warn(&mut self, message: impl Into<String>) {
        self.0.push((Severity::Warning, message.into()));
    }

    pub(super) fn has_errors(&self) -> bool {
        self.0.iter().any(|(severity, _)| *severity == Severity::Error)
    }
}

/// How a document is called.
pub(super) struct Title {
    /// `<namespace>/<name>`, or the name alone where there is no namespace.
    pub(super) full: String,
    pub(super) namespace: Option<String>,
}

#[derive(Clone)]
pub(super) enum Entity {
    Tenant(Arc<Tenant>),
    Client(Arc<Client>),
}

/// What was read from one document, whatever else is declared: kept for as long as the document does not change.
pub(super) struct Parsed {
    pub(super) kind: Option<Kind>,
    pub(super) name: Option<String>,
    /// `None`: there are errors among the findings, or it is none of ours.
    pub(super) entity: Option<Entity>,
    pub(super) findings: Findings,
}

#[derive(DeriveDeserialize)]
struct Envelope<T> {
    name: Option<Text>,
    metadata: Option<Metadata>,
    config: Option<T>,
    spec: Option<T>,
}

#[derive(DeriveDeserialize)]
struct Metadata {
    name: Option<Text>,
    namespace: Option<Text>,
}

const ENVELOPE_KEYS: [&str; 7] = ["name", "config", "kind", "apiVersion", "metadata", "spec", "status"];
const API_VERSION: &str = "uitsmijter.io/v1";

impl Parsed {
    /// Reads a document. `check_script` says whether a login script is well-formed, and if not, why.
    pub(super) fn read(document: &Document, check_script: &dyn Fn(&str) -> Result<(), String>) -> Self {
        let mut parsed = Self { kind: document.kind, name: None, entity: None, findings: Findings::default() };
        if let Err(error) = parsed.read_into(document, check_script) {
            parsed.findings.error(error);
        }
        if parsed.findings.has_errors() {
            parsed.entity = None;
        }
        parsed
    }

    fn read_into(
        &mut self,
        document: &Document,
        check_script: &dyn Fn(&str) -> Result<(), String>,
    ) -> Result<(), String> {
        let text = document.text.clone()?;
        let at_line = |error: yaml_serde::Error| located(error, document.line);
        let mut value: Yaml = yaml_serde::from_str(&text).map_err(at_line)?;
        let text = match text.contains("<<:") {
            false => text,
            true => {
                value.apply_merge().map_err(at_line)?;
                yaml_serde::to_string(&value).map_err(at_line)?.into()
            }
        };
        if !self.read_kind(&value)? {
            return Ok(());
        }
        let envelope: Envelope<IgnoredAny> = yaml_serde::from_str(&text).map_err(at_line)?;
        let title = title(envelope.name, envelope.metadata).ok_or(
            "name is missing; write name: (or metadata.name in the Kubernetes form) at the top of the document",
        )?;
        self.name = Some(title.full.clone());
        let body = match (envelope.config.is_some(), envelope.spec.is_some()) {
            (true, false) => "config",
            (false, true) => "spec",
            (true, true) => return Err("config and spec are both given; keep one of them".into()),
            (false, false) => return Err("config is missing; indent the settings under config:".into()),
        };
        let findings = &mut self.findings;
        unknown_among(ENVELOPE_KEYS, &value, "").into_iter().for_each(|message| findings.warn(message));
        let nothing = Yaml::Null;
        let written = value.get(body).unwrap_or(&nothing);
        self.entity = Some(match self.kind {
            Some(Kind::Tenant) => {
                let spec: Envelope<TenantSpec> = yaml_serde::from_str(&text).map_err(at_line)?;
                tenant_spec::unknown(written, body).into_iter().for_each(|message| findings.warn(message));
                let spec = spec.config.or(spec.spec).unwrap_or_default();
                Entity::Tenant(Arc::new(spec.check(title, check_script, findings)))
            }
            Some(Kind::Client) => {
                let spec: Envelope<ClientSpec> = yaml_serde::from_str(&text).map_err(at_line)?;
                client_spec::unknown(written, body).into_iter().for_each(|message| findings.warn(message));
                let spec = spec.config.or(spec.spec).unwrap_or_default();
                Entity::Client(Arc::new(spec.check(title, findings)))
            }
            None => return Err("it does not say what it declares; write kind: Tenant or kind: Client".into()),
        });
        Ok(())
    }

    /// Finds out what is declared; false if it is nothing of ours.
    fn read_kind(&mut self, value: &Yaml) -> Result<bool, String> {
        if !value.is_mapping() {
            return Err("it is not a list of keys and values; see config.example.yaml for the format".into());
        }
        let version = value.get("apiVersion").and_then(Yaml::as_str);
        let kind = value.get("kind").and_then(Yaml::as_str);
        if let Some(foreign) = version.filter(|version| !version.starts_with("uitsmijter.io/")) {
            self.findings.warn(format!("apiVersion {foreign:?} is none of ours; the document is left out"));
            return Ok(false);
        }
        if let Some(other) = version.filter(|version| *version != API_VERSION) {
            return Err(format!("apiVersion {other:?} is not known; write {API_VERSION}"));
        }
        match kind.map(str::to_ascii_lowercase).as_deref() {
            Some("tenant") => self.kind = Some(Kind::Tenant),
            Some("client") => self.kind = Some(Kind::Client),
            Some(other) => return Err(format!("kind {other:?} is not known; write Tenant or Client")),
            None => {}
        }
        Ok(true)
    }
}

fn title(name: Option<Text>, metadata: Option<Metadata>) -> Option<Title> {
    let (inner, namespace) = metadata.map_or((None, None), |metadata| (metadata.name, text(metadata.namespace)));
    let name = text(inner).or_else(|| text(name))?;
    let full = namespace.as_ref().map_or_else(|| name.clone(), |namespace| format!("{namespace}/{name}"));
    Some(Title { full, namespace })
}

/// The message of a reader's error, with the line of the file in place of the line of the document.
fn located(error: yaml_serde::Error, begins: usize) -> String {
    let message = error.to_string();
    let Some(location) = error.location() else { return message };
    let place = format!("line {} column {}", location.line(), location.column());
    message.replace(&place, &format!("line {} column {}", location.line() + begins.max(1) - 1, location.column()))
}

/// Sentences about the keys of `value` that `T` does not read.
pub(super) fn unknown_keys<'de, T: Deserialize<'de>>(value: Option<&Yaml>, path: &str) -> Vec<String> {
    let mut known: &'static [&'static str] = &[];
    // It fails once it told its keys; that is all that is wanted.
    let _ = T::deserialize(KeysOf(&mut known));
    value.map(|value| unknown_among(known.iter().copied(), value, path)).unwrap_or_default()
}

fn unknown_among<'a>(known: impl IntoIterator<Item = &'a str> + Clone, value: &Yaml, path: &str) -> Vec<String> {
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
