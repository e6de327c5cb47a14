//! Which addresses may be called, by who named them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::address::{is_forbidden, is_public};
use super::reach::Reach;

/// Who named an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// A stranger, such as a client: only https, and not into the operator's own network.
    Stranger,
    /// Who writes tenants: plain http is fine too, and private addresses as far as the operator says.
    Tenant(Arc<Reach>),
    /// The operator of the process: whatever they say.
    Operator,
}

const FORBIDDEN: &str = "the address is link-local, or that of a cloud's metadata, which nobody may call";
const PRIVATE_STRANGER: &str = "the address is a private one; set ALLOW_PRIVATE_ADDRESSES=true to allow it";
const PRIVATE_TENANT: &str = "the address is a private one, which the operator has not listed in OUTGOING_PRIVATE";

impl Policy {
    /// The policy for strangers' addresses where a setting says whether they may be private.
    pub fn of_strangers(allow_private: bool) -> Self {
        if allow_private { Self::Tenant(Arc::new(Reach::Anywhere)) } else { Self::Stranger }
    }

    /// Checks scheme and address. Names are checked when they are resolved, by `Names`.
    pub fn admit(&self, url: &Url) -> Result<()> {
        match url.scheme() {
            "https" => {}
            "http" if *self != Self::Stranger => {}
            "http" => bail!("plain http is not allowed; set ALLOW_PRIVATE_ADDRESSES=true to allow it"),
            other => bail!("the scheme {other} is neither http nor https"),
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.admit_address(None, address.into()),
            Some(Host::Ipv6(address)) => self.admit_address(None, address.into()),
            Some(Host::Domain(_)) => Ok(()),
            None => bail!("the URL names no host"),
        }
    }

    /// Checks an address, to which `name` leads if there is one.
    fn admit_address(&self, name: Option<&str>, address: IpAddr) -> Result<()> {
        if *self == Self::Operator {
            return Ok(());
        }
        ensure!(!is_forbidden(address), FORBIDDEN);
        match self {
            _ if is_public(address) => {}
            Self::Tenant(reach) => ensure!(reach.includes(name, address), PRIVATE_TENANT),
            _ => bail!(PRIVATE_STRANGER),
        }
        Ok(())
    }
}

/// Resolves names to addresses that the policy admits. The check is here and not before the call, so that a name cannot
/// change between check and connection.
pub(super) struct Names(pub(super) Policy);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let mut refused = None;
            let admitted = |address: &SocketAddr| match policy.admit_address(Some(name.as_str()), address.ip()) {
                Ok(()) => true,
                Err(error) => {
                    refused = Some(error);
                    false
                }
            };
            let admitted: Vec<SocketAddr> = found.filter(admitted).collect();
            match refused {
                Some(error) if admitted.is_empty() => Err(error.to_string().into()),
                _ => Ok(Box::new(admitted.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(policy: &Policy, url: &str) -> bool {
        policy.admit(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn who_writes_tenants_may_name_private_addresses_and_plain_http_and_strangers_may_not() {
        let tenant = Policy::Tenant(Arc::new(Reach::Anywhere));
        for url in ["http://10.0.0.1/", "https://[::1]:8443/", "http://users.internal:8080/"] {
            assert!(admits(&tenant, url) && !admits(&Policy::Stranger, url), "{url}");
        }
        assert!(!admits(&tenant, "file:///etc/passwd"));
        for url in ["http://10.0.0.1/", "http://127.0.0.1/"] {
            assert!(!admits(&Policy::Tenant(Arc::new(Reach::Public)), url), "{url}");
        }
    }

    #[test]
    fn metadata_and_link_local_addresses_are_refused_in_every_spelling() {
        for policy in [Policy::Tenant(Arc::new(Reach::Anywhere)), Policy::Stranger] {
            for host in [
                "169.254.169.254",
                "169.254.169.254.",
                "2852039166",
                "0xa9fea9fe",
                "0xa9.0xfe.0xa9.0xfe",
                "0251.0376.0251.0376",
                "169.254.43518",
                "user:password@169.254.169.254",
                "１６９.254.169.254",
                "169%2e254%2e169%2e254",
                "169.254.20.10",
                "[fe80::1]",
                "[febf::1]",
                "[fd00:ec2::254]",
                "[fd20:ce::254]",
                "[::ffff:169.254.169.254]",
                "[::ffff:a9fe:a9fe]",
                "[::169.254.169.254]",
                "[64:ff9b::169.254.169.254]",
                "[64:ff9b:1::a9fe:a9fe]",
                "[2002:a9fe:a9fe::1]",
                "100.100.100.200",
                "192.0.0.192",
                "168.63.129.16",
            ] {
                assert!(!admits(&policy, &format!("https://{host}/latest/meta-data")), "{host}");
            }
        }
    }
}
