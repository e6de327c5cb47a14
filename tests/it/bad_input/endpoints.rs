//! Valid requests to all endpoints with parameters, to be mutated.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, header};

use super::spoilt::{Spoilt, encode};
use crate::harness::fixtures::{self, CALLBACK, PASSWORD, SECRET};
use crate::harness::relying_party::{VERIFIER, challenge};
use crate::harness::server::ACME;
use crate::harness::watched::Watched;
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

/// What the endpoint expects of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Want {
    /// Required, with a limited set of values.
    Required,
    /// Optional, with a limited set of values.
    Known,
    /// Optional, with any text.
    Text,
}
use Want::{Known, Required, Text};

/// A valid request, to be mutated.
pub(super) struct Endpoint {
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) cookies: String,
    pub(super) parameters: Vec<(&'static str, String, Want)>,
    /// For people: errors are pages.
    pub(super) page: bool,
}

impl Endpoint {
    /// The valid request with the pairs of `at` replaced.
    pub(super) fn request(&self, at: Option<(usize, &Spoilt)>) -> Option<Request<Body>> {
        let mut pairs: Vec<Vec<u8>> = Vec::new();
        for (index, (name, value, _)) in self.parameters.iter().enumerate() {
            match at {
                Some((spoilt_at, spoilt)) if spoilt_at == index => pairs.extend(spoilt.pairs.iter().cloned()),
                _ => pairs.push(format!("{name}={}", encode(value)).into_bytes()),
            }
        }
        let encoded = pairs.join(&b'&');
        let request = Request::builder().method(self.method).header(header::HOST, ACME);
        let request = if self.cookies.is_empty() { request } else { request.header(header::COOKIE, &self.cookies) };
        if self.method == "GET" {
            let target = [self.path.as_bytes(), b"?", &encoded].concat();
            // Bytes that cannot be part of a request line at all never reach the server.
            return request.uri(axum::http::Uri::from_maybe_shared(target).ok()?).body(Body::empty()).ok();
        }
        let form = request.uri(self.path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        form.body(Body::from(encoded)).ok()
    }
}

/// Whether the response refuses in the form of the endpoint.
pub(super) fn is_refusal(endpoint: &Endpoint, answer: &Answer) -> bool {
    if answer.status.is_client_error() {
        return true;
    }
    endpoint.page
        && answer.status.is_redirection()
        && answer.header("location").starts_with(CALLBACK)
        && answer.query().contains_key("error")
}

/// Valid requests to all endpoints with parameters, and the watched server that they are for.
pub(super) async fn endpoints() -> (TestServer, Arc<Watched>, Vec<Endpoint>) {
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let tokens = spa.redeem(&spa.obtain_code_in(&mut browser, &[]).await).await.expect(200);
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    let login = browser.visit(&spa.authorize_path(&[("prompt", "login")])).await.hidden("interaction");
    let shop = RelyingParty::new(&server, "shop");
    let consent = browser.visit(&shop.authorize_path(&[("scope", "openid")])).await.hidden("interaction");
    let logout = browser.visit("/logout").await.hidden("interaction");
    let cookies: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (cookies, spa_id, none) = (cookies.join("; "), "spa".to_owned(), String::new());
    let text = str::to_owned;
    let authorize = || {
        vec![
            ("client_id", text("spa"), Required),
            ("redirect_uri", text(CALLBACK), Required),
            ("response_type", text("code"), Required),
            ("scope", text("openid profile"), Known),
            ("state", text("abc"), Text),
            ("nonce", text("abc"), Text),
            ("code_challenge", challenge(), Required),
            ("code_challenge_method", text("S256"), Required),
            ("prompt", text("none"), Text),
            ("max_age", text("3600"), Known),
            ("id_token_hint", tokens.member("id_token"), Known),
            ("login_hint", text("ada"), Text),
            ("acr_values", text("1"), Text),
            ("ui_locales", text("de"), Text),
            ("claims", text("{\"userinfo\":{\"name\":null}}"), Known),
            ("response_mode", text("query"), Known),
        ]
    };
    let endpoint = |name, method, path, cookies: &str, page, parameters| Endpoint {
        name,
        method,
        path,
        cookies: cookies.to_owned(),
        parameters,
        page,
    };
    let machine = |name, path, parameters| endpoint(name, "POST", path, "", false, parameters);
    let web = |token: String| {
        vec![("token", token, Text), ("client_id", text("web"), Required), ("client_secret", text(SECRET), Required)]
    };
    let all = vec![
        endpoint("authorize", "GET", "/authorize", &cookies, true, authorize()),
        endpoint(
            "authorize by form",
            "POST",
            "/authorize",
            &none,
            true,
            authorize().into_iter().filter(|(name, ..)| *name != "id_token_hint").collect(),
        ),
        machine(
            "code",
            "/token",
            vec![
                ("grant_type", text("authorization_code"), Required),
                ("code", code, Required),
                ("redirect_uri", text(CALLBACK), Required),
                ("code_verifier", text(VERIFIER), Required),
                ("client_id", spa_id.clone(), Required),
            ],
        ),
        machine(
            "refresh",
            "/token",
            vec![
                ("grant_type", text("refresh_token"), Required),
                ("refresh_token", tokens.member("refresh_token"), Required),
                ("client_id", spa_id.clone(), Required),
                ("scope", text("openid"), Known),
            ],
        ),
        machine(
            "password",
            "/token",
            vec![
                ("grant_type", text("password"), Required),
                ("username", text("ada"), Required),
                ("password", text(PASSWORD), Required),
                ("client_id", text("legacy"), Required),
                ("scope", text("openid"), Known),
            ],
        ),
        machine(
            "client_credentials",
            "/token",
            vec![
                ("grant_type", text("client_credentials"), Required),
                ("client_id", text("service"), Required),
                ("client_secret", text(SECRET), Required),
                ("scope", text("jobs"), Known),
            ],
        ),
        machine("revoke", "/revoke", vec![("token", text("unknown"), Text), ("client_id", spa_id, Required)]),
        machine("introspect", "/introspect", web(tokens.member("access_token"))),
        machine("userinfo", "/userinfo", vec![("access_token", tokens.member("access_token"), Required)]),
        endpoint("login", "GET", "/login", &cookies, true, vec![("interaction", login.clone(), Known)]),
        endpoint(
            "login for",
            "GET",
            "/login",
            &cookies,
            true,
            vec![("for", text("https://login.acme.example/x"), Text)],
        ),
        endpoint("consent", "GET", "/consent", &cookies, true, vec![("interaction", consent.clone(), Required)]),
        endpoint(
            "consent by form",
            "POST",
            "/consent",
            &cookies,
            true,
            vec![("interaction", consent, Required), ("decision", text("allow"), Required)],
        ),
        // Last, because what comes before needs the session that they replace and end.
        endpoint(
            "login by form",
            "POST",
            "/login",
            &cookies,
            true,
            vec![
                ("interaction", login, Required),
                ("username", text("ada"), Required),
                ("password", text(PASSWORD), Required),
            ],
        ),
        endpoint("logout by form", "POST", "/logout", &cookies, true, vec![("interaction", logout, Known)]),
    ];
    (server, store, all)
}
