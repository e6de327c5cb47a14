//! `POST /validate`: the API server asks whether a tenant or client may be stored (`admission.k8s.io/v1`).
//!
//! At an address of its own, which nobody else has to reach.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use crate::registry::document::Document;
use crate::registry::reload::Loader;
use crate::registry::{Problem, Registry, kubernetes};
use crate::settings::Settings;

/// A resource has at most 3 MiB, and a review holds it twice.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// What a judgement takes into account.
#[derive(Clone)]
pub struct Judge {
    /// What is declared.
    pub loader: Arc<Loader>,
    /// What is served.
    pub registry: Registry,
    /// What the process was told.
    pub settings: Arc<Settings>,
}

/// The routes of the webhook.
pub fn router(judge: Judge) -> Router {
    Router::new().route("/validate", post(validate)).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(judge)
}

async fn validate(State(judge): State<Judge>, body: Bytes) -> Response {
    // It reads scripts, which takes a moment.
    let judged = tokio::task::spawn_blocking(move || {
        kubernetes::review(&body, &|resource, entity| judge.rehearse(resource, entity))
    });
    match judged.await.map_err(anyhow::Error::from).flatten() {
        Ok(review) => axum::Json(review).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}\n")).into_response(),
    }
}

impl Judge {
    /// What `check` would print about `resource` if it were declared.
    fn rehearse(&self, resource: Document, entity: &str) -> Vec<Problem> {
        let source = resource.source.clone();
        let (snapshot, mut problems) = self.loader.rehearse(resource, &self.registry);
        let own = self.settings.conflicts(&snapshot).into_iter().filter(|problem| problem.entity == entity);
        problems.extend(own.map(|problem| Problem { source: source.clone(), ..problem }));
        problems
    }
}
