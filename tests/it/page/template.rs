//! What a person sees: hooks, languages, escaping, policy, colours, and templates of a tenant.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, iter};

use uitsmijter::page::assets;
use uitsmijter::page::colour::Colour;
use uitsmijter::page::locale::{Locale, Translations, places};
use uitsmijter::page::look::Look;
use uitsmijter::page::{
    ActivateError, Demo, LoginError, OpenSession, Owner, Page, Pages, Person, View, content_security_policy,
};

const EVIL: &str = "\"><script>alert('x')</script>&{{ 7 * 7 }}";
const FIELDS: &[(&str, &str)] = &[("interaction", "i-1"), ("csrf", "c-1")];

fn login<'a>() -> Page<'a> {
    Page::Login { username: None, error: None, client: Some("Garden Planner"), fields: FIELDS }
}

/// What the samples say in each place that takes text.
struct Texts<'a> {
    client: &'a str,
    name: &'a str,
    code: &'a str,
    error: &'a str,
    scopes: &'a [&'a str],
    fields: &'a [(&'a str, &'a str)],
    sessions: &'a [OpenSession<'a>],
}

const NATURAL: Texts<'static> = Texts {
    client: "Garden Planner",
    name: "Ada Lovelace",
    code: "WDJB-MJHT",
    error: "invalid_client",
    scopes: &["openid", "profile", "email", "offline_access", "garden:water"],
    fields: FIELDS,
    sessions: &[
        OpenSession { id: "s-1", since: "2027-01-15T08:00:00Z", browser: Some("Firefox, Linux"), this: true },
        OpenSession { id: "s-2", since: "2027-01-12T18:30:00Z", browser: None, this: false },
    ],
};

/// One of each.
fn every_page<'a>(texts: &Texts<'a>) -> Vec<(&'static str, Page<'a>)> {
    let Texts { client, name, code, error, scopes, fields, sessions } = *texts;
    let (username, client_name, person_name) = (Some(name), Some(client), Some(name));
    let wrong = Some(LoginError::InvalidCredentials);
    let demo = Some(Demo { client_id: client, username: name, password: code });
    let person = Some(Person { name, email: Some(client) });
    vec![
        ("login", Page::Login { username: None, error: None, client: client_name, fields }),
        ("login_error", Page::Login { username, error: wrong, client: client_name, fields }),
        ("consent", Page::Consent { action: "/consent", client, scopes, name: person_name, fields }),
        ("activate", Page::Activate { code: None, error: None, fields }),
        ("activate_error", Page::Activate { code: Some(code), error: Some(ActivateError::UnknownCode), fields }),
        ("activate_confirm", Page::ActivateConfirm { code, client, scopes, name: person_name, fields }),
        ("activate_allowed", Page::ActivateDone { allowed: true }),
        ("activate_denied", Page::ActivateDone { allowed: false }),
        ("signed_out", Page::SignedOut {}),
        ("logout", Page::Logout { name: person_name, fields }),
        ("error", Page::Error { code: error, description: client, request_id: Some(code) }),
        ("index", Page::Index { person, fields, sessions, demo: None }),
        ("index_signed_out", Page::Index { person: None, fields: &[], sessions: &[], demo: None }),
        ("index_demo", Page::Index { person: None, fields: &[], sessions: &[], demo }),
        ("form_post", Page::FormPost { action: "https://app.example.com/cb", fields, nonce: "bm9uY2U" }),
    ]
}

fn default_pages() -> Pages {
    Pages::new().expect("the default templates are sound")
}

fn draw_with(pages: &Pages, page: &Page<'_>) -> String {
    draw_in(pages, page, Locale::English)
}

fn draw_in(pages: &Pages, page: &Page<'_>, locale: Locale) -> String {
    pages.render(page, &View { locale, look: &Look::default() }).expect("a page is always drawn")
}

fn draw(page: &Page<'_>, locale: Locale) -> String {
    draw_in(&default_pages(), page, locale)
}

