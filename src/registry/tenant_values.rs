//! The values of a tenant, each checked for itself.

use std::collections::BTreeMap;

use url::Url;

use super::client::check_argon2id;
use super::document::Findings;
use super::tenant::{HostPattern, LookSettings, Templates, Tenant, User, bare_host};
use super::tenant_spec::{LookSpec, UserSpec};
use super::written::{List, Text, text};
use crate::protocol::subject::is_subject;

/// A tenant's name becomes part of keys in the store and of metric labels.
pub(super) fn is_tenant_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/".contains(&b))
}

/// Of one tenant.
const MOST_HOSTS: usize = 1000;
/// Of one tenant; each may be one more place to look for everybody's hosts.
const MOST_WILDCARDS: usize = 50;

/// The hosts, which are matched on every port, and the ports that are written with them.
pub(super) fn checked_hosts(written: Vec<String>, findings: &mut Findings) -> (Vec<HostPattern>, Vec<u16>) {
    if written.is_empty() {
        findings.error("hosts is missing; write this tenant's hosts, like [login.example.com]");
    }
    if written.len() > MOST_HOSTS || written.iter().filter(|host| host.contains('*')).count() > MOST_WILDCARDS {
        findings.error(format!("hosts has more than {MOST_HOSTS} hosts, or {MOST_WILDCARDS} with a *; write fewer"));
        return (Vec::new(), Vec::new());
    }
    let mut hosts: Vec<HostPattern> = Vec::new();
    let mut ports = Vec::new();
    for host in written {
        // `host:port`, but not an IPv6 address
        let port = host.rsplit_once(':').filter(|(front, port)| {
            port.bytes().all(|b| b.is_ascii_digit()) && (!front.contains(':') || front.ends_with(']'))
        });
        match port.map(|(_, port)| port.parse::<u16>()) {
            Some(Ok(port)) => ports.push(port),
            Some(Err(_)) => findings.error(format!("hosts: {host:?} has no usable port; leave it out")),
            None => {}
        }
        match HostPattern::parse(port.map_or(&host, |(bare, _)| bare)) {
            Ok(pattern) if hosts.contains(&pattern) => {}
            Ok(pattern) => hosts.push(pattern),
            Err(error) => findings.error(error),
        }
    }
    (hosts, ports)
}

/// A host, perhaps with a port, as it is compared and as it is written into URLs.
pub(super) fn checked_login_page(written: &str, findings: &mut Findings) -> Option<String> {
    let (host, port) = match written.rsplit_once(':').filter(|(front, _)| !front.contains(':') || front.ends_with(']'))
    {
        Some((host, port)) => (host, Some(port)),
        None => (written, None),
    };
    let port = port.map(|port| port.parse::<u16>().map_err(|_| ())).transpose();
    match (HostPattern::parse(host), port) {
        (Ok(HostPattern(host)), Ok(None)) if !host.contains('*') => Some(host),
        (Ok(HostPattern(host)), Ok(Some(port))) if !host.contains('*') => Some(format!("{host}:{port}")),
        _ => {
            findings.error(format!(
                "interceptor.domain {written:?} must be one host, optionally with a port, like login.example.com"
            ));
            None
        }
    }
}

/// A domain without the dot or star that operators write in front of it.
pub(super) fn checked_cookie_domain(written: &str, findings: &mut Findings) -> Option<String> {
    let plain = written.trim().strip_prefix('*').unwrap_or(written.trim()).trim_start_matches('.');
    match HostPattern::parse(plain) {
        Ok(HostPattern(domain)) if !domain.contains('*') => Some(domain),
        _ => {
            findings.error(format!(
                "interceptor.cookie {written:?} must be a domain without port, like example.com for all hosts below it"
            ));
            None
        }
    }
}

/// Which cookie domains cannot be meant, seen from the tenant alone.
pub(super) fn check_cookie(tenant: &Tenant, findings: &mut Findings) {
    let Some(domain) = tenant.interceptor.cookie.as_deref() else { return };
    let is_host = tenant.hosts.iter().any(|HostPattern(host)| host == domain);
    let is_page = tenant.interceptor.domain.as_deref().is_some_and(|page| bare_host(page) == domain);
    if !domain.contains(['.', ':']) && !is_host && !is_page {
        // RFC 6265 §5.3: browsers take no cookie for what is above everybody.
        findings.error(format!(
            "interceptor.cookie {domain:?} is above the domains of everybody; write a domain of this tenant"
        ));
    } else if !tenant.has_host_below(domain) {
        findings.warn(format!(
            "interceptor.cookie {domain:?} has no effect: none of this tenant's hosts lies in it, and browsers refuse it"
        ));
    }
}

