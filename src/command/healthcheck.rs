//! `healthcheck`: is the server on this machine alive? For images without any other HTTP client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use uitsmijter::outgoing::client::{self, Policy};
use uitsmijter::settings::Settings;

/// How much of a response is shown, in characters.
const LONGEST: usize = 500;

/// Asks `/health`, or `/health/ready`.
pub(crate) fn healthcheck(settings: &Settings, ready: bool) -> Result<ExitCode> {
    let url = own_url(settings, if ready { "/health/ready" } else { "/health" });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(ask(&url))
}

/// The proxies that nobody declared and that a server on this machine has seen; none if no server runs here.
pub(crate) fn undeclared_proxies(settings: &Settings) -> Vec<String> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let read = async {
        let response = client()?.get(own_url(settings, "/health/ready")).send().await?;
        anyhow::Ok(response.json::<serde_json::Value>().await?)
    };
    let Ok(ready) = runtime.block_on(read) else { return Vec::new() };
    let named = ready["undeclared_proxies"].as_array().into_iter().flatten();
    // Another program may answer at this port.
    named.filter_map(|address| address.as_str()?.parse::<IpAddr>().ok()).map(|address| address.to_string()).collect()
}

/// The URL of the server on this machine.
fn own_url(settings: &Settings, path: &str) -> String {
    let mut address = settings.metrics_listen.unwrap_or(settings.listen);
    match address.ip() {
        IpAddr::V4(any) if any.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(any) if any.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let scheme = if settings.tls.is_some() && settings.metrics_listen.is_none() { "https" } else { "http" };
    format!("{scheme}://{address}{path}")
}

/// The certificate names a public host, not this address; the request stays on this machine.
fn client() -> Result<reqwest::Client> {
    let client = client::builder(&Policy::Operator).timeout(Duration::from_secs(3));
    Ok(client.tls_danger_accept_invalid_certs(true).build()?)
}

async fn ask(url: &str) -> Result<ExitCode> {
    let response = client()?.get(url).send().await.with_context(|| format!("{url} does not respond"))?;
    let status = response.status();
    if !status.is_success() {
        let body = response.text().await.unwrap_or_default();
        // Another program at this port may send a long response.
        bail!("{url} answers {status}: {}", body.trim().chars().take(LONGEST).collect::<String>());
    }
    Ok(ExitCode::SUCCESS)
}
