//! Which addresses may be called, by who named them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Result, bail, ensure};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Who named an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// A stranger, such as a client: only https, and not into the operator's own network.
    Stranger,
    /// An operator: private addresses and plain http are fine too.
    Operator,
}

impl Policy {
    /// The policy for strangers' addresses where a setting says whether they may be private.
    pub fn of_strangers(allow_private: bool) -> Self {
        if allow_private { Self::Operator } else { Self::Stranger }
    }

    /// Checks scheme and address. Names are checked when they are resolved, by [`PublicNames`].
    pub(super) fn admit(self, url: &Url) -> Result<()> {
        let is_free = self == Self::Operator;
        match url.scheme() {
            "https" => {}
            "http" if is_free => {}
            "http" => bail!("plain http is not allowed; set ALLOW_PRIVATE_ADDRESSES=true to allow it"),
            other => bail!("the scheme {other} is neither http nor https"),
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => bail!("the URL names no host"),
        };
        ensure!(is_free || address.is_none_or(is_public), PRIVATE);
        Ok(())
    }
}

const PRIVATE: &str = "the address is a private one; set ALLOW_PRIVATE_ADDRESSES=true to allow it";

/// Resolves names to public addresses only. The check is here and not before the call, so that a name cannot change
/// between check and connection.
pub(super) struct PublicNames;

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

    #[test]
    fn an_operator_may_name_private_addresses_and_plain_http() {
        for url in ["http://10.0.0.1/", "https://[::1]:8443/", "http://users.internal:8080/"] {
            let url = Url::parse(url).unwrap();
            assert!(Policy::Operator.admit(&url).is_ok() && Policy::Stranger.admit(&url).is_err(), "{url}");
        }
        assert!(Policy::Operator.admit(&Url::parse("file:///etc/passwd").unwrap()).is_err());
    }
}
