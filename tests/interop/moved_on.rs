//! Chromium follows applications that redirect to an origin unknown to the server: it checks the policy of a page for
//! every redirect that follows its form.

use axum::response::{Html, Redirect};
use axum::routing::get;
use serde_json::json;

use crate::browser::walk;
use crate::configuration::{Document, PASSWORD, USERNAME, tenant_with};
use crate::port::free_port;
use crate::server::Server;

/// An application whose API receives the responses and redirects people to its front end, on another host. Returns its
/// port.
async fn application() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let front =
        move |path: &'static str| move || async move { Redirect::to(&format!("http://front.acme.test:{port}{path}")) };
    let routes = axum::Router::new()
        .route("/callback", get(front("/inside")).post(front("/inside")))
        .route("/bye", get(front("/outside")))
        .fallback(async || Html("<!doctype html><title>Front</title><link rel=icon href=data:,>"));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    port
}

#[tokio::test]
async fn an_application_that_moves_on_to_another_origin_is_reached_from_every_form() {
    let (application, port) = (application().await, free_port());
    let client = format!(
        "name: Mover\nconfig: {{ident: mover, tenantname: interop, scopes: [openid], consent: required, \
         redirect_urls: [\"http://api.acme.test:{application}/callback\"], \
         post_logout_redirect_urls: [\"http://api.acme.test:{application}/bye\"]}}\n"
    );
    let client = Document { folder: "Clients", name: "mover", yaml: client };
    let _server = Server::start_at(port, &[tenant_with("login.acme.test", &[]), client]).await;
    let input = json!({
        "server": format!("http://login.acme.test:{port}"), "application": format!("http://api.acme.test:{application}"),
        "username": USERNAME, "password": PASSWORD,
    });
    let findings = walk("browser/moved-on-journey.js", input).await;
    let front = format!("http://front.acme.test:{application}");
    for (step, path) in [("consent", "/inside"), ("logout", "/outside"), ("login", "/inside"), ("form_post", "/inside")]
    {
        assert_eq!(findings.one(step), &json!(format!("{front}{path}")), "{step}");
    }
    assert_eq!(findings.one("complaints"), &json!([]));
}
