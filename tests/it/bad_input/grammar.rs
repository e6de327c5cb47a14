//! A grammar of requests: known names and values among nonsense, in all encodings, with odd headers.

use axum::body::Body;
use axum::http::{Request, header};
use proptest::prelude::*;

use super::answer::is_page_path;
use super::words::{NAMES, PATHS, VALUES};
use crate::harness::fixtures::{CALLBACK, SECRET};
use crate::harness::relying_party::{VERIFIER, challenge};
use crate::harness::server::ACME;

#[derive(Clone, Debug)]
enum Dress {
    Form,
    Raw,
    Json,
    Mixed,
    /// Percent-encoded twice.
    Twice,
}

#[derive(Clone, Debug)]
pub(super) struct Wild {
    method: &'static str,
    path: &'static str,
    pairs: Vec<(String, String)>,
    dress: Dress,
    in_query: bool,
    noise: Vec<u8>,
    headers: Vec<(&'static str, String)>,
    /// Sent by a browser with a session.
    pub(super) signed_in: bool,
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(&VALUES[..]).prop_map(str::to_owned),
        2 => Just(VERIFIER.to_owned()),
        2 => Just(challenge()),
        2 => any::<String>(),
        1 => "\\PC{0,40}",
        1 => (prop::sample::select(&VALUES[..]), 1..3000_usize).prop_map(|(value, times)| value.repeat(times).chars().take(30_000).collect()),
        1 => (0..200_usize).prop_map(|depth| "{\"id_token\":".repeat(depth)),
    ]
}

fn pair() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![12 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => any::<String>()];
    (name, value())
}

/// Nearly valid requests get further than nonsense.
fn nearly() -> impl Strategy<Value = (&'static str, &'static str, Vec<(String, String)>)> {
    let authorize = [
        ("client_id", "spa"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid"),
        ("code_challenge", VERIFIER),
        ("code_challenge_method", "S256"),
    ];
    let code = [
        ("grant_type", "authorization_code"),
        ("client_id", "spa"),
        ("code", "x"),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let service = [("grant_type", "client_credentials"), ("client_id", "service"), ("client_secret", SECRET)];
    let logout = [("client_id", "spa"), ("post_logout_redirect_uri", "https://app.acme.example/bye")];
    let introspect = [("client_id", "web"), ("client_secret", SECRET), ("token", "x")];
    let right = prop_oneof![
        Just(("GET", "/authorize", authorize.to_vec())),
        Just(("POST", "/authorize", authorize.to_vec())),
        Just(("POST", "/token", code.to_vec())),
        Just(("POST", "/token", service.to_vec())),
        Just(("GET", "/logout", logout.to_vec())),
        Just(("POST", "/logout", logout.to_vec())),
        Just(("POST", "/introspect", introspect.to_vec())),
        Just(("POST", "/revoke", introspect.to_vec())),
    ];
    (right, prop::collection::vec(pair(), 0..3), any::<prop::sample::Index>(), 0..3_u8).prop_map(
        |((method, path, right), mut wrong, at, how)| {
            let mut pairs: Vec<(String, String)> =
                right.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let at = at.index(pairs.len());
            match how {
                0 => pairs[at].1 = wrong.pop().map(|(_, value)| value).unwrap_or_default(),
                1 => drop(pairs.remove(at)),
                _ => {}
            }
            pairs.extend(wrong);
            (method, path, pairs)
        },
    )
}

fn header_value() -> impl Strategy<Value = (&'static str, String)> {
    let name = prop::sample::select(vec![
        "cookie",
        "authorization",
        "host",
        "accept-language",
        "content-type",
        "if-none-match",
        "origin",
        "referer",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-for",
        "x-request-id",
        "transfer-encoding",
        "access-control-request-method",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec![
            "Basic ",
            "Basic d2ViOng=",
            "Basic /w==",
            "Bearer ",
            "Bearer x.y.z",
            "Bearer eyJhbGciOiJub25lIn0.e30.",
            "Negotiate x",
            ACME,
            "login.globex.example",
            "evil.example",
            "[::1]:1",
            "a:b",
            "*",
            "W/\"x\", *",
            "https://app.acme.example",
            "null",
            "uitsmijter-sso=; uitsmijter-sso=x; =; a",
            "__Host-uitsmijter-browser=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "application/json",
            "application/x-www-form-urlencoded;charset=x",
            "de;q=0.x,*;q=1",
            "127.0.0.1, ::1, x",
            "<zz>",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,60}",
    ];
    (name, value)
}

pub(super) fn wild() -> impl Strategy<Value = Wild> {
    let anything = (
        prop::sample::select(vec!["GET", "GET", "POST", "POST", "POST", "HEAD", "OPTIONS", "PUT", "TRACE", "WILD"]),
        prop::sample::select(&PATHS[..]),
        prop::collection::vec(pair(), 0..12),
    );
    let dress = prop_oneof![5 => Just(Dress::Form), 1 => Just(Dress::Raw), 1 => Just(Dress::Json), 1 => Just(Dress::Mixed), 1 => Just(Dress::Twice)];
    let noise = prop_oneof![6 => Just(Vec::new()), 1 => prop::collection::vec(any::<u8>(), 0..64)];
    (
        prop_oneof![1 => anything, 1 => nearly()],
        dress,
        any::<bool>(),
        noise,
        prop::collection::vec(header_value(), 0..3),
        any::<bool>(),
    )
        .prop_map(|((method, path, pairs), dress, in_query, noise, headers, signed_in)| Wild {
            method,
            path,
            pairs,
            dress,
            in_query: in_query || method == "GET",
            noise,
            headers,
            signed_in,
        })
}

impl Wild {
    pub(super) fn request(&self) -> Option<Request<Body>> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.pairs).finish();
        let raw = self.pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let json =
            serde_json::to_string(&self.pairs.iter().cloned().collect::<std::collections::BTreeMap<_, _>>()).ok()?;
        let (content_type, body) = match self.dress {
            Dress::Form => ("application/x-www-form-urlencoded", form),
            Dress::Raw => ("application/x-www-form-urlencoded", raw),
            Dress::Json => ("application/json", json),
            Dress::Mixed => ("application/x-www-form-urlencoded", json),
            Dress::Twice => ("application/x-www-form-urlencoded", form.replace('%', "%25")),
        };
        let body = [body.as_bytes(), &self.noise].concat();
        let path = self.path.as_bytes();
        let target = if self.in_query { [path, b"?", &body].concat() } else { path.to_vec() };
        let mut request = Request::builder().method(self.method).uri(axum::http::Uri::from_maybe_shared(target).ok()?);
        for (name, value) in &self.headers {
            request = request.header(*name, value.as_bytes());
        }
        request = request.header(header::CONTENT_TYPE, content_type);
        request.body(if self.in_query { Body::empty() } else { Body::from(body) }).ok()
    }

    pub(super) fn is_for_people(&self) -> bool {
        is_page_path(self.path) || self.path.starts_with("/nothing")
    }
}
