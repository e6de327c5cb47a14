//! `/authorize`: RFC 6749 §4.1, OIDC Core §3.1.2, RFC 7636, RFC 9207.

use std::time::Duration;

use crate::harness::relying_party::challenge;
use crate::harness::server::registry;
use crate::harness::{Browser, RelyingParty, TestServer, fixtures};

#[tokio::test]
async fn a_person_signs_in_once_and_the_client_gets_a_code() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&spa.authorize_path(&[])).await.expect_page(200);
    assert!(page.body.contains("Single Page"), "the page names the client");
    let answer = browser.sign_in(&page).await;
    let code = spa.code_of(&answer);
    assert!(code.len() >= 43, "256 bits: {code}");
    // The next client of the tenant gets its code without a page.
    let web = RelyingParty::new(&server, "web");
    web.code_of(&browser.visit(&web.authorize_path(&[])).await);
}

#[tokio::test]
async fn what_cannot_be_trusted_is_a_page_and_never_a_redirect() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    for extra in [
        &[("client_id", "")][..],
        &[("client_id", "nobody")],
        &[("client_id", "globex-spa")],
        &[("client_id", "spa"), ("client_id", "web")],
        &[("redirect_uri", "")],
        &[("redirect_uri", "https://evil.example/callback")],
        &[("redirect_uri", "https://app.acme.example/callback/")],
        &[("redirect_uri", "https://app.acme.example/callback?x=1")],
        &[("redirect_uri", "https://app.acme.example/callback#x")],
        &[("redirect_uri", "https://app.acme.example@evil.example/callback")],
        &[("redirect_uri", "https://app.acme.example/callback"), ("redirect_uri", "https://evil.example/")],
        &[("redirect_uri", "javascript:alert(1)")],
    ] {
        let answer = server.get(&spa.authorize_path(extra)).await.expect_page(400);
        assert_eq!(answer.header("location"), "", "{extra:?}");
    }
}

#[tokio::test]
async fn every_other_error_goes_back_to_the_client_with_state_and_issuer() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    for (extra, code) in [
        (&[("response_type", "")][..], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("scope", "unknown")], "invalid_scope"),
        (&[("scope", "open\"id")], "invalid_scope"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "S512")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("request", "eyJhbGciOiJub25lIn0.e30.")], "request_not_supported"),
        (&[("request_uri", "https://app.acme.example/request")], "request_uri_not_supported"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("prompt", "none")], "login_required"),
        (&[("max_age", "soon")], "invalid_request"),
        (&[("claims", "[]")], "invalid_request"),
        (&[("nonce", "a"), ("nonce", "b")], "invalid_request"),
        (&[("unknown", "a"), ("unknown", "b")], "invalid_request"),
        (&[("resource", "not a uri")], "invalid_target"),
    ] {
        let answer = server.get(&spa.authorize_path(extra)).await.expect_error_redirect(code);
        let query = answer.query();
        assert_eq!(query["state"], "state-._~ with spaces & ampersands", "{extra:?}");
        assert_eq!(query["iss"], "https://login.acme.example");
        assert_eq!(query.len(), 4, "error, error_description, state and iss, nothing else: {query:?}");
    }
}

#[tokio::test]
async fn an_unsupported_response_mode_is_reported_by_query() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let state = "state-._~ with spaces & ampersands";
    for (extra, expected) in [
        (&[("response_mode", "fragment")][..], Some(state)),
        (&[("state", "a"), ("state", "b")], None),
        (&[("state", "a\u{7}")], None),
        (&[("response_mode", "query"), ("response_mode", "form_post")], Some(state)),
    ] {
        for answer in [
            server.get(&spa.authorize_path(extra)).await,
            server.post("/authorize", &fields_of(&spa.authorize_path(extra))).await,
        ] {
            let answer = answer.expect_error_redirect("invalid_request");
            assert!(answer.location().starts_with("https://app.acme.example/callback?error="), "{answer:#?}");
            assert_eq!(answer.query().get("state").map(String::as_str), expected, "{extra:?}");
        }
    }
}

