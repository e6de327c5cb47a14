//! The original URL of a request that a proxy asks about, in the dialect of each proxy.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::Request;
use uitsmijter::settings::{Flags, Settings};
use uitsmijter::web::original_url::OriginalUrl;

fn read(path: &str, headers: &[(&str, &str)]) -> Option<OriginalUrl> {
    let settings = Settings::load(None, &|_| None, &Flags::default()).unwrap();
    let mut request = Request::get(path).extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 4711))));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    OriginalUrl::of(&request.body(()).unwrap().into_parts().0, &settings).ok()
}

#[test]
fn every_dialect_names_the_same_url() {
    let expected = "https://shop.example.com/a%20b?x=1,2&y=%2F";
    let target = "/a%20b?x=1,2&y=%2F";
    let https = ("x-forwarded-proto", "https");
    for (path, headers) in [
        ("/interceptor", &[https, ("x-forwarded-host", "shop.example.com"), ("x-forwarded-uri", target)][..]),
        ("/interceptor", &[("x-original-url", expected)]),
        ("/interceptor", &[https, ("host", "shop.example.com"), ("x-original-uri", target)]),
        ("/interceptor/a%20b?x=1,2&y=%2F", &[https, ("host", "shop.example.com")]),
        ("/interceptor/b", &[https, ("host", "shop.example.com"), ("x-envoy-original-path", target)]),
    ] {
        let original = read(path, headers).unwrap_or_else(|| panic!("{headers:?}"));
        assert_eq!(original.url.as_str(), expected, "{headers:?}");
        assert_eq!(original.origin(), "https://shop.example.com");
    }
}

#[test]
fn hosts_that_differ_are_refused_in_every_dialect() {
    let forged = ("x-forwarded-host", "other.example.com");
    for headers in [
        &[forged, ("x-original-url", "https://shop.example.com/")][..],
        &[forged, ("host", "shop.example.com"), ("x-original-uri", "/")],
        &[("host", "auth.internal"), ("x-forwarded-host", "shop.example.com"), ("x-original-uri", "/")],
        &[("x-forwarded-host", "shop.example.com, other.example.com")],
        &[("x-forwarded-host", "shop.example.com"), forged],
    ] {
        assert!(read("/interceptor", headers).is_none(), "{headers:?}");
    }
}

#[test]
fn what_is_no_web_address_is_refused() {
    for headers in [
        &[][..],
        &[("x-forwarded-host", "user@evil.example")],
        &[("x-forwarded-host", "a/b")],
        &[("x-forwarded-host", "shop.example.com"), ("x-forwarded-uri", "@evil.example/")],
        &[("x-forwarded-host", "shop.example.com"), ("x-forwarded-proto", "javascript")],
        &[("x-original-url", "javascript:alert(1)")],
        &[("x-original-url", "https://user@evil.example/")],
    ] {
        assert!(read("/interceptor", headers).is_none(), "{headers:?}");
    }
}
