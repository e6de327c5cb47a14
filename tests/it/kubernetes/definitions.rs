//! The definitions that `uitsmijter crds` prints: as the chart has them, and such that an API server takes them.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use uitsmijter::registry::kubernetes::definitions;

fn parsed() -> Vec<Value> {
    let text = definitions().unwrap();
    let documents = yaml_serde::Deserializer::from_str(&text);
    documents.map(|document| Value::deserialize(document).unwrap()).collect()
}

#[test]
fn the_chart_has_the_definitions_that_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("helm/uitsmijter/files/crds.yaml");
    let chart = fs::read_to_string(&path).unwrap();
    assert!(
        chart == definitions().unwrap(),
        "{} is not what `uitsmijter crds` prints: run make generate",
        path.display()
    );
}

/// The rules of a structural schema: every value has one type, or is left free and whole.
fn check_structural(place: &str, schema: &Value) {
    let members = schema.as_object().unwrap_or_else(|| panic!("{place}: {schema}"));
    let known = [
        "type",
        "description",
        "nullable",
        "format",
        "enum",
        "properties",
        "items",
        "x-kubernetes-preserve-unknown-fields",
    ];
    for member in members.keys() {
        assert!(known.contains(&member.as_str()) || place.is_empty(), "{place}: {member}");
    }
    let kind = members.get("type").and_then(Value::as_str);
    let is_free = members.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    assert!(kind.is_some() || is_free, "{place} has no type");
    assert_eq!(kind == Some("array"), members.contains_key("items"), "{place}");
    assert!(!members.contains_key("properties") || kind == Some("object"), "{place}");
    for (name, inner) in members.get("properties").and_then(Value::as_object).into_iter().flatten() {
        check_structural(&format!("{place}.{name}"), inner);
    }
    if let Some(items) = members.get("items") {
        check_structural(&format!("{place}[]"), items);
    }
}

#[test]
fn the_schemas_are_structural_and_tell_every_key() {
    let [tenants, clients] = parsed().try_into().unwrap();
    for (definition, name, keys) in [
        (&tenants, "tenants.uitsmijter.io", ["hosts", "providers", "allowed_client_namespaces"]),
        (&clients, "clients.uitsmijter.io", ["ident", "secretRef", "isPkceOnly"]),
    ] {
        assert_eq!(definition["metadata"]["name"], name);
        let version = &definition["spec"]["versions"][0];
        assert_eq!(version["subresources"]["status"], serde_json::json!({}));
        let schema = &version["schema"]["openAPIV3Schema"];
        check_structural("", schema);
        let spec = &schema["properties"]["spec"];
        for key in keys {
            assert!(spec["properties"][key]["description"].is_string(), "{key}: {spec}");
        }
        assert_eq!(spec["x-kubernetes-preserve-unknown-fields"], true);
        assert!(schema["properties"]["status"]["properties"]["observedGeneration"].is_object());
    }
    let columns = |definition: &Value| -> Vec<String> {
        let columns = definition["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap();
        columns.iter().map(|column| column["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(columns(&tenants), ["Status", "Clients", "Sessions", "Age"]);
    assert_eq!(columns(&clients), ["Tenant", "Sessions", "Denied", "Status", "Age"]);
}
