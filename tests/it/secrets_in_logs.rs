//! A whole journey, logged at the highest level: no line has any of its secrets.

use axum::body::Body;
use axum::http::{Request, header};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use uitsmijter::settings::{Log, LogFormat, LogLevel};

use crate::harness::fixtures::{self, CALLBACK, PASSWORD, SECRET};
use crate::harness::lines::{self, Lines};
use crate::harness::relying_party::{VERIFIER, basic};
use crate::harness::server::form;
use crate::harness::{Browser, RelyingParty, TestServer};
use crate::telemetry::Traced;

const JWT_SECRET: &str = "a JWT_SECRET of more than thirty-two bytes";
const WRONG_PASSWORD: &str = "wr0ng-but-nearly-right";
const WRONG_SECRET: &str = "wr0ng-secret-of-a-client";
const STATE: &str = "st4te-of-the-application";
const NONCE: &str = "n0nce-of-the-application";

/// The secrets that must not be in the log, and what they are.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() >= 8, "{what} {secret:?} could be there by chance");
        self.0.push((what, secret.to_owned()));
    }

    /// Every form in which a secret may be logged: raw, form-encoded, in base64, and the parts of a token.
    fn shapes(&self) -> Vec<(&'static str, String)> {
        let mut shapes = Vec::new();
        for (what, secret) in &self.0 {
            shapes.push((*what, secret.clone()));
            shapes.push((*what, form_urlencoded::byte_serialize(secret.as_bytes()).collect()));
            // In the base64 of a longer text it begins at one of three offsets.
            for skip in 0..3 {
                let inner = &secret.as_bytes()[skip..];
                let whole = &inner[..inner.len() / 3 * 3];
                shapes.push((*what, STANDARD.encode(whole)));
                shapes.push((*what, URL_SAFE_NO_PAD.encode(whole)));
            }
            if secret.starts_with("eyJ") {
                shapes.extend(secret.split('.').skip(1).map(|part| (*what, part.to_owned())));
            }
        }
        shapes
    }
}

fn documents() -> String {
    let script = r#"
    - |
      class UserLoginProvider {
        isLoggedIn = false;
        constructor(credentials) {
          console.log("asked for", credentials.username, credentials.password, credentials);
          console.error(btoa(credentials.password), JSON.stringify(credentials), encodeURIComponent(credentials.password));
          if (credentials.username === "thrower") throw new Error("no: " + credentials.password);
          this.isLoggedIn = credentials.username === "ada" && credentials.password === "PASSWORD";
          commit(this.isLoggedIn);
        }
        get canLogin() { return this.isLoggedIn; }
        get userProfile() { return { name: "Ada" }; }
        get role() { return "admin"; }
        get scopes() { return []; }
      }
    - |
      class UserValidationProvider {
        constructor(args) { console.log("still there?", args); commit(true); }
        get isValid() { return true; }
      }
"#
    .replace("PASSWORD", PASSWORD);
    fixtures::documents().replacen("  users:", &format!("  providers:{script}  users:"), 1)
}

fn html_value(body: &str, name: &str) -> Option<String> {
    let mark = format!("name=\"{name}\" value=\"");
    let start = body.find(&mark)? + mark.len();
    Some(body[start..].split('"').next()?.to_owned())
}

