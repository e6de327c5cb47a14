//! A proxy that asks `/interceptor` before it lets a browser's request pass.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, header};
use url::Url;

use super::browser::Browser;
use super::response::{Answer, decoded};
use super::server::TestServer;

/// A proxy that speaks as Traefik does, from a trusted address.
pub(crate) struct Proxy<'s> {
    pub(crate) server: &'s TestServer,
    pub(crate) method: Method,
    pub(crate) accept: &'static str,
    pub(crate) address: [u8; 4],
}

impl<'s> Proxy<'s> {
    pub(crate) fn new(server: &'s TestServer) -> Self {
        Self { server, method: Method::GET, accept: "text/html,*/*;q=0.8", address: [10, 1, 2, 3] }
    }

    /// Asks whether `browser` may see `url`.
    pub(crate) async fn ask(&self, browser: &Browser<'_>, url: &str) -> Answer {
        let url = Url::parse(url).expect("a URL");
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let headers = [
            ("host", "uitsmijter.internal:8080"),
            ("x-forwarded-proto", url.scheme()),
            ("x-forwarded-host", &url[url::Position::BeforeHost..url::Position::AfterPort]),
            ("x-forwarded-uri", target),
            ("x-forwarded-method", self.method.as_str()),
        ];
        self.ask_with(browser, "/interceptor", &headers).await
    }

    /// Asks in the dialect of another proxy.
    pub(crate) async fn ask_with(&self, browser: &Browser<'_>, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(path).extension(ConnectInfo(SocketAddr::from((self.address, 40_000))));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let pairs: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(header::COOKIE, pairs.join("; ")).header(header::ACCEPT, self.accept);
        self.server.send(request.body(Body::empty()).expect("a request")).await
    }

    /// Follows the redirect to the login page, signs `ada` in, and returns where that leads.
    pub(crate) async fn sign_in(&self, browser: &mut Browser<'_>, answer: &Answer) -> Answer {
        let page = browser.visit(&path(answer.location())).await.expect_page(200);
        browser.sign_in(&page).await
    }

    /// Requests `url`, is redirected to the login page, and signs `ada` in there.
    pub(crate) async fn enter(&self, browser: &mut Browser<'_>, url: &str) -> Answer {
        let held = self.ask(browser, url).await.expect(307);
        self.sign_in(browser, &held).await
    }

    /// The claims of the token that the application gets, unverified.
    #[track_caller]
    pub(crate) fn claims(answer: &Answer) -> serde_json::Value {
        decoded(token(answer), 1)
    }
}

/// The token that the application gets.
#[track_caller]
pub(crate) fn token(answer: &Answer) -> &str {
    let header = answer.header("authorization");
    header.strip_prefix("Bearer ").unwrap_or_else(|| panic!("no token: {answer:#?}"))
}

/// The path with query of a URL.
pub(crate) fn path(url: &str) -> String {
    let url = Url::parse(url).unwrap_or_else(|error| panic!("{error}: {url}"));
    url[url::Position::BeforePath..url::Position::AfterQuery].to_owned()
}
