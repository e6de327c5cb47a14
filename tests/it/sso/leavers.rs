//! People whom the login provider does not let stay: what they still get, who asks, and what counts while nobody answers.

use std::time::Duration;

use serde_json::Value;

use crate::harness::fixtures::{self, CALLBACK, SECRET};
use crate::harness::proxy::path;
use crate::harness::{Answer, Application, Browser, Proxy, RelyingParty, TestServer};

const SHOP: &str = "https://shop.acme.example/";
const MINUTE: Duration = Duration::from_secs(60);
/// More than the time between two questions.
const LATER: Duration = Duration::from_secs(6 * 60);
const STAYS: &str = r#"{"valid": true}"#;
const LEAVES: &str = r#"{"valid": false}"#;

/// A backend that says who may stay; every question is one of its requests.
struct World {
    backend: Application,
    server: TestServer,
}

impl World {
    async fn new() -> Self {
        Self::with("").await
    }

    /// A world whose validation class has these members, too.
    async fn with(members: &str) -> Self {
        let backend = Application::start(STAYS).await;
        let script = format!(
            "class UserLoginProvider {{ canLogin = true; role = 'admin'; scopes = ['staff'];
                constructor(c) {{ commit({{ subject: 'u-' + c.username }}) }}
                get userProfile() {{ return {{ name: 'Ada', email: 'ada@acme.example' }} }} }}
            class UserValidationProvider {{
                constructor(c) {{ fetch('{}', {{ method: 'POST', body: c }}).then((a) => {{
                    this.said = a.json();
                    if (this.said.slow) {{ setTimeout(() => commit(true), 60000); }} else {{ commit(true); }} }}) }}
                get isValid() {{ return this.said.valid }} {members} }}",
            backend.url("/stays")
        );
        let tenant = format!(
            "name: acme\nconfig:\n  hosts: [\"*.acme.example\"]\n  providers: [{}]\n  \
             interceptor: {{domain: login.acme.example, cookie: acme.example}}",
            serde_json::to_string(&script).expect("a text")
        );
        let told = format!(
            "name: Told\nconfig:\n  tenantname: acme\n  ident: told-web\n  secret: '{SECRET}'\n  redirect_urls: ['{CALLBACK}']\n  \
             scopes: [openid]\n  backchannel_logout_uri: {}",
            backend.url("/bye")
        );
        let documents = [tenant, fixtures::clients("acme", ""), told].join("\n---\n");
        let server = TestServer::start_changed(&documents, &[], |settings| {
            settings.may_stay.patience = Duration::from_millis(if members.is_empty() { 5_000 } else { 200 });
        });
        Self { server: server.await, backend }
    }

    /// How often somebody asked whether a person may stay.
    fn questions(&self) -> usize {
        self.backend.received().iter().filter(|body| body.contains("username")).count()
    }

    fn logout_tokens(&self) -> usize {
        self.backend.received().iter().filter(|body| body.starts_with("logout_token=")).count()
    }

    /// A browser in which somebody signed in, and the tokens of `spa`.
    async fn sign_in(&self, username: &str) -> (Browser<'_>, Answer) {
        let (mut browser, spa) = (Browser::new(&self.server), RelyingParty::new(&self.server, "spa"));
        let page = Proxy::new(&self.server).ask(&browser, SHOP).await.expect(307);
        let page = browser.visit(&path(page.location())).await.expect_page(200);
        browser.sign_in_as(&page, username, "any").await.expect(303);
        let code = spa.obtain_code_in(&mut browser, &[("scope", "openid profile read:mail")]).await;
        let tokens = spa.redeem(&code).await.expect(200);
        (browser, tokens)
    }

    async fn exchange(&self, subject: &str) -> Answer {
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", subject),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        RelyingParty::new(&self.server, "exchange-service").token(&fields).await
    }

    /// A silent request for a code.
    async fn silently(&self, browser: &mut Browser<'_>) -> Answer {
        browser.get(&RelyingParty::new(&self.server, "spa").authorize_path(&[("prompt", "none")])).await
    }
}