/// The parameters of a path, for a form.
fn fields_of(path: &str) -> Vec<(&'static str, &'static str)> {
    let url = url::Url::parse(&format!("https://login.acme.example{path}")).expect("a URL");
    let leaked = |text: std::borrow::Cow<'_, str>| -> &'static str { text.into_owned().leak() };
    url.query_pairs().map(|(name, value)| (leaked(name), leaked(value))).collect()
}

#[tokio::test]
async fn a_form_from_another_site_does_not_disturb_pending_steps_in_other_windows() {
    let (server, store) = TestServer::start_watched(&crate::harness::fixtures::documents()).await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let waiting = browser.visit(&spa.authorize_path(&[])).await.expect_page(200);
    let writes = store.writes();
    // Cross-site, so without cookies.
    let sent_round = server.post("/authorize", &fields_of(&spa.authorize_path(&[]))).await.expect(303);
    assert_eq!((sent_round.header("set-cookie"), store.writes()), ("", writes));
    let second = browser.visit(sent_round.location()).await.expect_page(200);
    spa.code_of(&browser.sign_in(&second).await);
    spa.code_of(&browser.sign_in(&waiting).await);
}

#[tokio::test]
async fn a_client_may_call_a_parameter_of_its_own_interaction() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&spa.authorize_path(&[("interaction", "mine")])).await.expect_page(200);
    spa.code_of(&browser.sign_in(&page).await);
}

#[tokio::test]
async fn a_claim_of_a_forbidden_scope_is_not_given_by_name() {
    let server = TestServer::start().await;
    let web = RelyingParty::new(&server, "web");
    let claims = r#"{"userinfo":{"address":null,"name":null},"id_token":{"address":{"essential":true},"name":null}}"#;
    let tokens = web.redeem(&web.obtain_code(&[("scope", "openid"), ("claims", claims)]).await).await.expect(200);
    let userinfo = server.get_with_token("/userinfo", &tokens.member("access_token")).await.expect(200).json();
    let id_token = crate::harness::response::decoded(&tokens.member("id_token"), 1);
    for told in [userinfo, id_token] {
        assert_eq!((&told["name"], &told["address"]), (&"Ada Lovelace".into(), &serde_json::Value::Null));
    }
}

#[tokio::test]
async fn a_state_comes_back_exactly_and_no_state_comes_back_as_none() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let long = "-._~".repeat(250);
    let answer = server.get(&spa.authorize_path(&[("state", &long), ("prompt", "none")])).await;
    assert_eq!(answer.query()["state"], long);
    let answer = server.get(&spa.authorize_path(&[("state", ""), ("prompt", "none")])).await;
    assert!(!answer.query().contains_key("state"));
}

#[tokio::test]
async fn a_request_by_form_is_as_good_as_one_by_query() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    let challenge = challenge();
    let fields = [
        ("client_id", "spa"),
        ("redirect_uri", "https://app.acme.example/callback"),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", "x"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    let answer = browser.post("/authorize", &fields).await;
    let page = browser.follow(answer).await.expect_page(200);
    let answer = browser.sign_in(&page).await;
    assert_eq!(answer.query()["state"], "x");
    assert!(answer.query().contains_key("code"));
}

#[tokio::test]
async fn form_post_answers_with_a_form_that_sends_itself() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let markup = "\"><script>alert(1)</script>";
    let page = browser.visit(&spa.authorize_path(&[("response_mode", "form_post"), ("state", markup)])).await;
    let answer = browser.sign_in(&page).await.expect_page(200);
    assert!(answer.body.contains("action=\"https://app.acme.example/callback\""), "{answer:#?}");
    assert!(answer.hidden("code").len() >= 43);
    assert!(!answer.body.contains("<script>alert"), "the state is escaped");
    let error = browser.visit(&spa.authorize_path(&[("response_mode", "form_post"), ("response_type", "token")])).await;
    assert_eq!(error.expect_page(200).hidden("error"), "unsupported_response_type");
}

