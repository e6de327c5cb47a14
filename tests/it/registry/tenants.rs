//! What is read of a tenant, and what is refused.

use std::time::Duration;

use uitsmijter::registry::tenant::HostPattern;

use super::{TENANT, argon2id, build, errors, warnings};

#[test]
fn what_is_wrong_with_a_tenant_is_said_and_the_tenant_is_not_served() {
    let hash = argon2id("x");
    let templates = |keys: &str| format!("hosts: [a.example]\n  templates: {{{keys}}}");
    for (config, expected) in [
        ("hosts: []".to_owned(), "hosts is missing"),
        ("hosts: [a b]".into(), "is not a host"),
        ("hosts: [https://a.example]".into(), "without scheme and path"),
        ("hosts: ['a*.example.com']".into(), "a * stands for one whole label"),
        ("hosts: [a.example]\n  issuer: a.example".into(), "issuer \"a.example\" must be a URL"),
        ("hosts: [a.example]\n  issuer: https://a.example/?x".into(), "must be a URL without query"),
        ("hosts: [a.example]\n  jwt_algorithm: none".into(), "jwt_algorithm: \"none\" is not an algorithm"),
        ("hosts: [a.example]\n  providers: 'syntax error'".into(), "providers: line 1: unexpected token"),
        (
            "hosts: [a.example]\n  users: [{username: u, password_hash: plain}]".into(),
            "password_hash of \"u\" must be an argon2id hash",
        ),
        (
            format!("hosts: [a.example]\n  users: [{{username: u, password_hash: '{}'}}]", &hash[..40]),
            "must be an argon2id hash",
        ),
        (
            format!(
                "hosts: [a.example]\n  users: [{{username: u, password_hash: '{}'}}]",
                hash.replace("argon2id", "argon2i")
            ),
            "must be an argon2id hash",
        ),
        (
            format!(
                "hosts: [a.example]\n  users: [{{username: u, password_hash: '{hash}'}}, {{username: u, password_hash: '{hash}'}}]"
            ),
            "declared twice",
        ),
        ("hosts: [a.example]\n  users: [{username: u}]".into(), "missing field `password_hash`"),
        (
            format!("hosts: [a.example]\n  users: [{{username: jürgen, password_hash: '{hash}'}}]"),
            "write a subject for it",
        ),
        ("hosts: [a.example]\n  signing: {grace: soon}".into(), "\"soon\" is not a span of time"),
        ("hosts: [a.example]\n  templates: {host: s3}".into(), "bucket is missing"),
        (templates("bucket: pages, host: 'https://s3.example/pages'"), "host must be the store's host"),
        (templates("bucket: pages, host: 'https://user:key@s3.example'"), "host must be the store's host"),
        (templates("bucket: pages, host: 'file:///etc'"), "host must be the store's host"),
        (templates("bucket: pages/look"), "a folder belongs to path"),
        (templates("bucket: pages, path: a/../b"), "names with single slashes"),
        (templates("bucket: pages, region: 'eu/1'"), "must be a name like eu-central-1"),
        (templates("bucket: pages, access_key_id: AKIA"), "secret_access_key is missing"),
        (templates("bucket: pages, secret_access_key: hidden"), "access_key_id is missing"),
    ] {
        let text = format!("name: broken\nconfig:\n  {config}\n");
        let (snapshot, problems) = build(&[("Tenants/a.yaml", TENANT), ("Tenants/b.yaml", &text)], None);
        let errors = errors(&problems).join("\n");
        assert!(errors.contains(expected), "{config}\n{errors}");
        assert!(!errors.contains(&hash[..40]), "{errors}");
        assert_eq!(snapshot.tenant_count(), 1, "{config}");
    }
    for name in ["a b", "ä", "'a:b'", "'{x}'", &"x".repeat(129)] {
        let (snapshot, problems) = build(&[("Tenants/a.yaml", &TENANT.replace("Uitsmijter", name))], None);
        assert!(errors(&problems)[0].contains("must be 1 to 128 letters"), "{problems:?}");
        assert_eq!(snapshot.tenant_count(), 0);
    }
}

#[test]
fn a_tenants_users_and_key_policy_are_read() {
    let text = format!(
        "name: t
config:
  hosts: [Login.Example.com., 'localhost:8080', '::1', 'bücher.example']
  issuer: https://login.example.com
  fetch_hosts: [users.example.com]
  interceptor: {{enabled: off}}
  signing: {{rotate_every: 30d, announce: 2h, grace: 3600}}
  templates: {{bucket: pages, host: 'http://MinIO:9000/', path: /look/, access_key_id: AKIA, secret_access_key: hidden}}
  colour: blue
  users:
    - username: 4711
      password_hash: {}
      profile: {{name: Ada, age: 36, tags: [a]}}
      scopes: [admin]
",
        argon2id("ada")
    );
    let (snapshot, problems) = build(&[("Tenants/t.yaml", &text)], None);
    assert_eq!(
        warnings(&problems),
        [
            "warning: Tenants/t.yaml:1: tenant t: config.colour is not known and has no effect",
            "warning: Tenants/t.yaml:1: tenant t: templates: host is plain http, so anyone on the network path can \
             change the login page; use https",
        ]
    );
    let tenant = snapshot.tenant("t").unwrap();
    let hosts: Vec<&str> = tenant.hosts.iter().map(|HostPattern(host)| host.as_str()).collect();
    assert_eq!(hosts, ["login.example.com", "localhost", "[::1]", "xn--bcher-kva.example"]);
    assert_eq!(tenant.ports, [8080]);
    assert!(snapshot.tenant_by_host("[::1]:8080").is_some());
    assert_eq!(tenant.issuer.as_ref().unwrap().as_str(), "https://login.example.com/");
    assert_eq!(tenant.signing.grace, Some(Duration::from_secs(3600)));
    assert_eq!(tenant.fetch_hosts.as_deref(), Some(["users.example.com".to_owned()].as_slice()));
    assert!(!tenant.interceptor.enabled);
    let user = tenant.users.first_key_value().unwrap().1;
    assert_eq!((user.username.as_str(), user.role.as_str()), ("4711", "default"));
    assert_eq!(user.profile["age"], 36);
    let templates = tenant.templates.as_ref().unwrap();
    assert_eq!(templates.to_string(), "http://minio:9000/pages/look");
    let shown = format!("{tenant:?}");
    assert!(!shown.contains("argon2id") && !shown.contains("hidden") && !shown.contains("AKIA"), "{shown}");
}

#[test]
fn a_broken_tenant_is_why_its_clients_are_not_served() {
    let tenant = "name: acme\nconfig:\n  hosts: [a b]\n";
    let client = |tenant: &str| format!("name: app\nconfig:\n  ident: x\n  tenantname: {tenant}\n");
    let (acme, none) = (client("acme"), client("none"));
    let (_, problems) =
        build(&[("Tenants/a.yaml", tenant), ("Clients/a.yaml", &acme), ("Clients/n.yaml", &none)], None);
    let told = |file: &str| errors(&problems).into_iter().filter(|error| error.contains(file)).collect::<String>();
    assert!(told("Clients/a.yaml").ends_with(", because that tenant is broken"), "{problems:?}");
    assert!(told("Clients/n.yaml").ends_with("of a tenant that is served"), "{problems:?}");
}
