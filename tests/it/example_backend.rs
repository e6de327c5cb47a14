//! The login script of the README with its backend as a real HTTP server: people come, stay, and are removed there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::harness::proxy::path;
use crate::harness::response::decoded;
use crate::harness::{Browser, Proxy, RelyingParty, TestServer, fixtures};

const README: &str = include_str!("../../README.md");
const SHOP: &str = "https://shop.acme.example/";

/// A user store: user names and passwords.
#[derive(Clone, Default)]
struct Backend {
    passwords: Arc<Mutex<HashMap<String, String>>>,
    manners: Arc<Mutex<Manners>>,
}

/// How the store responds.
#[derive(Clone, Copy, Debug, Default)]
enum Manners {
    #[default]
    Good,
    /// 503 to every request.
    Refuses,
    /// Never.
    Hangs,
    /// Success, with a body of ten megabytes.
    Floods,
    /// A redirect to itself.
    Circles,
    /// Success, in an unexpected format.
    Babbles,
}

impl Backend {
    /// A store that knows `ada`, and the address of its root.
    async fn start() -> (Self, String) {
        let backend = Self::default();
        backend.admit("ada", "engines & more");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (login, user) = (backend.clone(), backend.clone());
        let login = move |Json(asked): Json<Value>| async move { login.answer(Self::validate_login, asked).await };
        let user = move |Json(asked): Json<Value>| async move { user.answer(Self::validate_user, asked).await };
        let routes = axum::Router::new().route("/validate-login", post(login)).route("/validate-user", post(user));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (backend, format!("http://{address}"))
    }

    fn admit(&self, username: &str, password: &str) {
        self.passwords.lock().expect("a lock").insert(username.to_owned(), password.to_owned());
    }

    fn remove(&self, username: &str) {
        self.passwords.lock().expect("a lock").remove(username);
    }

    fn behave(&self, manners: Manners) {
        *self.manners.lock().expect("a lock") = manners;
    }