#[tokio::test]
async fn prompt_login_asks_again_and_cannot_be_skipped() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    spa.obtain_code_in(&mut browser, &[]).await;
    server.clock.advance(Duration::from_secs(100));
    let page = browser.visit(&spa.authorize_path(&[("prompt", "login")])).await.expect_page(200);
    // Going back to /authorize without having entered anything leads to the login page again.
    let skipped = browser.visit(&format!("/authorize?interaction={}", page.hidden("interaction"))).await;
    let page = skipped.expect_page(200);
    let answer = browser.sign_in(&page).await;
    let tokens = spa.redeem(&spa.code_of(&answer)).await.expect(200);
    let claims = crate::harness::response::decoded(&tokens.member("id_token"), 1);
    assert_eq!(claims["auth_time"], claims["iat"], "signed in just now");
}

#[tokio::test]
async fn max_age_asks_again_when_the_sign_in_is_older() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    spa.obtain_code_in(&mut browser, &[]).await;
    server.clock.advance(Duration::from_secs(99));
    spa.code_of(&browser.visit(&spa.authorize_path(&[("max_age", "100")])).await);
    server.clock.advance(Duration::from_secs(1));
    // In whole seconds a hundred; in fact up to a second more.
    browser.visit(&spa.authorize_path(&[("max_age", "100")])).await.expect_page(200);
    browser
        .get(&spa.authorize_path(&[("max_age", "100"), ("prompt", "none")]))
        .await
        .expect_error_redirect("login_required");
    let page = browser.visit(&spa.authorize_path(&[("max_age", "0")])).await.expect_page(200);
    let tokens = spa.redeem(&spa.code_of(&browser.sign_in(&page).await)).await.expect(200);
    let id_token = crate::harness::response::decoded(&tokens.member("id_token"), 1);
    assert_eq!(id_token["auth_time"], id_token["iat"], "signed in just now");
}

#[tokio::test]
async fn prompt_none_is_answered_from_the_session_without_any_page() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    spa.obtain_code_in(&mut browser, &[]).await;
    spa.code_of(&browser.get(&spa.authorize_path(&[("prompt", "none")])).await);
    server.clock.advance(Duration::from_secs(8 * 24 * 60 * 60));
    browser.get(&spa.authorize_path(&[("prompt", "none")])).await.expect_error_redirect("login_required");
}

#[tokio::test]
async fn an_id_token_hint_must_speak_of_the_person_who_is_signed_in() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    let hint = spa.redeem(&code).await.expect(200).member("id_token");
    server.clock.advance(Duration::from_secs(3 * 60 * 60));
    spa.code_of(&browser.get(&spa.authorize_path(&[("prompt", "none"), ("id_token_hint", &hint)])).await);
    let mut other = Browser::new(&server);
    let page = other.visit(&spa.authorize_path(&[])).await;
    other.sign_in_as(&page, "bob", crate::harness::fixtures::PASSWORD).await;
    let path = spa.authorize_path(&[("prompt", "none"), ("id_token_hint", &hint)]);
    other.get(&path).await.expect_error_redirect("login_required");
    let page = other.visit(&spa.authorize_path(&[("id_token_hint", &hint)])).await.expect_page(200);
    let answer = other.sign_in_as(&page, "bob", crate::harness::fixtures::PASSWORD).await;
    answer.expect_error_redirect("login_required");
    let forged = format!("{hint}x");
    browser.get(&spa.authorize_path(&[("id_token_hint", &forged)])).await.expect_error_redirect("invalid_request");
}

#[tokio::test]
async fn a_client_that_wants_consent_gets_it_once() {
    let server = TestServer::start().await;
    let shop = RelyingParty::new(&server, "shop");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&shop.authorize_path(&[("scope", "openid profile")])).await;
    let question = browser.sign_in(&page).await.expect_page(200);
    assert!(question.body.contains("Shop"), "{question:#?}");
    let interaction = question.hidden("interaction");
    let fields = |decision| [("interaction", interaction.as_str()), ("decision", decision)];
    Browser::new(&server).post("/consent", &fields("allow")).await.expect_page(400);
    browser.get(&shop.authorize_path(&[("prompt", "none")])).await.expect_error_redirect("consent_required");
    let answer = browser.post("/consent", &fields("allow")).await;
    shop.code_of(&browser.follow(answer).await);
    shop.code_of(&browser.get(&shop.authorize_path(&[("scope", "openid")])).await);
    // Asked again, and denied.
    let question = browser.visit(&shop.authorize_path(&[("prompt", "consent")])).await.expect_page(200);
    let interaction = question.hidden("interaction");
    let answer = browser.post("/consent", &[("interaction", &interaction), ("decision", "deny")]).await;
    answer.expect_error_redirect("access_denied");
    // Back, and another thought.
    let answer = browser.post("/consent", &[("interaction", &interaction), ("decision", "allow")]).await;
    shop.code_of(&browser.follow(answer).await);
}

