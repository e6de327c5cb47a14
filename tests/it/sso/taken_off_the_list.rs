//! People of a tenant's own list: removed, or given another password or role, while they are signed in.

use std::time::Duration;

use crate::harness::fixtures::{self, CALLBACK, PASSWORD};
use crate::harness::{Answer, Application, Browser, Proxy, RelyingParty, TestServer};

const SHOP: &str = "https://shop.acme.example/";
const BOB: &str = "    - username: bob\n";

fn documents(tenant: &str, application: &Application) -> String {
    let told = format!(
        "name: Told\nconfig:\n  tenantname: acme\n  ident: told\n  redirect_urls: ['{CALLBACK}']\n  scopes: [openid]\n  \
         backchannel_logout_uri: {}",
        application.url("/bye")
    );
    [tenant, &fixtures::clients("acme", ""), &told].join("\n---\n")
}

fn tenant() -> String {
    fixtures::tenant("acme", "*.acme.example")
        .replace("  users:", "  interceptor: {domain: login.acme.example, cookie: acme.example}\n  users:")
}

/// Without `ada`, who is first on the list.
fn without_ada() -> String {
    let tenant = tenant();
    let (ada, bob) = (tenant.find("    - username: ada").expect("ada"), tenant.find(BOB).expect("bob"));
    format!("{}{}", &tenant[..ada], &tenant[bob..])
}

fn with_another_password(password: &str) -> String {
    let tenant = tenant();
    let start = tenant.find("password_hash: \"").expect("a hash") + "password_hash: \"".len();
    let end = start + tenant[start..].find('"').expect("its end");
    let hash = uitsmijter::login::password::hash(password, &uitsmijter::random::SystemRandom);
    format!("{}{hash}{}", &tenant[..start], &tenant[end..])
}

async fn sign_in<'s>(server: &'s TestServer, client: &'static str, password: &str) -> (Browser<'s>, Answer) {
    let (mut browser, client) = (Browser::new(server), RelyingParty::new(server, client));
    let page = browser.visit(&client.authorize_path(&[("scope", "openid")])).await.expect_page(200);
    let code = client.code_of(&browser.sign_in_as(&page, "ada", password).await);
    (browser, client.redeem(&code).await.expect(200))
}

/// Nothing of the sign-in is left.
async fn assert_gone(server: &TestServer, browser: &mut Browser<'_>, tokens: &Answer) {
    let spa = RelyingParty::new(server, "spa");
    browser.get(&spa.authorize_path(&[("prompt", "none")])).await.expect_error_redirect("login_required");
    assert!(browser.visit("/activate").await.expect_page(200).body.contains("loginButton"));
    Proxy::new(server).ask(browser, SHOP).await.expect(307);
    spa.refresh(&tokens.member("refresh_token")).await.expect_error(400, "invalid_grant");
    server.get_with_token("/userinfo", &tokens.member("access_token")).await.expect(401);
    let web = RelyingParty::new(server, "web");
    let told = web.post("/introspect", &[("token", &tokens.member("access_token"))]).await.expect(200);
    assert_eq!(told.json()["active"], false);
}

#[tokio::test]
async fn whoever_is_removed_is_signed_out_at_once_and_their_clients_are_told() {
    let nobody = format!("{}users: []\n", tenant().split("users:").next().expect("a head"));
    for left in [without_ada(), nobody] {
        let application = Application::start("").await;
        let server = TestServer::start_with(&documents(&tenant(), &application), &[]).await;
        let (mut browser, tokens) = sign_in(&server, "spa", PASSWORD).await;
        let (mut elsewhere, others) = sign_in(&server, "told", PASSWORD).await;
        Proxy::new(&server).ask(&browser, SHOP).await.expect(200);
        server.declare(&documents(&left, &application));
        assert_gone(&server, &mut browser, &tokens).await;
        application.wait_for(1).await;
        elsewhere
            .get(&RelyingParty::new(&server, "told").authorize_path(&[("prompt", "none")]))
            .await
            .expect_error_redirect("login_required");
        server.get_with_token("/userinfo", &others.member("access_token")).await.expect(401);
        // Somebody of the same name who comes later does not find the session open.
        server.declare(&documents(&tenant(), &application));
        assert_gone(&server, &mut browser, &tokens).await;
    }
}

