//! Which redirect URI matches which registration: RFC 6749 §3.1.2, RFC 8252 §7.3, RFC 9700 §2.1 and §4.1.

use url::{Host, Url};

use super::loopback::is_loopback;
use super::uri_pattern::UriPattern;

/// Characters that make a registration a pattern. A dot alone does not: every host has one.
const PATTERN_CHARACTERS: [char; 11] = ['\\', '*', '+', '(', ')', '[', ']', '{', '}', '|', '^'];

/// Schemes that run scripts or carry content instead of leading to a client.
const FORBIDDEN_SCHEMES: [&str; 6] = ["javascript", "data", "vbscript", "file", "blob", "about"];

/// The parameters of an authorization response: RFC 6749 §4.1.2, RFC 9207 §2.
const ANSWER: [&str; 6] = ["code", "state", "iss", "error", "error_description", "error_uri"];

/// One registered redirect URI of a client.
#[derive(Clone, Debug)]
pub struct RedirectUri {
    registered: String,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    /// Compared character by character (RFC 9700 §2.1).
    Exact,
    /// A loopback address: the port is not compared (RFC 8252 §7.3).
    Loopback(Url),
    /// A regular expression.
    Pattern(UriPattern),
}

impl RedirectUri {
    /// Reads a registration: a URI, or a regular expression that must match the whole URI.
    ///
    /// Errors: a sentence that says what is wrong with it.
    pub fn register(text: &str) -> Result<Self, String> {
        let registered = text.trim().to_owned();
        let rule = match Url::parse(&registered) {
            Ok(url) if FORBIDDEN_SCHEMES.contains(&url.scheme()) => return Err(forbidden_scheme(&url)),
            Ok(url) if !is_pattern(&registered, &url) => {
                acceptable(&url)?;
                if is_loopback_address(&url) { Rule::Loopback(url) } else { Rule::Exact }
            }
            Err(error) if !registered.contains(PATTERN_CHARACTERS) && !registered.contains(['?', '$']) => {
                return Err(format!("redirect URI {registered:?} is not an absolute URI: {error}"));
            }
            _ => Rule::Pattern(UriPattern::compile(&registered)?),
        };
        Ok(Self { registered, rule })
    }

    /// Whether a request's `redirect_uri` is the registered one.
    pub fn matches(&self, candidate: &str) -> bool {
        let Ok(url) = Url::parse(candidate) else { return false };
        // No client can have a URI that a browser reads differently from what is compared: no control characters or
        // backslashes, and no user information before the host.
        let ambiguous = candidate.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\');
        if ambiguous || acceptable(&url).is_err() || !url.username().is_empty() || url.password().is_some() {
            return false;
        }
        match &self.rule {
            Rule::Exact => candidate == self.registered,
            Rule::Loopback(registered) => candidate == self.registered || same_but_port(registered, &url),
            Rule::Pattern(pattern) => pattern.matches(candidate, &url) && !answers_already(&url),
        }
    }

    /// A warning for the operator: the pattern also matches hosts that are not meant.
    pub fn warning(&self) -> Option<String> {
        let loose = matches!(&self.rule, Rule::Pattern(pattern) if pattern.is_loose());
        loose.then(|| {
            format!(
                "redirect URI pattern {:?} can match hosts of others; write out the hosts and put a backslash before each dot",
                self.registered
            )
        })
    }

    /// Whether codes may travel there in clear through a network: it is plain http, and not to this machine (RFC 9700
    /// §2.6, RFC 8252 §8.3).
    pub fn is_plain(&self) -> bool {
        match &self.rule {
            Rule::Loopback(_) => false,
            Rule::Exact => Url::parse(&self.registered)
                .is_ok_and(|url| url.scheme() == "http" && url.host_str() != Some("localhost")),
            Rule::Pattern(pattern) => pattern.is_plain(),
        }
    }

    /// The origin of a registration that is not a pattern: scheme, host and port.
    pub fn origin(&self) -> Option<String> {
        match &self.rule {
            Rule::Exact | Rule::Loopback(_) => Url::parse(&self.registered)
                .ok()
                .map(|url| url.origin())
                .and_then(|origin| origin.is_tuple().then(|| origin.ascii_serialization())),
            _ => None,
        }
    }

