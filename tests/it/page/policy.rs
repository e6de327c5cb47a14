//! The Content-Security-Policy of the pages.

use uitsmijter::page::locale::Locale;
use uitsmijter::page::look::Look;
use uitsmijter::page::{Demo, Page, View, content_security_policy};

use super::sample::{NATURAL, every_page, login};

#[test]
fn the_policy_allows_what_the_page_needs_and_nothing_else() {
    let look: Look = serde_json::from_str(r#"{"logo_url":"https://cdn.example:8443/logo.svg?x=1"}"#).unwrap();
    let policy = |page: &Page<'_>, targets: &[&str]| {
        content_security_policy(page, &View { locale: Locale::English, look: &look }, targets)
    };
    let targets = [
        "https://app.example.com/cb?x=1",
        "https://app.example.com/other",
        "http://127.0.0.1:4000/cb",
        "http://[::1]:4000/cb",
        "com.example.app:/cb",
        "com.example.two://cb",
        "not a url; script-src *",
    ];
    assert_eq!(
        policy(&login(), &targets),
        "default-src 'none'; style-src 'self'; img-src 'self' https://cdn.example:8443; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'self' https: http: com.example.app: com.example.two:"
    );
    let form_post = policy(&Page::FormPost { action: "https://app.example.com/cb", fields: &[], nonce: "abc" }, &[]);
    assert!(form_post.contains("; script-src 'nonce-abc';") && form_post.ends_with("form-action 'self' https:"));
    let demo = Some(Demo { client_id: "c", username: "u", password: "p" });
    assert!(
        policy(&Page::Index { person: None, fields: &[], sessions: &[], demo }, &[])
            .contains("; script-src 'self'; connect-src 'self';")
    );
    for (name, page) in every_page(&NATURAL) {
        let policy = policy(&page, &[]);
        assert!(!policy.contains("unsafe"), "{name}");
        assert_eq!(policy.contains("script-src"), ["form_post", "index_demo"].contains(&name), "{name}");
    }
}
