//! Calls to addresses that clients name: limited in time and size, and not into the operator's own network.

use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use http::HeaderMap;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::telemetry;

/// From the call to the last byte.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer.
const MAX_BODY: usize = 256 * 1024;

/// Most forms that are posted at the same time.
const MAX_POSTS: usize = 64;

/// The way out. Cheap to clone.
#[derive(Clone)]
pub struct Outgoing(Arc<Inner>);

struct Inner {
    /// Loopback, private and link-local addresses, and plain http, are fine too.
    allow_private: bool,
    /// So that the end of thousands of sessions does not open thousands of connections.
    posting: Semaphore,
    /// Made at the first call: it reads the system's root certificates.
    client: OnceLock<Client>,
}

impl Outgoing {
    /// A way out; `allow_private` lets it reach private addresses and speak plain http.
    pub fn new(allow_private: bool) -> Self {
        Self(Arc::new(Inner { allow_private, posting: Semaphore::new(MAX_POSTS), client: OnceLock::new() }))
    }

    /// The body of a successful answer to a GET.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>> {
        let (status, body) = self.call(url, |client, url| client.get(url)).await?;
        ensure!(status.is_success(), "the answer has the status {status}");
        Ok(body)
    }

    /// Posts a form and gives the status of the answer. Of many at once, some wait.
    pub async fn post_form(&self, url: &str, fields: &[(&str, &str)]) -> Result<StatusCode> {
        let _place = self.0.posting.acquire().await?;
        let (status, _) = self.call(url, |client, url| client.post(url).form(fields)).await?;
        Ok(status)
    }

    async fn call(
        &self,
        url: &str,
        build: impl FnOnce(&Client, Url) -> RequestBuilder,
    ) -> Result<(StatusCode, Vec<u8>)> {
        let url = Url::parse(url).context("the URL is bad")?;
        self.admit(&url)?;
        let request = build(self.client()?, url);
        let exchange = async {
            // A redirect is an answer like any other here: it would lead past the check of the address.
            let mut headers = HeaderMap::new();
            telemetry::pass_on(&mut headers);
            let response = request.headers(headers).send().await.map_err(without_url)?;
            Ok((response.status(), read(response).await?))
        };
        tokio::time::timeout(TIMEOUT, exchange).await.context("no complete answer in time")?
    }

    fn admit(&self, url: &Url) -> Result<()> {
        match url.scheme() {
            "https" => {}
            "http" if self.0.allow_private => {}
            "http" => bail!("plain http is not allowed; set ALLOW_PRIVATE_ADDRESSES=true to allow it"),
            other => bail!("the scheme {other} is neither http nor https"),
        }
        // Addresses are not resolved, so they are looked at here; names when they are resolved.
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => bail!("the URL names no host"),
        };
        ensure!(self.0.allow_private || address.is_none_or(is_public), PRIVATE);
        Ok(())
    }

    fn client(&self) -> Result<&Client> {
        if let Some(client) = self.0.client.get() {
            return Ok(client);
        }
        let agent = concat!("uitsmijter/", env!("CARGO_PKG_VERSION"));
        let builder =
            Client::builder().user_agent(agent).no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT);
        let builder = if self.0.allow_private { builder } else { builder.dns_resolver(Arc::new(PublicNames)) };
        let client = builder.build().context("outgoing calls are not possible")?;
        Ok(self.0.client.get_or_init(|| client))
    }
}

const PRIVATE: &str = "the address is a private one; set ALLOW_PRIVATE_ADDRESSES=true to allow it";

/// Resolves names to public addresses alone. Checked here and not before the call, so that a name cannot change between
/// the check and the connection.
struct PublicNames;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(PRIVATE.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(without_url)? {
        ensure!(bytes.len() + chunk.len() <= MAX_BODY, "the answer is bigger than {MAX_BODY} bytes");
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The causes in one line; the URL is told by whoever called.
fn without_url(error: reqwest::Error) -> anyhow::Error {
    let error = error.without_url();
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        message.push_str(": ");
        message.push_str(&inner.to_string());
        cause = inner.source();
    }
    anyhow::Error::msg(message)
}

/// Whether an address is one of the open internet: RFC 6890 and its registries.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast();
    // "This network", shared by carriers, protocol assignments, benchmarks, reserved.
    let reserved =
        a == 0 || (a == 100 && b & 0xc0 == 64) || (a, b, c) == (192, 0, 0) || (a == 198 && b & 0xfe == 18) || a >= 240;
    !special && !reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // Addresses of IPv4 in disguise: mapped, NAT64 and 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        [0x2001, 0x0db8, ..] => false,
        // Only 2000::/3 is given out; Teredo (2001::/32) hides another address.
        [0x2001, 0, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_recognized_in_every_disguise() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.0.1",
            "192.168.1.1",
            "192.0.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::127.0.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn a_private_address_is_refused_by_number_and_by_name() {
        let outgoing = Outgoing::new(false);
        for (url, expected) in [
            ("https://127.0.0.1/", "private"),
            ("https://[::1]:8443/", "private"),
            ("https://2130706433/", "private"),
            ("https://localhost/", "private"),
            ("http://1.1.1.1/", "plain http"),
            ("file:///etc/passwd", "neither http nor https"),
        ] {
            let error = format!("{:#}", outgoing.get(url).await.unwrap_err());
            assert!(error.contains(expected), "{url}: {error}");
        }
    }
}