    /// Whether it is a pattern, which costs memory for as long as it is registered.
    pub fn is_pattern(&self) -> bool {
        matches!(self.rule, Rule::Pattern(_))
    }

    /// The registration as it was written.
    pub fn as_str(&self) -> &str {
        &self.registered
    }
}

fn is_pattern(text: &str, url: &Url) -> bool {
    let optional_end = text.contains('?') && !url.query().is_some_and(|query| query.contains('='));
    text.contains(PATTERN_CHARACTERS) && !matches!(url.host(), Some(Host::Ipv6(_)))
        || text.contains('$')
        || optional_end
}

fn forbidden_scheme(url: &Url) -> String {
    format!("a redirect URI must not use the scheme {}", url.scheme())
}

fn acceptable(url: &Url) -> Result<(), String> {
    if FORBIDDEN_SCHEMES.contains(&url.scheme()) {
        return Err(forbidden_scheme(url));
    }
    if url.fragment().is_some() {
        // RFC 6749 §3.1.2
        return Err("a redirect URI must not have a fragment".into());
    }
    if matches!(url.scheme(), "http" | "https") && url.host().is_none() {
        return Err("a redirect URI needs a host".into());
    }
    Ok(())
}

/// RFC 8252 §7.3 and §8.3: an address and no name, which a resolver may lead elsewhere.
fn is_loopback_address(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            _ => false,
        }
}

fn same_but_port(registered: &Url, candidate: &Url) -> bool {
    registered.scheme() == candidate.scheme()
        && registered.host() == candidate.host()
        && registered.path() == candidate.path()
        && registered.query() == candidate.query()
}

/// Whether the query has parameters of the response: a client would find two codes, the first one from a stranger.
fn answers_already(url: &Url) -> bool {
    url.query_pairs().any(|(name, _)| ANSWER.contains(&&*name))
}

