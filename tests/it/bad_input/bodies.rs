//! Bodies of the wrong kind, and bodies of thousands of parameters.

use axum::body::Body;
use axum::http::{Request, header};

use super::answer::{check, is_page_path};
use super::endpoints::{endpoints, is_refusal};

#[tokio::test]
async fn a_body_of_the_wrong_kind_is_refused() {
    let (server, store, endpoints) = endpoints().await;
    let json = br#"{"grant_type":"authorization_code","client_id":"spa","token":"x"}"#;
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.method == "POST") {
        let form = endpoint.request(None).expect("a request").into_body();
        let form = http_body_util::BodyExt::collect(form).await.expect("a body").to_bytes();
        for (content_type, body) in [
            ("application/json", &form[..]),
            ("application/json", b"[]"),
            ("application/json", b"{"),
            ("application/json", b"\xff"),
            ("application/json", b"{\"client_id\":\"spa\",\"client_id\":\"spa\"}"),
            ("application/json", b"{\"client_id\":{\"a\":1}}"),
            ("application/json", b"{\"client_id\":[\"spa\"]}"),
            ("application/x-www-form-urlencoded", json),
            ("text/plain", &form),
            ("multipart/form-data; boundary=x", &form),
            ("", &form),
            ("\u{e9}", &form),
        ] {
            let what = format!("{}: {content_type:?} {}", endpoint.name, String::from_utf8_lossy(body));
            let before = store.writes();
            let request = Request::post(endpoint.path).header(header::COOKIE, &endpoint.cookies);
            let request = request.header(header::CONTENT_TYPE, content_type.as_bytes());
            let answer = server.send(request.body(Body::from(body.to_vec())).expect("a request")).await;
            check(&answer, endpoint.page, &what);
            // Without a step, the logout begins at its first page.
            if endpoint.path != "/logout" {
                assert!(is_refusal(endpoint, &answer), "{what}: {answer:#?}");
            }
            assert!(store.writes() == before || endpoint.path == "/login", "{what} was stored");
        }
        let large = Request::post(endpoint.path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let large = large.body(Body::from("a=b&".repeat(20_000))).expect("a request");
        let answer = server.send(large).await;
        check(&answer, endpoint.page, endpoint.name);
        assert_eq!(answer.status, 413, "{}", endpoint.name);
    }
}

#[tokio::test]
async fn thousands_of_parameters_are_read_in_no_time() {
    let (server, _, endpoints) = endpoints().await;
    let started = tokio::time::Instant::now();
    for path in endpoints.iter().map(|endpoint| endpoint.path) {
        for many in [
            (0..7000).map(|n| format!("p{n}=&")).collect::<String>(),
            "&".repeat(60_000),
            "=&".repeat(30_000),
            "a&".repeat(30_000),
            "%".repeat(60_000),
            format!("scope={}", "+a".repeat(8_000)),
            format!("acr_values={}", "a+".repeat(8_000)),
            format!("prompt={}", "none+".repeat(3_000)),
        ] {
            let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            let languages = "de;q=0,en;q=0.1,".repeat(1000);
            let request = request.header(header::ACCEPT_LANGUAGE, languages);
            let request = request.header(header::COOKIE, "uitsmijter-sso=x; ".repeat(1000));
            check(&server.send(request.body(Body::from(many)).expect("a request")).await, is_page_path(path), path);
        }
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