/// Pages of a tenant with these templates.
fn own(templates: &[(&str, &str)]) -> Pages {
    let (pages, _) = default_pages().with_templates(Owner::default(), templates.iter().copied()).expect("pages");
    pages
}

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
fn each_error_is_named_for_programs_and_said_for_people() {
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
fn whatever_the_text_no_page_turns_it_into_markup() {
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

/// Also leaves the pages in `target/tmp/pages`, for everyone who wants to look at them.
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

#[test]
fn all_languages_have_the_same_keys_and_placeholders() {
    let translations = Translations::embedded().unwrap();
    let keys = |locale| translations.keys(locale).map(str::to_owned).collect::<BTreeSet<_>>();
    let named =
        |locale, key: &str| places(translations.get(locale, key).unwrap()).map(str::to_owned).collect::<BTreeSet<_>>();
    for locale in Locale::ALL {
        let (english, other) = (keys(Locale::English), keys(locale));
        assert_eq!(english.difference(&other).collect::<Vec<_>>(), [] as [&String; 0], "missing in {}", locale.tag());
        assert_eq!(
            other.difference(&english).collect::<Vec<_>>(),
            [] as [&String; 0],
            "superfluous in {}",
            locale.tag()
        );
        for key in &english {
            assert_eq!(named(Locale::English, key), named(locale, key), "placeholders of {key} in {}", locale.tag());
        }
    }
}

#[test]
fn each_key_is_used_and_each_used_key_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/templates");
    let sources: String =
        fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    // `t("login.error." ~ error)` uses all keys that start so; the test of the errors looks at each of them.
    let call = regex::Regex::new(r#"\bt\(["']([a-z_.]+)["']"#).unwrap();
    let used: Vec<&str> = call.captures_iter(&sources).map(|call| call.get(1).unwrap().as_str()).collect();
    let translations = Translations::embedded().unwrap();
    for key in &used {
        assert!(key.ends_with('.') || translations.get(Locale::English, key).is_some(), "{key} is not translated");
    }
    for key in translations.keys(Locale::English) {
        let is_used = |used: &&str| *used == key || (used.ends_with('.') && key.starts_with(*used));
        assert!(used.iter().any(is_used), "{key} is used nowhere");
    }
}

#[test]
fn the_policy_allows_what_the_page_needs_and_nothing_else() {
    let look: Look = serde_json::from_str(r#"{"logo_url":"https://cdn.example:8443/logo.svg?x=1"}"#).unwrap();
    let policy = |page: &Page<'_>, targets: &[&str]| {
        content_security_policy(page, &View { locale: Locale::English, look: &look }, targets)
    };
    let targets = [
        "https://app.example.com/cb?x=1",
        "https://app.example.com/other",
        "http://127.0.0.1:4000/cb",
        "http://[::1]:4000/cb",
        "com.example.app:/cb",
        "com.example.two://cb",
        "not a url; script-src *",
    ];
    assert_eq!(
        policy(&login(), &targets),
        "default-src 'none'; style-src 'self'; img-src 'self' https://cdn.example:8443; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'self' https: http: com.example.app: com.example.two:"
    );
    let form_post = policy(&Page::FormPost { action: "https://app.example.com/cb", fields: &[], nonce: "abc" }, &[]);
    assert!(form_post.contains("; script-src 'nonce-abc';") && form_post.ends_with("form-action 'self' https:"));
    let demo = Some(Demo { client_id: "c", username: "u", password: "p" });
    assert!(
        policy(&Page::Index { person: None, fields: &[], sessions: &[], demo }, &[])
            .contains("; script-src 'self'; connect-src 'self';")
    );
    for (name, page) in every_page(&NATURAL) {
        let policy = policy(&page, &[]);
        assert!(!policy.contains("unsafe"), "{name}");
        assert_eq!(policy.contains("script-src"), ["form_post", "index_demo"].contains(&name), "{name}");
    }
}

#[test]
fn a_tenants_own_page_is_shown() {
    let pages = own(&[
        (
            "login.html",
            "{% extends 'layout.html' %}{% block main %}<b>{{ client }}</b>{{ nothing }}{% include 'own.html' %}{% endblock %}",
        ),
        ("own.html", "{{ t('login.submit') }}"),
    ]);
    let html = draw_with(&pages, &login());
    assert!(html.contains("<b>Garden Planner</b>Sign in") && html.contains("<header"), "{html}");
    assert!(draw_with(&pages, &Page::SignedOut {}).contains("You are signed out"));
}

#[test]
fn a_broken_template_gives_way_to_the_default_one() {
    let sources = [
        "{% if %}",
        "{{ client",
        "{% block main %}",
        "{% include 'missing.html' %}",
        "{% extends 'login.html' %}",
        "{% include 'login.html' %}",
        "{{ 1 / 0 }}",
        "{{ username.a.b }}",
        "{{ nothing() }}",
        "{{ client|safe }}",
        "{% autoescape false %}{{ client }}{% endautoescape %}",
        "{{ asset('../../etc/passwd') }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% block main %}{{ self.main() }}{% endblock %}",
        "{% import 'login.html' as own %}{{ own.x }}",
        "{% from 'login.html' import x %}{{ x }}",
        "{% include ['missing.html', 'login.html'] %}",
        "{% extends 'missing.html' %}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{{ t('login.title', name=nothing.at.all) }}",
    ];
    for source in sources {
        let html = draw_with(&own(&[("login.html", source)]), &login());
        assert!(html.contains("id=\"loginButton\""), "{source}: {html}");
    }
    // Round about, and deeper than any reader would go.
    let circles = [
        [
            ("login.html", "{% include 'a.html' %}"),
            ("a.html", "{% include 'b.html' %}"),
            ("b.html", "{% include 'a.html' %}"),
        ],
        [
            ("login.html", "{% extends 'a.html' %}"),
            ("a.html", "{% extends 'b.html' %}"),
            ("b.html", "{% extends 'login.html' %}"),
        ],
        [
            ("login.html", "{% import 'a.html' as a %}"),
            ("a.html", "{% import 'b.html' as b %}"),
            ("b.html", "{% import 'a.html' as a %}"),
        ],
    ];
    for circle in circles {
        let html = draw_with(&own(&circle), &login());
        assert!(html.contains("id=\"loginButton\""), "{circle:?}: {html}");
    }
    let deep = |before: &str, open: &str, close: &str, after: &str| {
        format!("{before}{}{}{after}", open.repeat(20_000), close.repeat(20_000))
    };
    for source in [
        deep("", "{% if 1 %}", "{% endif %}", ""),
        deep("{{ ", "(", ")", " }}"),
        deep("{{ ", "[", "]", " }}"),
        deep("{{ ", "not ", "", "1 }}"),
        deep("{{ ", "-", "", "1 }}"),
        deep("{{ x", ".y", "", " }}"),
        deep("{{ x", "|upper", "", " }}"),
        deep("{{ 1", " if 1 else 1", "", " }}"),
        deep("{{ 1", "**1", "", " }}{{ nothing() }}"),
        deep("{{ 'a'", "~'a'", "", " }}{{ nothing() }}"),
        deep("{{ x", "()", "", " }}"),
        deep("{{ x", "[0]", "", " }}"),
        deep("{{ x", " or x", "", " }}{{ nothing() }}"),
        deep("{% if 0 %}", "{% elif 1 %}", "", "{% endif %}{{ nothing() }}"),
        // What only looks like an end, to whoever counts.
        deep("{{ '}}'", "~'}}'", "", " }}{{ nothing() }}"),
        deep("{% raw %}{{ '{% endraw %}{{ ''", "~''", "", " }}{{ nothing() }}"),
        // As much as is let through, at the bottom of as many blocks.
        format!(
            "{}{{{{ x{} }}}}{}{{{{ nothing() }}}}",
            "{% if 1 %}".repeat(140),
            "()".repeat(190),
            "{% endif %}".repeat(140)
        ),
    ] {
        let html = draw_with(&own(&[("login.html", &source)]), &login());
        assert!(html.contains("id=\"loginButton\""), "{}", &source[..40]);
    }
    let html = draw_with(&own(&[("layout.html", "{% broken"), ("scopes.html", "{{ oh no }}")]), &login());
    assert!(html.contains("id=\"loginButton\""));
}

#[test]
fn a_template_can_neither_loop_nor_grow_for_ever() {
    let doubled = iter::repeat_n("{% set x = x ~ x %}", 60).collect::<String>();
    let sources = [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}".to_owned(),
        format!("{{% set x = 'aaaaaaaaaaaaaaaa' %}}{doubled}{{{{ x }}}}"),
        "{{ 'a' * 99999999999 }}".to_owned(),
        "{{ range(99999)|list|join('a' * 100) }}".to_owned(),
        "{{ 'a'|indent(999999999) }}{{ '%999999999d'|format(1) }}{{ 'a'|center(999999999) }}".to_owned(),
    ];
    for source in sources {
        let pages = own(&[("login.html", &source)]);
        let (html, took) = timed(|| draw_with(&pages, &login()));
        assert!(html.contains("id=\"loginButton\""), "{source}");
        assert!(took < Duration::from_secs(1), "{source} took {took:?}");
    }
}

#[test]
fn a_template_that_is_sound_and_still_costs_too_much_gives_way_while_it_is_drawn() {
    let many = format!("[{}]", vec!["1"; 100].join(","));
    let (mut source, mut end) = (String::new(), String::new());
    for name in ["a", "b", "c"] {
        source.push_str(&format!("{{% for {name} in {many} %}}"));
        end.push_str("{% endfor %}");
    }
    let source = format!("{source}{{{{ a }}}}{end}");
    let owner = Owner::default();
    let (pages, broken) = Pages::new().unwrap().with_templates(owner.clone(), [("login.html", &*source)]).unwrap();
    assert_eq!(broken, [], "it is only found out when it is drawn");
    assert!(draw_with(&pages, &login()).contains("id=\"loginButton\""));
    assert_eq!(owner.failures.get(), 1);
}

#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (work(), start.elapsed())
}

