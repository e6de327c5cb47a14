//! Bad input, everywhere: every parameter of every endpoint in every wrong way, and then whatever a machine thinks of.
//! The answer is one from the specifications, and nothing is stored.

use std::fmt::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, header};

use crate::harness::fixtures::{self, CALLBACK, PASSWORD, SECRET};
use crate::harness::relying_party::{VERIFIER, challenge};
use crate::harness::server::ACME;
use crate::harness::watched::Watched;
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

/// What the endpoint wants of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Want {
    /// It must be there, and only few values will do.
    Required,
    /// It may be left out; only few values will do.
    Known,
    /// It may be left out, and any text will do.
    Text,
}
use Want::{Known, Required, Text};

/// A request that is right, to be spoilt.
struct Endpoint {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    cookies: String,
    parameters: Vec<(&'static str, String, Want)>,
    /// For people: errors are pages.
    page: bool,
}

/// One way to spoil a value: what is put on the wire behind the name's `=`, already encoded.
struct Spoilt {
    name: &'static str,
    /// The pairs that replace the right one, on the wire.
    pairs: Vec<Vec<u8>>,
    /// Whether it is refused even where any text will do.
    always: bool,
    /// Whether it counts as left out.
    left_out: bool,
}

fn encode(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

fn hex(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "%25{byte:02x}").expect("a text takes everything");
        text
    })
}

/// Letters of other scripts that look the same.
fn look_alike(value: &str) -> String {
    value
        .chars()
        .map(|c| match c {
            'a' => 'а',
            'c' => 'с',
            'e' => 'е',
            'o' => 'о',
            'p' => 'р',
            '1' => 'ⅼ',
            c => c,
        })
        .collect::<String>()
        + "\u{202e}"
}

fn other_case(value: &str) -> String {
    value
        .chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect()
}

