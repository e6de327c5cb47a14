//! The original URL of a request that a proxy asks about, one small function per dialect.
//!
//! Proxies forward most headers of a browser, so a browser can use a dialect that its proxy does not. All headers must
//! therefore name the same host: a browser that adds its own only locks itself out.

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use url::Url;

use crate::origin::{is_trusted, last, peer};
use crate::settings::Settings;

/// The original request to an application, as its proxy describes it.
#[derive(Clone, Debug)]
pub struct OriginalUrl {
    /// The URL, with `http` or `https` and a host.
    pub url: Url,
    /// The method.
    pub method: Method,
    /// Whether the proxy forwards a redirect. nginx treats anything but 2xx, 401 and 403 as an error.
    pub redirects: bool,
}

/// The URL in one dialect: host with port, and path with query.
struct DialectUrl {
    scheme: Option<String>,
    authority: String,
    target: String,
    redirects: bool,
}

impl OriginalUrl {
    /// Reads how the proxy describes the original request.
    ///
    /// Errors: a sentence if no trusted proxy describes it, or if the headers contradict each other.
    pub fn of(parts: &Parts, settings: &Settings) -> Result<Self, &'static str> {
        if !is_trusted(peer(&parts.extensions), settings) {
            return Err("only a trusted proxy may ask; see trusted_proxies");
        }
        let dialects = [nginx_url, nginx_uri, envoy, forwarded];
        let described: Vec<DialectUrl> = dialects.iter().filter_map(|dialect| dialect(parts)).collect();
        let scheme = one(&parts.headers, "x-forwarded-proto").unwrap_or_else(|| settings.scheme().to_owned());
        let urls: Option<Vec<Url>> = described.iter().map(|described| described.url(&scheme)).collect();
        let urls = urls.ok_or("the proxy names no usable URL")?;
        let (Some(url), Some(first)) = (urls.first(), described.first()) else {
            return Err("the proxy does not name the URL that it was asked for");
        };
        if urls.iter().any(|other| other.host() != url.host()) || !agrees(&parts.headers, url) {
            return Err("the headers of the request name different hosts");
        }
        Ok(Self { url: url.clone(), method: method(parts), redirects: first.redirects })
    }

    /// Scheme, host and port, which identify the application behind the proxy.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

impl DialectUrl {
    fn url(&self, scheme: &str) -> Option<Url> {
        let scheme = self.scheme.as_deref().unwrap_or(scheme);
        let web = matches!(scheme, "http" | "https");
        let plain = !self.authority.contains(['/', '\\', '?', '#', '@', ' ']) && self.target.starts_with('/');
        let url = Url::parse(&format!("{scheme}://{}{}", self.authority, self.target)).ok()?;
        Some(url).filter(|url| web && plain && url.host_str().is_some())
    }
}

/// Traefik, Caddy and others that send `X-Forwarded-Host` and `X-Forwarded-Uri`.
fn forwarded(parts: &Parts) -> Option<DialectUrl> {
    let authority = one(&parts.headers, "x-forwarded-host")?;
    let target = one(&parts.headers, "x-forwarded-uri").unwrap_or_else(|| "/".to_owned());
    Some(DialectUrl { scheme: None, authority, target, redirects: true })
}

/// nginx, with `proxy_set_header X-Original-URL $scheme://$http_host$request_uri`.
fn nginx_url(parts: &Parts) -> Option<DialectUrl> {
    let url = one(&parts.headers, "x-original-url")?;
    let (scheme, rest) = url.split_once("://")?;
    let path = rest.find('/').unwrap_or(rest.len());
    let target = if path == rest.len() { "/" } else { &rest[path..] };
    Some(DialectUrl {
        scheme: Some(scheme.to_owned()),
        authority: rest[..path].to_owned(),
        target: target.to_owned(),
        redirects: false,
    })
}

/// nginx, with `proxy_set_header X-Original-URI $request_uri` and `Host $http_host`.
fn nginx_uri(parts: &Parts) -> Option<DialectUrl> {
    let target = one(&parts.headers, "x-original-uri")?;
    Some(DialectUrl { scheme: None, authority: host(parts)?, target, redirects: false })
}

/// Envoy's ext_authz keeps host and method and puts `path_prefix: /interceptor` before the path; if a route rewrote the
/// path, the original one is in another header.
fn envoy(parts: &Parts) -> Option<DialectUrl> {
    let asked = parts.uri.path_and_query().map_or("/", |asked| asked.as_str());
    let below = asked.strip_prefix("/interceptor").filter(|rest| rest.starts_with('/')).map(str::to_owned);
    let target = one(&parts.headers, "x-envoy-original-path").or(below)?;
    Some(DialectUrl { scheme: None, authority: host(parts)?, target, redirects: true })
}

fn host(parts: &Parts) -> Option<String> {
    let own = parts.uri.authority().map(|authority| authority.as_str().to_owned());
    own.or_else(|| one(&parts.headers, header::HOST.as_str()))
}

/// The value of a header that occurs once; of a list the last, which the proxy wrote that asks.
fn one(headers: &HeaderMap, name: &str) -> Option<String> {
    let lists = name.starts_with("x-forwarded-") && name != "x-forwarded-uri";
    let value = if lists { last(headers, name)? } else { headers.get_all(name).iter().next_back()?.to_str().ok()? };
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// Whether every `X-Forwarded-Host` names the host of `url`.
fn agrees(headers: &HeaderMap, url: &Url) -> bool {
    let values = headers.get_all("x-forwarded-host").iter().map(|value| value.to_str().unwrap_or_default());
    let mut hosts = values.flat_map(|value| value.split(',')).map(str::trim);
    hosts.all(|host| Url::parse(&format!("{}://{host}/", url.scheme())).is_ok_and(|own| own.host() == url.host()))
}

/// The method that the browser used.
fn method(parts: &Parts) -> Method {
    let described = ["x-forwarded-method", "x-original-method"].iter().find_map(|name| one(&parts.headers, name));
    described.and_then(|name| Method::from_bytes(name.as_bytes()).ok()).unwrap_or_else(|| parts.method.clone())
}
