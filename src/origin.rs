//! The scheme and host of a request, seen through the proxies that are trusted.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};

use crate::protocol::loopback::is_loopback;
use crate::settings::Settings;

/// Scheme, host and port of a request, as the browser saw them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host in lower case, with a port unless it is the default of the scheme.
    pub authority: String,
}

impl Origin {
    /// The host without its port.
    pub fn host(&self) -> &str {
        host_of(&self.authority)
    }

    /// The origin of a request; `None` if it names no usable host.
    ///
    /// `X-Forwarded-Host` and `X-Forwarded-Proto` count only if they come from a trusted proxy.
    pub fn of(parts: &Parts, settings: &Settings) -> Option<Self> {
        let trusted = is_trusted(peer(&parts.extensions), settings);
        let forwarded = |name: &str| trusted.then(|| last(&parts.headers, name)).flatten();
        // An operator who sets https means all URLs, even if a proxy speaks plain HTTP to us.
        let secure = settings.secure || forwarded("x-forwarded-proto") == Some("https");
        let scheme = if secure { "https" } else { "http" };
        let host = match forwarded("x-forwarded-host") {
            Some(host) => host,
            None => addressed(parts)?,
        };
        Some(Self { scheme, authority: canonical(host, scheme)? })
    }

    /// Host and port for URLs: a port counts if one of `domains` declares it, or whoever asks could have any written into
    /// documents that caches keep. A domain with this very host decides for it. On the machine itself ports come and go, and
    /// no shared cache keeps anything.
    pub fn declared<'a>(&'a self, domains: &[&'a str]) -> &'a str {
        let host = self.host();
        if is_loopback(host) {
            return &self.authority;
        }
        let mut named = domains.iter().filter(|domain| host_of(domain) == host).peekable();
        if let Some(first) = named.peek().copied() {
            return named.find(|domain| **domain == self.authority).unwrap_or(first);
        }
        let port = &self.authority[host.len()..];
        let is_declared = domains.iter().any(|domain| domain[host_of(domain).len()..] == *port);
        if is_declared { &self.authority } else { host }
    }

    /// The host that the request line or `Host` names, where `X-Forwarded-Host` names this origin. A cache between that
    /// proxy and us may keep the answer under the one and serve it for the other.
    pub fn behind(&self, parts: &Parts) -> Option<String> {
        let host = canonical(addressed(parts)?, self.scheme)?;
        (host != self.authority).then(|| host_of(&host).to_owned())
    }
}

/// The host that the request itself is addressed to; RFC 9112 §3.2.2: the target of the request line wins over `Host`.
fn addressed(parts: &Parts) -> Option<&str> {
    parts.uri.authority().map(|authority| authority.as_str()).or_else(|| one_host(&parts.headers))
}

/// The last value of a header that proxies append to: what the proxy wrote that speaks to us. Those before it may be the
/// browser's own.
pub fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim)
}

/// RFC 9112 §3.2: a request with two hosts is refused; a proxy may have checked the other one.
fn one_host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    hosts.next().is_none().then_some(host)
}

/// The host part of `host:port` or `[v6]:port`.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((_, _)) => authority.rsplit_once(']').map_or(authority, |(host, _)| &authority[..=host.len()]),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

/// Whether a cookie for `domain` is sent to `host`: RFC 6265 §5.1.3.
pub fn covers(domain: &str, host: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// Lower case, without a trailing dot and without the default port; `None` if it is not a host.
pub fn canonical(authority: &str, scheme: &str) -> Option<String> {
    // URL parsers also read `%2e` as a dot and skip tabs; a proxy in front of us may not.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if !authority.bytes().all(plain) {
        return None;
    }
    if is_canonical(authority) {
        return Some(authority.to_owned());
    }
    let url = url::Url::parse(&format!("{scheme}://{authority}/")).ok()?;
    let host = url.host_str()?.trim_end_matches('.');
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// Whether URL parsers leave the host unchanged, so that none has to be called; true of nearly every request. False for
/// anything that could be a number, an address or Punycode.
fn is_canonical(authority: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let last = authority.rsplit('.').next().unwrap_or_default();
    authority.bytes().all(plain) && last.starts_with(|c: char| c.is_ascii_lowercase()) && !authority.contains("xn--")
}

/// The peer address of the request, if it came over a socket.
pub fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical())
}

