//! Buckets of S3-compatible stores: a listing and single objects, limited in time and size. Errors never quote what the
//! store said, because it repeats access keys and signed requests.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Chain, Context, Result, ensure};
use async_trait::async_trait;
use futures_util::StreamExt;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Limited};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStoreExt, RetryConfig};
use reqwest::Client;
use url::Url;

use super::listed::Listed;
use crate::outgoing::backends::Backends;
use crate::outgoing::client::{self, Policy};
use crate::registry::tenant::{AMAZON, Templates};

/// The longest time to connect.
const CONNECT: Duration = Duration::from_secs(3);
/// From a request to the last byte of its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of an answer; a thousand names of the greatest length fit.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// The clients for all buckets, each made for the first one.
#[derive(Clone)]
pub(super) struct Http {
    backends: Backends,
    /// For tenants of the operator, and for those of others.
    clients: Arc<[OnceLock<LimitedClient>; 2]>,
}

/// A client that limits the size of answers.
#[derive(Clone, Debug)]
struct LimitedClient {
    client: Client,
    policy: Policy,
}

/// One tenant's place in a store.
pub(super) struct Bucket {
    store: AmazonS3,
    /// Empty, or with a slash at its end.
    path: String,
}

impl Http {
    /// No client yet; `backends` says which addresses they may reach.
    pub(super) fn new(backends: Backends) -> Self {
        Self { backends, clients: Arc::default() }
    }

    fn client(&self, namespace: Option<&str>) -> Result<LimitedClient> {
        let whose = self.backends.whose(namespace);
        let kept = &self.clients[whose as usize];
        if let Some(client) = kept.get() {
            return Ok(client.clone());
        }
        let policy = self.backends.policy(whose).clone();
        let client = client::builder(&policy)
            .connect_timeout(CONNECT)
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(1)
            .build()
            .context("buckets cannot be reached")?;
        Ok(kept.get_or_init(|| LimitedClient { client, policy }).clone())
    }
}

#[async_trait]
impl HttpService for LimitedClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_listing = request.uri().query().is_some_and(|query| query.contains("list-type="));
        let url = Url::parse(&request.uri().to_string());
        let refused = match url.map_err(anyhow::Error::new).and_then(|url| self.policy.admit(&url)) {
            Ok(()) => None,
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = refused {
            return Err(HttpError::new_boxed(HttpErrorKind::Connect, reason.into()));
        }
        let (parts, body) = HttpService::call(&self.client, request).await?.into_parts();
        // A page in place of the store would otherwise be read as an empty bucket.
        let media_type = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        if is_listing && parts.status.is_success() && media_type.starts_with(b"text/html") {
            return Err(HttpError::new_boxed(HttpErrorKind::Decode, "it is a page, not a listing".into()));
        }
        let body = Limited::new(body, MAX_ANSWER).map_err(|error| match error.downcast::<HttpError>() {
            Ok(error) => *error,
            Err(error) => HttpError::new_boxed(HttpErrorKind::Decode, error),
        });
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}

impl HttpConnector for LimitedClient {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl Bucket {
    /// A bucket as a tenant's settings name it. Nothing is asked yet.
    ///
    /// Without an access key requests are not signed: the process's own rights in a cloud are not the tenants'.
    pub(super) fn open(place: &Templates, namespace: Option<&str>, http: &Http) -> Result<Self> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&place.bucket)
            .with_region(&place.region)
            // A later reading is the next attempt.
            .with_retry(RetryConfig { max_retries: 0, retry_timeout: TIMEOUT, ..RetryConfig::default() })
            .with_http_connector(http.client(namespace)?);
        // Amazon's own hosts follow from the region.
        if place.host != AMAZON {
            builder = builder.with_endpoint(&place.host).with_allow_http(place.host.starts_with("http://"));
        }
        builder = match (&place.access_key_id, &place.secret_access_key) {
            (Some(id), Some(secret)) => builder.with_access_key_id(id).with_secret_access_key(secret),
            _ => builder.with_skip_signature(true),
        };
        let path = place.path.trim_matches('/');
        let path = if path.is_empty() { String::new() } else { format!("{path}/") };
        Ok(Self { store: builder.build().map_err(readable)?, path })
    }

    /// The objects directly below the path.
    ///
    /// Errors: the store does not answer, refuses, or has more than `most` objects there.
    pub(super) async fn list(&self, most: usize) -> Result<Vec<Listed>> {
        let prefix = Some(&*self.path).filter(|path| !path.is_empty());
        let options = PaginatedListOptions {
            delimiter: Some("/".into()),
            max_keys: Some(most),
            ..PaginatedListOptions::default()
        };
        let page = self.store.list_paginated(prefix, options).await.map_err(readable)?;
        ensure!(
            page.page_token.is_none(),
            "more than {most} objects lie there; give the templates a path of their own"
        );
        let listed = page.result.objects.into_iter().filter_map(|object| {
            let tag = object.e_tag.unwrap_or_default();
            let version = format!("{tag} {} {}", object.last_modified.timestamp_millis(), object.size);
            Some(Listed { name: object.location.filename()?.to_owned(), size: object.size, version })
        });
        Ok(listed.collect())
    }

    /// The bytes of one object.
    ///
    /// Errors: the store does not answer, refuses, or sends more than `most` bytes.
    pub(super) async fn get(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        let path = Path::parse(format!("{}{name}", self.path)).context("this name cannot be asked for")?;
        let mut stream = self.store.get(&path).await.map_err(readable)?.into_stream();
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk.map_err(readable)?);
            ensure!(bytes.len() as u64 <= most, "it is bigger than {most} bytes");
        }
        Ok(bytes)
    }
}

/// What an operator may read of an error: our own words, the code of the store, and what is wrong with the connection.
fn readable(error: object_store::Error) -> anyhow::Error {
    let text = error.to_string();
    // Of the store's answer the status and the code alone, like NoSuchBucket: the rest quotes the request.
    let status = text.split_once("status code: ").and_then(|(_, rest)| rest.get(..3)?.parse::<u16>().ok());
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    let code = code.filter(|code| code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric()));
    let reason = match status {
        Some(401 | 403) => {
            "the store refuses: check access_key_id and secret_access_key, and that they may list the bucket and read \
             its objects"
                .to_owned()
        }
        Some(404) => "the store knows no such bucket or object".to_owned(),
        Some(status) => format!("the store answers with the status {status}"),
        None => connection(&error).unwrap_or_else(|| "the store does not answer as one that speaks S3".to_owned()),
    };
    anyhow::Error::msg(code.map_or_else(|| reason.clone(), |code| format!("{reason} ({code})")))
}

/// What went wrong before there was an answer.
fn connection(error: &object_store::Error) -> Option<String> {
    let failed = Chain::new(error).find_map(|cause| cause.downcast_ref::<HttpError>())?;
    let what = match failed.kind() {
        HttpErrorKind::Connect => "the store cannot be reached",
        HttpErrorKind::Timeout => "no complete answer in time",
        HttpErrorKind::Decode => "the answer cannot be read",
        _ => "the answer broke off",
    };
    // Below the HTTP error are the network's and TLS' own words; it carries neither URL nor headers.
    Chain::new(failed).last().map(|deepest| format!("{what}: {deepest}"))
}
