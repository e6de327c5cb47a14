//! The alert rules for Prometheus and the dashboard use metrics and labels that a replica really has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use regex::Regex;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::journeys;
use crate::redis::RedisServer;
use crate::replica::INTEROP;
use crate::sign_in::Person;
use crate::world::World;

const DASHBOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/helm/uitsmijter/files/dashboard.json");
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/alerts.yaml");

/// Labels that Prometheus itself adds.
const ADDED: [&str; 2] = ["instance", "job"];

#[test]
fn promtool_accepts_the_rules() {
    let missing = "this test needs promtool: apt-get install prometheus";
    let output = Command::new("promtool").args(["check", "rules", RULES]).output().expect(missing);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("13 rules found"), "{said}");
}

#[test]
fn the_rules_fire_when_something_is_wrong_and_not_when_a_key_changes() {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replicas/alerts_test.yaml");
    let output = Command::new("promtool").args(["test", "rules", cases]).output().expect("promtool");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("SUCCESS"), "{said}");
}

#[tokio::test]
async fn the_rules_ask_for_metrics_and_labels_that_a_replica_shows() {
    let redis = RedisServer::start().await;
    let world = World::on(&redis);
    let replica = world.start().await;
    // A counter does not appear before it has counted something.
    Person::new().sign_in(&replica).await;
    Person::new().fail(&replica).await;
    replica.jwks(INTEROP).await;
    replica.token(INTEROP).await;
    let metrics = replica.metrics().await;
    let shown = shown(&metrics);

    let rules = rules();
    assert_eq!(rules.len(), 13);
    let mut asked = BTreeSet::new();
    for (alert, rule) in &rules {
        for (metric, labels) in asked_for(rule["expr"].as_str().expect("an expression")) {
            let known = shown.get(&metric).unwrap_or_else(|| panic!("{alert}: nobody shows {metric}\n{metrics}"));
            for label in &labels {
                assert!(known.contains(label), "{alert}: {metric} has no label {label}, but {known:?}");
            }
            asked.insert(metric);
        }
        for text in ["summary", "description"] {
            let text = rule["annotations"][text].as_str().unwrap_or_default();
            assert!(text.ends_with('.') && text.len() > 20, "{alert}: a sentence");
        }
    }
    println!("{} alert rules ask for {} metrics, all of which are shown", rules.len(), asked.len());
}

#[tokio::test]
async fn the_dashboard_asks_for_metrics_and_labels_that_a_replica_shows() {
    let redis = RedisServer::start().await;
    // A tick records the last signature of each key; this makes it come sooner.
    let world = World::on(&redis).fast(10);
    let replica = world.start().await;
    let mut person = Person::new();
    let tokens = person.sign_in(&replica).await;
    Person::new().fail(&replica).await;
    replica.jwks(INTEROP).await;
    replica.token(INTEROP).await;
    journeys::intercepted(&replica, &person).await;
    journeys::revoked(&replica, &tokens).await;
    let stranger = [("token", "x"), ("client_id", "nobody")];
    reqwest::Client::new().post(replica.url("/revoke")).form(&stranger).send().await.expect("an answer");
    person.sign_out(&replica).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut metrics = replica.metrics().await;
    // A sample, and not only its help text.
    while !metrics.contains("uitsmijter_signing_key_last_expiry_timestamp_seconds{") {
        assert!(Instant::now() < deadline, "{metrics}");
        sleep(Duration::from_millis(100)).await;
        metrics = replica.metrics().await;
    }
    let shown = shown(&metrics);

    let text = std::fs::read_to_string(DASHBOARD).expect("the dashboard");
    let mut asked = Vec::new();
    queries(&serde_json::from_str(&text).expect("JSON"), &mut asked);
    assert!(asked.len() > 20, "{asked:?}");
    for query in &asked {
        for (metric, labels) in asked_for(query) {
            let known = shown.get(&metric).unwrap_or_else(|| panic!("{query}: nobody shows {metric}\n{metrics}"));
            for label in labels.iter().filter(|label| !ADDED.contains(&label.as_str())) {
                assert!(known.contains(label), "{query}: {metric} has no label {label}, but {known:?}");
            }
        }
    }
    println!("{} queries of the dashboard ask for what is shown", asked.len());
}

/// Every PromQL expression in a dashboard: of panels and of variables.
fn queries(part: &Value, found: &mut Vec<String>) {
    match part {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if name == "expr" || name == "query" => found.push(text.to_owned()),
                    _ => queries(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

fn rules() -> Vec<(String, Value)> {
    let text = std::fs::read_to_string(Path::new(RULES)).expect("the rules");
    let document: Value = yaml_serde::from_str(&text).expect("YAML");
    let rules = document["groups"][0]["rules"].as_array().expect("rules").clone();
    rules.into_iter().map(|rule| (rule["alert"].as_str().expect("a name").to_owned(), rule)).collect()
}

/// The names of all metrics, each with the labels that it has somewhere.
fn shown(metrics: &str) -> BTreeMap<String, BTreeSet<String>> {
    let sample = Regex::new(r"(?m)^([a-z_:]+)(?:\{([^}]*)\})? ").expect("a correct expression");
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for found in sample.captures_iter(metrics) {
        let labels = found.get(2).map_or("", |labels| labels.as_str());
        shown.entry(found[1].to_owned()).or_default().extend(label_names(labels));
    }
    shown
}

/// The metrics in an expression, each with the labels that are compared or grouped by.
fn asked_for(expression: &str) -> Vec<(String, BTreeSet<String>)> {
    let metric = Regex::new(r"\b((?:uitsmijter|http)_[a-z_]+)(?:\{([^}]*)\})?").expect("a correct expression");
    let grouping = Regex::new(r"\bby \(([^)]*)\)").expect("a correct expression");
    let groups: BTreeSet<String> = grouping
        .captures_iter(expression)
        .flat_map(|found| found[1].split(',').map(|label| label.trim().to_owned()).collect::<Vec<_>>())
        .filter(|label| !ADDED.contains(&label.as_str()))
        .collect();
    let found = metric.captures_iter(expression).map(|found| {
        let mut labels = label_names(found.get(2).map_or("", |labels| labels.as_str()));
        labels.extend(groups.clone());
        (found[1].to_owned(), labels)
    });
    found.collect()
}

fn label_names(labels: &str) -> BTreeSet<String> {
    let name = Regex::new(r#"([a-z_]+)(?:=|!=|=~|!~)""#).expect("a correct expression");
    name.captures_iter(labels).map(|found| found[1].to_owned()).collect()
}