fn spoil(name: &str, right: &str) -> Vec<Spoilt> {
    let good = encode(right);
    let pair = |value: &[u8]| [name.as_bytes(), b"=", value].concat();
    let one =
        |spoilt, value: Vec<u8>, always| Spoilt { name: spoilt, pairs: vec![pair(&value)], always, left_out: false };
    vec![
        Spoilt { name: "missing", pairs: vec![], always: false, left_out: true },
        Spoilt { name: "empty", pairs: vec![pair(b"")], always: false, left_out: true },
        Spoilt { name: "without =", pairs: vec![name.as_bytes().to_vec()], always: false, left_out: true },
        Spoilt {
            name: "doubled",
            pairs: vec![pair(good.as_bytes()), pair(good.as_bytes())],
            always: true,
            left_out: false,
        },
        Spoilt {
            name: "doubled, differing",
            pairs: vec![pair(good.as_bytes()), pair(b"x")],
            always: true,
            left_out: false,
        },
        one("too long", "x".repeat(16 * 1024 + 1).into_bytes(), true),
        one("NUL", [good.as_bytes(), b"%00"].concat(), true),
        one("NUL first", b"%00".to_vec(), true),
        one("newline", [good.as_bytes(), b"%0A"].concat(), true),
        one("CRLF", b"x%0D%0ASet-Cookie:%20zz=1".to_vec(), true),
        one("C1 control", [good.as_bytes(), b"%C2%85"].concat(), true),
        one("%ff", b"%ff".to_vec(), true),
        one("raw bytes", vec![b'a', 0xff, 0xfe], true),
        one("half a character", b"%C3".to_vec(), true),
        one("an overlong slash", b"%C0%AF".to_vec(), true),
        one("a surrogate", b"%ED%A0%80".to_vec(), true),
        one("encoded twice", hex(right).into_bytes(), false),
        one("half an escape", b"%".to_vec(), false),
        one("markup", b"%22'%3E%3Czz%3E".to_vec(), false),
        one("look-alike", encode(&look_alike(right)).into_bytes(), false),
        one("JSON", encode(r#"{"a":[1]}"#).into_bytes(), false),
        one("a number", b"-1".to_vec(), false),
        one("a big number", b"99999999999999999999999".to_vec(), false),
        one("another case", encode(&other_case(right)).into_bytes(), false),
        one("blanks around", [b"+", good.as_bytes(), b"+"].concat(), false),
    ]
}

impl Endpoint {
    /// The right request with the pairs of `at` replaced.
    fn request(&self, at: Option<(usize, &Spoilt)>) -> Option<Request<Body>> {
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

/// Whether the answer says no, in a way that fits the endpoint.
fn is_refusal(endpoint: &Endpoint, answer: &Answer) -> bool {
    if answer.status.is_client_error() {
        return true;
    }
    endpoint.page
        && answer.status.is_redirection()
        && answer.header("location").starts_with(CALLBACK)
        && answer.query().contains_key("error")
}

/// What holds for every answer to anything.
#[track_caller]
fn check(answer: &Answer, page: bool, what: &str) {
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

/// Whether a browser may be sent there: to a page of ours, or to exactly what is registered, whatever its query.
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

/// Right requests to all endpoints that take parameters, and the watched server they are right for.
async fn endpoints() -> (TestServer, Arc<Watched>, Vec<Endpoint>) {
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

/// Wrong ways that mean nothing wrong to an endpoint.
fn is_harmless(endpoint: &Endpoint, parameter: &str, spoilt: &Spoilt) -> bool {
    match (endpoint.name, parameter, spoilt.name) {
        // A list of words: blanks around it say nothing. Numbers have no case.
        (_, "scope", "blanks around") | (_, "max_age", "another case") => true,
        // Of another verifier, which nobody can tell yet.
        (_, "code_challenge", "another case") => true,
        // JSON may have blanks around it, and members that nobody knows are passed over.
        (_, "claims", "blanks around" | "newline" | "JSON") => true,
        _ => false,
    }
}

/// Without a step that is pending in this browser, the login page begins a new one; that is no answer to bad input, but
/// to a stranger.
fn begins_anew(endpoint: &Endpoint, parameter: &str) -> bool {
    endpoint.path == "/login" && matches!(parameter, "interaction" | "for")
}

#[tokio::test]
async fn every_parameter_of_every_endpoint_in_every_wrong_way() {
    let (server, store, endpoints) = endpoints().await;
    let mut sent = 0;
    for endpoint in &endpoints {
        for (at, (name, right, want)) in endpoint.parameters.iter().enumerate() {
            for spoilt in spoil(name, right) {
                let what = format!("{} {}: {name} {}", endpoint.method, endpoint.name, spoilt.name);
                let Some(request) = endpoint.request(Some((at, &spoilt))) else { continue };
                let before = store.writes();
                let answer = server.send(request).await;
                sent += 1;
                check(&answer, endpoint.page, &what);
                let refused = spoilt.always || *want == Required || (*want == Known && !spoilt.left_out);
                if refused && !is_harmless(endpoint, name, &spoilt) && !right.is_empty() {
                    assert!(is_refusal(endpoint, &answer), "{what} was accepted: {answer:#?}");
                    assert!(store.writes() == before || begins_anew(endpoint, name), "{what} was stored: {answer:#?}");
                }
            }
        }
    }
    assert!(sent > 1000, "{sent} requests");
    // And nothing of it burnt what the right requests need.
    for endpoint in &endpoints {
        let answer = server.send(endpoint.request(None).expect("a request")).await;
        assert!(!is_refusal(endpoint, &answer) && !answer.status.is_server_error(), "{}: {answer:#?}", endpoint.name);
    }
}

#[tokio::test]
async fn a_body_in_the_wrong_clothes_is_refused() {
    let (server, store, endpoints) = endpoints().await;
    let json = br#"{"grant_type":"authorization_code","client_id":"spa","token":"x"}"#;
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.method == "POST") {
        let form = endpoint.request(None).expect("a request").into_body();
        let form = http_body_util::BodyExt::collect(form).await.expect("a body").to_bytes();
        for (content_type, body) in [
            ("application/json", &form[..]),
            ("application/json", b"[]"),
            ("application/json", b"{"),
            ("application/json", b"\xff"),
            ("application/json", b"{\"client_id\":\"spa\",\"client_id\":\"spa\"}"),
            ("application/json", b"{\"client_id\":{\"a\":1}}"),
            ("application/json", b"{\"client_id\":[\"spa\"]}"),
            ("application/x-www-form-urlencoded", json),
            ("text/plain", &form),
            ("multipart/form-data; boundary=x", &form),
            ("", &form),
            ("\u{e9}", &form),
        ] {
            let what = format!("{}: {content_type:?} {}", endpoint.name, String::from_utf8_lossy(body));
            let before = store.writes();
            let request = Request::post(endpoint.path).header(header::COOKIE, &endpoint.cookies);
            let request = request.header(header::CONTENT_TYPE, content_type.as_bytes());
            let answer = server.send(request.body(Body::from(body.to_vec())).expect("a request")).await;
            check(&answer, endpoint.page, &what);
            // Without a step, the way out begins at its front door.
            if endpoint.path != "/logout" {
                assert!(is_refusal(endpoint, &answer), "{what}: {answer:#?}");
            }
            assert!(store.writes() == before || endpoint.path == "/login", "{what} was stored");
        }
        let large = Request::post(endpoint.path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let large = large.body(Body::from("a=b&".repeat(20_000))).expect("a request");
        let answer = server.send(large).await;
        check(&answer, endpoint.page, endpoint.name);
        assert_eq!(answer.status, 413, "{}", endpoint.name);
    }
}

#[tokio::test]
async fn thousands_of_parameters_are_read_in_no_time() {
    let (server, _, endpoints) = endpoints().await;
    let started = tokio::time::Instant::now();
    for path in endpoints.iter().map(|endpoint| endpoint.path) {
        for many in [
            (0..7000).map(|n| format!("p{n}=&")).collect::<String>(),
            "&".repeat(60_000),
            "=&".repeat(30_000),
            "a&".repeat(30_000),
            "%".repeat(60_000),
            format!("scope={}", "+a".repeat(8_000)),
            format!("acr_values={}", "a+".repeat(8_000)),
            format!("prompt={}", "none+".repeat(3_000)),
        ] {
            let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            let languages = "de;q=0,en;q=0.1,".repeat(1000);
            let request = request.header(header::ACCEPT_LANGUAGE, languages);
            let request = request.header(header::COOKIE, "uitsmijter-sso=x; ".repeat(1000));
            check(&server.send(request.body(Body::from(many)).expect("a request")).await, is_page_path(path), path);
        }
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

/// Whether errors of the path are pages.
fn is_page_path(path: &str) -> bool {
    matches!(path, "/authorize" | "/login" | "/consent" | "/logout" | "/activate" | "/")
}

mod fuzz {
    //! A grammar of requests: known names and values among nonsense, in all encodings, with odd headers.

    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRng, TestRunner};
    use uitsmijter::random::{Random, SystemRandom};

    use super::*;

    const PATHS: [&str; 25] = [
        "/",
        "/activate",
        "/device_authorization",
        "/oauth/device_authorization",
        "/interceptor",
        "/interceptor/x",
        "/openapi.json",
        "/health/ready",
        "/authorize",
        "/login",
        "/consent",
        "/logout",
        "/token",
        "/token/info",
        "/userinfo",
        "/revoke",
        "/introspect",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/.well-known/jwks.json",
        "/static/style.css",
        "/static/..%2f..%2fCargo.toml",
        "/versions",
        "/health",
        "/nothing%00%ff/<zz>",
    ];
    const NAMES: [&str; 48] = [
        "audience",
        "subject_token",
        "subject_token_type",
        "actor_token",
        "actor_token_type",
        "requested_token_type",
        "client_assertion",
        "client_assertion_type",
        "device_code",
        "user_code",
        "session",
        "everywhere",
        "mode",
        "claims_locales",
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "prompt",
        "max_age",
        "id_token_hint",
        "login_hint",
        "acr_values",
        "ui_locales",
        "claims",
        "response_mode",
        "resource",
        "request",
        "request_uri",
        "grant_type",
        "code",
        "code_verifier",
        "refresh_token",
        "username",
        "password",
        "client_secret",
        "token",
        "token_type_hint",
        "access_token",
        "interaction",
        "decision",
        "for",
        "post_logout_redirect_uri",
        "display",
    ];
    const VALUES: [&str; 43] = [
        "spa",
        "web",
        "service",
        "legacy",
        "shop",
        "globex-spa",
        CALLBACK,
        "http://127.0.0.1:5000/native",
        "code",
        "token",
        "code id_token",
        "openid",
        "openid profile email offline_access",
        "read:x",
        "S256",
        "plain",
        "none",
        "login",
        "consent select_account",
        "0",
        "1",
        "-1",
        "18446744073709551615",
        "ada",
        SECRET,
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "password",
        "form_post",
        "query",
        "fragment",
        "allow",
        "deny",
        "https://evil.example/",
        "//evil.example",
        "https://app.acme.example/callback/../x",
        "javascript:alert(1)",
        "https://login.acme.example/home",
        "https://app.acme.example/bye",
        "{\"id_token\":{\"a\":[[]]}}",
        "eyJhbGciOiJub25lIn0.e30.",
        "\"'><zz onload=1>",
    ];

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
        /// Sent by a browser in which somebody is signed in.
        signed_in: bool,
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

    /// Requests that are nearly right get further than nonsense.
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
        fn request(&self) -> Option<Request<Body>> {
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.pairs).finish();
            let raw = self.pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
            let json = serde_json::to_string(&self.pairs.iter().cloned().collect::<std::collections::BTreeMap<_, _>>())
                .ok()?;
            let (content_type, body) = match self.dress {
                Dress::Form => ("application/x-www-form-urlencoded", form),
                Dress::Raw => ("application/x-www-form-urlencoded", raw),
                Dress::Json => ("application/json", json),
                Dress::Mixed => ("application/x-www-form-urlencoded", json),
                Dress::Twice => ("application/x-www-form-urlencoded", form.replace('%', "%25")),
            };
            let body = [body.as_bytes(), &self.noise].concat();
            let target = match self.in_query {
                true => [self.path.as_bytes(), b"?", &body].concat(),
                false => self.path.as_bytes().to_vec(),
            };
            let mut request =
                Request::builder().method(self.method).uri(axum::http::Uri::from_maybe_shared(target).ok()?);
            for (name, value) in &self.headers {
                request = request.header(*name, value.as_bytes());
            }
            request = request.header(header::CONTENT_TYPE, content_type);
            request.body(if self.in_query { Body::empty() } else { Body::from(body) }).ok()
        }

        fn is_for_people(&self) -> bool {
            super::is_page_path(self.path) || self.path.starts_with("/nothing")
        }
    }

    /// The cookies of a browser in which somebody is signed in.
    async fn jar(server: &TestServer) -> String {
        let mut browser = Browser::new(server);
        RelyingParty::new(server, "spa").obtain_code_in(&mut browser, &[]).await;
        let pairs: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn number(name: &str) -> Option<u64> {
        std::env::var(name).ok().and_then(|number| number.parse().ok())
    }

    /// `FULL=1` sends a hundred thousand requests, `FUZZ_CASES` says how many; `FUZZ_SEED` repeats a run that failed.
    #[test]
    fn whatever_is_sent_there_is_an_answer() {
        let full = number("FULL") == Some(1);
        let cases = number("FUZZ_CASES").unwrap_or(if full { 100_000 } else { 2_000 });
        let seed = std::env::var("FUZZ_SEED").unwrap_or_else(|_| SystemRandom.identifier());
        println!("FUZZ_SEED={seed}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let server = runtime.block_on(TestServer::start());
        let config = Config {
            cases: u32::try_from(cases).expect("fewer"),
            failure_persistence: None,
            max_shrink_iters: 2000,
            max_global_rejects: u32::MAX,
            ..Config::default()
        };
        let bytes = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, seed.as_bytes());
        let rng = TestRng::from_seed(config.rng_algorithm, bytes.as_ref());
        let statuses = std::cell::RefCell::new(std::collections::BTreeMap::<u16, u64>::new());
        let cookies = std::cell::RefCell::new(runtime.block_on(jar(&server)));
        let outcome = TestRunner::new_with_rng(config, rng).run(&wild(), |wild| {
            let Some(mut request) = wild.request() else { return Ok(()) };
            if wild.signed_in {
                request.headers_mut().append(header::COOKIE, cookies.borrow().parse().expect("cookies"));
            }
            let answer = runtime.block_on(server.send(request));
            *statuses.borrow_mut().entry(answer.status.as_u16()).or_default() += 1;
            check(&answer, wild.is_for_people(), "");
            if answer.header_values("set-cookie").iter().any(|cookie| cookie.contains("Max-Age=0")) {
                // Signed out, or somebody else.
                *cookies.borrow_mut() = runtime.block_on(jar(&server));
            }
            Ok(())
        });
        println!("{:?}", statuses.borrow());
        if let Err(error) = outcome {
            panic!("FUZZ_SEED={seed}: {error}");
        }
        let statuses = statuses.into_inner();
        assert!(statuses.get(&200).is_some_and(|times| *times > cases / 100), "some get through: {statuses:?}");
    }
}
