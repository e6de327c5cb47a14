//! One installation on one clock: a server, the five client libraries with their caches, each in one process from start
//! to end, and every token that was ever issued to them.

use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};

use crate::application::{PROCESSES, RelyingParty, Tokens};
use crate::calendar::Calendar;
use crate::configuration::{
    native_application, page_that_renews_in_a_frame, service, single_page_application, tenant_with,
};
use crate::desk::Desk;
use crate::server::{Server, http_client_through_time};
use crate::spa::Place;
use crate::tally::Tally;
use crate::token::{claims, header, token_for};
use crate::verifier::{Library, Verifier};

/// This machine as the browser names it, for server and applications: one site, or frames would have no session.
const HOST: &str = "localhost";
/// The applications in the browser: one with refresh tokens and one without. Both renew by themselves.
const TABS: [&str; 2] = ["spa", "framed"];
/// How many valid tokens every verifier checks after each step: all at first, then the newest and a changing sample.
const SAMPLE: usize = 24;
/// Tokens this close to their expiry are not checked, in seconds.
const DYING: u64 = 5;

/// The server and all its clients.
pub(crate) struct Installation {
    pub(crate) calendar: Calendar,
    issuer: String,
    http: Client,
    server: Server,
    verifiers: Vec<Verifier>,
    party: RelyingParty,
    desk: Desk,
    tokens: Vec<Token>,
    /// The key ids in the JWKS.
    pub(crate) published: Vec<String>,
    /// The header of the newest access token.
    pub(crate) newest: Value,
    pub(crate) tally: Tally,
    looks: usize,
    steps: usize,
}

struct Token {
    text: String,
    audience: String,
    is_id: bool,
    key: Option<String>,
    expires: u64,
}

impl Installation {
    /// Starts everything and signs the person in everywhere. `lines` go into the tenant's `config`; `secret` is shared
    /// by the server and all resource servers.
    pub(crate) async fn start(lines: &[&str], secret: Option<&str>) -> Self {
        let calendar = Calendar::new();
        let places = [Place::reserve_at(HOST).await, Place::reserve_at(HOST).await];
        let origins = places.each_ref().map(|place| place.origin.clone());
        let documents = [
            tenant_with(HOST, lines),
            native_application(),
            service("service"),
            single_page_application(&origins[0]),
            page_that_renews_in_a_frame(&origins[1]),
        ];
        let mut environment = calendar.environment();
        environment.extend(secret.map(|secret| ("JWT_SECRET", secret.to_owned())));
        let server = Server::start_with(&documents, &environment).await;
        let issuer = server.issuer_at(HOST);

        let mut desk = Desk::start();
        for (place, tab) in places.into_iter().zip(TABS) {
            let application = format!("{}/", place.origin);
            place.serve_with(json!({
                "authority": issuer,
                "client_id": tab,
                "automaticSilentRenew": true,
                "includeIdTokenInSilentRenew": true,
            }));
            desk.open(tab, &application, &calendar).await;
        }
        let mut verifiers = Vec::new();
        for library in Library::ALL {
            verifiers.push(Verifier::start_in(library, &issuer, &calendar, secret).await);
        }
        let (party, tokens) = RelyingParty::sign_in(&issuer, &calendar).await;
        let mut all = Self {
            calendar,
            issuer,
            http: http_client_through_time(),
            server,
            verifiers,
            party,
            desk,
            tokens: Vec::new(),
            published: Vec::new(),
            newest: Value::Null,
            tally: Tally::default(),
            looks: 0,
            steps: 0,
        };
        all.keep_those_of_the_party(tokens);
        let users = [all.desk.sign_in(TABS[0]).await, all.desk.sign_in_once_more(TABS[1]).await];
        users.iter().for_each(|user| all.keep_those_of_a_page(user));
        all.go_on().await;
        all
    }

    /// Lets this much time pass for all; then new tokens are issued, and every verifier checks old and new ones.
    pub(crate) async fn pass(&mut self, span: Duration) {
        self.calendar.pass(span);
        for verifier in &mut self.verifiers {
            verifier.look_at_the_clock().await;
        }
        let users = self.desk.pass(span, &TABS).await;
        TABS.iter().for_each(|tab| self.keep_those_of_a_page(&users[tab]));
        self.go_on().await;
    }

    /// The same without waiting.
    pub(crate) async fn go_on(&mut self) {
        self.steps += 1;
        assert!(self.steps < 500, "what this story waits for does not happen");
        let token = token_for(&self.http, &self.issuer, "service").await;
        self.newest = header(&token);
        self.keep(token);
        let tokens = self.party.renew().await;
        self.keep_those_of_the_party(tokens);
        self.look_at_the_jwks().await;
        self.verify().await;
    }

    /// Both applications in the browser renew now, and call userinfo with the previous token and the new one.
    pub(crate) async fn renew_in_the_browser(&mut self) {
        for tab in TABS {
            let before = self.desk.pass(Duration::ZERO, &[]).await[tab]["access_token"].take();
            let renewed = self.desk.renew(tab).await;
            assert_eq!(renewed["error"], Value::Null, "{tab}: {renewed}");
            assert_ne!(renewed["user"]["access_token"], before, "{tab}");
            for token in [&before, &renewed["user"]["access_token"]] {
                let answer = self.desk.userinfo(tab, token.as_str().expect("a token")).await;
                assert_eq!(answer["status"], 200, "{tab}: {answer}");
                self.tally.accepted("oidc-client-ts, userinfo", 1);
            }
            self.keep_those_of_a_page(&renewed["user"]);
        }
    }