/// The ways to something by a session or token that is older than its sign-in.
#[derive(Clone, Copy, Debug)]
enum Way {
    Authorize,
    Silent,
    Activate,
    Exchange,
    Forward,
    Refresh,
}

const WAYS: [Way; 6] = [Way::Authorize, Way::Silent, Way::Activate, Way::Exchange, Way::Forward, Way::Refresh];

impl Way {
    async fn go(self, world: &World, browser: &mut Browser<'_>, tokens: &Answer) -> Answer {
        let spa = RelyingParty::new(&world.server, "spa");
        match self {
            Way::Authorize => browser.visit(&spa.authorize_path(&[])).await,
            Way::Silent => world.silently(browser).await,
            Way::Activate => browser.visit("/activate").await,
            Way::Exchange => world.exchange(&tokens.member("access_token")).await,
            Way::Forward => Proxy::new(&world.server).ask(browser, SHOP).await,
            Way::Refresh => spa.refresh(&tokens.member("refresh_token")).await,
        }
    }

    /// Whether the answer gives what was asked for.
    fn gives(self, answer: &Answer) -> bool {
        match self {
            Way::Authorize | Way::Silent => answer.status.is_redirection() && answer.query().contains_key("code"),
            Way::Activate => answer.body.contains("user_code"),
            Way::Exchange | Way::Forward | Way::Refresh => answer.status == 200,
        }
    }
}

