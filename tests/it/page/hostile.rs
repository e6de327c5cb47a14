//! Templates of somebody who wants to harm the server: whatever they say, a page ends within its bounds.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use uitsmijter::page::{Owner, Page, Pages};

use super::sample::{default_pages, draw_with, login, own};

/// No page is longer.
const LONGEST: usize = 1 << 20;

#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (work(), start.elapsed())
}

#[test]
fn widths_indents_and_repetitions_end_the_page_and_not_the_process() {
    for source in [
        "{{ [1]|tojson(indent=40000000000) }}",
        "{{ [1]|tojson(40000000000) }}",
        "{{ [[1], [2]]|pprint }}",
        "{{ 'a\nb'|indent(40000000000) }}",
        "{{ 'a\nb'|indent(width=40000000000, first=true) }}",
        "{{ '%040000000000d'|format(1) }}",
        "{{ '%.40000000000f'|format(1.5) }}",
        "{{ 1.5|round(2147483647) }}",
        "{{ 'a'|center(40000000000) }}",
        "{{ range(100000)|join('aaaaaaaaaaaaaaaa') }}",
        "{{ range(40000000000) }}",
        "{{ range(-9223372036854775807, 9223372036854775807) }}",
        "{{ ('a' ~ 'b')|split('') }}",
        "{{ debug() }}",
        "{% filter indent(40000000000) %}a{% endfilter %}",
        "{{ range(9)|batch(1, 'x') }}{{ range(9)|slice(40000000000) }}",
        "{{ range(9)|groupby('x') }}{{ {'a': 1}|dictsort }}",
        "{{ 9 ** 99999999999 }}{{ 9.5 ** 99999999999 }}",
    ] {
        let pages = own(&[("login.html", source)]);
        let (html, took) = timed(|| draw_with(&pages, &login()));
        assert!(html.contains("id=\"loginButton\""), "{source}: {html}");
        assert!(took < Duration::from_secs(1), "{source} took {took:?}");
    }
}

#[test]
fn what_the_engine_has_and_we_do_not_is_named_when_the_template_is_read() {
    for (source, name) in [
        ("{{ client|tojson }}", "tojson"),
        ("{{ client | indent(4) }}", "indent"),
        ("{% if client|upper|pprint %}{% endif %}", "pprint"),
        ("{% filter format %}{% endfilter %}", "format"),
        ("{{ client|safe }}", "safe"),
        ("{{ client is filter }}", "filter"),
        ("{{ client is not divisibleby(3) }}", "divisibleby"),
    ] {
        let templates = [("login.html", source)];
        let (_, broken) = default_pages().with_templates(Owner::default(), templates).expect("pages");
        assert!(broken.len() == 1 && broken[0].1.contains(&format!("{name:?}")), "{source}: {broken:?}");
    }
    let fine = "{{ client|default('x')|upper }}{{ client is defined }}{{ client is not none }}{{ 'a' is in ['a'] }}\
                {% filter upper %}b{% endfilter %}{{ [2, 1]|sort|join('-') }}{{ range(3)|join }}";
    assert_eq!(draw_with(&own(&[("login.html", fine)]), &login()), "GARDEN PLANNERTrueTrueTrueB1-2012");
}

#[test]
fn a_page_has_an_end() {
    let long = format!("{{% set x = 'a{}' %}}{{% for i in range(900) %}}{{{{ x }}}}{{% endfor %}}", "a".repeat(2000));
    assert!(draw_with(&own(&[("login.html", &long)]), &login()).contains("id=\"loginButton\""));
}

/// Pieces of which hostile templates are made; most of them grow what is in `x`.
fn piece() -> impl Strategy<Value = String> {
    let number = prop_oneof![Just("0"), Just("1"), Just("-1"), Just("7"), Just("999"), Just("40000000000")];
    let filter = prop_oneof![
        Just("upper"),
        Just("lower"),
        Just("title"),
        Just("trim"),
        Just("reverse"),
        Just("sort"),
        Just("length"),
        Just("join('aaaaaaaaaaaaaaaaaaaaaaaa')"),
        Just("replace('', 'aaaaaaaaaaaa')"),
        Just("replace('a', x)"),
        Just("urlencode"),
        Just("e"),
        Just("default(x)"),
        Just("first"),
        Just("last"),
        Just("join(x)"),
        Just("tojson(indent=9999999999)"),
        Just("indent(9999999999)"),
        Just("batch(2, x)"),
        Just("list"),
    ];
    let grown = (filter.clone(), number.clone())
        .prop_map(|(filter, number)| format!("{{% set x = (x ~ x ~ {number})|{filter} %}}"));
    prop_oneof![
        Just("{% set x = x ~ x %}".to_owned()),
        Just("{% set x = [1, 2] %}".to_owned()),
        Just("{% set x = range(999) %}".to_owned()),
        Just("{{ x }}".to_owned()),
        Just("{% for a in x %}{{ x }}{% endfor %}".to_owned()),
        Just(
            "{% for a in range(999) %}{% for b in range(999) %}{% set x = x ~ a %}{% endfor %}{% endfor %}".to_owned()
        ),
        Just("{% macro m(x) %}{{ x }}{{ m(x ~ x) }}{% endmacro %}{{ m(x) }}".to_owned()),
        Just("{% set x %}{{ x }}{{ x }}{% endset %}".to_owned()),
        Just("{% include 'login.html' %}".to_owned()),
        Just("{% include 'fields.html' %}".to_owned()),
        Just("{{ t('login.lead', client=x) }}".to_owned()),
        filter.prop_map(|filter| format!("{{{{ x|{filter} }}}}")),
        number.prop_map(|number| format!("{{% for a in range({number}) %}}{{{{ x }}}}{{% endfor %}}")),
        grown,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_hostile_template_ends_within_its_bounds(pieces in prop::collection::vec(piece(), 1..40)) {
        let source = format!("{{% set x = 'abc' %}}{}", pieces.concat());
        let templates = [("login.html", source.as_str())];
        let (pages, _): (Pages, _) = default_pages().with_templates(Owner::default(), templates).expect("pages");
        let (html, took) = timed(|| draw_with(&pages, &login()));
        prop_assert!(html.len() <= LONGEST, "{} bytes", html.len());
        // A tenth of a second as it is shipped; this is not optimized, and others compute at the same time.
        prop_assert!(took < Duration::from_secs(2), "{took:?}");
        let other = draw_with(&pages, &Page::SignedOut {});
        prop_assert!(other.contains("<title>"));
    }
}
