//! Two tenants in one process: nothing of one is valid at the other, even if they share the keys.

use axum::http::header;

use crate::harness::fixtures::{self, CALLBACK, PASSWORD, SECRET};
use crate::harness::relying_party::{VERIFIER, basic};
use crate::harness::server::{ACME, GLOBEX, form};
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

/// How the two sign: with their own keys, with one set for both, or with one set and one secret for both.
const SIGNING: [Signing; 3] = [
    Signing { shared: false, environment: &[] },
    Signing { shared: true, environment: &[] },
    Signing {
        shared: true,
        environment: &[("JWT_ALGORITHM", "HS256"), ("JWT_SECRET", "a secret that both tenants share, alas")],
    },
];

struct Signing {
    shared: bool,
    environment: &'static [(&'static str, &'static str)],
}

impl Signing {
    async fn start(&self, documents: &str) -> TestServer {
        TestServer::start_changed(documents, self.environment, |settings| settings.signing.shared = self.shared).await
    }
}

/// Both tenants have a person with the same subject, so that it never tells them apart.
fn documents() -> String {
    fixtures::documents().replace("subject: acme-ada", "subject: ada").replace("subject: globex-ada", "subject: ada")
}

/// All that a sign-in at `acme` leaves behind.
struct Booty<'s> {
    browser: Browser<'s>,
    code: String,
    access_token: String,
    service_token: String,
    id_token: String,
    refresh_token: String,
    /// A step that waits for credentials.
    login: String,
    /// A step that has credentials.
    signed_in: String,
    /// A step that waits for consent.
    consent: String,
    /// A step that waits for the confirmation of a logout.
    logout: String,
}

impl<'s> Booty<'s> {
    async fn collect(server: &'s TestServer) -> Self {
        let spa = RelyingParty::new(server, "spa");
        let mut browser = Browser::new(server);
        let tokens = spa.redeem(&spa.obtain_code_in(&mut browser, &[]).await).await.expect(200);
        let service = RelyingParty::new(server, "service").token(&[("grant_type", "client_credentials")]).await;
        let code = spa.obtain_code_in(&mut browser, &[]).await;
        let signed_in = browser.visit(&spa.authorize_path(&[("prompt", "login")])).await.hidden("interaction");
        let fields = [("username", "ada"), ("password", PASSWORD), ("interaction", signed_in.as_str())];
        browser.post("/login", &fields).await.expect(303);
        let shop = RelyingParty::new(server, "shop");
        Self {
            login: browser.visit(&spa.authorize_path(&[("prompt", "login")])).await.hidden("interaction"),
            consent: browser.visit(&shop.authorize_path(&[("scope", "openid")])).await.hidden("interaction"),
            logout: browser.visit("/logout").await.hidden("interaction"),
            browser,
            code,
            signed_in,
            access_token: tokens.member("access_token"),
            service_token: service.expect(200).member("access_token"),
            id_token: tokens.member("id_token"),
            refresh_token: tokens.member("refresh_token"),
        }
    }
}

async fn post_at(
    server: &TestServer,
    host: &str,
    path: &str,
    fields: &[(&str, &str)],
    credentials: Option<&str>,
) -> Answer {
    let mut request = form(path, fields);
    request.headers_mut().insert(header::HOST, host.parse().expect("a host"));
    if let Some(credentials) = credentials {
        request.headers_mut().insert(header::AUTHORIZATION, credentials.parse().expect("a header"));
    }
    server.send(request).await
}

