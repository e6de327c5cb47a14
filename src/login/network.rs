//! Which addresses are one guesser's.

use std::net::{IpAddr, Ipv6Addr};

/// The network of an address that is counted like one address: whoever has an IPv6 address has 2^64 of them.
pub fn of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => prefix(address, 64).into(),
    }
}

/// The networks that an address is counted in, each with how many times more than one address it may try. A site gets a /48
/// and has 65,536 networks of it; some providers put many people into one.
pub(super) fn all(address: IpAddr) -> Vec<(String, u32)> {
    let own = (of(address).to_string(), 1);
    match address {
        IpAddr::V4(_) => vec![own],
        IpAddr::V6(address) => vec![own, (format!("{}/48", prefix(address, 48)), 2)],
    }
}

fn prefix(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from(u128::from(address) & !(u128::MAX >> bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_network_of_ipv6_is_one_address() {
        let network = |text: &str| of(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        let all = all("2001:db8:1:2:3:4:5:6".parse().unwrap());
        assert_eq!(all, [("2001:db8:1:2::".to_owned(), 1), ("2001:db8:1::/48".to_owned(), 2)]);
    }
}