/// Whether the response goes to a program on the person's own machine: by loopback or by a scheme of its own (RFC 8252
/// §7.1 and §7.3), where any other program may listen.
pub fn is_native(redirect_uri: &str) -> bool {
    let Ok(url) = Url::parse(redirect_uri) else { return false };
    match (url.scheme(), url.host_str()) {
        ("https", _) => false,
        ("http", Some(host)) => is_loopback(host),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(registered: &str, candidate: &str) -> bool {
        RedirectUri::register(registered).unwrap().matches(candidate)
    }

    #[test]
    fn a_plain_registration_is_compared_exactly() {
        let registered = "https://app.example.com/callback";
        assert!(matches(registered, registered));
        for other in [
            "https://app.example.com/callback/",
            "https://app.example.com/Callback",
            "https://app.example.com/callback?x=1",
            "https://app.example.com:443/callback",
            "http://app.example.com/callback",
            "https://app.example.com@evil.example/callback",
            "https://app.example.com/callback#x",
            "https://app.example.com/callback\n",
            " https://app.example.com/callback",
        ] {
            assert!(!matches(registered, other), "{other}");
        }
        assert!(matches("com.example.app:/callback", "com.example.app:/callback"));
        assert!(matches("https://a.example/cb?tenant=1", "https://a.example/cb?tenant=1"));
    }

    #[test]
    fn a_loopback_address_ignores_the_port_and_a_name_does_not() {
        assert!(matches("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"));
        assert!(matches("http://[::1]:1/cb", "http://[::1]:51004/cb"));
        assert!(!matches("http://127.0.0.1/cb", "http://127.0.0.1:51004/other"));
        assert!(!matches("http://localhost/cb", "http://localhost:51004/cb"));
        assert!(!matches("https://10.0.0.1/cb", "https://10.0.0.1:1/cb"));
    }

    #[test]
    fn a_pattern_must_match_the_whole_uri_part_by_part() {
        let pattern = r"https?://(.*\.)?example\.com(:[0-9]+)?/.*";
        assert!(matches(pattern, "https://a.example.com/cb?x=1"));
        assert!(matches(pattern, "http://example.com:8080/"));
        for evil in [
            "https://app.example.com.evil.tld/",
            "https://evil.tld/?https://app.example.com/",
            "https://evil.tld/x.example.com/",
            "https://evil.tld?.example.com/",
            "https://evil.tld#.example.com/",
            "https://evil.tld\\.example.com/",
            "https://user@a.example.com/",
            "javascript://a.example.com/%0aalert(1)",
        ] {
            assert!(!matches(pattern, evil), "{evil}");
        }
        assert!(matches(r"https://app\.example\.com(/.*)?", "https://app.example.com"));
        assert!(matches(r"https://app\.example\.com/cb(\?.*)?", "https://app.example.com/cb?next=%2Fa"));
        assert!(matches(r"https://app.example.com/?", "https://app.example.com/"));
    }

    #[test]
    fn a_pattern_means_what_a_browser_will_ask_for() {
        for (pattern, evil) in [
            // Browsers resolve the dots before they send the request.
            (r"https://app\.example\.com/cb/.*", "https://app.example.com/cb/../open?to=evil"),
            (r"https://app\.example\.com/cb/.*", "https://app.example.com/cb/%2e%2E/open"),
            (r"(https://app|https://web)\.example\.com/cb/.*", "https://web.example.com/cb/../open"),
            // Two slashes may be missing after `https:`, and the next ones are somewhere in the path.
            (r"https://app\.example\.com/cb", "https:app.example.com/open?to=://x/cb"),
            (r"https://app\.example\.com/cb", "https:/app.example.com/open?to=://x/cb"),
            (r"https://app\.example\.com/cb", "https:///app.example.com/cb"),
            // The client would find this code before ours.
            (r"https://app\.example\.com/cb.*", "https://app.example.com/cb?code=stolen"),
            (r"https://app\.example\.com/cb.*", "https://app.example.com/cb?x=1&%69ss=https://evil.example"),
        ] {
            assert!(!matches(pattern, evil), "{evil}");
        }
        assert!(matches(r"https://app\.example\.com/cb/.*", "https://app.example.com/cb/a/b?x=1"));
    }

    #[test]
    fn a_pattern_knows_ascii_unless_it_asks_for_more_and_is_small() {
        let id = r"https://a\.test/[\w-]{36}";
        assert!(matches(id, "https://a.test/9095a4f2-35b2-48b1-a325-309ca324b97e"));
        assert!(!matches(id, "https://a.test/ä095a4f2-35b2-48b1-a325-309ca324b97e"));
        assert!(matches(r"(?u)https://a\.test/\w", "https://a.test/a"));
        assert!(!matches(r"https://a\.test/.*", &format!("https://a.test/{}", "a".repeat(2048))));
        for (text, expected) in [
            (r"(?u)https://a\.test/\w{500}", "takes more than 64 KiB"),
            (r"https://a\.test/(\w{100}){100}", "takes more than 64 KiB"),
            (r"https://a\.test/(?u:\w)", "(?u) stands at its beginning"),
            (r"https://a\.test/(?iu)\w", "(?u) stands at its beginning"),
            (r"(?u)https://a\.test/(?i)[^x]", "not together with (?i)"),
            (&format!("https://a/{}", "(a)".repeat(200)), "more than 512 characters"),
        ] {
            let error = RedirectUri::register(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn plain_http_leads_through_a_network_unless_it_is_this_machine() {
        let plain = |text| RedirectUri::register(text).unwrap().is_plain();
        for text in ["http://app.test/cb", r"https?://app\.test/.*", r"http://app\.test/.*", "http://10.0.0.1/cb"] {
            assert!(plain(text), "{text}");
        }
        for text in [
            "https://app.test/cb",
            "http://localhost:3000/cb",
            "http://127.0.0.1/cb",
            "http://[::1]/cb",
            "com.example.app:/cb",
            r"http://localhost(:[0-9]+)?/.*",
            r"https://app\.test/.*",
        ] {
            assert!(!plain(text), "{text}");
        }
    }

    #[test]
    fn a_pattern_that_reaches_foreign_hosts_is_warned_about() {
        let warned = |text| RedirectUri::register(text).unwrap().warning().is_some();
        assert!(warned(".*"));
        assert!(warned("https://app.example.com/.*"));
        assert!(!warned(r"https://app\.example\.com/.*"));
        assert!(!warned("https://app.example.com/callback"));
    }

    #[test]
    fn what_cannot_be_a_redirect_uri_is_refused() {
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "https://a.example/#x",
            "/callback",
            "",
            "https://(a",
            "nonsense",
        ] {
            assert!(RedirectUri::register(bad).is_err(), "{bad}");
        }
    }
}