#[tokio::test]
async fn a_client_that_may_not_ask_any_more_is_told_so_whatever_the_person_does_with_the_question() {
    for decision in [None, Some("allow"), Some("deny")] {
        let server = TestServer::start().await;
        let mut browser = Browser::new(&server);
        let page = browser.visit(&RelyingParty::new(&server, "shop").authorize_path(&[])).await;
        let interaction = browser.sign_in(&page).await.expect_page(200).hidden("interaction");
        let (of_shop, without) = ("ident: shop\n", "ident: shop\n  grant_types: [refresh_token]\n");
        let changed = registry(&fixtures::documents().replace(of_shop, without));
        server.app.registry.replace((*changed.current()).clone(), Vec::new());
        let answer = match decision {
            None => browser.get(&format!("/consent?interaction={interaction}")).await,
            Some(decision) => browser.post("/consent", &[("interaction", &*interaction), ("decision", decision)]).await,
        };
        browser.follow(answer).await.expect_error_redirect("unauthorized_client");
    }
}

#[tokio::test]
async fn a_consent_adds_to_earlier_ones() {
    let server = TestServer::start().await;
    let shop = RelyingParty::new(&server, "shop");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&shop.authorize_path(&[("scope", "openid profile")])).await.expect_page(200);
    let question = browser.sign_in(&page).await.expect_page(200);
    let allowed = [("interaction", &*question.hidden("interaction")), ("decision", "allow")];
    browser.post("/consent", &allowed).await.expect(303);
    let less = shop.authorize_path(&[("scope", "openid"), ("prompt", "consent")]);
    let question = browser.visit(&less).await.expect_page(200);
    let allowed = [("interaction", &*question.hidden("interaction")), ("decision", "allow")];
    browser.post("/consent", &allowed).await.expect(303);
    shop.code_of(&browser.get(&shop.authorize_path(&[("scope", "openid profile"), ("prompt", "none")])).await);
}

#[tokio::test]
async fn a_claim_that_is_asked_for_by_name_needs_the_consent_of_its_scope() {
    let server = TestServer::start().await;
    let shop = RelyingParty::new(&server, "shop");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&shop.authorize_path(&[("scope", "openid")])).await.expect_page(200);
    let question = browser.sign_in(&page).await.expect_page(200);
    let allowed = [("interaction", &*question.hidden("interaction")), ("decision", "allow")];
    browser.post("/consent", &allowed).await.expect(303);
    shop.code_of(&browser.get(&shop.authorize_path(&[("scope", "openid"), ("prompt", "none")])).await);
    let named = [("scope", "openid"), ("claims", r#"{"id_token":{"name":null}}"#), ("prompt", "none")];
    browser.get(&shop.authorize_path(&named)).await.expect_error_redirect("consent_required");
    let question = browser.visit(&shop.authorize_path(&named[..2])).await.expect_page(200);
    assert!(question.body.contains("profile"), "{question:#?}");
}

#[tokio::test]
async fn head_is_not_an_authorization_request() {
    let (server, store) = TestServer::start_watched(&crate::harness::fixtures::documents()).await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    let id_token = spa.redeem(&spa.obtain_code_in(&mut browser, &[]).await).await.expect(200).member("id_token");
    let step = browser.get(&spa.authorize_path(&[("prompt", "login")])).await;
    let page = browser.visit(step.location()).await.expect_page(200);
    let interaction = page.hidden("interaction");
    let fields =
        [("username", "ada"), ("password", crate::harness::fixtures::PASSWORD), ("interaction", &*interaction)];
    let resume = browser.post("/login", &fields).await.location().to_owned();
    let writes = store.writes();
    for path in [&spa.authorize_path(&[]), &resume, &format!("/logout?id_token_hint={id_token}")] {
        let answer = browser.head(path).await.expect(405);
        assert_eq!((answer.header("allow"), answer.header("location"), answer.body.as_str()), ("GET, POST", "", ""));
    }
    assert_eq!(store.writes(), writes, "nothing has happened");
    spa.code_of(&browser.get(&resume).await);
}

#[tokio::test]
async fn a_wish_for_a_certain_person_is_met_or_refused() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    spa.obtain_code_in(&mut browser, &[]).await;
    let wish = |sub: &str| serde_json::json!({ "id_token": { "sub": { "value": sub } } }).to_string();
    let path = |claims: &str| spa.authorize_path(&[("prompt", "none"), ("claims", claims)]);
    assert!(browser.get(&path(&wish("acme-ada"))).await.query().contains_key("code"));
    browser.get(&path(&wish("bob"))).await.expect_error_redirect("login_required");
}

