//! `GET /metrics`: the metrics, as OpenMetrics.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::metrics::{CONTENT_TYPE, OfKind};
use crate::protocol::error::Result;
use crate::registry::{Problem, Severity};

/// All metrics of this replica.
pub async fn get(State(app): State<App>) -> Result<Response> {
    let snapshot = app.registry.current();
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    app.services.metrics.tenants.set(count(snapshot.tenant_count()));
    app.services.metrics.clients.set(count(snapshot.client_count()));
    for (kind, number) in problems(&app.registry.problems()) {
        app.services.metrics.registry_problems.get_or_create(&OfKind { kind }).set(count(number));
    }
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], app.services.metrics.encode()?).into_response())
}

/// The number of documents that are not served as written, by kind.
fn problems(problems: &[Problem]) -> [(&'static str, usize); 3] {
    let broken: BTreeSet<(&str, &str)> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(|problem| (problem.source.as_str(), problem.entity.as_str()))
        .collect();
    let kind_of = |entity: &str| match entity.split_once(' ') {
        Some(("tenant", _)) => "tenant",
        Some(("client", _)) => "client",
        _ => "unknown",
    };
    ["tenant", "client", "unknown"]
        .map(|kind| (kind, broken.iter().filter(|(_, entity)| kind_of(entity) == kind).count()))
}