#[test]
fn the_page_with_the_code_is_never_drawn_by_a_tenants_template() {
    let pages = own(&[("form_post.html", "own {{ fields }}"), ("fields.html", "own {{ fields }}")]);
    let page = Page::FormPost { action: "https://app.example.com/cb", fields: &[("code", "secret")], nonce: "n" };
    assert_eq!(draw_with(&pages, &page), draw(&page, Locale::English));
}

#[test]
fn files_are_cached_for_ever_under_their_own_version_only() {
    let style = assets::get("style.css").unwrap();
    let url = assets::url("style.css").unwrap();
    let version = url.split_once("?v=").unwrap().1;
    assert_eq!(style.content_type, "text/css; charset=utf-8");
    assert_eq!(style.etag, format!("\"{version}\""));
    assert!(style.cache_control(Some(version)).contains("immutable"));
    assert_eq!(style.cache_control(Some("other")), "no-cache");
    assert_eq!(style.cache_control(None), "no-cache");
    for name in
        ["", "nothing.css", "../style.css", "accent-.css", "accent-12345g.css", "accent-#12345.css", "accent-é1234.css"]
    {
        assert!(assets::get(name).is_none(), "{name}");
    }
}

#[test]
fn the_palette_has_enough_contrast_in_light_and_dark() {
    let style = String::from_utf8(assets::get("style.css").unwrap().body.to_vec()).unwrap();
    let dark_at = style.find("prefers-color-scheme: dark").unwrap();
    let text = [
        ("--text", "--background"),
        ("--text", "--surface"),
        ("--muted", "--background"),
        ("--muted", "--surface"),
        ("--on-accent", "--accent"),
        ("--on-accent", "--accent-strong"),
        ("--link", "--surface"),
        ("--link", "--background"),
        ("--alarm", "--alarm-surface"),
    ];
    let control = [("--control", "--surface"), ("--accent-edge", "--surface"), ("--link", "--surface")];
    for (scheme, style) in [("light", &style[..dark_at]), ("dark", &style[dark_at..])] {
        let colour = |name: &str| -> Colour {
            let start = style.find(&format!("{name}: #")).unwrap() + name.len() + 2;
            style[start..start + 7].parse().unwrap()
        };
        for (pairs, enough) in [(&text[..], 4.5), (&control[..], 3.0)] {
            for (front, behind) in pairs {
                let contrast = colour(front).contrast(colour(behind));
                assert!(contrast >= enough, "{scheme}: {front} on {behind} is {contrast:.2}");
            }
        }
    }
    // What `colour.rs` believes about the surfaces.
    assert!(style[..dark_at].contains("--background: #f4f2ee") && style[dark_at..].contains("--surface: #1c2220"));
}

