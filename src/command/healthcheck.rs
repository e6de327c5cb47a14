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
    let mut address = settings.metrics_listen.unwrap_or(settings.listen);
    match address.ip() {
        IpAddr::V4(any) if any.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(any) if any.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let scheme = if settings.tls.is_some() && settings.metrics_listen.is_none() { "https" } else { "http" };
    let url = format!("{scheme}://{address}/health{}", if ready { "/ready" } else { "" });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(ask(&url))
}

async fn ask(url: &str) -> Result<ExitCode> {
    // The certificate names a public host, not this address; the request stays on this machine.
    let client = client::builder(&Policy::Operator).timeout(Duration::from_secs(3));
    let client = client.tls_danger_accept_invalid_certs(true).build()?;
    let response = client.get(url).send().await.with_context(|| format!("{url} does not respond"))?;
    let status = response.status();
    if !status.is_success() {
        let body = response.text().await.unwrap_or_default();
        // Another program at this port may send a long response.
        bail!("{url} answers {status}: {}", body.trim().chars().take(LONGEST).collect::<String>());
    }
    Ok(ExitCode::SUCCESS)
}
