//! Two tenants, one server: nothing that belongs to one is accepted by the other, at any endpoint.

use serde_json::json;
use uitsmijter::origin::Origin;
use uitsmijter::registry::document::{Document, Kind};
use uitsmijter::registry::secrets::Secrets;
use uitsmijter::registry::{Registry, Snapshot};
use uitsmijter::session::participant::Participant;
use uitsmijter::token::logout_token;

use crate::harness::fixtures::{self, CALLBACK, SECRET};
use crate::harness::relying_party::VERIFIER;
use crate::harness::server::{ACME, GLOBEX, form};
use crate::harness::{Answer, Browser, ClientKey, Proxy, RelyingParty, TestServer};

/// All artefacts that the tenant `acme` issued.
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
    let client = issuer.client("spa").await.expect("the registry").expect("a client");
    Artefacts {
        code,
        access_token: tokens.member("access_token"),
        refresh_token: tokens.member("refresh_token"),
        id_token: tokens.member("id_token"),
        device_code: device.member("device_code"),
        user_code: device.member("user_code"),
        logout_token: logout_token::sign(&issuer, &client, &participant).await.expect("a token"),
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

#[tokio::test]
async fn no_proof_of_one_tenants_client_is_one_at_the_other() {
    let key = ClientKey::new("ES256");
    let keys = json!({ "keys": [key.jwk(json!({}))] });
    let signer = |tenant: &str, ident: &str| {
        format!(
            "name: {ident}\nconfig:\n  tenantname: {tenant}\n  ident: {ident}\n  grant_types: [client_credentials]\n  jwks: {keys}"
        )
    };
    let documents = [fixtures::documents(), signer("acme", "signer"), signer("globex", "globex-signer")];
    let server = TestServer::start_with(&documents.join("\n---\n"), &[]).await;
    let now = server.app.services.clock.now().0;
    let (acme, globex) = ("https://login.acme.example", "https://login.globex.example");
    for (number, (host, client_id, audience, status)) in [
        (GLOBEX, "globex-signer", globex, 200),
        (ACME, "signer", acme, 200),
        (GLOBEX, "signer", globex, 401),
        (GLOBEX, "signer", acme, 401),
        (GLOBEX, "globex-signer", acme, 401),
        (ACME, "globex-signer", acme, 401),
        (ACME, "globex-signer", globex, 401),
        (ACME, "signer", globex, 401),
    ]
    .into_iter()
    .enumerate()
    {
        let claims =
            json!({ "iss": client_id, "sub": client_id, "aud": audience, "exp": now + 60, "jti": number.to_string() });
        let assertion = key.sign(&json!({ "alg": "ES256" }), &claims);
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
        ];
        let mut request = form("/token", &fields);
        request.headers_mut().insert("host", host.parse().expect("a host"));
        let answer = server.send(request).await.expect(status);
        assert_eq!(answer.json()["error"] == "invalid_client", status == 401, "{client_id} for {audience} at {host}");
    }
}

#[tokio::test]
async fn no_actor_of_one_tenant_is_accepted_at_the_other() {
    let server = TestServer::start().await;
    let service = RelyingParty::new(&server, "exchange-service");
    let actor = service.token(&[("grant_type", "client_credentials")]).await.expect(200).member("access_token");
    let code = RelyingParty::new(&server, "globex-exchange-service")
        .obtain_code_in(&mut Browser::at(&server, GLOBEX), &[])
        .await;
    let client = [("client_id", "globex-exchange-service"), ("client_secret", SECRET)];
    let grant = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let tokens = post(&server, "/token", &[&client[..], &grant].concat()).await.expect(200);
    let (subject, kind) = (tokens.member("access_token"), "urn:ietf:params:oauth:token-type:access_token");
    let exchange = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", subject.as_str()),
        ("subject_token_type", kind),
    ];
    post(&server, "/token", &[&client[..], &exchange].concat()).await.expect(200);
    let acting = [("actor_token", actor.as_str()), ("actor_token_type", kind)];
    let answer = post(&server, "/token", &[&client[..], &exchange, &acting].concat()).await;
    answer.expect_error(400, "invalid_request");
}

