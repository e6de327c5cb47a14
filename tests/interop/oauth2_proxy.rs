//! oauth2-proxy, a real application: it signs people in and tells a small upstream who they are.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::extract::Request;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::configuration::{PASSWORD, SECRET, SUBJECT, USERNAME, tenant, web_application};
use crate::person::{Arrival, Browser, Page};
use crate::port::free_port;
use crate::server::{Server, http_client};
use crate::tool;

/// The proxy refreshes tokens that are older than `cookie_refresh`, in whole seconds: after two.
const REFRESHED_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn oauth2_proxy_signs_a_person_in_keeps_them_signed_in_and_signs_them_out() {
    let port = free_port();
    // To a browser another site than the server, which is 127.0.0.1.
    let application = format!("http://localhost:{port}");
    let shop = web_application("shop", &format!("{application}/oauth2/callback"), &format!("{application}/bye"));
    let server = Server::start(&[tenant(), shop]).await;
    let _proxy = Proxy::start(port, &application, &server).await;
    let mut person = Person::new(&application);

    let wanted = person.url("/cart?item=1&more=x%2Fy");
    let login = person.open(wanted.clone()).await;
    assert_eq!((login.url.path(), login.status), ("/login", StatusCode::OK), "{}", login.body);
    let consent = person.submit(&login, &[("username", USERNAME), ("password", PASSWORD)]).await;
    let page = person.submit(&consent, &[("decision", "allow")]).await;
    assert_eq!(page.url, wanted);
    let first = seen(&page);
    let told = ["url", "user", "email"].map(|name| first[name].as_str());
    assert_eq!(told, ["/cart?item=1&more=x%2Fy", SUBJECT, "ada@example.com"].map(Some), "{first}");
    let info = http_client().get(format!("{}/userinfo", server.issuer())).bearer_auth(text(&first, "token"));
    let info: Value = info.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(info["sub"], SUBJECT, "the token that the application got is good at the server");

    let refreshed = async {
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let later = seen(&person.open(wanted.clone()).await);
            assert_eq!(later["user"], SUBJECT, "{later}");
            if later["token"] != first["token"] {
                return;
            }
        }
    };
    tokio::time::timeout(REFRESHED_WITHIN, refreshed).await.expect("the proxy refreshes without asking the person");

    let mut end = Url::parse(&format!("{}/logout?client_id=shop", server.issuer())).expect("a URL");
    end.query_pairs_mut().append_pair("post_logout_redirect_uri", person.url("/bye").as_str());
    let mut sign_out = person.url("/oauth2/sign_out");
    sign_out.query_pairs_mut().append_pair("rd", end.as_str());
    let question = person.open(sign_out).await;
    assert_eq!(question.url.path(), "/logout", "without a hint the person is asked: {}", question.body);
    let login = person.submit(&question, &[]).await;
    assert_eq!(login.url.path(), "/login", "back at /bye, which nobody sees who is signed out: {}", login.body);
}

/// oauth2-proxy in a separate process, killed when the value is dropped. Prints its log when the test fails.
struct Proxy {
    process: Child,
    directory: TempDir,
}

impl Proxy {
    async fn start(port: u16, application: &str, server: &Server) -> Self {
        let directory = tempfile::tempdir().expect("a folder");
        let (configuration, log) = (directory.path().join("oauth2-proxy.cfg"), directory.path().join("log"));
        let issuer = server.issuer();
        let mut written = fs::read_to_string(tool::source("oauth2-proxy/oauth2-proxy.cfg")).expect("a configuration");
        for (name, value) in [
            ("ISSUER", issuer.as_str()),
            ("SERVER", issuer.trim_start_matches("http://")),
            ("SECRET", SECRET),
            ("APPLICATION", application),
            ("ADDRESS", &format!("127.0.0.1:{port}")),
            ("UPSTREAM", &format!("http://127.0.0.1:{}/", upstream().await)),
        ] {
            written = written.replace(&format!("@{name}@"), value);
        }
        fs::write(&configuration, written).expect("a file");
        let out = File::create(log).expect("a file for the log");
        let err = out.try_clone().expect("a second handle of the log");
        let mut command = Command::new(tool::oauth2_proxy());
        command.env_clear().arg("--config").arg(configuration).stdin(Stdio::null()).stdout(out).stderr(err);
        let process = command.spawn().unwrap_or_else(|error| panic!("{error}; {}", tool::INSTALL));
        let proxy = Self { process, directory };
        let listens = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), listens).await.expect("oauth2-proxy listens");
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Both fail only if the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            eprintln!("--- log of oauth2-proxy ---\n{log}--- end of the log ---");
        }
    }
}

/// An application without OAuth: it echoes the request.
async fn upstream() -> u16 {
    let show = async |request: Request| {
        let text = |name: &str| {
            request.headers().get_all(name).iter().map(|v| v.to_str().unwrap_or("?")).collect::<Vec<_>>().join("|")
        };
        axum::Json(json!({
            "url": request.uri().to_string(),
            "user": text("x-forwarded-user"),
            "email": text("x-forwarded-email"),
            "token": text("x-forwarded-access-token"),
        }))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(show)).await });
    port
}

/// A person whose browser moves between the application and the server, and sends each its own cookies.
struct Person {
    application: Url,
    there: Browser,
    elsewhere: Browser,
}

impl Person {
    fn new(application: &str) -> Self {
        let application = application.parse().expect("a URL");
        Self { application, there: Browser::new(), elsewhere: Browser::new() }
    }

    /// A page of the application.
    fn url(&self, target: &str) -> Url {
        self.application.join(target).expect("a URL")
    }

    fn browser(&mut self, url: &Url) -> &mut Browser {
        if url.origin() == self.application.origin() { &mut self.there } else { &mut self.elsewhere }
    }

    async fn open(&mut self, url: Url) -> Page {
        let arrival = self.browser(&url).open(url).await;
        self.arrive(arrival).await
    }

    async fn submit(&mut self, page: &Page, typed: &[(&str, &str)]) -> Page {
        let arrival = self.browser(&page.url).submit(page, typed).await;
        self.arrive(arrival).await
    }

    async fn arrive(&mut self, mut arrival: Arrival) -> Page {
        for _ in 0..5 {
            match arrival {
                Arrival::Page(page) => return page,
                Arrival::Left(url) => arrival = self.browser(&url).open(url).await,
            }
        }
        panic!("application and server send the person to each other: {arrival:?}");
    }
}

/// What the upstream saw.
#[track_caller]
fn seen(page: &Page) -> Value {
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    serde_json::from_str(&page.body).unwrap_or_else(|error| panic!("{error}: {}", page.body))
}

fn text<'a>(seen: &'a Value, name: &str) -> &'a str {
    seen[name].as_str().unwrap_or_else(|| panic!("no {name} in {seen}"))
}
