//! The person of the tenant `interop` signs in with a browser, for the client `native`.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use url::Url;

use crate::configuration::{PASSWORD, USERNAME};
use crate::person::{Arrival, Browser};
use crate::replica::{Answer, Replica};

/// Nobody listens here: the browser stops when it is sent to another origin.
const REDIRECT: &str = "http://127.0.0.1:9/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A person with their own browser.
pub(crate) struct Person {
    browser: Browser,
}

impl Person {
    pub(crate) fn new() -> Self {
        Self { browser: Browser::new() }
    }

    /// Gets a code at `replica`, with user name and password if there is no session.
    pub(crate) async fn code(&mut self, replica: &Replica) -> String {
        let left = match self.browser.open(authorize(replica)).await {
            Arrival::Left(url) => url,
            Arrival::Page(page) => {
                let typed = [("username", USERNAME), ("password", PASSWORD)];
                self.browser.submit(&page, &typed).await.left()
            }
        };
        code_in(&left)
    }

    /// The cookies of the browser.
    pub(crate) fn cookies(&self) -> String {
        self.browser.cookie_header()
    }

    /// Ends the session.
    pub(crate) async fn sign_out(&mut self, replica: &Replica) {
        let page = self.browser.open(Url::parse(&replica.url("/logout")).expect("a URL")).await.page();
        let page = if page.body.contains("<form") { self.browser.submit(&page, &[]).await.page() } else { page };
        assert_eq!(page.status, 200, "{}", page.body);
    }

    /// Types a wrong password.
    pub(crate) async fn fail(&mut self, replica: &Replica) {
        let page = self.browser.open(authorize(replica)).await.page();
        let page = self.browser.submit(&page, &[("username", USERNAME), ("password", "guessed")]).await.page();
        assert_eq!(page.url.path(), "/login");
    }

    /// Gets a code from the session alone; fails the test if a page is shown.
    pub(crate) async fn code_of_session(&mut self, replica: &Replica) -> String {
        code_in(&self.browser.open(authorize(replica)).await.left())
    }

    /// The tokens of a whole sign-in.
    pub(crate) async fn sign_in(&mut self, replica: &Replica) -> Value {
        let code = self.code(replica).await;
        let answer = redeem(replica, &code).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }
}

/// Redeems a code.
pub(crate) async fn redeem(replica: &Replica, code: &str) -> Answer {
    let form =
        [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT), ("code_verifier", VERIFIER)];
    replica.post_native("/token", &form).await
}

fn authorize(replica: &Replica) -> Url {
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
    let parameters = [
        ("client_id", "native"),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("state", "a state"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    Url::parse_with_params(&replica.url("/authorize"), parameters).expect("a URL")
}

fn code_in(url: &Url) -> String {
    let code = url.query_pairs().find(|(name, _)| name == "code");
    code.unwrap_or_else(|| panic!("no code in {url}")).1.into_owned()
}
