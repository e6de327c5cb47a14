//! The Content-Security-Policy of a page (CSP Level 3).

use url::{Host, Url};

use crate::web::page::Page;
use crate::web::pages::View;

/// The value of `Content-Security-Policy` for `page`.
///
/// `form_targets` are the URLs that an answer to the page's form may redirect to, typically the client's redirect URI:
/// browsers check `form-action` for every redirect that follows a form (CSP3 §4.2.5), so a login page that does not name
/// the client's origin would end there. That includes redirects of the client's own, which we cannot know: for a client
/// that moves on to another origin, pass `https:` as well. What is neither that nor an absolute URL is passed over.
pub fn content_security_policy(page: &Page<'_>, view: &View<'_>, form_targets: &[&str]) -> String {
    let mut policy = String::from("default-src 'none'; style-src 'self'; img-src 'self'");
    if let Some(logo) = view.look.logo_url.as_ref().and_then(|logo| source(logo.as_str())) {
        policy.push(' ');
        policy.push_str(&logo);
    }
    match page {
        Page::FormPost { nonce, .. } => policy.push_str(&format!("; script-src 'nonce-{nonce}'")),
        Page::Index { demo: Some(_), .. } => policy.push_str("; script-src 'self'; connect-src 'self'"),
        _ => {}
    }
    policy.push_str("; frame-ancestors 'none'; base-uri 'none'; form-action 'self'");
    let own_target = match page {
        Page::FormPost { action, .. } => Some(*action),
        _ => None,
    };
    let mut named = Vec::new();
    for target in form_targets.iter().copied().chain(own_target).filter_map(source) {
        if !named.contains(&target) {
            policy.push(' ');
            policy.push_str(&target);
            named.push(target);
        }
    }
    policy
}

/// The source expression for a URL: its origin, or its scheme alone where a policy cannot name the host.
fn source(url: &str) -> Option<String> {
    if url == "https:" {
        return Some(url.to_owned());
    }
    let url = Url::parse(url).ok()?;
    let scheme = url.scheme();
    match url.host() {
        // `http://[::1]:5000` is not in the grammar of CSP3 §2.3.1; native apps (RFC 8252 §7.3) still use it.
        Some(Host::Ipv6(_)) | None => Some(format!("{scheme}:")),
        Some(_) if matches!(scheme, "http" | "https") => Some(url.origin().ascii_serialization()),
        // An app's own scheme (RFC 8252 §7.1) has no origin.
        Some(_) => Some(format!("{scheme}:")),
    }
}
