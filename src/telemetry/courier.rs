//! Sends what was gathered to the collector, on the server's runtime; an outage is logged once.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Chain, Result};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use reqwest::Client;
use tokio::runtime::Handle;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

/// Most bytes of an answer; those of a collector are short.
const MAX_ANSWER: usize = 64 * 1024;

/// An HTTP client that can be called from threads without a runtime, as those of the batch processors are.
#[derive(Debug)]
pub(super) struct Courier {
    signal: &'static str,
    client: Client,
    runtime: Handle,
    /// Whether the last delivery failed, so that an outage is logged when it begins and when it ends.
    failing: AtomicBool,
}

impl Courier {
    /// Sends by `client`, which must follow no redirect: the headers, which may have a key, would go along.
    pub(super) fn new(signal: &'static str, client: &Client, runtime: &Handle) -> Self {
        Self { signal, client: client.clone(), runtime: runtime.clone(), failing: AtomicBool::new(false) }
    }

    fn log_change(&self, outcome: Result<u16, String>) {
        let signal = self.signal;
        let cause = match outcome {
            Ok(status) if status < 300 => None,
            Ok(status) => Some(format!("the answer has the status {status}")),
            Err(cause) => Some(cause),
        };
        let before = self.failing.swap(cause.is_some(), Ordering::Relaxed);
        match cause {
            Some(cause) if !before => tracing::warn!(
                signal,
                cause,
                "the collector does not take telemetry; requests go on, what does not fit the queue is dropped"
            ),
            None if before => tracing::info!(signal, "the collector takes telemetry again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Courier {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let exchange = exchange(self.client.clone(), request);
        // What the client itself would log or trace would be the next thing to send, and so on for ever.
        let answer = self.runtime.spawn(exchange.with_subscriber(NoSubscriber::new())).await;
        let answer = answer.map_err(HttpError::from).flatten();
        self.log_change(match &answer {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) => Err(causes(error.as_ref())),
        });
        answer
    }
}

async fn exchange(client: Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request.try_into()?).await.map_err(reqwest::Error::without_url)?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err("the answer is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    Chain::new(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
