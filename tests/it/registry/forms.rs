//! The forms in which documents are written, and what is none of them.

use std::fmt::Write as _;

use uitsmijter::protocol::jwk::Algorithm;
use uitsmijter::protocol::token::GrantType;
use uitsmijter::registry::{Snapshot, demo};

use super::{CLIENT, TENANT, argon2id, build, errors, script_is_fine};

#[test]
fn a_tenant_and_a_client_in_the_file_form_are_found() {
    let (snapshot, problems) = build(&[("Tenants/a.yaml", TENANT), ("Clients/a.yaml", CLIENT)], None);
    assert_eq!(problems, []);
    for host in ["localhost", "LOCALHOST:8080", "localhost.", "x.egg.example.com", "X.Egg.example.com:443"] {
        assert_eq!(&*snapshot.tenant_by_host(host).expect(host).name, "Uitsmijter");
    }
    for host in ["egg.example.com", "a.b.egg.example.com", "example.com", ""] {
        assert!(snapshot.tenant_by_host(host).is_none(), "{host}");
    }
    let client = snapshot.client("Uitsmijter", "9095a4f2-35b2-48b1-a325-309ca324b97e").unwrap();
    assert_eq!(client.grant_types, [GrantType::AuthorizationCode, GrantType::RefreshToken]);
    assert!(snapshot.client("other", "9095a4f2-35b2-48b1-a325-309ca324b97e").is_none());
}

