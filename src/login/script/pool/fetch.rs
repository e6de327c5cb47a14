//! `fetch` of login scripts: one HTTP exchange under limits of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::Client;
use url::Url;

use super::shares::Share;
use crate::login::script::wire::{Failure, Request, Response};
use crate::outgoing::client::{self, Policy};

/// What one `fetch` may cost.
#[derive(Clone, Debug)]
pub struct FetchLimits {
    /// From the call to the last byte, redirects included.
    pub timeout: Duration,
    /// Most bytes of a response body, unpacked.
    pub max_body: usize,
    /// How many redirects are followed.
    pub max_redirects: usize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), max_body: 1024 * 1024, max_redirects: 5 }
    }
}

impl Request {
    /// Bytes that it takes.
    pub(super) fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.url.len() + headers + self.body.as_ref().map_or(0, String::len)
    }
}

impl fmt::Display for Request {
    /// Method and URL without query and user, which may hold what was typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Url::parse(&self.url) {
            Ok(url) => write!(f, "{} {}{}", self.method, url.origin().ascii_serialization(), url.path()),
            Err(_) => write!(f, "{} of what is no URL", self.method),
        }
    }
}

/// The client that the scripts of a pool share, where one policy holds for them. Redirects are followed here, because each hop is checked.
pub(super) fn client(policy: &Policy) -> Result<Client, reqwest::Error> {
    client::builder(policy).build().or_else(|error| {
        // An image without root certificates can still talk to a user store inside the cluster, over http.
        tracing::warn!(%error, "login scripts cannot fetch over https: the system's root certificates did not load");
        client::builder(policy).tls_certs_only([]).build()
    })
}

/// How the scripts of a tenant reach other servers.
#[derive(Clone)]
pub(super) struct Exchange {
    /// The client, or why there is none.
    pub(super) client: Result<Client, String>,
    pub(super) policy: Policy,
    pub(super) limits: FetchLimits,
    /// Where they may go: exact names, `*.example.com` for one label more, each with or without a port.
    pub(super) hosts: Option<Arc<[String]>>,
}

impl Exchange {
    /// Sends `request`, follows redirects, reads the body; all within the limits.
    ///
    /// What it holds of the response grows `share`, which has to live as long as the response.
    pub(super) async fn fetch(self, request: Request, share: &mut Share) -> Result<Response, Failure> {
        let limit = self.limits.timeout;
        match tokio::time::timeout(limit, self.follow(request, share)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::new(format!("fetch: no complete response within {limit:?}"))),
        }
    }

    async fn follow(&self, request: Request, share: &mut Share) -> Result<Response, Failure> {
        let mut url =
            Url::parse(&request.url).map_err(|error| Failure::new(format!("fetch: the URL is bad: {error}")))?;
        let mut method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| Failure::new("fetch: the method is not a method of HTTP"))?;
        let mut headers = header_map(&request.headers)?;
        let mut body = request.body;
        let client = self.client.as_ref().map_err(|error| Failure::new(format!("fetch: no HTTP client: {error}")))?;
        for _ in 0..=self.limits.max_redirects {
            self.admit(&url)?;
            let mut attempt = client.request(method.clone(), url.clone()).headers(headers.clone());
            if let Some(body) = &body {
                attempt = attempt.body(body.clone());
            }
            let response = attempt.send().await.map_err(failed)?;
            let Some(target) = redirect_target(&response, &url) else {
                return self.read(response, share).await;
            };
            if url.scheme() == "https" && target.scheme() != "https" {
                return Err(Failure::new("fetch: a redirect leads from https to http"));
            }
            if target.origin() != url.origin() {
                for secret in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                    headers.remove(secret);
                }
            }
            // RFC 9110 §15.4: 303 asks for a GET; for 301 and 302 after POST, all clients do the same. 307 and 308 repeat.
            let status = response.status();
            let moved = matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND) && method == Method::POST;
            if moved || (status == StatusCode::SEE_OTHER && method != Method::HEAD) {
                method = Method::GET;
                body = None;
                headers.remove(CONTENT_TYPE);
            }
            url = target;
        }
        Err(Failure::new(format!("fetch: more than {} redirects", self.limits.max_redirects)))
    }

    fn admit(&self, url: &Url) -> Result<(), Failure> {
        self.policy.admit(url).map_err(|error| Failure::new(format!("fetch: {error}")))?;
        let host = url.host_str().unwrap_or_default();
        match &self.hosts {
            Some(hosts) if !hosts.iter().any(|allowed| allows(allowed, host, url.port_or_known_default())) => {
                Err(Failure::new(format!("fetch: the host {host} is not allowed for this tenant")))
            }
            _ => Ok(()),
        }
    }

    async fn read(&self, mut response: reqwest::Response, share: &mut Share) -> Result<Response, Failure> {
        let max = self.limits.max_body;
        let too_big = || Failure::new(format!("fetch: the response is bigger than {max} bytes"));
        let mut has_room = true;
        let bytes = client::body_within(&mut response, max, |more| {
            has_room = share.grow(more);
            has_room
        });
        let bytes = bytes.await.map_err(failed)?;
        if !has_room {
            return Err(Failure::new("fetch: scripts of this tenant hold too many responses at once"));
        }
        let bytes = bytes.ok_or_else(too_big)?;
        let body = String::from_utf8_lossy(&bytes).into_owned();
        let status = response.status();
        if !status.is_success() {
            return Err(Failure {
                message: format!("fetch: HTTP status {status}"),
                answer: Some((status.as_u16(), body)),
            });
        }
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Ok(Response { code: status.as_u16(), url: response.url().to_string(), headers, body })
    }
}

fn header_map(pairs: &[(String, String)]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::try_from(name).map_err(|_| Failure::new("fetch: the name of a header is bad"))?;
        let value = HeaderValue::try_from(value)
            .map_err(|_| Failure::new(format!("fetch: the value of the header {name} is bad")))?;
        headers.append(name, value);
    }
    // The body's length is counted here; a script that counts differently would break the framing.
    headers.remove(CONTENT_LENGTH);
    headers.remove(TRANSFER_ENCODING);
    Ok(headers)
}

/// Where a redirect leads; `None` if the response is not one.
fn redirect_target(response: &reqwest::Response, from: &Url) -> Option<Url> {
    let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| redirects)?;
    from.join(location.to_str().ok()?).ok()
}

fn allows(allowed: &str, host: &str, port: Option<u16>) -> bool {
    let (name, wanted) = match allowed.rsplit_once(':') {
        Some((name, digits)) if digits.parse::<u16>().is_ok() && !name.ends_with(':') => (name, digits.parse().ok()),
        _ => (allowed, None),
    };
    if wanted.is_some() && wanted != port {
        return false;
    }
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
        None => host.eq_ignore_ascii_case(name),
    }
}

fn failed(error: reqwest::Error) -> Failure {
    Failure::new(format!("fetch: {}", client::causes(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowed_host_is_exact_or_one_label_below() {
        assert!(allows("users.example.com", "users.example.com", Some(443)));
        assert!(allows("Users.Example.com", "users.example.com", Some(443)));
        assert!(allows("*.example.com", "users.example.com", Some(443)));
        assert!(allows("users.example.com:8080", "users.example.com", Some(8080)));
        assert!(allows("[::1]:8080", "[::1]", Some(8080)));
        assert!(!allows("users.example.com:8080", "users.example.com", Some(443)));
        assert!(!allows("*.example.com", "a.users.example.com", Some(443)));
        assert!(!allows("*.example.com", "example.com", Some(443)));
        assert!(!allows("example.com", "example.com.evil.tld", Some(443)));
    }
}
