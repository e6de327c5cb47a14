//! Which tenant a host leads to, and what becomes of two that claim the same.

use super::{CLIENT, TENANT, build, client, errors, tenant};

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