#[tokio::test]
async fn select_account_lets_the_person_be_somebody_else() {
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let mut browser = Browser::new(&server);
    spa.obtain_code_in(&mut browser, &[]).await;
    let page = browser.visit(&spa.authorize_path(&[("prompt", "select_account")])).await.expect_page(200);
    let answer = browser.sign_in_as(&page, "bob", crate::harness::fixtures::PASSWORD).await;
    let tokens = spa.redeem(&spa.code_of(&answer)).await.expect(200);
    assert_eq!(tokens.access_claims()["sub"], "bob");
}

#[tokio::test]
async fn the_query_of_a_redirect_uri_stays_as_it_was_registered() {
    let registered = "https://app.acme.example/cb?tenant=a%20b&x=%C3%BC&empty=";
    let client = format!(
        "name: Query\nconfig:\n  tenantname: acme\n  ident: query\n  redirect_urls: ['{registered}']\n  scopes: [openid]"
    );
    let documents = format!("{}\n---\n{client}", crate::harness::fixtures::documents());
    let server = TestServer::start_with(&documents, &[]).await;
    let query = RelyingParty::new(&server, "query");
    let mut browser = Browser::new(&server);
    let page = browser.visit(&query.authorize_path(&[("redirect_uri", registered)])).await.expect_page(200);
    let answer = browser.sign_in(&page).await;
    assert!(answer.location().starts_with(&format!("{registered}&code=")), "{answer:#?}");
    let error = browser.get(&query.authorize_path(&[("redirect_uri", registered), ("response_type", "token")])).await;
    assert!(error.location().starts_with(&format!("{registered}&error=")), "{error:#?}");
    for other in ["https://app.acme.example/cb", "https://app.acme.example/cb?x=%C3%BC&tenant=a%20b&empty="] {
        browser.get(&query.authorize_path(&[("redirect_uri", other)])).await.expect_page(400);
    }
}

#[tokio::test]
async fn a_native_client_gets_no_code_silently_where_the_operator_wants_a_page() {
    let native = [("redirect_uri", "http://127.0.0.1:4711/native")];
    let silent = [native[0], ("prompt", "none")];
    for (environment, asks) in [(&[][..], false), (&[("CONFIRM_NATIVE", "true")], true)] {
        let server = TestServer::start_with(&fixtures::documents(), environment).await;
        let spa = RelyingParty::new(&server, "spa");
        let mut browser = Browser::new(&server);
        // Whoever types a password for it has seen a page.
        let page = browser.visit(&spa.authorize_path(&native)).await.expect_page(200);
        assert!(browser.sign_in(&page).await.query().contains_key("code"));
        spa.code_of(&browser.get(&spa.authorize_path(&[])).await);
        if !asks {
            assert!(browser.get(&spa.authorize_path(&silent)).await.query().contains_key("code"));
            continue;
        }
        browser.get(&spa.authorize_path(&silent)).await.expect_error_redirect("consent_required");
        let question = browser.visit(&spa.authorize_path(&native)).await.expect_page(200);
        let allow = [("interaction", &*question.hidden("interaction")), ("decision", "allow")];
        let sent = browser.post("/consent", &allow).await;
        let answer = browser.follow(sent).await;
        assert!(answer.location().starts_with("http://127.0.0.1:4711/native?code="), "{answer:#?}");
        // The next time, too: it may be another program.
        browser.visit(&spa.authorize_path(&native)).await.expect_page(200);
    }
}