    /// The person signs in to both applications once more, in the tabs of the beginning.
    pub(crate) async fn sign_in_again(&mut self) {
        for tab in TABS {
            let user = self.desk.sign_in_once_more(tab).await;
            self.keep_those_of_a_page(&user);
        }
        self.go_on().await;
    }

    /// Rewrites the tenant with these lines.
    pub(crate) fn rewrite(&self, lines: &[&str]) {
        self.server.rewrite(&tenant_with(HOST, lines));
    }

    /// How many valid tokens this key signed.
    pub(crate) fn living_of(&self, kid: &str) -> usize {
        self.tokens.iter().filter(|token| token.key.as_deref() == Some(kid)).count()
    }

    /// When the next key signs, in seconds since 1970.
    pub(crate) async fn next_rotation(&self) -> u64 {
        let metrics = self.metric("uitsmijter_signing_key_next_rotation_timestamp_seconds").await;
        metrics.expect("the metric of a tenant in use") as u64
    }

    /// Ends all clients. They must have used their caches: none may fetch the JWKS for each token.
    pub(crate) async fn end(self) {
        let fetched = self.metric("uitsmijter_jwks_requests_total").await.expect("the JWKS was asked for") as usize;
        let fetched = fetched - self.looks;
        let verified: usize = Library::ALL.iter().map(|library| self.tally.accepted_by(library.name())).sum();
        self.tally.report_all();
        println!("{verified} tokens accepted by resource servers, {fetched} requests for the JWKS by all libraries");
        assert!(fetched * 5 < verified, "the caches are off");
        self.desk.close().await;
    }

    fn keep_those_of_the_party(&mut self, tokens: Tokens) {
        [tokens.access, tokens.id].into_iter().for_each(|token| self.keep(token));
    }

    fn keep_those_of_a_page(&mut self, user: &Value) {
        let is_new = !self.tokens.iter().any(|token| user["access_token"] == token.text.as_str());
        if is_new {
            self.tally.accepted("oidc-client-ts, sign-ins and renewals", 1);
            for name in ["access_token", "id_token"] {
                self.keep(user[name].as_str().unwrap_or_else(|| panic!("{name} in {user}")).to_owned());
            }
        }
    }

    fn keep(&mut self, text: String) {
        let (claims, header) = (claims(&text), header(&text));
        let is_id = header["typ"] != "at+jwt";
        assert!(!is_id || header["alg"] == "RS256", "OpenID Connect wants RS256: {header}");
        assert_eq!(header["alg"] == "HS256", header["kid"].is_null(), "a kid belongs to asymmetric tokens: {header}");
        self.tokens.push(Token {
            audience: claims["aud"].as_str().expect("an audience").to_owned(),
            key: header["kid"].as_str().map(str::to_owned),
            expires: claims["exp"].as_u64().expect("an end"),
            is_id,
            text,
        });
    }

    async fn look_at_the_jwks(&mut self) {
        let answer = self.http.get(format!("{}/.well-known/jwks.json", self.issuer)).send().await;
        let jwks: Value = answer.expect("the server answers").json().await.expect("JSON");
        let keys = jwks["keys"].as_array().expect("keys");
        self.published = keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect();
        self.looks += 1;
    }

    /// Every verifier accepts a sample of the valid tokens, and refuses those that expired.
    async fn verify(&mut self) {
        let now = self.calendar.timestamp();
        let (tokens, dead): (Vec<Token>, _) = self.tokens.drain(..).partition(|token| token.expires + DYING > now);
        for token in &dead {
            for verifier in &mut self.verifiers {
                let library = verifier.library;
                verifier.expect_refused(&token.audience, &token.text, library.reasons().expired).await;
                self.tally.expired(library.name());
            }
        }
        let others = tokens.len().div_ceil(SAMPLE / 2);
        for (number, token) in tokens.iter().rev().enumerate() {
            let is_alive = token.expires > now + DYING;
            let is_chosen = number < SAMPLE / 2 || (number + self.steps).is_multiple_of(others);
            if is_alive && is_chosen {
                self.verify_one(token).await;
            }
        }
        self.tokens = tokens;
    }

    async fn verify_one(&mut self, token: &Token) {
        for verifier in &mut self.verifiers {
            verifier.expect_accepted(&token.audience, &token.text).await;
            self.tally.accepted(verifier.library.name(), 1);
        }
        if token.audience == "native" && token.is_id {
            assert_eq!(self.party.verify(&token.text).await, Ok(()), "openidconnect on {}", header(&token.text));
            self.tally.accepted("openidconnect", PROCESSES as usize);
        }
        if token.audience == "native" && !token.is_id {
            assert_eq!(self.party.user_info(&token.text).await, Ok(()), "userinfo for {}", header(&token.text));
            self.tally.accepted("openidconnect, userinfo", 1);
        }
    }

    /// The first value of a metric.
    async fn metric(&self, name: &str) -> Option<f64> {
        let answer = self.http.get(format!("{}/metrics", self.server.issuer())).send().await;
        let text = answer.expect("the server answers").text().await.expect("a readable text");
        let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")))?;
        line.rsplit(' ').next()?.parse().ok()
    }
}
