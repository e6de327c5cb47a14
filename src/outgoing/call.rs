//! Calls to other servers, limited in time and size.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Error, Result, ensure};
use http::HeaderMap;
use reqwest::{Client, RequestBuilder, StatusCode};
use tokio::sync::Semaphore;
use url::Url;

use super::client::{self, Policy};
use crate::telemetry;

/// From the call to the last byte.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer.
const MAX_BODY: usize = 256 * 1024;

/// Most forms that are posted at the same time: the end of thousands of sessions must not open as many connections.
const MAX_POSTS: usize = 64;

/// The way out to addresses of one policy. Cheap to clone.
#[derive(Clone)]
pub struct Outgoing {
    policy: Policy,
    posting: Arc<Semaphore>,
    /// Made at the first call: it reads the system's root certificates.
    client: Arc<OnceLock<Client>>,
}

/// What the other server answered. Redirects are answers like any other.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// This answer, if its status is one of success.
    pub fn success(self) -> Result<Self> {
        ensure!(self.status.is_success(), "the answer has the status {}", self.status);
        Ok(self)
    }
}

impl Outgoing {
    /// A way out for addresses that `policy` describes.
    pub fn new(policy: Policy) -> Self {
        Self { policy, posting: Arc::new(Semaphore::new(MAX_POSTS)), client: Arc::default() }
    }

    /// The answer to a GET.
    pub async fn get(&self, url: &str) -> Result<Answer> {
        self.call(url, |client, url| client.get(url)).await
    }

    /// The answer to a form. Of many at once, some wait.
    pub async fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let _place = self.posting.acquire().await?;
        self.call(url, |client, url| client.post(url).form(fields)).await
    }

    async fn call(&self, url: &str, build: impl FnOnce(&Client, Url) -> RequestBuilder) -> Result<Answer> {
        let url = Url::parse(url).context("the URL is bad")?;
        self.policy.admit(&url)?;
        let request = build(self.client()?, url);
        let failed = |error| Error::msg(client::causes(error));
        let exchange = async {
            let mut headers = HeaderMap::new();
            telemetry::pass_on(&mut headers);
            let mut response = request.headers(headers).send().await.map_err(failed)?;
            let body = client::body_within(&mut response, MAX_BODY, |_| true).await.map_err(failed)?;
            let body = body.with_context(|| format!("the answer is bigger than {MAX_BODY} bytes"))?;
            Ok(Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
        };
        tokio::time::timeout(TIMEOUT, exchange).await.context("no complete answer in time")?
    }

    fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client =
            client::builder(&self.policy).timeout(TIMEOUT).build().context("outgoing calls are not possible")?;
        Ok(self.client.get_or_init(|| client))
    }
}
