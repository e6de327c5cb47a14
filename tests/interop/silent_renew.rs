//! oidc-client-ts renews in a hidden frame, without a refresh token, by the browser's session.
//!
//! The frame loads `/authorize?prompt=none` and from there the application's own page, with a code or with an error: no
//! page of the server is ever framed, so `X-Frame-Options: DENY` on all of them does not get in the way. But the
//! session cookie is `SameSite=Lax`, and it is sent in a frame only if application and server are of one site, like
//! app.shop.example and login.shop.example.

use std::time::Duration;

use serde_json::{Value, json};

use crate::calendar::Calendar;
use crate::configuration::{page_that_renews_in_a_frame, tenant_with};
use crate::desk::Desk;
use crate::server::Server;
use crate::spa::Place;

const TAB: &str = "application";

#[tokio::test]
async fn an_application_of_the_same_site_renews_in_a_hidden_frame_until_the_person_signs_out() {
    let (_server, mut desk) = open("app.shop.localhost", "login.shop.localhost", false).await;
    let first = desk.sign_in(TAB).await;
    assert_eq!(first.get("refresh_token"), None, "{first}");

    let renewed = desk.renew(TAB).await;
    assert_eq!(renewed["error"], Value::Null, "{renewed}");
    expect_another(&first, &renewed["user"]);
    assert_eq!(renewed["frames"], 1, "the frame is left behind: {renewed}");

    desk.sign_out_in_another_tab(TAB).await;
    let refused = desk.renew(TAB).await;
    assert_eq!(refused["error"], "login_required", "{refused}");
    desk.close().await;
}

#[tokio::test]
async fn an_application_renews_by_itself_shortly_before_its_tokens_expire() {
    let (_server, mut desk) = open("app.shop.localhost", "login.shop.localhost", true).await;
    let first = desk.sign_in(TAB).await;
    let life = first["expires_in"].as_u64().expect("a number of seconds");

    let early = desk.pass(Duration::from_secs(life / 2), &[]).await;
    assert_eq!(early[TAB]["access_token"], first["access_token"], "it renewed when there was no need");
    let users = desk.pass(Duration::from_secs(life - life / 2 - 30), &[TAB]).await;
    expect_another(&first, &users[TAB]);
    desk.close().await;
}

#[tokio::test]
async fn an_application_of_another_site_is_told_at_once_that_it_cannot_renew_in_a_frame() {
    let (_server, mut desk) = open("localhost", "127.0.0.1", false).await;
    desk.sign_in(TAB).await;
    let refused = desk.renew(TAB).await;
    assert_eq!(refused["error"], "login_required", "{refused}");
    // The session exists nevertheless: a separate window finds it.
    desk.sign_in_once_more(TAB).await;
    desk.close().await;
}

/// A browser with the application at one name of this machine, and a server at another.
async fn open(application: &str, server_name: &str, automatic: bool) -> (Server, Desk) {
    let place = Place::reserve_at(application).await;
    let origin = place.origin.clone();
    let server = Server::start(&[tenant_with(server_name, &[]), page_that_renews_in_a_frame(&origin)]).await;
    place.serve_with(json!({
        "authority": server.issuer_at(server_name),
        "client_id": "framed",
        "automaticSilentRenew": automatic,
    }));
    let mut desk = Desk::start();
    desk.open(TAB, &format!("{origin}/"), &Calendar::new()).await;
    (server, desk)
}

/// The same person with new tokens.
#[track_caller]
fn expect_another(before: &Value, after: &Value) {
    assert_eq!(before["profile"]["sub"], after["profile"]["sub"], "{after}");
    for token in ["access_token", "id_token"] {
        assert!(after[token].is_string(), "{after}");
        assert_ne!(before[token], after[token], "{token} is the old one");
    }
}
