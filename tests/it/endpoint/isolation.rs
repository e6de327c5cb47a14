//! Two tenants, one server: whatever belongs to one is nothing at the other, at every endpoint.

use serde_json::json;
use uitsmijter::login::participant::Participant;
use uitsmijter::token::logout_token;
use uitsmijter::web::forwarded::Origin;

use crate::harness::fixtures::{CALLBACK, SECRET};
use crate::harness::relying_party::VERIFIER;
use crate::harness::server::{GLOBEX, form};
use crate::harness::{Answer, Browser, RelyingParty, TestServer};

/// Everything that the tenant `acme` gave to somebody.
struct Artefacts {
    code: String,
    access_token: String,
    refresh_token: String,
    id_token: String,
    device_code: String,
    user_code: String,
    logout_token: String,
    interaction: String,
    browser: Vec<(String, String)>,
}

async fn artefacts(server: &TestServer) -> Artefacts {
    let spa = RelyingParty::new(server, "spa");
    let mut browser = Browser::new(server);
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    let tokens = spa.redeem(&code).await.expect(200);
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    let device = RelyingParty::new(server, "tv").post("/device_authorization", &[]).await.expect(200);
    let pending = browser.get(&spa.authorize_path(&[("prompt", "login")])).await;
    let origin = Origin { scheme: "https", authority: "login.acme.example".into() };
    let participant = Participant {
        client_id: "spa".into(),
        issuer: "https://login.acme.example".into(),
        subject: "acme-ada".into(),
        sid: "s".into(),
    };
    let issuer = server.app.issuer(&origin).expect("a tenant");
    Artefacts {
        code,
        access_token: tokens.member("access_token"),
        refresh_token: tokens.member("refresh_token"),
        id_token: tokens.member("id_token"),
        device_code: device.member("device_code"),
        user_code: device.member("user_code"),
        logout_token: logout_token::sign(&issuer, &issuer.client("spa").expect("a client"), &participant)
            .await
            .expect("a token"),
        interaction: pending.query()["interaction"].clone(),
        browser: browser.cookies.into_iter().collect(),
    }
}

async fn post(server: &TestServer, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut request = form(path, fields);
    request.headers_mut().insert("host", GLOBEX.parse().expect("a host"));
    server.send(request).await
}

#[tokio::test]
async fn no_grant_of_one_tenant_is_redeemed_at_the_other() {
    let server = TestServer::start().await;
    let own = artefacts(&server).await;
    let code = [("code", own.code.as_str()), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let access = ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token");
    let id = ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token");
    for (client_id, grant_type, fields, error) in [
        ("globex-spa", "authorization_code", &code[..], "invalid_grant"),
        ("globex-spa", "refresh_token", &[("refresh_token", own.refresh_token.as_str())], "invalid_grant"),
        ("globex-tv", "device_code", &[("device_code", own.device_code.as_str())], "invalid_grant"),
        ("globex-exchange-service", exchange, &[("subject_token", &*own.access_token), access], "invalid_request"),
        ("globex-exchange-service", exchange, &[("subject_token", &*own.id_token), id], "invalid_request"),
    ] {
        let secret = client_id.ends_with("service").then_some(("client_secret", SECRET));
        let fields = [&[("client_id", client_id), ("grant_type", grant_type)], fields].concat();
        let fields: Vec<_> = fields.into_iter().chain(secret).collect();
        post(&server, "/token", &fields).await.expect_error(400, error);
    }
    RelyingParty::new(&server, "spa").redeem(&own.code).await.expect(200);
    RelyingParty::new(&server, "spa").refresh(&own.refresh_token).await.expect(200);
}

#[tokio::test]
async fn no_client_of_one_tenant_is_known_at_the_other() {
    let server = TestServer::start().await;
    for path in ["/token", "/revoke", "/introspect", "/device_authorization"] {
        for client_id in ["service", "spa"] {
            let fields =
                [("client_id", client_id), ("client_secret", SECRET), ("token", "x"), ("grant_type", "password")];
            post(&server, path, &fields).await.expect_error(401, "invalid_client");
        }
    }
    let path = RelyingParty::new(&server, "spa").authorize_path(&[]);
    let answer = server.get_at(GLOBEX, &path).await.expect_page(400);
    assert_eq!(answer.header("location"), "");
}

#[tokio::test]
async fn no_token_of_one_tenant_is_good_at_the_other() {
    let server = TestServer::start().await;
    let own = artefacts(&server).await;
    let client = [("client_id", "globex-web"), ("client_secret", SECRET)];
    for token in [&own.access_token, &own.refresh_token, &own.id_token, &own.logout_token] {
        for path in ["/userinfo", "/token/info"] {
            let body = [("access_token", token.as_str())];
            post(&server, path, &body).await.expect_error(401, "invalid_token");
        }
        let fields = [&client[..], &[("token", token.as_str())]].concat();
        let told = post(&server, "/introspect", &fields).await.expect(200);
        assert_eq!(told.json(), json!({ "active": false }));
        post(&server, "/revoke", &fields).await.expect(200);
    }
    server.get_with_token("/userinfo", &own.access_token).await.expect(200);
    RelyingParty::new(&server, "spa").refresh(&own.refresh_token).await.expect(200);
}

#[tokio::test]
async fn no_hint_session_or_pending_step_of_one_tenant_leads_anywhere_at_the_other() {
    let server = TestServer::start().await;
    let own = artefacts(&server).await;
    let spa = RelyingParty::new(&server, "globex-spa");
    let mut browser = Browser::at(&server, GLOBEX);
    browser.cookies.extend(own.browser.clone());
    let silent = browser.get(&spa.authorize_path(&[("prompt", "none")])).await;
    silent.expect_error_redirect("login_required");
    for hint in [&own.id_token, &own.access_token, &own.logout_token] {
        let answer = browser.get(&spa.authorize_path(&[("id_token_hint", hint)])).await;
        answer.expect_error_redirect("invalid_request");
        browser.get(&format!("/logout?id_token_hint={hint}")).await.expect_page(400);
    }
    for path in ["/authorize", "/login", "/consent"] {
        browser.get(&format!("{path}?interaction={}", own.interaction)).await.expect_page(400);
    }
    let fields = [("interaction", own.interaction.as_str()), ("user_code", &own.user_code), ("decision", "allow")];
    for path in ["/login", "/consent", "/activate", "/logout"] {
        browser.post(path, &fields).await.expect_page(400);
    }
    let hint = format!("/logout?id_token_hint={}", own.logout_token);
    Browser::new(&server).get(&hint).await.expect_page(400);
}
