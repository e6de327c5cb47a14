//! `POST /validate`: validates a tenant or client for the Kubernetes API server (`admission.k8s.io/v1`).
//!
//! On its own address, which only the API server has to reach.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::registry::document::Document;
use crate::registry::reload::Loader;
use crate::registry::{Problem, Registry, kubernetes};
use crate::settings::Settings;

/// A resource has at most 3 MiB, and a review holds it twice.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// How long a response may take, the body included: the timeout that our chart gives the API server.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many resources are validated at the same time. Anybody who reaches the address may ask, and each validation
/// holds a whole registry in memory.
const AT_ONCE: usize = 4;

/// What a validation takes into account.
#[derive(Clone)]
pub struct Judge {
    /// The declared documents.
    pub loader: Arc<Loader>,
    /// The served tenants and clients.
    pub registry: Registry,
    /// The settings of the process.
    pub settings: Arc<Settings>,
}

/// The routes of the webhook.
pub fn router(judge: Judge) -> Router {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    Router::new()
        .route("/validate", post(validate))
        .layer((
            TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT),
            CatchPanicLayer::new(),
            DefaultBodyLimit::max(MAX_BODY),
        ))
        .with_state((judge, places))
}

async fn validate(State((judge, places)): State<(Judge, Arc<Semaphore>)>, body: Bytes) -> Response {
    let place = places.acquire_owned().await;
    // It parses scripts, which takes a moment.
    let judged = tokio::task::spawn_blocking(move || {
        // Held to the end, even if the caller has gone away.
        let _place = place;
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
