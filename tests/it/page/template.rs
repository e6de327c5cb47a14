//! Templates of a tenant: used if they are valid, and harmless if they are not.

use std::iter;
use std::time::{Duration, Instant};

use uitsmijter::page::locale::Locale;
use uitsmijter::page::{Owner, Page, Pages};

use super::sample::{default_pages, draw, draw_with, login, own};

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
    // Cycles, and nesting deeper than a parser can go.
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
        // Only looks like an end.
        deep("{{ '}}'", "~'}}'", "", " }}{{ nothing() }}"),
        deep("{% raw %}{{ '{% endraw %}{{ ''", "~''", "", " }}{{ nothing() }}"),
        // The maximum that is accepted, inside the maximum of blocks.
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

/// Fuel does not pay for the depth of a value, nor for printing one in which each list holds the last one twice.
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
    // What cannot be seen before drawing fails while drawing.
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
