//! Forward-auth through real proxies: an application without any OAuth code, behind nginx, Caddy, HAProxy, Traefik and Envoy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::extract::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::calendar::Calendar;
use crate::configuration::{Document, PASSWORD, SUBJECT, USERNAME, tenant_with};
use crate::person::{Arrival, Browser};
use crate::port::free_port;
use crate::server::{Server, http_client};
use crate::tool;

const HOSTS: [&str; 4] = ["login.acme.test", "shop.acme.test", "wiki.acme.test", "shop.globex.test"];

/// A proxy in a separate process, killed when the value is dropped.
pub(crate) struct Proxy {
    process: Child,
    _directory: TempDir,
    /// Where it listens.
    pub(crate) port: u16,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both fail only if the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Proxy {
    /// Starts `program`, whose first file is its configuration, and waits until it sends strangers
    /// to the login page.
    pub(crate) async fn start(program: &str, files: &[&str], arguments: &[&str], server: u16, upstream: u16) -> Self {
        let (directory, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let at = directory.path().to_str().expect("a path of text");
        for file in files {
            let text = fs::read_to_string(tool::source("proxies").join(file)).expect("a configuration");
            let text = text.replace("@DIRECTORY@", at).replace("@PROXY@", &port.to_string());
            let text = text.replace("@UITSMIJTER@", &server.to_string()).replace("@UPSTREAM@", &upstream.to_string());
            fs::write(directory.path().join(file), text).expect("a file");
        }
        let mut command = Command::new(found(program));
        command.args(arguments).arg(directory.path().join(files[0])).env("HOME", at).stdin(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        let proxy = Self { process, _directory: directory, port };
        // Traefik listens before it knows its routes, and says so with 404.
        let asks = async {
            let http = client();
            let ask = || http.get(proxy.url(HOSTS[1], "/")).header("accept", "text/html").send();
            while !ask().await.is_ok_and(|answer| answer.status().is_redirection()) {
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), asks).await.unwrap_or_else(|_| panic!("{program} asks us"));
        proxy
    }

    fn url(&self, host: &str, target: &str) -> Url {
        format!("http://{host}:{}{target}", self.port).parse().expect("a URL")
    }
}

/// Two come as Python packages; system daemons are not on everybody's path.
fn found(program: &str) -> PathBuf {
    if matches!(program, "traefik" | "envoy") {
        return tool::packaged(program);
    }
    let usual = Path::new("/usr/sbin").join(program);
    if usual.is_file() { usual } else { tool::program(program) }
}

/// A client that resolves the names of the story to this machine.
fn client() -> Client {
    let mut builder = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    for host in HOSTS {
        builder = builder.resolve(host, ([127, 0, 0, 1], 0).into());
    }
    builder.build().expect("a client")
}

/// An application without OAuth: it echoes the request.
pub(crate) async fn upstream() -> u16 {
    let show = async |request: Request| {
        let text = |name: &str| {
            request.headers().get_all(name).iter().map(|v| v.to_str().unwrap_or("?")).collect::<Vec<_>>().join("|")
        };
        axum::Json(json!({
            "url": request.uri().to_string(),
            "authorization": text("authorization"),
            "user": text("x-user-ident"),
            "cookie": text("cookie"),
        }))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let routes = axum::Router::new().fallback(show);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    port
}

/// The tenant whose people sign in at `login.acme.test`, and another one; on its own clock.
struct Protection {
    port: u16,
    calendar: Calendar,
    _server: Server,
}

async fn server() -> Protection {
    let (port, calendar) = (free_port(), Calendar::new());
    let interceptor = format!("interceptor: {{domain: \"login.acme.test:{port}\", cookie: acme.test}}");
    let acme = tenant_with("\"*.acme.test\"", &[&interceptor]);
    let globex = acme.yaml.replace("acme.test", "globex.test").replace("name: interop", "name: globex");
    let globex = Document { folder: "Tenants", name: "globex", yaml: globex };
    let server = Server::start_documents(port, &[acme, globex], &calendar.environment()).await;
    Protection { port, calendar, _server: server }
}

/// Whether applications behind a proxy receive the session cookie.
#[derive(PartialEq)]
enum Session {
    Withheld,
    /// This proxy cannot remove one cookie of many.
    PassedOn,
}

/// The whole story, the same for every proxy.
async fn protects(proxy: &Proxy, calendar: &Calendar, session: Session) {
    let http = client();
    let shop = proxy.url("shop.acme.test", "/cart/a%20b?item=1&more=x%2Fy");
    let mut browser = Browser::with(http.clone());
    let login = browser.open(shop.clone()).await.left();
    assert!(login.path() == "/login" && login.host_str() == Some("login.acme.test"), "{login}");
    let logout = login.join("/logout").expect("a URL");
    let page = browser.open(login).await.page();
    let back = browser.submit(&page, &[("username", USERNAME), ("password", PASSWORD)]).await.left();
    assert_eq!(back, shop);
    let seen = seen(browser.open(back).await);
    assert_eq!((seen["url"].as_str(), seen["user"].as_str()), (Some("/cart/a%20b?item=1&more=x%2Fy"), Some(SUBJECT)));
    assert_eq!(claims(&seen)["aud"], shop.origin().ascii_serialization());
    // One sign-in for all hosts of the tenant, and for none of another one.
    browser.open(proxy.url("wiki.acme.test", "/")).await.page();
    browser.open(proxy.url("shop.globex.test", "/")).await.left();

    // Headers forged by a browser do not reach the application, and do not open another tenant's.
    let ask = |host: &str| http.get(proxy.url(host, "/")).header("cookie", browser.cookie_header());
    let forged = ask("shop.acme.test").header("authorization", "Bearer forged").header("x-user-ident", "root");
    let seen: Value = forged.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(seen["user"], SUBJECT);
    assert_eq!(claims(&seen)["sub"], SUBJECT);
    let own = "http://shop.acme.test/";
    for (name, value) in [("x-forwarded-host", "shop.acme.test"), ("x-original-url", own), ("x-original-uri", "/")] {
        let answer = ask("shop.globex.test").header(name, value).send().await.expect("an answer");
        assert_ne!(answer.status(), StatusCode::OK, "{name}");
    }
    // The application gets no session cookie, but all others.
    let session_cookie = browser.cookie_header();
    let value = session_cookie.split("; ").find_map(|pair| pair.strip_prefix("uitsmijter-sso=")).expect("a session");
    for own in [format!("a=1; uitsmijter-sso={value}; b=2"), format!("uitsmijter-sso={value}; a=1; b=2")] {
        let told = http.get(proxy.url("shop.acme.test", "/")).header("cookie", own).send().await.expect("an answer");
        let seen: Value = told.json().await.expect("JSON");
        let cookies = seen["cookie"].as_str().expect("cookies");
        assert!(cookies.contains("a=1") && cookies.contains("b=2"), "{cookies}");
        assert!(session == Session::PassedOn || !cookies.contains(value), "{cookies}");
    }
    // A session in use is prolonged now and then, and the browser gets a new cookie.
    calendar.pass(Duration::from_secs(6 * 60));
    let prolonged = ask("shop.acme.test").send().await.expect("an answer");
    assert_eq!(prolonged.status(), StatusCode::OK);
    let cookie = prolonged.headers().get("set-cookie").and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert!(cookie.starts_with(&format!("uitsmijter-sso={value};")) && cookie.contains("Max-Age="), "{cookie:?}");
    let again = ask("shop.acme.test").send().await.expect("an answer");
    assert!(again.status() == StatusCode::OK && !again.headers().contains_key("set-cookie"), "{again:?}");
    // A program gets no page, and a form is not sent on to the login page.
    let program = http.get(shop.clone()).header("accept", "application/json").send().await.expect("an answer");
    assert_eq!(program.status(), StatusCode::UNAUTHORIZED);
    let form = http.post(shop.clone()).header("accept", "text/html").body("a=1").send().await.expect("an answer");
    assert!(matches!(form.status().as_u16(), 302 | 303), "{}", form.status());

    let question = browser.open(logout).await.page();
    browser.submit(&question, &[]).await.page();
    browser.open(shop.clone()).await.left();
    // Even with the old cookie.
    let replayed = http.get(shop).header("cookie", session_cookie).header("accept", "text/html").send().await;
    assert!(replayed.expect("an answer").status().is_redirection());
}

fn seen(arrival: Arrival) -> Value {
    let page = arrival.page();
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    serde_json::from_str(&page.body).unwrap_or_else(|error| panic!("{error}: {}", page.body))
}

/// The claims of the token that the application got.
fn claims(seen: &Value) -> Value {
    let token = seen["authorization"].as_str().and_then(|value| value.strip_prefix("Bearer ")).expect("a token");
    let claims = token.split('.').nth(1).unwrap_or_else(|| panic!("no token: {seen}"));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON")
}

#[tokio::test]
async fn nginx_protects_an_application_by_auth_request() {
    let protection = server().await;
    let proxy = Proxy::start("nginx", &["nginx.conf"], &["-c"], protection.port, upstream().await).await;
    protects(&proxy, &protection.calendar, Session::Withheld).await;
}

#[tokio::test]
async fn caddy_protects_an_application_by_forward_auth() {
    let protection = server().await;
    let arguments = ["run", "--adapter", "caddyfile", "--config"];
    let proxy = Proxy::start("caddy", &["Caddyfile"], &arguments, protection.port, upstream().await).await;
    protects(&proxy, &protection.calendar, Session::Withheld).await;
}

#[tokio::test]
async fn haproxy_protects_an_application_by_a_few_lines_of_lua() {
    let protection = server().await;
    let files = ["haproxy.cfg", "forward_auth.lua"];
    let proxy = Proxy::start("haproxy", &files, &["-db", "-f"], protection.port, upstream().await).await;
    protects(&proxy, &protection.calendar, Session::Withheld).await;
}

#[tokio::test]
async fn traefik_protects_an_application_by_the_middleware_of_the_chart() {
    let protection = server().await;
    let files = ["traefik.yaml", "traefik-routes.yaml"];
    let proxy = Proxy::start("traefik", &files, &["--configFile"], protection.port, upstream().await).await;
    protects(&proxy, &protection.calendar, Session::PassedOn).await;
}

#[tokio::test]
async fn envoy_protects_an_application_by_ext_authz() {
    let protection = server().await;
    let arguments = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "error", "--config-path"];
    let proxy = Proxy::start("envoy", &["envoy.yaml"], &arguments, protection.port, upstream().await).await;
    protects(&proxy, &protection.calendar, Session::Withheld).await;
}

#[tokio::test]
async fn without_a_proxy_that_names_a_url_nothing_passes() {
    let protection = server().await;
    let asked =
        http_client().get(format!("http://127.0.0.1:{}/interceptor", protection.port)).send().await.expect("an answer");
    assert_eq!(asked.status(), StatusCode::FORBIDDEN);
}
