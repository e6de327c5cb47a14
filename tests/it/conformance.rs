//! `tests/conformance/`: the documents of the OpenID Foundation's suite are consistent and served without a warning.

use std::path::Path;

use serde_json::Value;
use uitsmijter::registry::document::{Document, Kind};
use uitsmijter::registry::snapshot::Snapshot;

use crate::harness::fixtures::settings;
use crate::harness::relying_party::{VERIFIER, basic, challenge};
use crate::harness::response::decoded;
use crate::harness::server::form;
use crate::harness::{Browser, TestServer};

const HOST: &str = "op.conformance.example";

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn tenant() -> String {
    file("Resources/Configurations/Tenants/conformance.yaml")
}

fn clients() -> String {
    file("Resources/Configurations/Clients/conformance.yaml")
}

#[test]
fn the_documents_of_the_suite_are_served_without_a_warning() {
    let tenants = Document::split("tenant", Some(Kind::Tenant), &tenant());
    let documents: Vec<Document> =
        tenants.into_iter().chain(Document::split("clients", Some(Kind::Client), &clients())).collect();
    let (snapshot, problems) = Snapshot::build(&documents, None, &|_| Ok(()));
    assert!(problems.is_empty(), "{problems:#?}");
    assert_eq!((snapshot.tenant_count(), snapshot.client_count()), (1, 3));
    assert!(settings(&[]).conflicts(&snapshot).is_empty());
}

#[tokio::test]
async fn the_person_of_the_suite_has_every_standard_claim() {
    let server = TestServer::start_with(&format!("{}\n---\n{}", tenant(), clients()), &[]).await;
    let suite: Value = serde_json::from_str(&file("suite.json")).expect("JSON");
    let text = |pointer: &str| suite.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}"));
    let discovery = server.get_at(HOST, "/.well-known/openid-configuration").await.expect(200).json();
    let issuer = discovery["issuer"].as_str().expect("an issuer");
    assert_eq!(text("/server/discoveryUrl"), format!("{issuer}/.well-known/openid-configuration"));
    let (client_id, secret) = (text("/client/client_id"), text("/client/client_secret"));
    let callback = format!("https://localhost.emobix.co.uk:8443/test/a/{}/callback", text("/alias"));
    let challenge = challenge();
    let fields = [
        ("client_id", client_id),
        ("redirect_uri", &callback),
        ("response_type", "code"),
        ("scope", "openid profile email address phone"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut browser = Browser::at(&server, HOST);
    let page = browser.visit(&format!("/authorize?{query}")).await.expect_page(200);
    // As the script of the suite's browser fills it in.
    let typed = |at: usize| text(&format!("/browser/0/tasks/0/commands/{at}/3"));
    let answer = browser.sign_in_as(&page, typed(0), typed(1)).await;
    let code = answer.query()["code"].clone();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", &callback),
        ("code_verifier", VERIFIER),
    ];
    let mut request = form("/token", &fields);
    request.headers_mut().insert("host", HOST.parse().expect("a host"));
    request.headers_mut().insert("authorization", basic(client_id, secret).parse().expect("a header"));
    let answer = server.send(request).await.expect(200);
    only_expected_claims(&answer.member("id_token"));
    let token = answer.member("access_token");
    let mut request = form("/userinfo", &[("access_token", &token)]);
    request.headers_mut().insert("host", HOST.parse().expect("a host"));
    let told = server.send(request).await.expect(200).json();
    assert_eq!(told.as_object().expect("an object").len(), 1 + 19, "sub and the standard claims: {told}");
    // The suite treats an earlier year as an error.
    assert!(told["birthdate"].as_str().expect("a date") > "1850", "{told}");
}

/// The suite warns of a claim in an ID token that was not requested and that no specification puts there by default.
fn only_expected_claims(id_token: &str) {
    let expected =
        ["iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "at_hash", "acr", "amr", "jti", "sid"];
    let claims = decoded(id_token, 1);
    let claims = claims.as_object().expect("an object");
    let odd: Vec<_> = claims.keys().filter(|name| !expected.contains(&name.as_str())).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[test]
fn every_client_of_the_configuration_is_one_that_the_server_knows_by_this_secret() {
    let suite: Value = serde_json::from_str(&file("suite.json")).expect("JSON");
    let overridden = suite["override"].as_object().expect("an object").values().filter_map(|of| of.get("client"));
    let clients = ["client", "client_secret_post", "client2"].map(|name| &suite[name]);
    let declared = file("Resources/Configurations/Clients/conformance.yaml");
    for client in clients.into_iter().chain(overridden) {
        let text = |name: &str| client[name].as_str().expect("a text");
        let ident =
            format!("  ident: {}\n  tenantname: conformance\n  secret: {}\n", text("client_id"), text("client_secret"));
        assert!(declared.contains(&ident), "no{ident}");
    }
}