#[tokio::test]
async fn no_session_or_device_of_one_tenant_is_anything_behind_a_proxy_or_on_a_page_of_the_other() {
    let host = r#"hosts: ["login.globex.example"]"#;
    let with = format!("{host}\n  interceptor: {{domain: login.globex.example}}");
    let server = TestServer::start_with(&fixtures::documents().replace(host, &with), &[]).await;
    let device = RelyingParty::new(&server, "tv").post("/device_authorization", &[]).await.expect(200);
    let mut own = Browser::new(&server);
    let login = own.visit("/activate").await;
    let step = own.sign_in(&login).await.hidden("interaction");
    let page = own.get("/").await.expect_page(200);
    let mut thief = Browser::at(&server, GLOBEX);
    thief.cookies = own.cookies.clone();
    let application = "https://login.globex.example/application";
    let held = Proxy::new(&server).ask(&thief, application).await.expect(307);
    assert_eq!((held.header("authorization"), held.header("x-user-ident")), ("", ""));
    let form = [("token", &*page.hidden("token")), ("everywhere", "1")];
    thief.post("/", &form).await.expect(303);
    assert!(own.get("/").await.expect_page(200).body.contains("Ada"), "nobody was signed out");
    let (user_code, id) = (device.member("user_code"), ("interaction", step.as_str()));
    let decision = [id, ("user_code", user_code.as_str()), ("decision", "allow")];
    thief.post("/activate", &decision).await.expect_page(400);
    own.post("/activate", &decision).await.expect_page(200);
    let mut neighbour = Browser::at(&server, GLOBEX);
    let login = neighbour.visit("/login").await;
    neighbour.sign_in(&login).await;
    Proxy::new(&server).ask(&neighbour, application).await.expect(200);
}

#[tokio::test]
async fn a_neighbour_gets_neither_the_login_page_nor_the_issuer_of_another_tenant() {
    let users = "  providers: class UserLoginProvider {}\n";
    let resource = |name: &str, config: &str| {
        let text = format!("kind: Tenant\nmetadata: {{name: {name}, namespace: {name}}}\nspec:\n{users}{config}\n");
        let source = format!("kubernetes:{name}/Tenant/{name}");
        Document::new(&source, 0, Some(Kind::Tenant), Ok(text.into()), Secrets::default())
    };
    let victim = resource("victim", "  hosts: [app.victim.test]\n  interceptor: {domain: login.victim.test}");
    for config in [
        "  hosts: [evil.test, login.victim.test]",
        "  hosts: [evil.test, '*.victim.test']",
        "  hosts: [evil.test]\n  interceptor: {domain: login.victim.test}",
        "  hosts: [evil.test]\n  issuer: https://login.victim.test",
        "  hosts: [evil.test]\n  issuer: https://app.victim.test",
    ] {
        for (shared, secret) in [(false, false), (true, false), (true, true)] {
            let documents = [victim.clone(), resource("evil", config)];
            let (snapshot, problems) = Snapshot::build(&documents, None, &|_| Ok(()));
            let hs256: &[_] = &[("JWT_SECRET", "a secret that both tenants share, alas"), ("JWT_ALGORITHM", "HS256")];
            let environment = if secret { hs256 } else { &[] };
            let change = |settings: &mut uitsmijter::settings::Settings| settings.signing.shared = shared;
            let server = TestServer::start_over(Registry::new(snapshot, problems), environment, change).await;
            for host in ["login.victim.test", "app.victim.test"] {
                let origin = Origin { scheme: "https", authority: host.into() };
                assert_eq!(&*server.app.issuer(&origin).expect(host).tenant.name, "victim/victim", "{config}");
                let asked = server.get_at(host, "/.well-known/openid-configuration").await.expect(200);
                assert_eq!(asked.member("issuer"), format!("https://{host}"));
            }
            let answer = server.get_at("evil.test", "/.well-known/openid-configuration").await;
            if answer.status == 200 {
                assert!(!answer.member("issuer").contains("victim"), "{config}");
            }
        }
    }
}

#[tokio::test]
async fn a_disabled_tenant_is_nobody_and_a_disabled_client_is_unknown() {
    let documents = fixtures::documents();
    let off = documents.replacen("name: globex\nconfig:\n", "name: globex\nconfig:\n  enabled: false\n", 1);
    let server = TestServer::start_with(&off, &[]).await;
    server.get_at(GLOBEX, "/.well-known/openid-configuration").await.expect(404);
    server.get_at(GLOBEX, "/login").await.expect_page(404);
    server.get("/.well-known/openid-configuration").await.expect(200);
    let off = documents.replacen("  ident: service\n", "  ident: service\n  enabled: false\n", 1);
    let server = TestServer::start_with(&off, &[]).await;
    let asked = RelyingParty::new(&server, "service").token(&[("grant_type", "client_credentials")]).await;
    asked.expect_error(401, "invalid_client");
    server.get("/authorize?response_type=code&client_id=service&redirect_uri=https://x.test/").await.expect_page(400);
}
