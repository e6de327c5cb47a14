//! The machine itself, as a host of a URL.

use std::net::IpAddr;

/// Whether only programs of the same machine can be meant: `localhost` and what is below it (RFC 6761 §6.3), and the
/// addresses of loopback. `host` is as in a URL or in `Host`, without a port.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn names_and_addresses_of_this_machine_are_told_from_those_of_others() {
        for own in ["localhost", "app.localhost", "127.0.0.1", "127.8.9.1", "[::1]", "::1"] {
            assert!(is_loopback(own), "{own}");
        }
        for other in ["localhost.example", "notlocalhost", "10.0.0.1", "[fd00::1]", "0.0.0.0", ""] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