pub(super) fn checked_issuer(issuer: &str, findings: &mut Findings) -> Option<Url> {
    // OIDC Discovery §3: scheme and host, perhaps a port and a path, no query and no fragment.
    let plain = |url: &Url| {
        matches!(url.scheme(), "https" | "http")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let url = Url::parse(issuer).ok().filter(plain);
    if url.is_none() {
        findings.error(format!(
            "issuer {issuer:?} must be a URL without query and fragment, like https://login.example.com"
        ));
    }
    url
}

pub(super) fn checked_look(written: LookSpec, findings: &mut Findings) -> LookSettings {
    let logo_url = text(written.logo_url).and_then(|logo| {
        let url = Url::parse(&logo).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        if url.is_none() {
            findings
                .error(format!("look.logo_url {logo:?} must be a URL with https, like https://example.com/logo.svg"));
        }
        url
    });
    let accent = text(written.accent).filter(|accent| {
        let digits = accent.strip_prefix('#').unwrap_or_default();
        let is_colour = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_colour {
            findings.error(format!("look.accent {accent:?} must be a colour in quotes, like \"#0a7f5a\""));
        }
        is_colour
    });
    LookSettings { title: text(written.title), logo_url, accent }
}

/// The origin of an S3-compatible store: a host, perhaps with a port, perhaps with a scheme.
pub(super) fn checked_store(host: &str, findings: &mut Findings) -> Option<String> {
    let written = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
    let alone = |url: &Url| {
        matches!(url.scheme(), "https" | "http")
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let Some(url) = Url::parse(&written).ok().filter(alone) else {
        // Not quoted: a key may have slipped into it.
        findings.error(
            "templates: host must be the store's host, optionally with scheme and port, like s3.example.com or \
             https://minio.example.com:9000; bucket and path have their own keys",
        );
        return None;
    };
    if url.scheme() == "http" {
        findings
            .warn("templates: host is plain http, so anyone on the network path can change the login page; use https");
    }
    Some(url.origin().ascii_serialization())
}

pub(super) fn check_bucket(templates: &Templates, findings: &mut Findings) {
    let Templates { bucket, path, region, .. } = templates;
    let plain = |text: &str, others: &[u8]| text.bytes().all(|b| b.is_ascii_alphanumeric() || others.contains(&b));
    if !(3..=63).contains(&bucket.len()) || !plain(bucket, b"-._") {
        findings.error(format!(
            "templates: bucket {bucket:?} must be 3 to 63 letters, digits, dots and hyphens; a folder belongs to path"
        ));
    }
    if path.split('/').any(|part| matches!(part, "." | "..")) || path.contains("//") {
        findings.error(format!("templates: path {path:?} must be names with single slashes between them"));
    }
    if !plain(region, b"-") {
        findings.error(format!("templates: region {region:?} must be a name like eu-central-1"));
    }
    match (&templates.access_key_id, &templates.secret_access_key) {
        (Some(_), None) => findings.error("templates: access_key_id is set, but secret_access_key is missing"),
        (None, Some(_)) => findings.error("templates: secret_access_key is set, but access_key_id is missing"),
        _ => {}
    }
}

pub(super) fn checked_users(written: List<UserSpec>, findings: &mut Findings) -> BTreeMap<String, User> {
    let mut users = BTreeMap::new();
    for user in written.0 {
        let Text(username) = user.username;
        let Text(password_hash) = user.password_hash;
        if username.is_empty() {
            findings.error("users: a username is empty");
        }
        if users.contains_key(&username) {
            findings.error(format!("users: {username:?} is declared twice; give each user a unique username"));
        }
        if let Err(error) = check_argon2id(&password_hash) {
            findings.error(format!("users: password_hash of {username:?} {error}"));
        }
        let subject = text(user.subject);
        if !is_subject(subject.as_deref().unwrap_or(&username)) {
            findings.error(format!(
                "users: the subject of {username:?} must be 1 to 255 printable ASCII characters; write a subject for it"
            ));
        }
        let user = User {
            username: username.clone(),
            password_hash,
            subject,
            role: text(user.role).unwrap_or_else(|| "default".into()),
            profile: user.profile.unwrap_or_default(),
            scopes: user.scopes.texts(),
        };
        users.insert(username, user);
    }
    users
}
