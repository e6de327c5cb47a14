//! How far tenants may call into private networks: the operator's own, where their user stores are, and those of others.

use std::net::IpAddr;

use ipnet::IpNet;

use super::address::plain;

/// Which private addresses a tenant may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All.
    Anywhere,
    /// Those in these networks, or of these names.
    Listed(Vec<Listed>),
    /// None.
    Public,
}

/// What an operator lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// A network, or one address of it.
    Network(IpNet),
    /// A name, in lower case; `*.` before it stands for one or more labels.
    Name(String),
}

impl Listed {
    /// Reads an entry: `10.1.0.0/16`, `10.1.2.3`, `users.internal` or `*.svc.cluster.local`.
    ///
    /// Errors: it is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().trim_end_matches('.');
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        let name = text.strip_prefix("*.").unwrap_or(text);
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        // What begins like an address and is none was meant to be one.
        if name.split('.').all(is_label) && !name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Ok(Self::Name(text.to_ascii_lowercase()));
        }
        Err(format!("{text:?} is neither a network like 10.1.0.0/16 nor a host like users.internal"))
    }

    fn is(&self, name: Option<&str>, address: IpAddr) -> bool {
        match self {
            Self::Network(network) => network.contains(&address) || network.contains(&plain(address)),
            Self::Name(listed) => name.is_some_and(|name| {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                match listed.strip_prefix('*') {
                    Some(parent) => name.len() > parent.len() && name.ends_with(parent),
                    None => name == *listed,
                }
            }),
        }
    }
}

impl Reach {
    /// Whether a private address may be called, to which `name` leads if there is one.
    pub(super) fn includes(&self, name: Option<&str>, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Listed(listed) => listed.iter().any(|entry| entry.is(name, address)),
            Self::Public => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_networks_and_hosts() {
        let entries = ["10.1.0.0/16", "10.2.3.4", "users.internal", "*.svc.cluster.local"];
        let reach = Reach::Listed(entries.map(|entry| Listed::parse(entry).unwrap()).to_vec());
        let includes = |name: Option<&str>, address: &str| reach.includes(name, address.parse().unwrap());
        assert!(includes(None, "10.1.9.9") && includes(None, "::ffff:10.1.9.9") && includes(None, "10.2.3.4"));
        assert!(includes(Some("Users.Internal."), "10.9.9.9") && includes(Some("a.b.svc.cluster.local"), "10.9.9.9"));
        assert!(!includes(None, "10.3.0.1") && !includes(Some("svc.cluster.local"), "10.9.9.9"));
        assert!(!includes(Some("xusers.internal"), "10.9.9.9"));
        for wrong in ["", "10.0.0.0/40", "10.1.2", "http://users.internal", "users internal", "*"] {
            assert!(Listed::parse(wrong).is_err(), "{wrong}");
        }
    }
}
