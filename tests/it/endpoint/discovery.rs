//! Discovery and keys: RFC 8414, OIDC Discovery, RFC 7517 §5.

use axum::body::Body;
use axum::http::{Request, header};

use crate::harness::fixtures::{self, SECRET};
use crate::harness::server::{ACME, GLOBEX, registry};
use crate::harness::{Browser, RelyingParty, TestServer};

const DOCUMENTS: [&str; 3] =
    ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/jwks.json"];

#[tokio::test]
async fn the_documents_may_be_cached_and_asked_for_again_cheaply() {
    let server = TestServer::start().await;
    for path in DOCUMENTS {
        let answer = server.get(path).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "public, max-age=3600");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        let etag = answer.header("etag").to_owned();
        assert!(etag.starts_with('"'), "strong: {etag}");
        for sent in [etag.clone(), format!("\"x\", W/{etag}"), "*".into()] {
            let request =
                Request::get(path).header(header::IF_NONE_MATCH, sent).body(Body::empty()).expect("a request");
            let again = server.send(request).await.expect(304);
            assert_eq!(again.body, "");
            assert_eq!(again.header("etag"), etag);
        }
        let head = server.send(Request::head(path).body(Body::empty()).expect("a request")).await.expect(200);
        assert_eq!((head.body.as_str(), head.header("etag")), ("", etag.as_str()));
    }
}

#[tokio::test]
async fn the_issuer_is_the_url_without_the_suffix_and_every_url_begins_with_it() {
    let server = TestServer::start().await;
    let document = server.get("/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], "https://login.acme.example");
    let members = document.as_object().expect("an object");
    for (name, value) in members.iter().filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri") {
        assert!(value.as_str().expect("a URL").starts_with("https://login.acme.example/"), "{name}: {value}");
    }
    assert!(members.values().all(|value| !value.is_null()), "no null members: {members:?}");
    let same = server.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(document, same);
}

#[tokio::test]
async fn every_endpoint_that_is_named_is_there() {
    let server = TestServer::start().await;
    let document = server.get("/.well-known/openid-configuration").await.json();
    for (name, value) in document.as_object().expect("an object") {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let path = value.as_str().and_then(|url| url.strip_prefix("https://login.acme.example")).expect("a path");
            let answer = server.get(path).await;
            assert_ne!(answer.status, 404, "{name}");
            assert!(!answer.status.is_server_error(), "{name}");
        }
    }
}

#[tokio::test]
async fn a_tenant_tells_what_its_own_clients_may_do() {
    let server = TestServer::start().await;
    let document = server.get("/.well-known/openid-configuration").await.json();
    let scopes: Vec<&str> =
        document["scopes_supported"].as_array().expect("scopes").iter().filter_map(|s| s.as_str()).collect();
    assert_eq!(scopes, ["address", "email", "jobs", "offline_access", "openid", "phone", "profile"]);
    let algorithms = document["id_token_signing_alg_values_supported"].as_array().expect("algorithms");
    assert!(algorithms.contains(&"RS256".into()));
    assert_eq!(document["request_uri_parameter_supported"], false);
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    assert_eq!(document["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(document["subject_types_supported"], serde_json::json!(["public"]));
}

#[tokio::test]
async fn the_document_follows_what_is_declared_and_is_never_that_of_another_tenant() {
    let scopes = async |server: &TestServer, host: &str| {
        let request = Request::get(DOCUMENTS[0]).header(header::HOST, host).body(Body::empty()).expect("a request");
        let document = server.send(request).await.expect(200).json();
        (document["issuer"].as_str().expect("an issuer").to_owned(), document["scopes_supported"].to_string())
    };
    let documents = fixtures::documents();
    let [acme, globex] =
        documents.split_once("name: globex").map(|(acme, globex)| [acme, globex]).expect("two tenants");
    let documents =
        format!("{acme}name: globex{}", globex.replace("scopes: [openid", "scopes: [only-of-globex, openid"));
    let server = TestServer::start_with(&documents, &[]).await;
    for _ in 0..2 {
        let (own, foreign) = (scopes(&server, ACME).await, scopes(&server, GLOBEX).await);
        assert_ne!(own.0, foreign.0, "no two have the same issuer");
        assert!(!own.1.contains("only-of-globex"), "{own:?}");
        assert!(foreign.1.contains("only-of-globex"), "{foreign:?}");
    }
    let changed = documents.replace("scopes: [openid", "scopes: [new-one, openid");
    let changed = registry(&changed);
    server.app.registry.replace(changed.current().as_ref().clone(), Vec::new());
    assert!(scopes(&server, ACME).await.1.contains("new-one"));
}

#[tokio::test]
async fn a_key_set_has_public_members_alone_and_is_the_tenants_own() {
    let server = TestServer::start().await;
    let keys = server.get("/.well-known/jwks.json").await.json();
    for key in keys["keys"].as_array().expect("keys") {
        for name in ["kty", "use", "alg", "kid", "n", "e"] {
            assert!(key[name].is_string(), "{name}: {key}");
        }
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key[private].is_null(), "{private}");
        }
    }
    let other = server.get_at(GLOBEX, "/.well-known/jwks.json").await.json();
    assert_ne!(keys["keys"][0]["kid"], other["keys"][0]["kid"]);
    let service = RelyingParty::new(&server, "service");
    let token = service.token(&[("grant_type", "client_credentials")]).await.expect(200).member("access_token");
    let header = crate::harness::response::decoded(&token, 0);
    assert_eq!(header["kid"], keys["keys"][0]["kid"], "the signing key stands first");
    assert_eq!(header["typ"], "at+jwt");
}

