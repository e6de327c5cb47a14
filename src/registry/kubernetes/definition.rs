//! The CustomResourceDefinitions, made from the types that read the resources.
//!
//! A schema of Kubernetes has one type per value, and files are read more generously: a number where text is meant, one
//! entry where a list is meant, other spellings of a key. So values have no type here, keys that are not listed are
//! kept, and what is wrong is said by the webhook and in the status, in the same sentences as for files.

use anyhow::Result;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::object::{GROUP, VERSION, kind_name, plural};
use super::status::Status;
use crate::registry::client_spec::ClientSpec;
use crate::registry::document::Kind;
use crate::registry::tenant_spec::TenantSpec;

/// Both definitions, as YAML that `kubectl apply` takes.
pub fn definitions() -> Result<String> {
    let column = |name: &str, kind: &str, path: &str| json!({ "name": name, "type": kind, "jsonPath": path });
    let age = column("Age", "date", ".metadata.creationTimestamp");
    let sessions = column("Sessions", "integer", ".status.activeSessions");
    let status = column("Status", "string", ".status.phase");
    let clients = column("Clients", "integer", ".status.clientCount");
    let denied = column("Denied", "integer", ".status.deniedAttempts");
    let tenant = column("Tenant", "string", ".spec.tenantname");
    let definitions = [
        definition::<TenantSpec>(Kind::Tenant, &[status.clone(), clients, sessions.clone(), age.clone()]),
        definition::<ClientSpec>(Kind::Client, &[tenant, sessions, denied, status, age]),
    ];
    let mut text = String::from("# Printed by `uitsmijter crds`.\n");
    for definition in definitions {
        text.push_str("---\n");
        text.push_str(&yaml_serde::to_string(&definition)?);
    }
    Ok(text)
}

fn definition<Spec: JsonSchema>(kind: Kind, columns: &[Value]) -> Value {
    let plural = plural(kind);
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{GROUP}"),
            // An uninstall must not take every tenant and client with it.
            "annotations": { "helm.sh/resource-policy": "keep" },
        },
        "spec": {
            "group": GROUP,
            "names": { "kind": kind_name(kind), "plural": plural, "singular": kind.as_str() },
            "scope": "Namespaced",
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "additionalPrinterColumns": columns,
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "required": ["spec"],
                    "properties": { "spec": schema::<Spec>(), "status": schema::<Status>() },
                } },
            }],
        },
    })
}

/// The schema of a type, as Kubernetes wants it (structural: every value with one type, or with none).
fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    structural(settings.into_generator().into_root_schema_for::<T>().to_value())
}

fn structural(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return any() };
    let mut out = Map::new();
    if let Some(Value::String(description)) = schema.remove("description") {
        // Broken lines in the source are no broken lines for readers.
        out.insert("description".into(), description.replace('\n', " ").into());
    }
    // `Option<T>` where T has no type of its own
    if let Some(Value::Array(choices)) = schema.remove("anyOf") {
        let is_null = |choice: &Value| choice.get("enum").is_some() || choice.get("nullable").is_some();
        if let Some(Value::Object(inner)) = choices.into_iter().find(|choice| !is_null(choice)) {
            schema.extend(inner);
        }
        schema.insert("nullable".into(), true.into());
    }
    match schema.remove("type") {
        Some(kind @ Value::String(_)) => {
            let is_object = kind == "object";
            out.insert("type".into(), kind);
            if is_object {
                out.insert("x-kubernetes-preserve-unknown-fields".into(), true.into());
            }
        }
        _ => out.extend(any().as_object().cloned().unwrap_or_default()),
    }
    if let Some(Value::Object(properties)) = schema.remove("properties") {
        let properties = properties.into_iter().map(|(name, inner)| (name, structural(inner))).collect();
        out.insert("properties".into(), Value::Object(properties));
    }
    if let Some(items) = schema.remove("items") {
        out.insert("items".into(), structural(items));
    }
    for key in ["nullable", "format", "enum"] {
        if let Some(value) = schema.remove(key) {
            out.insert(key.into(), value);
        }
    }
    // Files may leave anything out by writing nothing behind its colon.
    out.entry("nullable").or_insert(true.into());
    Value::Object(out)
}

fn any() -> Value {
    json!({ "x-kubernetes-preserve-unknown-fields": true })
}
