//! Which tenant or client a document declares, in the file form (`name`, `config`) or the Kubernetes form (`apiVersion`,
//! `kind`, `metadata`, `spec`).

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use yaml_serde::Value as Yaml;

use super::client::Client;
use super::client_spec::{self, ClientSpec};
use super::cost::{self, TooCostly};
use super::document::{Document, Findings, Kind, Title};
use super::known_keys::unknown_among;
use super::tenant::Tenant;
use super::tenant_spec::{self, TenantSpec};
use super::written::{Text, text};

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
    /// Line and column of the document, from 1, at which reading it ended in an error, where it has lines.
    pub(super) broken_at: Option<(usize, usize)>,
}

/// Why a document cannot be read.
struct Unreadable {
    message: String,
    at: Option<(usize, usize)>,
}

impl<T: Into<String>> From<T> for Unreadable {
    fn from(message: T) -> Self {
        Self { message: message.into(), at: None }
    }
}

impl From<TooCostly> for Unreadable {
    fn from(TooCostly { message, at }: TooCostly) -> Self {
        Self { message, at }
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    name: Option<Text>,
    metadata: Option<Metadata>,
    config: Option<T>,
    spec: Option<T>,
}

#[derive(Deserialize)]
struct Metadata {
    name: Option<Text>,
    namespace: Option<Text>,
}

const ENVELOPE_KEYS: [&str; 7] = ["name", "config", "kind", "apiVersion", "metadata", "spec", "status"];
const API_VERSION: &str = "uitsmijter.io/v1";

impl Parsed {
    /// Reads a document. `check_script` says whether a login script is well-formed, and if not, why.
    pub(super) fn read(document: &Document, check_script: &dyn Fn(&str) -> Result<(), String>) -> Self {
        let mut parsed =
            Self { kind: document.kind, name: None, entity: None, findings: Findings::default(), broken_at: None };
        if let Err(error) = parsed.read_into(document, check_script) {
            parsed.findings.error(error.message);
            parsed.broken_at = error.at.filter(|_| document.line > 0);
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
    ) -> Result<(), Unreadable> {
        let text = document.text.clone()?;
        cost::check(&text)?;
        let at_line = |error: yaml_serde::Error| located(error, document.line > 0);
        let mut value: Yaml = yaml_serde::from_str(&text).map_err(at_line)?;
        let text = if text.contains("<<:") {
            value.apply_merge().map_err(at_line)?;
            yaml_serde::to_string(&value).map_err(at_line)?.into()
        } else {
            text
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
        unknown_among(&ENVELOPE_KEYS, &value, "", findings);
        let nothing = Yaml::Null;
        let written = value.get(body).unwrap_or(&nothing);
        self.entity = Some(match self.kind {
            Some(Kind::Tenant) => {
                let spec: Envelope<TenantSpec> = yaml_serde::from_str(&text).map_err(at_line)?;
                tenant_spec::tell_unknown(written, body, findings);
                let spec = spec.config.or(spec.spec).unwrap_or_default();
                Entity::Tenant(Arc::new(spec.check(title, &document.secrets, check_script, findings)))
            }
            Some(Kind::Client) => {
                let spec: Envelope<ClientSpec> = yaml_serde::from_str(&text).map_err(at_line)?;
                client_spec::tell_unknown(written, body, findings);
                let spec = spec.config.or(spec.spec).unwrap_or_default();
                Entity::Client(Arc::new(spec.check(title, &document.secrets, findings)))
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

/// A reader's error, with its place beside the message. What has no lines keeps the message.
fn located(error: yaml_serde::Error, has_lines: bool) -> Unreadable {
    let message = error.to_string();
    let Some(location) = error.location().filter(|_| has_lines) else { return message.into() };
    let (line, column) = (location.line(), location.column());
    Unreadable {
        message: message.replacen(&format!(" at line {line} column {column}"), "", 1),
        at: Some((line, column)),
    }
}