#[tokio::test]
async fn an_unverified_header_names_no_url() {
    let server = TestServer::start().await;
    let request = Request::get("/.well-known/openid-configuration")
        .header(header::HOST, "login.acme.example")
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-proto", "http")
        .body(Body::empty())
        .expect("a request");
    let document = server.send(request).await.expect(200).json();
    assert_eq!(document["issuer"], "https://login.acme.example");
}

#[tokio::test]
async fn the_document_has_what_clients_look_for_in_the_form_they_expect() {
    let server = TestServer::start().await;
    let document = server.get("/.well-known/openid-configuration").await.json();
    for (name, least) in [
        ("scopes_supported", &["openid"][..]),
        ("response_types_supported", &["code"]),
        ("response_modes_supported", &["query", "form_post"]),
        ("grant_types_supported", &["authorization_code", "refresh_token"]),
        ("id_token_signing_alg_values_supported", &["RS256"]),
        ("token_endpoint_auth_methods_supported", &["client_secret_basic", "client_secret_post", "private_key_jwt"]),
        ("claims_supported", &["sub", "iss", "auth_time", "acr", "name", "email", "phone_number", "address"]),
        ("acr_values_supported", &["0", "1"]),
    ] {
        let values = document[name].as_array().unwrap_or_else(|| panic!("{name}: {document}"));
        assert!(least.iter().all(|value| values.contains(&(*value).into())), "{name}: {values:?}");
        assert!(!values.contains(&"none".into()) || name == "token_endpoint_auth_methods_supported", "{name}");
    }
    for (name, value) in [
        ("claims_parameter_supported", true),
        ("request_parameter_supported", false),
        ("request_uri_parameter_supported", false),
        ("backchannel_logout_supported", true),
        ("backchannel_logout_session_supported", true),
        ("authorization_response_iss_parameter_supported", true),
    ] {
        assert_eq!(document[name], value, "{name}");
    }
    for name in ["authorization", "token", "userinfo", "end_session", "revocation", "introspection"] {
        let url = document[format!("{name}_endpoint")].as_str().unwrap_or_default();
        assert!(url.starts_with("https://login.acme.example/"), "{name}: {url}");
    }
}

#[tokio::test]
async fn a_tenant_without_clients_has_no_empty_members() {
    let tenant = crate::harness::fixtures::tenant("acme", "login.acme.example");
    let server = TestServer::start_with(&tenant, &[]).await;
    let document = server.get("/.well-known/openid-configuration").await.expect(200).json();
    let empty = |value: &serde_json::Value| value.as_array().is_some_and(Vec::is_empty);
    assert!(document.as_object().expect("an object").values().all(|value| !empty(value)), "{document}");
}

#[tokio::test]
async fn every_value_that_is_named_works() {
    let server = TestServer::start().await;
    let document = server.get("/.well-known/openid-configuration").await.expect(200).json();
    let named = |member: &str| -> Vec<String> {
        let values = document[member].as_array().unwrap_or_else(|| panic!("no {member}"));
        values.iter().map(|value| value.as_str().expect("a name").to_owned()).collect()
    };
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    spa.obtain_code_in(&mut browser, &[]).await;
    for mode in named("response_modes_supported") {
        let answer = browser.get(&spa.authorize_path(&[("response_mode", &mode)])).await;
        assert!(
            answer.header("location").contains("code=") || answer.hidden("code").len() >= 43,
            "{mode}: {answer:#?}"
        );
    }
    for member in ["response_types_supported", "code_challenge_methods_supported", "acr_values_supported"] {
        let parameter = match member {
            "response_types_supported" => "response_type",
            "code_challenge_methods_supported" => "code_challenge_method",
            _ => "acr_values",
        };
        for value in named(member) {
            let answer = browser.get(&spa.authorize_path(&[(parameter, &value)])).await;
            assert!(answer.query().contains_key("code"), "{parameter} {value}: {answer:#?}");
        }
    }
    // Each grant is understood: what is wrong is what was presented, never the grant.
    for grant in named("grant_types_supported") {
        let fields = [("grant_type", grant.as_str()), ("client_id", "spa")];
        let answer = server.post("/token", &fields).await;
        assert_ne!(answer.json()["error"], "unsupported_grant_type", "{grant}");
    }
    for method in named("token_endpoint_auth_methods_supported") {
        let own = ("grant_type", "client_credentials");
        let answer = match method.as_str() {
            "client_secret_basic" => RelyingParty::new(&server, "service").token(&[own]).await,
            "client_secret_post" => {
                server.post("/token", &[own, ("client_id", "service"), ("client_secret", SECRET)]).await
            }
            "none" => spa.redeem(&spa.obtain_code_in(&mut browser, &[]).await).await,
            // `client/assertion.rs` drives it with each kind of key.
            "private_key_jwt" => continue,
            other => panic!("{other} is named and nobody drives it"),
        };
        answer.expect(200);
    }
}