    async fn answer(&self, kindly: fn(&Self, &Value) -> Response, asked: Value) -> Response {
        let manners = *self.manners.lock().expect("a lock");
        match manners {
            Manners::Good => kindly(self, &asked),
            Manners::Refuses => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Manners::Hangs => std::future::pending().await,
            Manners::Floods => {
                // A valid response, once it has been read to its end.
                let padding = std::iter::repeat_n(Bytes::from(vec![b'x'; 64 * 1024]), 160);
                let (head, tail) = (br#"{"id":"u-1815","isDeleted":false,"padding":""#, br#""}"#);
                let chunks = [Bytes::from_static(head)].into_iter().chain(padding).chain([Bytes::from_static(tail)]);
                Body::from_stream(futures_util::stream::iter(chunks.map(Ok::<_, std::io::Error>))).into_response()
            }
            Manners::Circles => Redirect::temporary("/validate-login").into_response(),
            Manners::Babbles => "yes, why not".into_response(),
        }
    }

    fn validate_login(&self, asked: &Value) -> Response {
        let username = asked["username"].as_str().unwrap_or_default();
        let password = self.passwords.lock().expect("a lock").get(username).cloned();
        if password.is_none() || password.as_deref() != asked["password"].as_str() {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let person = json!({ "id": "u-1815", "name": "Ada Lovelace", "email": "ada@acme.example", "role": "engineer" });
        Json(person).into_response()
    }

    fn validate_user(&self, asked: &Value) -> Response {
        let known = self.passwords.lock().expect("a lock").contains_key(asked["username"].as_str().unwrap_or_default());
        Json(json!({ "isDeleted": !known })).into_response()
    }
}

/// A server whose tenant has the script of the README, which calls `backend`.
async fn server(backend: &str) -> TestServer {
    let example = README.split("```yaml").find(|block| block.contains("class UserLoginProvider"));
    let (_, script) = example.and_then(|block| block.split("```").next()?.split_once("- |\n")).expect("the example");
    assert!(script.contains("https://users.example.com/"), "{script}");
    let script = serde_json::to_string(&script.replace("https://users.example.com", backend)).expect("a text");
    let tenant = format!(
        "name: acme\nconfig:\n  hosts: [\"*.acme.example\"]\n  providers: [{script}]\n  \
         interceptor: {{domain: login.acme.example, cookie: acme.example}}"
    );
    let documents = format!("{tenant}\n---\n{}", fixtures::clients("acme", ""));
    TestServer::start_with(&documents, &[("SCRIPT_TIMEOUT", "2")]).await
}

#[tokio::test]
async fn a_person_of_the_backend_signs_in_and_nobody_else_does() {
    let (_backend, address) = Backend::start().await;
    let server = server(&address).await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&spa.authorize_path(&[])).await.expect_page(200);
    for (username, password) in [("ada", "engines"), ("bob", "engines & more"), ("", ""), ("ada", "")] {
        let refused = browser.sign_in_as(&page, username, password).await.expect_page(403);
        assert!(refused.body.contains("data-error=\"invalid_credentials\""), "{username}: {refused:#?}");
    }
    let back = browser.sign_in_as(&page, "ada", "engines & more").await;
    let tokens = spa.redeem(&spa.code_of(&back)).await.expect(200);
    let claims = decoded(&tokens.member("access_token"), 1);
    assert_eq!(
        (&claims["sub"], &claims["role"], &claims["user"]),
        (&"u-1815".into(), &"engineer".into(), &"ada".into())
    );
    let person = server.get_with_token("/userinfo", &tokens.member("access_token")).await.expect(200).json();
    assert_eq!((&person["name"], &person["email"]), (&"Ada Lovelace".into(), &"ada@acme.example".into()));
}

#[tokio::test]
async fn a_person_removed_at_the_backend_gets_no_more_tokens_and_enters_no_application() {
    let (backend, address) = Backend::start().await;
    let server = server(&address).await;
    let (spa, proxy) = (RelyingParty::new(&server, "spa"), Proxy::new(&server));
    let mut browser = Browser::new(&server);
    let held = proxy.ask(&browser, SHOP).await.expect(307);
    let page = browser.visit(&path(held.location())).await.expect_page(200);
    browser.sign_in_as(&page, "ada", "engines & more").await.expect(303);
    let tokens = spa.redeem(&spa.obtain_code_in(&mut browser, &[]).await).await.expect(200);
    // Both are checked and both continue while the backend knows the person.
    let tokens = spa.refresh(&tokens.member("refresh_token")).await.expect(200);
    server.clock.advance(Duration::from_secs(6 * 60));
    assert!(proxy.ask(&browser, SHOP).await.expect(200).header("set-cookie").contains("uitsmijter-sso="));
    backend.remove("ada");
    spa.refresh(&tokens.member("refresh_token")).await.expect_error(400, "invalid_grant");
    server.clock.advance(Duration::from_secs(6 * 60));
    proxy.ask(&browser, SHOP).await.expect(307);
    proxy.ask(&browser, SHOP).await.expect(307);
    // A person of the same name who comes later does not find the session open.
    backend.admit("ada", "another");
    proxy.ask(&browser, SHOP).await.expect(307);
}

#[tokio::test]
async fn an_unavailable_backend_counts_as_no_wrong_password_and_signs_nobody_out() {
    let (backend, address) = Backend::start().await;
    let server = server(&address).await;
    let (spa, proxy) = (RelyingParty::new(&server, "spa"), Proxy::new(&server));
    let mut browser = Browser::new(&server);
    let page = browser.visit(&path(proxy.ask(&browser, SHOP).await.expect(307).location())).await.expect_page(200);
    browser.sign_in_as(&page, "ada", "engines & more").await.expect(303);
    let tokens = spa.redeem(&spa.obtain_code_in(&mut browser, &[]).await).await.expect(200);
    backend.behave(Manners::Refuses);
    // Far more than the free attempts, at a new place.
    let mut elsewhere = Browser::new(&server);
    let page = elsewhere.visit("/login").await.expect_page(200);
    for _ in 0..10 {
        let told = elsewhere.sign_in_as(&page, "ada", "engines & more").await.expect_page(503);
        assert!(told.body.contains("data-error=\"unavailable\""), "{told:#?}");
    }
    server.clock.advance(Duration::from_secs(6 * 60));
    proxy.ask(&browser, SHOP).await.expect(200);
    spa.refresh(&tokens.member("refresh_token")).await.expect_error(503, "temporarily_unavailable");
    backend.behave(Manners::Good);
    spa.refresh(&tokens.member("refresh_token")).await.expect(200);
    elsewhere.sign_in_as(&page, "ada", "engines & more").await.expect_page(200);
    assert!(elsewhere.session().is_some());
}

#[tokio::test]
async fn a_backend_without_manners_lets_nobody_in_and_holds_nobody_up() {
    let (backend, address) = Backend::start().await;
    let server = server(&address).await;
    for (manners, status) in [
        (Manners::Refuses, 503),
        (Manners::Hangs, 503),
        (Manners::Floods, 503),
        (Manners::Circles, 503),
        (Manners::Babbles, 403),
    ] {
        backend.behave(manners);
        let mut browser = Browser::new(&server);
        let page = browser.visit("/login").await.expect_page(200);
        let began = Instant::now();
        browser.sign_in_as(&page, "ada", "engines & more").await.expect_page(status);
        assert!(browser.session().is_none(), "{manners:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{manners:?}: {:?}", began.elapsed());
        server.clock.advance(Duration::from_secs(3600));
    }
    backend.behave(Manners::Good);
    let mut browser = Browser::new(&server);
    let page = browser.visit("/login").await.expect_page(200);
    browser.sign_in_as(&page, "ada", "engines & more").await.expect_page(200);
    assert!(browser.session().is_some());
}

#[tokio::test]
async fn a_backend_that_is_away_or_hangs_up_in_the_middle_lets_nobody_in() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let rude = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // A reader would find a success, and half of the person.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"id\": \"u-1815\"}").await;
        }
    });
    for backend in [rude.as_str(), "http://127.0.0.1:9"] {
        let server = server(backend).await;
        let mut browser = Browser::new(&server);
        let page = browser.visit("/login").await.expect_page(200);
        browser.sign_in_as(&page, "ada", "engines & more").await.expect_page(503);
        assert!(browser.session().is_none(), "{backend}");
    }
}
