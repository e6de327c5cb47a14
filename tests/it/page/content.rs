//! The content of the pages: hooks, errors, links, escaping.

use std::fs;
use std::path::Path;

use uitsmijter::page::locale::Locale;
use uitsmijter::page::look::Look;
use uitsmijter::page::{ActivateError, LoginError, OpenSession, Page, View, assets, content_security_policy};

use super::sample::{NATURAL, Texts, default_pages, draw, every_page, login};

const EVIL: &str = "\"><script>alert('x')</script>&{{ 7 * 7 }}";

#[test]
fn the_login_page_has_the_hooks_that_others_depend_on() {
    let html = draw(&login(), Locale::English);
    let field = |id: &str| html.split("<input ").find(|tag| tag.contains(&format!("id=\"{id}\""))).unwrap().to_owned();
    assert!(html.contains(r#"<form method="post" action="/login">"#));
    assert!(html.contains("login-box"));
    assert!(html.contains(r#"id="loginButton" type="submit""#));
    assert!(
        field("username").contains(r#"name="username""#) && field("username").contains(r#"autocomplete="username""#)
    );
    assert!(
        field("password").contains(r#"name="password""#)
            && field("password").contains(r#"autocomplete="current-password""#)
    );
    assert!(html.contains(r#"<label for="username">"#) && html.contains(r#"<label for="password">"#));
    assert!(html.contains(r#"<input type="hidden" name="interaction" value="i-1">"#));
    assert!(html.contains(r#"<input type="hidden" name="csrf" value="c-1">"#));
    assert!(!html.contains("data-error"));
    assert!(!html.contains("data-type"));
}

#[test]
fn each_error_has_a_name_for_programs_and_a_sentence_for_people() {
    let login = |error| Page::Login { username: None, error: Some(error), client: None, fields: &[] };
    let activate = |error| Page::Activate { code: None, error: Some(error), fields: &[] };
    let table = [
        (login(LoginError::InvalidCredentials), "invalid_credentials"),
        (login(LoginError::TooManyAttempts), "too_many_attempts"),
        (login(LoginError::Unavailable), "unavailable"),
        (login(LoginError::Expired), "expired"),
        (activate(ActivateError::UnknownCode), "unknown_code"),
        (activate(ActivateError::TooManyAttempts), "too_many_attempts"),
        (activate(ActivateError::Expired), "expired"),
        (Page::Error { code: "access_denied", description: "x", request_id: None }, "access_denied"),
    ];
    for (page, error) in table {
        let html = draw(&page, Locale::Dutch);
        assert!(html.contains(&format!("data-error=\"{error}\"")), "{html}");
        assert!(!html.contains(&format!(".error.{error}")), "no sentence for {error}: {html}");
    }
}

#[test]
fn footer_links_appear_when_the_tenant_has_them() {
    let look: Look = serde_json::from_str(
        r##"{"title":"Egg & Co","imprint_url":"https://egg.example/imprint","privacy_url":"https://egg.example/p?a=1&b=2",
            "register_url":"https://egg.example/new","logo_url":"https://cdn.egg.example/logo.png","accent":"#FFCC00"}"##,
    )
    .unwrap();
    let html = default_pages().render(&login(), &View { locale: Locale::English, look: &look }).unwrap();
    for hook in
        [r#"data-type="imprint""#, r#"data-type="privacy""#, r#"data-type="register""#, "· Egg &amp; Co</title>"]
    {
        assert!(html.contains(hook), "{hook}: {html}");
    }
    assert!(html.contains("/static/accent-ffcc00.css?v="));
    assert!(html.contains("src=\"https://cdn.egg.example/logo.png\""));
}

#[test]
fn a_tenant_cannot_slip_a_script_into_a_link_or_a_colour() {
    for look in
        [r#"{"imprint_url":"javascript:alert(1)"}"#, r#"{"logo_url":"data:text/html,x"}"#, r#"{"accent":"red;}"}"#]
    {
        assert!(serde_json::from_str::<Look>(look).is_err(), "{look}");
    }
}

#[test]
fn no_page_turns_text_into_markup() {
    let look = Look { title: Some(EVIL.to_owned()), ..Look::default() };
    let (scopes, fields) = ([EVIL, "openid"], [(EVIL, EVIL)]);
    let sessions = [OpenSession { id: EVIL, since: EVIL, browser: Some(EVIL), this: true }];
    let evil = Texts {
        client: EVIL,
        name: EVIL,
        code: EVIL,
        error: EVIL,
        scopes: &scopes,
        fields: &fields,
        sessions: &sessions,
    };
    let pages = default_pages();
    for locale in Locale::ALL {
        for (name, page) in every_page(&evil) {
            let html = pages.render(&page, &View { locale, look: &look }).unwrap();
            assert!(!html.contains("<script>alert"), "{name}: {html}");
            assert!(!html.contains("\">&lt;"), "{name}: an attribute was left: {html}");
            assert!(!html.contains("49"), "{name}: text was run as a template: {html}");
            assert!(name == "form_post" || html.contains("&lt;script&gt;"), "{name}: the text is gone: {html}");
        }
    }
}

#[test]
fn form_post_sends_itself_and_has_a_button() {
    let fields = [("code", "a\"b<c>&d"), ("state", "-._~ é")];
    let page = Page::FormPost { action: "https://app.example.com/cb?a=1&b=2", fields: &fields, nonce: "bm9uY2U" };
    let html = draw(&page, Locale::English);
    assert!(html.contains(r#"name="code" value="a&quot;b&lt;c&gt;&amp;d""#), "{html}");
    assert!(html.contains(r#"name="state" value="-._~ é""#), "{html}");
    assert!(html.contains("cb?a=1&amp;b=2\""), "{html}");
    assert!(html.contains(r#"<script nonce="bm9uY2U">"#) && html.contains(r#"<button type="submit""#));
    assert!(!html.contains("enctype"), "the default encoding is application/x-www-form-urlencoded");
}

/// Also writes the pages to `target/tmp/pages`, for people who want to see them.
#[test]
fn each_page_is_drawn_in_each_language_without_anything_from_elsewhere() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(folder.join("static")).unwrap();
    for name in ["style.css", "logo.svg", "demo.js", "accent-ffcc00.css", "accent-7a1fa2.css"] {
        fs::write(folder.join("static").join(name), assets::get(name).unwrap().body).unwrap();
    }
    let links = r#""imprint_url":"https://example.com/i","privacy_url":"https://example.com/p","register_url":"https://example.com/r""#;
    let look: Look = serde_json::from_str(&format!("{{{links}}}")).unwrap();
    let handler = regex::Regex::new(r#"\son[a-z]+\s*="#).unwrap();
    for locale in Locale::ALL {
        for (name, page) in every_page(&NATURAL) {
            let view = View { locale, look: &look };
            let html = default_pages().render(&page, &view).unwrap();
            assert!(html.contains(&format!("<html lang=\"{}\">", locale.tag())), "{name}");
            assert!(!html.contains("style=") && !html.contains("<style") && !handler.is_match(&html), "{name}: {html}");
            for resource in html.split("src=\"").skip(1).chain(html.split("<link ").skip(1)) {
                assert!(resource.contains("/static/") && !resource.starts_with("http"), "{name}: {resource}");
            }
            let policy = content_security_policy(&page, &view, &[]);
            fs::write(folder.join(format!("{name}.{}.html", locale.tag())), html).unwrap();
            fs::write(folder.join(format!("{name}.{}.csp", locale.tag())), policy).unwrap();
        }
    }
}
