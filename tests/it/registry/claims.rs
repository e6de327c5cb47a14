//! Which tenant a host leads to, and what becomes of two that claim the same.

use proptest::prelude::*;
use uitsmijter::registry::document::{Document, Kind};
use uitsmijter::registry::secrets::Secrets;
use uitsmijter::registry::{Severity, Snapshot};

use super::{CLIENT, TENANT, build, client, documents, errors, script_is_fine, tenant};

#[test]
fn exact_hosts_come_before_wildcards_and_longer_ones_before_shorter_ones() {
    let files = [
        ("Tenants/a.yaml", tenant("any", "['*.*.example.com']")),
        ("Tenants/b.yaml", tenant("egg", "['*.egg.example.com']")),
        ("Tenants/c.yaml", tenant("yolk", "[yolk.egg.example.com]")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let (snapshot, problems) = build(&files, None);
    assert_eq!(problems, []);
    for (host, expected) in
        [("a.b.example.com", "any"), ("white.egg.example.com", "egg"), ("yolk.egg.example.com", "yolk")]
    {
        assert_eq!(&*snapshot.tenant_by_host(host).unwrap().name, expected, "{host}");
    }
    assert!(snapshot.tenant_by_host("127.0.0.1").is_none());
}

#[test]
fn of_two_that_claim_the_same_the_first_is_served() {
    for (first, second, expected) in [
        ("[a.example]", "[A.Example.]", "host \"a.example\" already leads to tenant \"one\""),
        ("['*.example.com']", "[b.example, '*.example.com']", "host \"*.example.com\" already leads"),
        ("['*.b.example.com']", "['a.*.example.com']", "already leads to tenant \"one\" (as \"*.b.example.com\")"),
    ] {
        let (one, two) = (tenant("one", first), tenant("two", second));
        let (snapshot, problems) = build(&[("Tenants/1.yaml", &one), ("Tenants/2.yaml", &two)], None);
        assert_eq!(errors(&problems).len(), 1);
        assert!(errors(&problems)[0].contains(expected), "{problems:?}");
        assert!(snapshot.tenant("one").is_some() && snapshot.tenant("two").is_none());
        assert!(snapshot.tenant_by_host("b.example").is_none());
    }
    let (one, two) = (tenant("one", "[a.example]"), tenant("one", "[b.example]"));
    let (snapshot, problems) = build(&[("Tenants/1.yaml", &one), ("Tenants/2.yaml", &two)], None);
    assert!(errors(&problems)[0].contains("another tenant is called \"one\" already"), "{problems:?}");
    assert!(snapshot.tenant_by_host("b.example").is_none());

    let uuid = CLIENT.replace("9095A4F2-35B2-48B1-A325-309CA324B97E", "9095a4f2-35b2-48b1-a325-309ca324b97e");
    let upper = client("  redirect_uri: https://a.example/").replace("ident: app", "ident: APP");
    let lower = client("  redirect_uri: https://a.example/");
    let (snapshot, problems) = build(
        &[
            ("Tenants/a.yaml", TENANT),
            ("Clients/1.yaml", CLIENT),
            ("Clients/2.yaml", &uuid),
            ("Clients/3.yaml", &upper),
            ("Clients/4.yaml", &lower),
        ],
        None,
    );
    assert_eq!(errors(&problems).len(), 1, "{problems:?}");
    assert!(errors(&problems)[0].contains("already belongs to client \"website\""), "{problems:?}");
    assert_eq!(snapshot.client_count(), 3);
}

/// Two tenants of different hands, the first of them created first: as files, and as resources of two namespaces.
fn in_order(one: &str, two: &str) -> [Vec<Document>; 2] {
    let written = |name: &str, config: &str| format!("name: {name}\nconfig:\n{USERS}{config}\n");
    let files = [("Tenants/1.yaml", written("one", one)), ("Tenants/2.yaml", written("two", two))];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    [documents(&files), vec![resource("one", "one", one), resource("two", "two", two)]]
}

const USERS: &str = "  providers: class UserLoginProvider {}\n";

/// A tenant as a resource of a cluster.
fn resource(namespace: &str, name: &str, config: &str) -> Document {
    let text = format!("kind: Tenant\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n{USERS}{config}\n");
    let source = format!("kubernetes:{namespace}/Tenant/{name}");
    Document::new(&source, 0, Some(Kind::Tenant), Ok(text.into()), Secrets::default())
}

/// How everything that leads to the first document leads where it does without the second.
fn assert_first_is_untouched(documents: &[Document], case: &str) {
    let (alone, _) = Snapshot::build(&documents[..1], None, &script_is_fine);
    let (both, _) = Snapshot::build(documents, None, &script_is_fine);
    let hosts =
        ["app.victim.test", "login.victim.test", "x.victim.test", "victim.test", "evil.test", "evil.victim.test"];
    for host in hosts.iter().chain(&["xn--bcher-kva.test", "[::1]", "127.0.0.1", "a.b.test"]) {
        let Some(own) = alone.tenant_by_host(host) else { continue };
        let now = both.tenant_by_host(host).map(|tenant| tenant.name.clone());
        assert_eq!(now.as_ref(), Some(&own.name), "{host} of {case}");
    }
}

const LOGIN: &str = "  hosts: [app.victim.test]\n  interceptor: {domain: login.victim.test}";
const CATCH_ALL: &str = "  hosts: ['*.victim.test']\n  interceptor: {domain: login.victim.test, cookie: victim.test}";

#[test]
fn every_name_in_a_document_is_claimed_and_the_first_has_it() {
    let rivals = [
        (LOGIN, "  hosts: [evil.test, login.victim.test]"),
        (LOGIN, "  hosts: [evil.test, LOGIN.Victim.Test.]"),
        (LOGIN, "  hosts: [evil.test]\n  interceptor: {domain: login.victim.test}"),
        (LOGIN, "  hosts: [evil.test]\n  interceptor: {domain: 'Login.victim.test.:8443'}"),
        (LOGIN, "  hosts: [evil.test]\n  interceptor: {domain: app.victim.test}"),
        (
            LOGIN,
            "  hosts: [evil.test, evil.victim.test]\n  interceptor: {domain: evil.victim.test, cookie: victim.test}",
        ),
        (LOGIN, "  hosts: [evil.test]\n  interceptor: {domain: evil.victim.test, cookie: .victim.test}"),
        (LOGIN, "  hosts: [evil.test]\n  interceptor: {domain: evil.victim.test, cookie: '*.VICTIM.test.'}"),
        (LOGIN, "  hosts: ['*.*.test']\n  interceptor: {cookie: victim.test}"),
        (LOGIN, "  hosts: ['*.login.victim.test']\n  interceptor: {domain: a.login.victim.test}"),
        (CATCH_ALL, "  hosts: [login.victim.test]"),
        (CATCH_ALL, "  hosts: [x.victim.test]"),
        (CATCH_ALL, "  hosts: [victim.test]"),
        (CATCH_ALL, "  hosts: ['*.victim.test']"),
        (CATCH_ALL, "  hosts: ['x.*.test']"),
        (CATCH_ALL, "  hosts: [evil.test]\n  interceptor: {domain: x.victim.test}"),
        ("  hosts: ['*.victim.test']", "  hosts: ['x.*.test']"),
        ("  hosts: ['*.victim.test']\n  issuer: https://x.victim.test", "  hosts: [x.victim.test]"),
        ("  hosts: [bücher.test]", "  hosts: [evil.test]\n  interceptor: {domain: 'XN--bcher-kva.test:1'}"),
        ("  hosts: ['[::1]']", "  hosts: [evil.test]\n  interceptor: {domain: '[0:0:0:0:0:0:0:1]:8080'}"),
        ("  hosts: [127.0.0.1]", "  hosts: [evil.test]\n  interceptor: {domain: '0x7f.1'}"),
    ];
    for (victim, evil) in rivals {
        for (one, two) in [(victim, evil), (evil, victim)] {
            for documents in in_order(one, two) {
                let case = format!("{} {one}\n{two}", documents[0].source);
                assert_first_is_untouched(&documents, &case);
                let (snapshot, problems) = Snapshot::build(&documents, None, &script_is_fine);
                assert_eq!((errors(&problems).len(), snapshot.tenant_count()), (1, 1), "{case}: {problems:?}");
                assert!(errors(&problems)[0].contains("two"), "{case}: {problems:?}");
                let message = &problems.iter().find(|problem| problem.severity == Severity::Error).unwrap().message;
                assert!(message.contains("one\""), "the other is named: {message}");
            }
        }
    }
}

#[test]
fn a_wider_wildcard_takes_nothing_of_what_others_have_written_out() {
    for (victim, wider) in [
        (LOGIN, "  hosts: ['*.victim.test']"),
        (LOGIN, "  hosts: ['*.*.test']"),
        ("  hosts: ['*.victim.test']", "  hosts: ['*.*.test']"),
    ] {
        for documents in in_order(victim, wider) {
            assert_first_is_untouched(&documents, &format!("{} {victim}\n{wider}", documents[0].source));
            let (snapshot, problems) = Snapshot::build(&documents, None, &script_is_fine);
            assert_eq!((errors(&problems), snapshot.tenant_count()), (vec![], 2));
        }
        // The other way round the more exact one takes hosts: what operators may in their files, and nobody in another
        // namespace.
        let [files, resources] = in_order(wider, victim);
        let (snapshot, problems) = Snapshot::build(&files, None, &script_is_fine);
        assert_eq!((errors(&problems), snapshot.tenant_count()), (vec![], 2));
        let (snapshot, problems) = Snapshot::build(&resources, None, &script_is_fine);
        assert_eq!(snapshot.tenant_count(), 1);
        assert!(errors(&problems)[0].contains("is of another namespace"), "{problems:?}");
        assert_first_is_untouched(&resources, wider);
    }
}

#[test]
fn an_issuer_lies_on_a_host_of_its_own_tenant() {
    for (config, is_own) in [
        ("  hosts: [a.test]\n  issuer: https://a.test/realms/a", true),
        ("  hosts: ['*.a.test']\n  issuer: https://id.a.test:8443", true),
        ("  hosts: [a.test]\n  interceptor: {domain: login.a.test}\n  issuer: https://login.a.test", true),
        (
            "  hosts: [a.test]\n  interceptor: {domain: login.a.test, enabled: false}\n  issuer: https://login.a.test",
            false,
        ),
        ("  hosts: [a.test]\n  issuer: https://login.victim.test", false),
        ("  hosts: ['*.a.test']\n  issuer: https://a.test", false),
    ] {
        let documents = vec![resource("ns", "one", config)];
        let (snapshot, problems) = Snapshot::build(&documents, None, &script_is_fine);
        assert_eq!(snapshot.tenant_count(), usize::from(is_own), "{config} {problems:?}");
        assert_eq!(errors(&problems).iter().any(|error| error.contains("is on none of this tenant's hosts")), !is_own);
    }
}

#[test]
fn tenants_in_one_hand_share_a_login_page_and_a_cookie_domain() {
    let page = "interceptor: {domain: login.x.test, cookie: x.test";
    let (one, two) = (format!("  hosts: [a.x.test]\n  {page}}}"), format!("  hosts: [b.x.test]\n  {page}}}"));
    let served = |documents: &[Document]| {
        let (snapshot, problems) = Snapshot::build(documents, None, &script_is_fine);
        (snapshot.tenant_count(), errors(&problems).join("\n"))
    };
    let (count, error) = served(&in_order(&one, &two)[1]);
    assert_eq!(count, 1);
    assert!(error.contains("interceptor: { shared: true }"), "the line to add: {error}");
    assert_eq!(served(&in_order(&one, &two)[0]).0, 1, "two files are two hands");
    assert_eq!(served(&[resource("ns", "one", &one), resource("ns", "two", &two)]), (2, String::new()));
    let file = format!("name: one\nconfig:\n{one}\n---\nname: two\nconfig:\n{two}\n");
    assert_eq!(served(&documents(&[("Tenants/both.yaml", &file)])), (2, String::new()));
    let shared = |config: &str| config.replace("x.test}", "x.test, shared: true}");
    assert_eq!(served(&in_order(&shared(&one), &shared(&two))[1]), (2, String::new()));
    assert_eq!(served(&in_order(&shared(&one), &two)[1]).0, 1, "both have to say so");
    // What tokens name is never shared: one could make the other's.
    let issuer = |config: &str| format!("{config}\n  issuer: https://login.x.test");
    assert_eq!(served(&[resource("ns", "one", &issuer(&one)), resource("ns", "two", &issuer(&two))]).0, 1);
    assert_eq!(served(&[resource("ns", "one", &issuer(&one)), resource("ns", "two", &two)]), (2, String::new()));
}

#[test]
fn a_cookie_domain_above_everybody_is_none_and_one_without_effect_keeps_nobody_away() {
    let (_, problems) = build(&[("Tenants/1.yaml", &tenant("one", "[a.test]\n  interceptor: {cookie: test}"))], None);
    assert!(errors(&problems)[0].contains("is above the domains of everybody"), "{problems:?}");
    let squatter = "  hosts: [evil.test]\n  interceptor: {domain: evil.test, cookie: victim.test}";
    let (snapshot, problems) = Snapshot::build(&in_order(squatter, LOGIN)[1], None, &script_is_fine);
    assert_eq!((errors(&problems), snapshot.tenant_count()), (vec![], 2));
    assert!(problems.iter().any(|problem| problem.message.contains("has no effect")), "{problems:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn no_document_of_a_neighbour_changes_what_another_tenant_serves(
        hostile in proptest::collection::vec(hostile_document(), 1..6),
        victim in prop_oneof![Just(LOGIN), Just(CATCH_ALL), Just("  hosts: ['*.victim.test', a.b.test]")],
    ) {
        let mut documents = vec![resource("victim", "v", victim)];
        let (alone, _) = Snapshot::build(&documents, None, &script_is_fine);
        for (number, text) in hostile.iter().enumerate() {
            let source = format!("kubernetes:evil/Tenant/e{number}");
            let text = format!("kind: Tenant\nmetadata: {{name: e{number}, namespace: evil}}\nspec:\n{USERS}{text}\n");
            documents.push(Document::new(&source, 0, Some(Kind::Tenant), Ok(text.into()), Secrets::default()));
        }
        let (snapshot, problems) = Snapshot::build(&documents, Some(&alone), &script_is_fine);
        prop_assert!(!problems.iter().any(|problem| problem.entity == "tenant victim/v"));
        for (first, second) in LABELS.iter().flat_map(|first| LABELS.iter().map(move |second| (first, second))) {
            for host in [format!("{first}.{second}.test"), format!("{first}.test"), format!("{first}.{second}")] {
                if alone.tenant_by_host(&host).is_none() {
                    continue;
                }
                let leads_to = snapshot.tenant_by_host(&host).map(|tenant| tenant.name.to_string());
                prop_assert_eq!(leads_to.as_deref(), Some("victim/v"), "{}", host);
                for tenant in snapshot.tenants().filter(|tenant| &*tenant.name != "victim/v") {
                    let cookie = tenant.interceptor.cookie.as_deref().filter(|domain| tenant.has_host_below(domain));
                    let spans = cookie.is_some_and(|domain| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')));
                    prop_assert!(!spans, "{:?} spans {}", cookie, host);
                    let issuer = tenant.issuer.as_ref().and_then(|issuer| issuer.host_str());
                    prop_assert_ne!(issuer, Some(&*host));
                }
            }
        }
    }
}

const LABELS: [&str; 6] = ["victim", "login", "app", "x", "a", "b"];

/// What somebody writes who wants the names of others.
fn hostile_document() -> impl Strategy<Value = String> {
    let label = || proptest::sample::select(vec!["victim", "login", "app", "x", "a", "b", "*", "test", "VICTIM"]);
    let name = || {
        let ending = proptest::sample::select(vec!["test", "victim.test", "*", "test."]);
        (proptest::collection::vec(label(), 0..3), ending).prop_map(|(mut labels, ending)| {
            labels.push(ending);
            labels.join(".")
        })
    };
    (proptest::collection::vec(name(), 0..4), name(), name(), name(), 0..8u8).prop_map(
        |(hosts, page, cookie, issuer, which)| {
            let mut text = format!("  hosts: {hosts:?}\n");
            let mut interceptor = Vec::new();
            if which & 1 > 0 {
                interceptor.push(format!("domain: '{page}'"));
            }
            if which & 2 > 0 {
                interceptor.push(format!("cookie: '{cookie}'"));
            }
            text += &format!("  interceptor: {{{}}}\n", interceptor.join(", "));
            if which & 4 > 0 {
                text += &format!("  issuer: 'https://{issuer}'\n");
            }
            text
        },
    )
}
