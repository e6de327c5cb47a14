//! `/openapi.json`: what it says is what is routed.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use regex::Regex;
use serde_json::Value;

use crate::harness::TestServer;

/// Methods and paths of the route table. Forward-auth accepts every method and any suffix of its path.
fn routed() -> BTreeSet<String> {
    let table = include_str!("../../../src/endpoint/mod.rs");
    let route = Regex::new(r#"\.route\(\s*"([^"]+)",\s*([^\n]+)\)"#).expect("a pattern");
    let method = Regex::new(r"\b(get|post|options|any)\(").expect("a pattern");
    let lines = table.lines().filter_map(|line| route.captures(line));
    lines
        .flat_map(|found| {
            let (path, handlers) = (found[1].to_owned(), found[2].to_owned());
            let name = |method: &str| if method == "any" { "get".to_owned() } else { method.to_owned() };
            method.captures_iter(&handlers).map(|m| format!("{} {path}", name(&m[1]))).collect::<Vec<_>>()
        })
        .filter(|route| !route.contains(" /interceptor/"))
        .collect()
}

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let server = TestServer::start().await;
    let document = server.get("/openapi.json").await.expect(200).json();
    let described: BTreeSet<String> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().expect("methods").keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    assert!(described.len() > 20, "{described:?}");
    assert_eq!(described, routed());
}

#[tokio::test]
async fn a_bare_request_gets_a_status_that_is_described() {
    let server = TestServer::start().await;
    let document = server.get("/openapi.json").await.expect(200).json();
    assert_eq!(document["servers"][0]["url"], "https://login.acme.example");
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let method = method.to_uppercase();
            let request = Request::builder().method(method.as_str()).uri(path.replace("{name}", "logo.svg"));
            let answer = server.send(request.body(Body::empty()).expect("a request")).await;
            let described = operation["responses"].get(answer.status.as_str());
            assert!(described.is_some(), "{method} {path}: {answer:#?}");
            assert!(!answer.status.is_server_error(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    let server = TestServer::start().await;
    let document = server.get("/openapi.json").await.expect(200).json();
    let text = document.to_string();
    for reference in Regex::new(r##""#(/[^"]+)""##).expect("a pattern").captures_iter(&text) {
        assert!(document.pointer(&reference[1]).is_some_and(Value::is_object), "{}", &reference[1]);
    }
}

#[tokio::test]
async fn an_operator_can_keep_it_away() {
    let server = TestServer::start_with(&crate::harness::fixtures::documents(), &[("OPENAPI", "false")]).await;
    server.get("/openapi.json").await.expect_error(404, "not_found");
}
