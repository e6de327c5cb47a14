//! Longer journeys from start to end: what one replica writes another reads.

use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;

use crate::configuration::{PASSWORD, SECRET, USERNAME};
use crate::person::{Arrival, Browser, Page};
use crate::replica::{Answer, Replica};
use crate::server::http_client;
use crate::sign_in::Person;

/// The redirect URI of `web`; nothing listens there.
pub(crate) const WEB: &str = "http://127.0.0.1:9/web";

/// Signs in where a page asks for it, and returns where that led.
async fn sign_in_if_asked(browser: &mut Browser, arrival: Arrival) -> Arrival {
    match arrival {
        Arrival::Page(page) if page.body.contains(r#"id="password""#) => {
            browser.submit(&page, &[("username", USERNAME), ("password", PASSWORD)]).await
        }
        other => other,
    }
}

fn asks_for_a_decision(page: &Page) -> bool {
    page.body.contains(r#"name="decision""#)
}

/// A device shows its code, a person allows it, and the device gets its tokens. Returns how many requests that took at least.
pub(crate) async fn device(entrance: &Replica) -> usize {
    let asked = post_public(entrance, "/oauth/device_authorization", &[("scope", "openid")]).await;
    assert_eq!(asked.status, StatusCode::OK, "{asked:?}");
    let word = |name: &str| asked.body[name].as_str().expect("a code").to_owned();
    let (device_code, user_code) = (word("device_code"), word("user_code"));
    let mut browser = Browser::new();
    let url = Url::parse_with_params(&entrance.url("/activate"), [("user_code", &user_code)]).expect("a URL");
    let arrival = browser.open(url).await;
    let page = sign_in_if_asked(&mut browser, arrival).await.page();
    assert!(asks_for_a_decision(&page), "{}", page.body);
    let page = browser.submit(&page, &[("decision", "allow")]).await.page();
    assert!(page.body.contains(r#"data-outcome="allowed""#), "{}", page.body);
    let grant = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", &device_code)];
    let tokens = post_public(entrance, "/token", &grant).await;
    assert!(tokens.body["access_token"].is_string(), "{tokens:?}");
    6
}

async fn post_public(entrance: &Replica, path: &str, form: &[(&str, &str)]) -> Answer {
    let form = [form, &[("client_id", "tv")]].concat();
    Answer::of(http_client().post(entrance.url(path)).form(&form)).await
}

/// A person consents to a web application, which gets its tokens and later revokes them.
pub(crate) async fn consent(entrance: &Replica) -> usize {
    let mut browser = Browser::new();
    let asked = [("client_id", "web"), ("redirect_uri", WEB), ("response_type", "code"), ("scope", "openid email")];
    let url = Url::parse_with_params(&entrance.url("/authorize"), asked).expect("a URL");
    let arrival = browser.open(url).await;
    // Asked once, and remembered by the next replica.
    let left = match sign_in_if_asked(&mut browser, arrival).await {
        Arrival::Page(page) => browser.submit(&page, &[("decision", "allow")]).await.left(),
        Arrival::Left(url) => url,
    };
    let code = left.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let web = async |path: &str, form: &[(&str, &str)]| {
        let secret: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        Answer::of(http_client().post(entrance.url(path)).basic_auth("web", Some(secret)).form(form)).await
    };
    let form = [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", WEB)];
    let tokens = web("/token", &form).await;
    let refresh = tokens.body["refresh_token"].as_str().unwrap_or_else(|| panic!("{tokens:?}")).to_owned();
    let active = async || web("/introspect", &[("token", &refresh)]).await.body["active"].clone();
    assert_eq!(active().await, json!(true));
    let revoked = web("/revoke", &[("token", &refresh)]).await;
    assert_eq!(revoked.status, StatusCode::OK, "{revoked:?}");
    assert_eq!(active().await, json!(false), "what one revokes the others refuse");
    9
}

/// A proxy asks for a person with a session, and for one without.
pub(crate) async fn intercepted(entrance: &Replica, person: &Person) -> usize {
    let ask = async |cookies: &str| {
        let request = http_client().get(entrance.url("/interceptor")).header("cookie", cookies.to_owned());
        let forwarded = [("x-forwarded-proto", "http"), ("x-forwarded-host", "127.0.0.1"), ("x-forwarded-uri", "/app")];
        let request = forwarded.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        request.send().await.expect("an answer").status()
    };
    assert_eq!(ask(&person.cookies()).await, StatusCode::OK, "the session lets the person pass");
    assert!(ask("").await.is_redirection(), "a stranger is sent to the login page");
    2
}

/// The refresh token of a sign-in is revoked, and then invalid.
pub(crate) async fn revoked(entrance: &Replica, tokens: &Value) -> usize {
    let refresh = tokens["refresh_token"].as_str().expect("a refresh token");
    let answer = entrance.post_native("/revoke", &[("token", refresh)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let answer = entrance.post_native("/token", &form).await;
    assert_eq!(answer.body["error"], "invalid_grant", "{answer:?}");
    2
}