#[test]
fn the_kubernetes_form_names_tenant_and_client_by_namespace() {
    let text = r#"---
apiVersion: "uitsmijter.io/v1"
kind: Tenant
metadata:
  name: cheese
  namespace: cheese
spec:
  hosts: ["*.example.com", example.com, login.example.net]
  interceptor: { enabled: true, domain: login.example.com, cookie: .example.com }
  informations:
    imprint_url: https://example.com/imprint
  jwt_algorithm: hs256
  silent_login: no
  allowed_client_namespaces: [crackers]
  providers:
    - |
      class UserLoginProvider {
        constructor(credentials) { commit(true); }
        get canLogin() { return true; }
      }
    - class UserValidationProvider {
      constructor(args) { commit(true); }
      get isValid() { return true; }
      }
---
apiVersion: "uitsmijter.io/v1"
kind: Client
metadata: { name: website, namespace: cheese }
spec:
  ident: e92b4a0b-d1d7-4d55-b2e3-dc570faca745
  tenantname: cheese/cheese
  redirect_urls:
    - 'https?://(.*\.)?example\.com(:8080)?/.*'
  grant_types: [password, authorization_code, refresh_token, device]
  scopes: [access, "user:*"]
  secret: luaTha1qu019ohc13qu3ze1yuo5MumEl0hQuoE9bon
---
# a client of a namespace that is listed
kind: Client
metadata: { name: guest, namespace: crackers }
spec: { ident: guest, tenantname: cheese/cheese, redirect_uri: https://guest.example.com/cb }
---
kind: Client
metadata: { name: thief, namespace: mice }
spec: { ident: thief, tenantname: cheese/cheese, redirect_uri: https://thief.example.com/cb }
"#;
    let (snapshot, problems) = build(&[("cheese.yaml", text)], None);
    assert_eq!(
        errors(&problems),
        ["error: cheese.yaml:42: client mice/thief: tenant \"cheese/cheese\" does not take clients of namespace \
          \"mice\"; list it in the tenant's allowed_client_namespaces"]
    );
    let tenant = snapshot.tenant_by_host("goat.example.com").unwrap();
    assert_eq!(&*tenant.name, "cheese/cheese");
    assert_eq!(tenant.algorithm, Some(Algorithm::HS256));
    assert!(!tenant.silent_login);
    assert_eq!(tenant.interceptor.cookie.as_deref(), Some("example.com"));
    assert_eq!(tenant.informations.imprint_url.as_deref(), Some("https://example.com/imprint"));
    let script = tenant.script.as_deref().unwrap();
    assert!(
        script.contains("UserLoginProvider {\n") && script.contains("\nclass UserValidationProvider {"),
        "{script}"
    );
    let client = snapshot.client("cheese/cheese", "E92B4A0B-D1D7-4D55-B2E3-DC570FACA745").unwrap();
    assert_eq!(client.name, "cheese/website");
    assert!(client.may_use(GrantType::Password) && client.may_use(GrantType::DeviceCode));
    assert!(client.secret.as_ref().unwrap().verify("luaTha1qu019ohc13qu3ze1yuo5MumEl0hQuoE9bon"));
    assert!(!client.secret.as_ref().unwrap().verify("luaTha1qu019ohc13qu3ze1yuo5MumEl0hQuoE9boN"));
    assert!(client.scopes.iter().any(|scope| scope.matches("user:list")));
    assert!(snapshot.client("cheese/cheese", "guest").unwrap().needs_pkce());
    assert_eq!(snapshot.clients_of("cheese/cheese").len(), 2);
}

#[test]
fn merge_keys_foreign_documents_and_json_are_read() {
    let text = "x-base: &base\n  silent_login: false\nname: m\nconfig:\n  <<: *base\n  hosts: [m.example]\n  providers: class UserLoginProvider {}\n";
    let (snapshot, problems) = build(&[("Tenants/m.yaml", text)], None);
    assert_eq!(problems, []);
    assert!(!snapshot.tenant("m").unwrap().silent_login);
    let foreign = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    let (snapshot, problems) = build(&[("Tenants/m.yaml", &format!("{foreign}---\n{TENANT}"))], None);
    assert!(problems[0].to_string().contains("none of ours"), "{problems:?}");
    assert_eq!(snapshot.tenant_count(), 1);
    let json = r#"{"apiVersion":"uitsmijter.io/v1","kind":"Tenant","metadata":{"name":"j","namespace":"n"},"spec":{"hosts":["j.example"],"providers":["class UserLoginProvider {\n\t/* \u00e4 \\\" */}"]}}"#;
    let (snapshot, problems) = build(&[("resource", json)], None);
    assert_eq!(problems, []);
    assert_eq!(snapshot.tenant("n/j").unwrap().script.as_deref(), Some("class UserLoginProvider {\n\t/* ä \\\" */}"));
}

#[test]
fn hostile_documents_cost_a_problem_and_nothing_else() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        writeln!(laughs, "a{level}: &a{level} [{}]", vec![before; 10].join(", ")).unwrap();
    }
    let deep = format!("name: x\nconfig: {}{}", "[".repeat(20_000), "]".repeat(20_000));
    let itself = "name: x\nconfig: &a\n  hosts: *a\n";
    let merged = "name: x\nconfig: &a\n  <<: *a\n";
    let twice = "name: x\nname: y\nconfig: {hosts: [a.example]}\n";
    let broken_name = "name: \"a\\nerror: forged\"\nconfig: {hosts: [a.example]}\n";
    for text in [&laughs, deep.as_str(), itself, merged, twice, broken_name] {
        let (snapshot, problems) = build(&[("Tenants/a.yaml", TENANT), ("Tenants/b.yaml", text)], None);
        assert!(!errors(&problems).is_empty(), "{text}");
        assert!(problems.iter().all(|problem| problem.to_string().lines().count() == 1), "{problems:?}");
        assert_eq!(snapshot.tenant_count(), 1);
    }
}

#[test]
fn the_demo_is_good_for_any_port() {
    let documents = demo::documents(&argon2id("demo"), "http://localhost:9000");
    let (snapshot, problems) = Snapshot::build(&documents, None, &script_is_fine);
    assert_eq!(problems, []);
    for host in ["localhost:9000", "127.0.0.1:9000", "[::1]:9000"] {
        assert_eq!(&*snapshot.tenant_by_host(host).expect(host).name, "demo");
    }
    let client = snapshot.client("demo", "demo").unwrap();
    for uri in ["http://localhost:9000/", "http://127.0.0.1:9000/", "http://127.0.0.1:1/", "http://[::1]:9000/"] {
        assert!(client.redirect_uris.iter().any(|registered| registered.matches(uri)), "{uri}");
    }
    assert!(client.secret.is_none());
    assert!(client.post_logout_redirect_uris.contains(&"http://localhost:9000/".to_owned()));
    assert!(client.scopes.iter().any(|scope| scope.matches("offline_access")));
    assert_eq!(snapshot.tenant("demo").unwrap().users["demo"].profile["email"], "demo@example.com");
}