/// Whether forwarding headers from this address are trusted.
pub fn is_trusted(peer: Option<IpAddr>, settings: &Settings) -> bool {
    peer.is_some_and(|peer| settings.trusted_proxies.iter().any(|network| network.contains(&peer)))
}

/// The person's address: behind trusted proxies the last one that they did not add themselves.
pub fn client_address(parts: &Parts, settings: &Settings) -> Option<IpAddr> {
    let mut address = peer(&parts.extensions)?;
    let chain =
        parts.headers.get_all("x-forwarded-for").iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    let hops: Vec<Option<IpAddr>> = chain.map(|written| hop(str::from_utf8(written).ok()?)).collect();
    for hop in hops.into_iter().rev() {
        // An unreadable entry hides who spoke to that proxy, and the entries before it are unverified.
        let Some(hop) = hop.filter(|_| is_trusted(Some(address), settings)) else { break };
        address = hop;
    }
    Some(address)
}

/// The peer of a request, if it looks like a proxy that nobody declared: a private address that sends `X-Forwarded-For` in
/// production, where `TRUSTED_PROXIES` is not set. What it says is not believed, and it cannot be held to account for all
/// the people behind it either.
pub fn undeclared_proxy(parts: &Parts, settings: &Settings) -> Option<IpAddr> {
    if !settings.proxies_are_unknown() || !parts.headers.contains_key("x-forwarded-for") {
        return None;
    }
    peer(&parts.extensions).filter(|peer| is_private(*peer))
}

/// Whether only machines of the operator's own networks can have this address: RFC 1918, RFC 4193, RFC 4291 §2.5.6, and
/// RFC 6598, which clusters also use.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || matches!(v4.octets(), [100, 64..=127, ..])
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// One member of `X-Forwarded-For`: an address, from some proxies with the port.
fn hop(written: &str) -> Option<IpAddr> {
    let written = written.trim();
    let bracketed = || written.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || written.parse::<SocketAddr>().ok().map(|address| address.ip());
    written.parse().ok().or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_as_a_browser_reads_it() {
        assert_eq!(canonical("Login.Example.com.:443", "https").as_deref(), Some("login.example.com"));
        assert_eq!(canonical("localhost:8080", "http").as_deref(), Some("localhost:8080"));
        assert_eq!(canonical("[::1]:8080", "http").as_deref(), Some("[::1]:8080"));
        for bad in ["", "a@b", "a/b", "a\\b", "a?b", "a b", "a:b:c", "a:99999", "a%2eb", "a\tb", "a,b", ":80"] {
            assert_eq!(canonical(bad, "https"), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_to_a_canonical_host_leads_to_the_same_place(authority in "([a-zA-Z0-9.-]|xn--|0x){0,12}(:[0-9]{0,5})?") {
            let parsed = url::Url::parse(&format!("https://{authority}/"));
            let parsed = parsed.ok().and_then(|url| Some(url.host_str()?.to_owned()));
            if is_canonical(&authority) {
                proptest::prop_assert_eq!(parsed, Some(authority));
            }
        }
    }

    #[test]
    fn a_port_counts_if_it_is_declared() {
        let public = ["localhost:8080", "login.a.test:8443"];
        for (authority, expected) in [
            ("shop.b.test", "shop.b.test"),
            ("shop.b.test:8080", "shop.b.test:8080"),
            ("shop.b.test:31337", "shop.b.test"),
            ("login.a.test", "login.a.test:8443"),
            ("login.a.test:31337", "login.a.test:8443"),
            ("127.0.0.1:31337", "127.0.0.1:31337"),
            ("[::1]:31337", "[::1]:31337"),
            ("[2001:db8::1]:31337", "[2001:db8::1]"),
        ] {
            let origin = Origin { scheme: "https", authority: authority.to_owned() };
            assert_eq!(origin.declared(&public), expected, "{authority}");
        }
    }

    #[test]
    fn private_addresses_are_those_of_ones_own_networks() {
        for (address, private) in [
            ("10.1.2.3", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("fd00::1", true),
            ("2001:db8::1", false),
            ("203.0.113.9", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), private, "{address}");
        }
    }

    #[test]
    fn a_host_is_compared_without_its_port() {
        assert_eq!(host_of("localhost:8080"), "localhost");
        assert_eq!(host_of("[::1]:8080"), "[::1]");
        assert_eq!(host_of("example.com"), "example.com");
    }
}
