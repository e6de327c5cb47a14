//! A browser without JavaScript: keeps cookies, follows redirects on the server, fills in forms.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, header};

use super::fixtures::PASSWORD;
use super::response::Answer;
use super::server::{ACME, TestServer, form};

/// One browser at one host.
pub(crate) struct Browser<'s> {
    server: &'s TestServer,
    host: &'static str,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl<'s> Browser<'s> {
    /// A fresh browser at the tenant `acme`.
    pub(crate) fn new(server: &'s TestServer) -> Self {
        Self::at(server, ACME)
    }

    /// A fresh browser at another host.
    pub(crate) fn at(server: &'s TestServer, host: &'static str) -> Self {
        Self { server, host, cookies: BTreeMap::new() }
    }

    /// `GET path`, without following.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    /// `HEAD path`.
    pub(crate) async fn head(&mut self, path: &str) -> Answer {
        self.send(Request::head(path).body(Body::empty()).expect("a request")).await
    }

    /// `POST path` with a form, without following.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(form(path, fields)).await
    }

    /// `GET path`, and on as long as the server redirects to itself.
    pub(crate) async fn visit(&mut self, path: &str) -> Answer {
        let answer = self.get(path).await;
        self.follow(answer).await
    }

    /// Goes on from a redirect to the server itself.
    pub(crate) async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..10 {
            if !answer.status.is_redirection() || !answer.header("location").starts_with('/') {
                return answer;
            }
            let next = answer.header("location").to_owned();
            answer = self.get(&next).await;
        }
        panic!("redirected in circles: {answer:#?}");
    }

    /// Fills in the login form on `page` as `ada`, and goes on.
    pub(crate) async fn sign_in(&mut self, page: &Answer) -> Answer {
        self.sign_in_as(page, "ada", PASSWORD).await
    }

    /// Fills in the login form on `page`, and goes on.
    pub(crate) async fn sign_in_as(&mut self, page: &Answer, username: &str, password: &str) -> Answer {
        assert!(page.body.contains("id=\"loginButton\""), "not a login page: {page:#?}");
        let interaction = page.hidden("interaction");
        let fields = [("username", username), ("password", password), ("interaction", &interaction)];
        let answer = self.post("/login", &fields).await;
        self.follow(answer).await
    }

    /// The value of the session's cookie.
    pub(crate) fn session(&self) -> Option<&String> {
        ["__Host-uitsmijter-sso", "uitsmijter-sso"].into_iter().find_map(|name| self.cookies.get(name))
    }

    /// Takes over the value of another browser's session cookie, where no cookie domain is set.
    pub(crate) fn take_session(&mut self, value: String) {
        self.cookies.insert("__Host-uitsmijter-sso".into(), value);
    }

    async fn send(&mut self, mut request: Request<Body>) -> Answer {
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.parse().expect("a host"));
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            headers.insert(header::COOKIE, pairs.join("; ").parse().expect("cookies"));
        }
        let answer = self.server.send(request).await;
        for cookie in answer.header_values("set-cookie") {
            self.keep(cookie);
        }
        answer
    }

    fn keep(&mut self, cookie: &str) {
        let (pair, attributes) = cookie.split_once(';').expect("attributes");
        let (name, value) = pair.split_once('=').expect("a pair");
        for expected in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
            assert!(attributes.contains(expected), "{cookie}");
        }
        if attributes.contains("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}