/// Everything that people, clients and strangers do with their secrets.
async fn journey(algorithm: &str) -> Secrets {
    let mut secrets = Secrets::default();
    let environment = [
        ("JWT_ALGORITHM", algorithm),
        ("JWT_SECRET", JWT_SECRET),
        ("SIGNING_KEY_SECRET", "seals the private keys, 32 bytes or more"),
    ];
    let server = TestServer::start_with(&documents(), &environment).await;
    for (what, secret) in [
        ("a password", PASSWORD),
        ("a wrong password", WRONG_PASSWORD),
        ("a client secret", SECRET),
        ("a wrong client secret", WRONG_SECRET),
        ("JWT_SECRET", JWT_SECRET),
        ("SIGNING_KEY_SECRET", environment[2].1),
        ("the state", STATE),
        ("the nonce", NONCE),
        ("the verifier", VERIFIER),
    ] {
        secrets.add(what, secret);
    }
    let spa = RelyingParty::new(&server, "spa");
    let web = RelyingParty::new(&server, "web");
    let asked = [("state", STATE), ("nonce", NONCE)];
    let mut browser = Browser::new(&server);
    let page = browser.visit(&spa.authorize_path(&asked)).await.expect_page(200);
    let interaction = page.hidden("interaction");
    secrets.add("an interaction", &interaction);
    browser.sign_in_as(&page, "ada", WRONG_PASSWORD).await;
    browser.sign_in_as(&page, "thrower", WRONG_PASSWORD).await;
    browser.sign_in_as(&page, "ada lovelace", PASSWORD).await;
    let answer = browser.sign_in(&page).await;
    let code = answer.query()["code"].clone();
    secrets.add("a code", &code);
    for value in browser.cookies.values() {
        secrets.add("a cookie", value);
    }
    let tokens = spa.redeem(&code).await.expect(200);
    for name in ["access_token", "id_token", "refresh_token"] {
        secrets.add("a token", &tokens.member(name));
    }
    let (access, refresh) = (tokens.member("access_token"), tokens.member("refresh_token"));
    server.get_with_token("/userinfo", &access).await.expect(200);
    server.get(&format!("/userinfo?access_token={access}")).await.expect(401);
    web.post("/introspect", &[("token", &access)]).await.expect(200);
    web.post("/introspect", &[("token", &refresh)]).await.expect(200);
    let second = spa.refresh(&refresh).await.expect(200);
    let third = spa.refresh(&second.member("refresh_token")).await.expect(200);
    for answer in [&second, &third] {
        secrets.add("a refreshed token", &answer.member("access_token"));
        secrets.add("a refreshed token", &answer.member("refresh_token"));
    }
    spa.refresh(&refresh).await.expect_error(400, "invalid_grant");
    spa.redeem(&code).await.expect_error(400, "invalid_grant");
    // form_post, consent, a hint, and `prompt=none`.
    let hint = tokens.member("id_token");
    let posted = browser
        .get(&spa.authorize_path(&[
            ("response_mode", "form_post"),
            ("state", STATE),
            ("prompt", "none"),
            ("id_token_hint", &hint),
        ]))
        .await;
    secrets.add("a code by form_post", &html_value(&posted.body, "code").expect("a code"));
    let shop = RelyingParty::new(&server, "shop");
    let question = browser.visit(&shop.authorize_path(&[])).await.expect_page(200);
    secrets.add("an interaction", &question.hidden("interaction"));
    browser.post("/consent", &[("interaction", &question.hidden("interaction")), ("decision", "deny")]).await;
    // Clients, by both methods, right and wrong, and with the wrong content type.
    let service = [("grant_type", "client_credentials"), ("client_id", "service")];
    let answer = server.post("/token", &[&service[..], &[("client_secret", SECRET)]].concat()).await.expect(200);
    secrets.add("a service's token", &answer.member("access_token"));
    server.post("/token", &[&service[..], &[("client_secret", WRONG_SECRET)]].concat()).await.expect(401);
    for credentials in [
        basic("web", SECRET),
        basic("web", WRONG_SECRET),
        format!("Bearer {SECRET}"),
        format!("Basic {SECRET}"),
        SECRET.to_owned(),
    ] {
        let mut request = form("/token", &[("grant_type", "client_credentials")]);
        request.headers_mut().insert(header::AUTHORIZATION, credentials.parse().expect("a header"));
        server.send(request).await;
    }
    let legacy = [("grant_type", "password"), ("client_id", "legacy"), ("username", "ada")];
    let answer = server.post("/token", &[&legacy[..], &[("password", PASSWORD)]].concat()).await.expect(200);
    secrets.add("a token for a password", &answer.member("access_token"));
    server.post("/token", &[&legacy[..], &[("password", WRONG_PASSWORD)]].concat()).await.expect(400);
    for body in [
        format!(r#"{{"{WRONG_PASSWORD}":{{}}}}"#),
        format!(r#"{{"password":["{PASSWORD}"]}}"#),
        PASSWORD.to_owned(),
        format!("{PASSWORD}\u{0}"),
    ] {
        for path in ["/token", "/login", "/revoke", "/userinfo"] {
            for content_type in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
                let request = Request::post(path).header(header::CONTENT_TYPE, content_type);
                server.send(request.body(Body::from(body.clone())).expect("a request")).await;
            }
        }
    }
    // Garbage that is nearly a token.
    let (head, rest) = access.split_once('.').expect("a token");
    for garbage in [
        format!("{access}x"),
        format!("{head}.{WRONG_SECRET}.{rest}"),
        format!("e30.{rest}"),
        rest.to_owned(),
        hint.clone(),
    ] {
        server.get_with_token("/userinfo", &garbage).await.expect(401);
        web.post("/introspect", &[("token", &garbage)]).await.expect(200);
        spa.post("/revoke", &[("token", &garbage)]).await.expect(200);
        spa.refresh(&garbage).await.expect(400);
        browser.get(&spa.authorize_path(&[("id_token_hint", &garbage), ("prompt", "none")])).await;
        server.get(&format!("/static/{garbage}?code={code}")).await;
        server.get(&format!("/{code}/{garbage}")).await;
    }
    let living = spa.obtain_code_in(&mut browser, &[]).await;
    secrets.add("a code", &living);
    let tokens = spa.redeem(&living).await.expect(200);
    for name in ["access_token", "refresh_token"] {
        secrets.add("a revoked token", &tokens.member(name));
        spa.post("/revoke", &[("token", &tokens.member(name))]).await.expect(200);
    }
    browser.get(&format!("/logout?id_token_hint={hint}&state={STATE}")).await;
    // Keys: new ones by rotation.
    server.clock.advance(std::time::Duration::from_secs(200 * 24 * 60 * 60));
    server.app.services.keys.tick().await.expect("a tick");
    for path in ["/health/ready", "/.well-known/openid-configuration", "/.well-known/jwks.json"] {
        server.get(path).await;
    }
    secrets
}

/// The same with an unavailable store, whose errors have causes.
async fn outage() -> Secrets {
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    let spa = RelyingParty::new(&server, "spa");
    let mut secrets = Secrets::default();
    let mut browser = Browser::new(&server);
    let page = browser.visit(&spa.authorize_path(&[])).await;
    let code = spa.code_of(&browser.sign_in(&page).await);
    let tokens = spa.redeem(&code).await.expect(200);
    store.go_away(true);
    let (access, refresh) = (tokens.member("access_token"), tokens.member("refresh_token"));
    spa.redeem(&code).await.expect(503);
    spa.refresh(&refresh).await.expect(503);
    server.get_with_token("/userinfo", &access).await.expect(503);
    browser.get("/").await.expect(503);
    browser
        .post("/login", &[("interaction", &page.hidden("interaction")), ("username", "ada"), ("password", PASSWORD)])
        .await;
    for secret in [&code, &access, &refresh, &page.hidden("interaction")] {
        secrets.add("something from before the outage", secret);
    }
    browser.cookies.values().for_each(|value| secrets.add("a cookie", value));
    secrets.add("a password", PASSWORD);
    secrets
}

async fn search(format: LogFormat, algorithm: &str) {
    let lines = Lines::default();
    let log = Log { level: LogLevel::Trace, format };
    lines::heed_every_thread();
    let (dispatch, _) = uitsmijter::log::dispatch(&log, lines.clone(), false, None).expect("a subscriber");
    let _guard = tracing::dispatcher::set_default(&dispatch);
    let mut secrets = journey(algorithm).await;
    secrets.0.extend(outage().await.0);
    let text = String::from_utf8(lines.0.lock().expect("no test panics while it logs").clone()).expect("UTF-8");
    for said in [
        "signed in",
        "token issued",
        "request refused",
        "login script: asked for",
        "used twice",
        "used again",
        "connection refused",
        "answered",
        "Active key",
    ] {
        assert!(text.contains(said), "{said:?} is not in the log, so the journey was not logged: {text}");
    }
    for (what, shape) in secrets.shapes() {
        if let Some(line) = text.lines().find(|line| line.contains(&shape)) {
            panic!("{what} is in the log as {shape}:\n{line}");
        }
    }
    for mark in ["PRIVATE KEY", "\"d\":", "$argon2", CALLBACK] {
        assert!(!text.contains(mark), "{mark} is in the log");
    }
    if format == LogFormat::Ndjson {
        for line in text.lines() {
            assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "not a line of JSON: {line}");
        }
    }
}

#[tokio::test]
async fn no_secret_is_sent_to_a_collector() {
    let traced = Traced::begin(LogLevel::Trace).await;
    let mut secrets = journey("RS256").await;
    secrets.0.extend(outage().await.0);
    let arrived = traced.end().await;
    assert!(arrived.spans.len() > 100 && arrived.lines.len() > 200, "the journey was not sent");
    let sent = String::from_utf8_lossy(&arrived.bytes);
    for (what, shape) in secrets.shapes() {
        assert!(!sent.contains(&shape), "{what} was sent to the collector as {shape}");
    }
    for mark in ["PRIVATE KEY", "\"d\":", "$argon2", CALLBACK] {
        assert!(!sent.contains(mark), "{mark} was sent to the collector");
    }
}

#[tokio::test]
async fn no_secret_is_in_a_log_for_people() {
    search(LogFormat::Console, "RS256").await;
}

#[tokio::test]
async fn no_secret_is_in_a_log_for_machines() {
    search(LogFormat::Ndjson, "HS256").await;
}