#[tokio::test]
async fn a_removed_person_gets_nothing_more_in_any_way_and_the_first_no_ends_everything() {
    for way in WAYS {
        let world = World::new().await;
        let (mut browser, tokens) = world.sign_in("ada").await;
        let told = RelyingParty::new(&world.server, "told-web");
        told.redeem(&told.obtain_code_in(&mut browser, &[("scope", "openid")]).await).await.expect(200);
        let (mut elsewhere, others) = world.sign_in("ada").await;
        world.server.clock.advance(LATER);
        assert!(way.gives(&way.go(&world, &mut browser, &tokens).await), "{way:?} works for somebody who may stay");
        let tokens = if matches!(way, Way::Refresh) { world.sign_in("ada").await.1 } else { tokens };
        world.server.clock.advance(LATER);
        world.backend.answer(200, LEAVES);
        let answer = way.go(&world, &mut browser, &tokens).await;
        assert!(!way.gives(&answer) && !answer.status.is_server_error(), "{way:?}: {answer:#?}");
        // The provider is not asked again about what has ended.
        world.backend.answer(200, STAYS);
        for other in WAYS {
            let answer = other.go(&world, &mut browser, &tokens).await;
            assert!(!other.gives(&answer), "{way:?}, {other:?}: {answer:#?}");
        }
        let answer = world.silently(&mut elsewhere).await;
        answer.expect_error_redirect("login_required");
        world.server.get_with_token("/userinfo", &others.member("access_token")).await.expect(401);
        for _ in 0..200 {
            if world.logout_tokens() == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(world.logout_tokens(), 1, "{way:?}");
    }
}

#[tokio::test]
async fn a_no_ends_a_code_that_is_under_way() {
    let world = World::new().await;
    let (mut browser, tokens) = world.sign_in("ada").await;
    let spa = RelyingParty::new(&world.server, "spa");
    let code = spa.obtain_code_in(&mut browser, &[]).await;
    world.backend.answer(200, LEAVES);
    spa.refresh(&tokens.member("refresh_token")).await.expect_error(400, "invalid_grant");
    spa.redeem(&code).await.expect_error(400, "invalid_grant");
}

#[tokio::test]
async fn the_provider_is_asked_once_in_five_minutes_and_a_sign_in_counts_as_an_answer() {
    let world = World::new().await;
    let (mut browser, tokens) = world.sign_in("ada").await;
    let unasked = [Way::Authorize, Way::Silent, Way::Activate, Way::Exchange, Way::Forward];
    for minutes in 0..12_u32 {
        for way in unasked {
            assert!(way.gives(&way.go(&world, &mut browser, &tokens).await), "{way:?} after {minutes} minutes");
        }
        assert_eq!(world.questions(), minutes as usize / 5, "after {minutes} minutes");
        world.server.clock.advance(MINUTE);
    }
}

#[tokio::test]
async fn a_refresh_always_asks() {
    let world = World::new().await;
    let (_, tokens) = world.sign_in("ada").await;
    let spa = RelyingParty::new(&world.server, "spa");
    let mut refresh = tokens.member("refresh_token");
    for asked in 1..4 {
        refresh = spa.refresh(&refresh).await.expect(200).member("refresh_token");
        assert_eq!(world.questions(), asked);
    }
}

#[tokio::test]
async fn all_requests_that_wait_share_one_question_and_its_answer() {
    for (answer, passes) in [(STAYS, true), (LEAVES, false)] {
        let world = World::new().await;
        let (browser, _) = world.sign_in("ada").await;
        world.server.clock.advance(LATER);
        world.backend.answer(200, answer);
        let proxy = Proxy::new(&world.server);
        let answers = futures_util::future::join_all((0..30).map(|_| proxy.ask(&browser, SHOP))).await;
        assert!(answers.iter().all(|answer| (answer.status == 200) == passes), "{answers:#?}");
        assert_eq!(world.questions(), 1, "{answer}");
    }
}

#[tokio::test]
async fn people_are_asked_after_one_by_one() {
    let world = World::new().await;
    let ((ada, _), (bob, _)) = (world.sign_in("ada").await, world.sign_in("bob").await);
    world.server.clock.advance(LATER);
    let proxy = Proxy::new(&world.server);
    proxy.ask(&ada, SHOP).await.expect(200);
    world.backend.answer(200, LEAVES);
    proxy.ask(&bob, SHOP).await.expect(307);
    proxy.ask(&ada, SHOP).await.expect(200);
    assert_eq!(world.questions(), 2);
}

#[tokio::test]
async fn while_nobody_answers_the_last_yes_counts_for_an_hour_and_ends_nothing_after_that() {
    let world = World::new().await;
    let (mut browser, tokens) = world.sign_in("ada").await;
    world.backend.answer(503, "");
    let unasked = [Way::Silent, Way::Activate, Way::Exchange, Way::Forward];
    world.server.clock.advance(LATER);
    for way in unasked.into_iter().chain([Way::Authorize]) {
        assert!(way.gives(&way.go(&world, &mut browser, &tokens).await), "{way:?}");
    }
    assert_eq!(world.questions(), 1, "nobody waits for every request");
    Way::Refresh.go(&world, &mut browser, &tokens).await.expect_error(503, "temporarily_unavailable");
    world.server.clock.advance(49 * MINUTE);
    assert!(Way::Forward.gives(&Way::Forward.go(&world, &mut browser, &tokens).await));
    world.server.clock.advance(6 * MINUTE);
    for way in [Way::Activate, Way::Exchange, Way::Forward] {
        let answer = way.go(&world, &mut browser, &tokens).await.expect(503);
        assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{way:?}: {answer:#?}");
    }
    for way in [Way::Silent, Way::Authorize] {
        way.go(&world, &mut browser, &tokens).await.expect_error_redirect("temporarily_unavailable");
    }
    // Whoever comes back is not kept out by an old failure.
    world.backend.answer(200, STAYS);
    for way in unasked.into_iter().chain([Way::Authorize, Way::Refresh]) {
        let answer = way.go(&world, &mut browser, &tokens).await;
        assert!(way.gives(&answer), "{way:?}: {answer:#?}");
    }
}

#[tokio::test]
async fn only_a_no_that_is_said_is_a_no() {
    for said in [r#"{"valid": "false"}"#, r#"{}"#, r#"{"valid": 0}"#, "no JSON", "null"] {
        let world = World::new().await;
        let (mut browser, tokens) = world.sign_in("ada").await;
        world.backend.answer(200, said);
        world.server.clock.advance(LATER);
        for way in [Way::Silent, Way::Activate, Way::Exchange, Way::Forward] {
            assert!(way.gives(&way.go(&world, &mut browser, &tokens).await), "{way:?}: {said}");
        }
        Way::Refresh.go(&world, &mut browser, &tokens).await.expect_error(503, "temporarily_unavailable");
        world.backend.answer(200, STAYS);
        assert!(Way::Refresh.gives(&Way::Refresh.go(&world, &mut browser, &tokens).await), "{said}");
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_none() {
    let world = World::with("role = 'slow';").await;
    let (mut browser, tokens) = world.sign_in("ada").await;
    world.backend.answer(200, r#"{"valid": false, "slow": true}"#);
    world.server.clock.advance(LATER);
    assert!(Way::Forward.gives(&Way::Forward.go(&world, &mut browser, &tokens).await));
    Way::Refresh.go(&world, &mut browser, &tokens).await.expect_error(503, "temporarily_unavailable");
    assert!(Way::Silent.gives(&Way::Silent.go(&world, &mut browser, &tokens).await));
}

#[tokio::test]
async fn a_missing_class_ends_no_single_sign_on() {
    for allowed in ["true", "false"] {
        let tenant = "name: acme\nconfig:\n  hosts: [\"*.acme.example\"]\n  \
            interceptor: {domain: login.acme.example, cookie: acme.example}\n  providers: \
            ['class UserLoginProvider { canLogin = true; constructor() { commit(true) } }']\n";
        let documents = format!("{tenant}\n---\n{}", fixtures::clients("acme", ""));
        let server = TestServer::start_with(&documents, &[("ALLOW_MISSING_PROVIDERS", allowed)]).await;
        let (mut browser, spa, proxy) = (Browser::new(&server), RelyingParty::new(&server, "spa"), Proxy::new(&server));
        proxy.enter(&mut browser, SHOP).await.expect(303);
        for _ in 0..20 {
            server.clock.advance(LATER);
            proxy.ask(&browser, SHOP).await.expect(200);
            let answer = browser.get(&spa.authorize_path(&[("prompt", "none")])).await;
            assert!(answer.query().contains_key("code"), "{allowed}: {answer:#?}");
        }
    }
}

#[tokio::test]
async fn tokens_say_who_the_person_is_now() {
    let members = "get role() { return this.said.role } get scopes() { return this.said.scopes }
        get userProfile() { return this.said.profile }";
    let world = World::with(members).await;
    let (mut browser, tokens) = world.sign_in("ada").await;
    assert_eq!(
        (&tokens.access_claims()["role"], tokens.json()["scope"].as_str()),
        (&"admin".into(), Some("openid profile read:mail staff"))
    );
    let before = Proxy::claims(&Proxy::new(&world.server).ask(&browser, SHOP).await);
    assert_eq!(before["role"], "admin");
    world.backend.answer(200, r#"{"valid": true, "role": "user", "scopes": [], "profile": {"name": "Augusta"}}"#);
    let spa = RelyingParty::new(&world.server, "spa");
    let renewed = spa.refresh(&tokens.member("refresh_token")).await.expect(200);
    let is_now = |claims: &Value| {
        assert_eq!((&claims["role"], &claims["profile"]["name"]), (&"user".into(), &"Augusta".into()), "{claims}")
    };
    is_now(&renewed.access_claims());
    assert_eq!(renewed.json()["scope"], "openid profile read:mail", "what the tenant gave, it takes");
    world.server.clock.advance(LATER);
    is_now(&Proxy::claims(&Proxy::new(&world.server).ask(&browser, SHOP).await));
    is_now(&world.exchange(&renewed.member("access_token")).await.expect(200).access_claims());
    let code = spa.code_of(&world.silently(&mut browser).await);
    is_now(&spa.redeem(&code).await.expect(200).access_claims());
    world
        .backend
        .answer(200, r#"{"valid": true, "role": "user", "scopes": ["staff"], "profile": {"name": "Augusta"}}"#);
    let again = spa.refresh(&renewed.member("refresh_token")).await.expect(200);
    assert_eq!(again.json()["scope"], "openid profile read:mail staff");
}