async fn get_at(server: &TestServer, host: &str, path: &str, token: &str) -> Answer {
    let request = axum::http::Request::get(path).header(header::HOST, host);
    let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    server.send(request.body(axum::body::Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn tokens_of_one_tenant_are_nothing_at_the_other() {
    for signing in SIGNING {
        let server = signing.start(&documents()).await;
        let booty = Booty::collect(&server).await;
        let web = basic("globex-web", SECRET);
        let code = |client_id| {
            [
                ("grant_type", "authorization_code"),
                ("client_id", client_id),
                ("code", booty.code.as_str()),
                ("redirect_uri", CALLBACK),
                ("code_verifier", VERIFIER),
            ]
        };
        let refresh = |client_id| {
            [("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", booty.refresh_token.as_str())]
        };
        for (client_id, status, error) in [("globex-spa", 400, "invalid_grant"), ("spa", 401, "invalid_client")] {
            post_at(&server, GLOBEX, "/token", &code(client_id), None).await.expect_error(status, error);
            post_at(&server, GLOBEX, "/token", &refresh(client_id), None).await.expect_error(status, error);
        }
        let tokens = [&booty.access_token, &booty.service_token, &booty.id_token, &booty.refresh_token, &booty.code];
        for token in tokens {
            for path in ["/userinfo", "/token/info"] {
                get_at(&server, GLOBEX, path, token).await.expect_error(401, "invalid_token");
            }
            let answer = post_at(&server, GLOBEX, "/introspect", &[("token", token)], Some(&web)).await;
            assert_eq!(answer.expect(200).body, r#"{"active":false}"#);
            // Revoking at the wrong tenant is not an error, and does nothing.
            for credentials in [("client_id", "globex-spa"), ("client_id", "globex-legacy")] {
                post_at(&server, GLOBEX, "/revoke", &[("token", token), credentials], None).await.expect(200);
            }
        }
        // At its own tenant nothing has changed.
        get_at(&server, ACME, "/userinfo", &booty.access_token).await.expect(200);
        for token in [&booty.access_token, &booty.service_token] {
            let answer = post_at(&server, ACME, "/introspect", &[("token", token)], Some(&basic("web", SECRET)))
                .await
                .expect(200);
            assert_eq!(answer.json()["active"], true);
        }
        post_at(&server, ACME, "/token", &refresh("spa"), None).await.expect(200);
        post_at(&server, ACME, "/token", &code("spa"), None).await.expect(200);
    }
}

#[tokio::test]
async fn no_kind_of_token_is_taken_for_another() {
    for signing in SIGNING {
        let server = signing.start(&documents()).await;
        let mut booty = Booty::collect(&server).await;
        for token in [&booty.id_token, &booty.refresh_token, &booty.code, &format!("{}.", booty.access_token)] {
            get_at(&server, ACME, "/userinfo", token).await.expect_error(401, "invalid_token");
        }
        let id_token = [("token", booty.id_token.as_str())];
        let answer = post_at(&server, ACME, "/introspect", &id_token, Some(&basic("web", SECRET))).await;
        assert_eq!(answer.expect(200).body, r#"{"active":false}"#);
        let spa = RelyingParty::new(&server, "spa");
        for token in [&booty.access_token, &booty.service_token] {
            let path = spa.authorize_path(&[("prompt", "none"), ("id_token_hint", token)]);
            booty.browser.get(&path).await.expect_error_redirect("invalid_request");
            booty.browser.get(&format!("/logout?id_token_hint={token}")).await.expect_page(400);
        }
        for token in [&booty.access_token, &booty.id_token, &booty.code] {
            spa.refresh(token).await.expect_error(400, "invalid_grant");
        }
        for token in [&booty.access_token, &booty.id_token, &booty.refresh_token] {
            spa.redeem(token).await.expect_error(400, "invalid_grant");
        }
    }
}

#[tokio::test]
async fn a_browser_of_one_tenant_is_a_stranger_at_the_other() {
    for signing in SIGNING {
        let server = signing.start(&documents()).await;
        let booty = Booty::collect(&server).await;
        let mut thief = Browser::at(&server, GLOBEX);
        thief.cookies = booty.browser.cookies.clone();
        let (spa, other) = (RelyingParty::new(&server, "spa"), RelyingParty::new(&server, "globex-spa"));
        let silent = |extra: &[(&str, &str)]| other.authorize_path(&[&[("prompt", "none")], extra].concat());
        thief.get(&silent(&[])).await.expect_error_redirect("login_required");
        // The hint is from another tenant, whatever it says.
        thief.get(&silent(&[("id_token_hint", &booty.id_token)])).await.expect_error_redirect("invalid_request");
        let bye = "https://app.acme.example/bye";
        thief.get(&format!("/logout?id_token_hint={}", booty.id_token)).await.expect_page(400);
        thief
            .get(&format!("/logout?id_token_hint={}&post_logout_redirect_uri={bye}", booty.id_token))
            .await
            .expect_page(400);
        assert!(!thief.get("/").await.expect_page(200).body.contains("Ada"), "nobody is signed in here");
        for id in [&booty.login, &booty.signed_in, &booty.consent, &booty.logout] {
            thief.get(&format!("/authorize?interaction={id}")).await.expect_page(400);
            thief.get(&format!("/login?interaction={id}")).await.expect_page(400);
            thief.get(&format!("/consent?interaction={id}")).await.expect_page(400);
            thief.post("/consent", &[("interaction", id), ("decision", "allow")]).await.expect_page(400);
            thief.post("/logout", &[("interaction", id)]).await.expect_page(400);
            let fields = [("interaction", id.as_str()), ("username", "ada"), ("password", PASSWORD)];
            thief.post("/login", &fields).await.expect_page(400);
        }
        // At their own tenant all steps are still there.
        let mut home = booty.browser;
        spa.code_of(&home.get(&format!("/authorize?interaction={}", booty.signed_in)).await);
        home.get(&format!("/login?interaction={}", booty.login)).await.expect_page(200);
        let allow = [("interaction", booty.consent.as_str()), ("decision", "allow")];
        let answer = home.post("/consent", &allow).await;
        spa.code_of(&home.follow(answer).await);
        home.post("/logout", &[("interaction", &booty.logout)]).await.expect_page(200);
    }
}

#[tokio::test]
async fn people_clients_and_consents_belong_to_one_tenant() {
    let documents = documents().replacen("- username: bob", "- username: carol", 1);
    for signing in SIGNING {
        let server = signing.start(&documents).await;
        let credentials = basic("service", SECRET);
        for path in ["/token", "/introspect", "/revoke"] {
            let fields = [("grant_type", "client_credentials"), ("token", "x")];
            let answer = post_at(&server, GLOBEX, path, &fields, Some(&credentials)).await;
            answer.expect_error(401, "invalid_client");
            let fields = [&fields[..], &[("client_id", "service"), ("client_secret", SECRET)]].concat();
            post_at(&server, GLOBEX, path, &fields, None).await.expect_error(401, "invalid_client");
        }
        let unknown = RelyingParty::new(&server, "service").authorize_path(&[]);
        server.get_at(GLOBEX, &unknown).await.expect_page(400);
        // Carol is known only at acme.
        let carol = |client_id| {
            [("grant_type", "password"), ("client_id", client_id), ("username", "carol"), ("password", PASSWORD)]
        };
        post_at(&server, ACME, "/token", &carol("legacy"), None).await.expect(200);
        post_at(&server, GLOBEX, "/token", &carol("globex-legacy"), None).await.expect_error(400, "invalid_grant");
        // Ada has the same subject at both. Each asks for consent, and remembers it.
        for (host, client_id) in [(ACME, "shop"), (GLOBEX, "globex-shop")] {
            let shop = RelyingParty::new(&server, client_id);
            let mut browser = Browser::at(&server, host);
            let page = browser.visit(&shop.authorize_path(&[("scope", "openid")])).await;
            let question = browser.sign_in(&page).await.expect_page(200);
            let allow = [("interaction", &*question.hidden("interaction")), ("decision", "allow")];
            let answer = browser.post("/consent", &allow).await;
            shop.code_of(&browser.follow(answer).await);
            shop.code_of(&browser.get(&shop.authorize_path(&[("scope", "openid"), ("prompt", "none")])).await);
        }
    }
}

#[tokio::test]
async fn documents_speak_of_one_tenant_and_shared_keys_of_one_set() {
    let server = TestServer::start().await;
    let keys = |answer: Answer| answer.json()["keys"].clone();
    let jwks = "/.well-known/jwks.json";
    assert_ne!(keys(server.get_at(ACME, jwks).await), keys(server.get_at(GLOBEX, jwks).await));
    for host in [ACME, GLOBEX] {
        let metadata = server.get_at(host, "/.well-known/openid-configuration").await.expect(200);
        let other = if host == ACME { "globex" } else { "acme" };
        assert!(!metadata.body.contains(other), "{metadata:#?}");
    }
    let shared = SIGNING[1].start(&documents()).await;
    assert_eq!(keys(shared.get_at(ACME, jwks).await), keys(shared.get_at(GLOBEX, jwks).await));
}
