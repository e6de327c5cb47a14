//! A response, with the checks that tests need. Every failure shows the body.

use std::collections::HashMap;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt;
use serde_json::Value;

/// A response of the server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        Self { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// The same, if its status is `status`.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:#?}");
        self
    }

    /// The value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header of text"))
    }

    /// All values of a header.
    pub(crate) fn header_values(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().expect("a header of text")).collect()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// A member of the body that is a string.
    #[track_caller]
    pub(crate) fn member(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name}: {self:#?}")).to_owned()
    }

    /// The claims of the access token in the body, unverified.
    #[track_caller]
    pub(crate) fn access_claims(&self) -> Value {
        decoded(&self.member("access_token"), 1)
    }

    /// Where it redirects to.
    #[track_caller]
    pub(crate) fn location(&self) -> &str {
        assert!(self.status.is_redirection(), "no redirect: {self:#?}");
        self.header("location")
    }

    /// The parameters in the query of where it redirects to.
    #[track_caller]
    pub(crate) fn query(&self) -> HashMap<String, String> {
        let base = url::Url::parse("http://relative.example").expect("a URL");
        base.join(self.location()).expect("a location").query_pairs().into_owned().collect()
    }

    /// Checks that it is the JSON error of RFC 6749 §5.2, in form and content.
    #[track_caller]
    pub(crate) fn expect_error(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        let body = answer.json();
        assert_eq!(body["error"], code, "{answer:#?}");
        let description = body["error_description"].as_str().unwrap_or_else(|| panic!("no description: {answer:#?}"));
        let allowed = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
        assert!(description.chars().all(allowed), "{description:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        answer
    }

    /// Checks that it sends the error back to the client (RFC 6749 §4.1.2.1).
    #[track_caller]
    pub(crate) fn expect_error_redirect(self, code: &str) -> Self {
        assert_eq!(self.query().get("error").map(String::as_str), Some(code), "{self:#?}");
        assert!(self.query().contains_key("iss"), "{self:#?}");
        self
    }

    /// Checks that it is a page for a person.
    #[track_caller]
    pub(crate) fn expect_page(self, status: u16) -> Self {
        let answer = self.expect(status);
        assert!(answer.header("content-type").starts_with("text/html"), "{answer:#?}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{answer:#?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        answer
    }

    /// The value of a hidden field of the form on the page.
    #[track_caller]
    pub(crate) fn hidden(&self, name: &str) -> String {
        let mark = format!("type=\"hidden\" name=\"{name}\" value=\"");
        let start = self.body.find(&mark).unwrap_or_else(|| panic!("no field {name}: {self:#?}")) + mark.len();
        let end = self.body[start..].find('"').expect("the end of the value");
        self.body[start..start + end].to_owned()
    }
}

/// One part of a token, unverified.
#[track_caller]
pub(crate) fn decoded(token: &str, part: usize) -> Value {
    let part = token.split('.').nth(part).unwrap_or_else(|| panic!("no token: {token}"));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}
