//! A correct client: PKCE, state, nonce, and the checks of the responses.

use axum::http::header;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::browser::Browser;
use super::fixtures::{CALLBACK, SECRET};
use super::response::Answer;
use super::server::{TestServer, form};

/// The code verifier of every request.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const STATE: &str = "state-._~ with spaces & ampersands";

/// One client.
pub(crate) struct RelyingParty<'s> {
    server: &'s TestServer,
    pub(crate) client_id: &'static str,
}

impl<'s> RelyingParty<'s> {
    pub(crate) fn new(server: &'s TestServer, client_id: &'static str) -> Self {
        Self { server, client_id }
    }

    /// The path of an authorization request with additional parameters; an empty value removes one.
    pub(crate) fn authorize_path(&self, extra: &[(&str, &str)]) -> String {
        let challenge = challenge();
        let mut fields = vec![
            ("client_id", self.client_id),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid profile email"),
            ("state", STATE),
            ("nonce", "n-0S6_WzA2Mj"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        fields.retain(|(name, _)| !extra.iter().any(|(other, _)| other == name));
        fields.extend(extra.iter().filter(|(_, value)| !value.is_empty()));
        format!("/authorize?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
    }

    /// Signs `ada` in with a fresh browser and returns the code.
    pub(crate) async fn obtain_code(&self, extra: &[(&str, &str)]) -> String {
        self.obtain_code_in(&mut Browser::new(self.server), extra).await
    }

    /// Takes the browser through all pages, and returns the code.
    pub(crate) async fn obtain_code_in(&self, browser: &mut Browser<'_>, extra: &[(&str, &str)]) -> String {
        let mut answer = browser.visit(&self.authorize_path(extra)).await;
        if answer.status.is_success() {
            answer = browser.sign_in(&answer).await;
        }
        self.code_of(&answer)
    }

    /// The code of a response to the client, whose other parameters must be right.
    #[track_caller]
    pub(crate) fn code_of(&self, answer: &Answer) -> String {
        assert!(answer.location().starts_with(CALLBACK), "{answer:#?}");
        let query = answer.query();
        assert_eq!(query["state"], STATE);
        assert!(query["iss"].starts_with("https://login."), "{query:?}");
        query.get("code").unwrap_or_else(|| panic!("no code: {answer:#?}")).clone()
    }

    /// Redeems a code.
    pub(crate) async fn redeem(&self, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.token(&fields).await
    }

    /// Redeems a refresh token.
    pub(crate) async fn refresh(&self, refresh_token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// Calls `/token`; a confidential client authenticates by Basic.
    pub(crate) async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        self.post("/token", fields).await
    }

    /// Posts to any endpoint for clients.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        if self.client_id.ends_with("web") || self.client_id.ends_with("service") {
            let mut request = form(path, fields);
            request
                .headers_mut()
                .insert(header::AUTHORIZATION, basic(self.client_id, SECRET).parse().expect("a header"));
            return self.server.send(request).await;
        }
        let fields = [fields, &[("client_id", self.client_id)]].concat();
        self.server.post(path, &fields).await
    }
}

/// The challenge for [`VERIFIER`].
pub(crate) fn challenge() -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

/// RFC 6749 §2.3.1.
pub(crate) fn basic(client_id: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(client_id), encode(secret))))
}