/// Fuel does not pay for the depth of a value, nor for writing one down in which each list holds the last one twice.
#[test]
fn a_template_can_neither_nest_values_without_end_nor_multiply_them() {
    let again = |statement: &str| format!("{{% set x = [1] %}}{}{{{{ x }}}}", statement.repeat(60));
    let refused = [
        again("{% set x = [x, x] %}"),
        again("{% set x = 1 if false else [x, x] %}"),
        again("{% set x = {'a': x, 'b': x} %}"),
        again("{% set x = (x, x) %}"),
        again("{% set x = x, x %}"),
        again("{% set x = x + x %}"),
        again("{% set x = x * 2 %}"),
        again("{% set x = x[0:] %}"),
        "{% macro f(x, n) %}{{ f([x, x], n - 1) }}{% endmacro %}{{ f(1, 60) }}".to_owned(),
        "{% for a in [1] %}{{ loop.changed(loop) }}{% endfor %}".to_owned(),
        "{% import 'fields.html' as x %}{{ x }}".to_owned(),
    ];
    for source in &refused {
        let templates = [("signed_out.html", source.as_str())];
        let (_, broken) = default_pages().with_templates(Owner::default(), templates).expect("pages");
        assert!(broken.len() == 1 && broken[0].1.starts_with("line 1: "), "{source}: {broken:?}");
    }
    // What is not seen before it is drawn fails then.
    for source in [
        "{% set n = namespace() %}{% set n.x = n %}{{ n }}".to_owned(),
        again("{% set x = dict(a=x, b=x) %}"),
        again("{% set x = x|batch(2, x) %}"),
        again("{% set x = x|slice(2, x) %}"),
        again("{% set x = range(2)|map('default', x) %}"),
        again("{% set x = range(2)|map(attribute='a', default=x)|list %}"),
        again("{% set x = x|zip(x) %}"),
        again("{% set x = x|chain(x) %}"),
    ] {
        let html = draw_with(&own(&[("signed_out.html", &source)]), &Page::SignedOut {});
        assert!(html.contains("<title>"), "the default page appears: {source}");
    }
    let usual =
        "{% set a, b = [1, -2] %}{% for k in ['a', true] %}{{ k ~ loop.index }}{% endfor %}{{ {'a': 1}['a'] - b }}";
    let html = draw_with(&own(&[("signed_out.html", usual)]), &Page::SignedOut {});
    assert_eq!(html, "a1True23");
}