#[tokio::test]
async fn a_new_password_ends_what_began_with_the_old_one_and_nothing_else() {
    let application = Application::start("").await;
    let server = TestServer::start_with(&documents(&tenant(), &application), &[]).await;
    let (mut old, tokens) = sign_in(&server, "spa", PASSWORD).await;
    sign_in(&server, "told", PASSWORD).await;
    server.declare(&documents(&with_another_password("another one"), &application));
    let (mut new, others) = sign_in(&server, "spa", "another one").await;
    assert_gone(&server, &mut old, &tokens).await;
    application.wait_for(1).await;
    let spa = RelyingParty::new(&server, "spa");
    assert!(new.get(&spa.authorize_path(&[("prompt", "none")])).await.query().contains_key("code"));
    spa.refresh(&others.member("refresh_token")).await.expect(200);
}

#[tokio::test]
async fn what_was_granted_for_offline_use_ends_too() {
    for left in [without_ada(), with_another_password("another one")] {
        let application = Application::start("").await;
        let server = TestServer::start_with(&documents(&tenant(), &application), &[]).await;
        let spa = RelyingParty::new(&server, "spa");
        let tokens = spa.redeem(&spa.obtain_code(&[("scope", "openid offline_access")]).await).await.expect(200);
        let pending = spa.obtain_code(&[]).await;
        server.declare(&documents(&left, &application));
        spa.redeem(&pending).await.expect_error(400, "invalid_grant");
        spa.refresh(&tokens.member("refresh_token")).await.expect_error(400, "invalid_grant");
        server.declare(&documents(&tenant(), &application));
        spa.refresh(&tokens.member("refresh_token")).await.expect_error(400, "invalid_grant");
    }
}

#[tokio::test]
async fn tokens_say_what_the_list_says_now() {
    let application = Application::start("").await;
    let server = TestServer::start_with(&documents(&tenant(), &application), &[]).await;
    let (mut browser, tokens) = sign_in(&server, "spa", PASSWORD).await;
    assert_eq!((&tokens.access_claims()["role"], &tokens.json()["scope"]), (&"admin".into(), &"openid staff".into()));
    let changed = tenant().replace("role: admin", "role: user").replace("scopes: [staff, secret]", "scopes: []");
    server.declare(&documents(&changed, &application));
    let spa = RelyingParty::new(&server, "spa");
    let renewed = spa.refresh(&tokens.member("refresh_token")).await.expect(200);
    assert_eq!((&renewed.access_claims()["role"], &renewed.json()["scope"]), (&"user".into(), &"openid".into()));
    let code = spa.code_of(&browser.get(&spa.authorize_path(&[("prompt", "none")])).await);
    assert_eq!(spa.redeem(&code).await.expect(200).access_claims()["role"], "user");
    assert_eq!(Proxy::claims(&Proxy::new(&server).ask(&browser, SHOP).await)["role"], "user");
}

#[tokio::test]
async fn asking_the_list_costs_no_write() {
    let (server, store) =
        TestServer::start_watched(&format!("{}\n---\n{}", tenant(), fixtures::clients("acme", ""))).await;
    let (mut browser, _) = sign_in(&server, "spa", PASSWORD).await;
    server.clock.advance(Duration::from_secs(3600));
    let before = store.writes();
    for _ in 0..3 {
        browser.visit("/").await.expect_page(200);
    }
    assert_eq!(store.writes(), before);
    let path = RelyingParty::new(&server, "spa").authorize_path(&[("prompt", "none")]);
    assert!(browser.get(&path).await.query().contains_key("code"));
    assert_eq!(store.writes(), before + 1, "the code");
}
