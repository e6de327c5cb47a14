//! What holds for every response.

use crate::harness::Answer;

/// What holds for every response.
#[track_caller]
pub(super) fn check(answer: &Answer, page: bool, what: &str) {
    assert!(!answer.status.is_server_error(), "{what}: {answer:#?}");
    assert!(!answer.body.contains("<zz"), "{what} came back as markup: {answer:#?}");
    assert!(answer.header_values("set-cookie").iter().all(|cookie| !cookie.contains("zz=1")), "{what}: {answer:#?}");
    if answer.status.is_redirection() && answer.status != 304 {
        assert!(is_allowed(answer.header("location")), "{what} leads elsewhere: {answer:#?}");
    }
    for action in answer.body.split(" action=\"").skip(1) {
        let target = action.split('"').next().unwrap_or_default().replace("&amp;", "&");
        assert!(is_allowed(&target), "{what} sends a form elsewhere: {answer:#?}");
    }
    if answer.status.is_client_error() && page {
        assert!(answer.header("content-type").starts_with("text/html"), "{what}: {answer:#?}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{what}: {answer:#?}");
    } else if answer.status.is_client_error() && !answer.body.is_empty() {
        let body = answer.json();
        let description = body["error_description"].as_str().unwrap_or_else(|| panic!("{what}: {answer:#?}"));
        let allowed = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
        assert!(description.chars().all(allowed) && description.len() < 200, "{what}: {description:?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{what}: {answer:#?}");
    }
}

/// Whether a browser may be sent there: to one of our pages, or to exactly the registered URI with any query.
fn is_allowed(target: &str) -> bool {
    let own = target.starts_with('/') && !target.starts_with("//") && !target.starts_with("/\\");
    let Ok(url) = url::Url::parse(target) else { return own };
    let place = (url.origin().ascii_serialization(), url.path());
    let (origin, path) = (place.0.as_str(), place.1);
    let registered = matches!((origin, path), ("https://app.acme.example", "/callback" | "/bye"));
    let native = url.scheme() == "http" && url.host_str() == Some("127.0.0.1") && path == "/native";
    let nobody = url.username().is_empty() && url.password().is_none();
    nobody && (registered || native || matches!(origin, "https://login.acme.example" | "http://login.acme.example"))
}

/// Whether errors of the path are pages.
pub(super) fn is_page_path(path: &str) -> bool {
    matches!(path, "/authorize" | "/login" | "/consent" | "/logout" | "/activate" | "/")
}
