//! The Content-Security-Policy of a page (CSP Level 3).

use url::{Host, Url};

use crate::page::Page;
use crate::page::View;

/// The value of `Content-Security-Policy` for `page`.
///
/// `form_targets` are the URLs that the response to the page's form may redirect to, typically the client's redirect
/// URI: Chromium checks `form-action` for every redirect that follows a form (CSP3 §4.2.5), so a login page that does
/// not allow the client would end there. That includes the client's own redirects, which may lead to an origin that we
/// cannot know; so the scheme is allowed, and not only the origin. Anything but an absolute URL is ignored.
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
    for target in form_targets.iter().copied().chain(own_target).filter_map(scheme) {
        if !named.contains(&target) {
            policy.push(' ');
            policy.push_str(&target);
            named.push(target);
        }
    }
    policy
}

/// The source expression for everything with the scheme of `url`; `http:` also allows https (CSP3 §6.7.2.9).
fn scheme(url: &str) -> Option<String> {
    Some(format!("{}:", Url::parse(url).ok()?.scheme()))
}

/// The source expression for a URL: its origin, or its scheme alone where a policy cannot name the host.
fn source(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let scheme = url.scheme();
    match url.host()? {
        // `http://[::1]:5000` is not in the grammar of CSP3 §2.3.1.
        Host::Ipv6(_) => Some(format!("{scheme}:")),
        _ => Some(url.origin().ascii_serialization()),
    }
}
