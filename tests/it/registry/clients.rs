//! What is read of a client, and what is refused.

use std::time::Duration;

use uitsmijter::protocol::token::GrantType;
use uitsmijter::registry::client::{AuthMethod, ClientSecret};

use super::{TENANT, argon2id, build, errors, warnings, with_client};

#[test]
fn every_spelling_of_a_client_is_read() {
    for config in [
        "  redirect_uri: https://a.example/cb",
        "  redirect_uris: [https://a.example/cb]",
        "  redirectUrls:\n    - https://a.example/cb",
        "  redirect_urls: https://a.example/cb\n  is_pkce_only: no",
    ] {
        let (snapshot, problems) = with_client(config);
        assert_eq!(problems, [], "{config}");
        assert!(snapshot.client("Uitsmijter", "app").unwrap().redirect_uris[0].matches("https://a.example/cb"));
    }
    for (ident, expected) in [("0123", "0123"), ("1e5", "1e5"), ("42", "42"), ("0x1F", "0x1F"), ("'true'", "true")] {
        let text =
            format!("name: n\nconfig: {{client_id: {ident}, tenant: Uitsmijter, redirect_uri: 'https://a.example/'}}");
        let (snapshot, problems) = build(&[("Tenants/a.yaml", TENANT), ("Clients/n.yaml", &text)], None);
        assert_eq!(problems, [], "{ident}");
        assert!(snapshot.client("Uitsmijter", expected).is_some(), "{ident}");
    }
    for (flag, expected) in
        [("true", true), ("Yes", true), ("on", true), ("\"true\"", true), ("no", false), ("OFF", false)]
    {
        let (snapshot, _) =
            with_client(&format!("  redirect_uri: https://a.example/\n  secret: s\n  isPkceOnly: {flag}"));
        assert_eq!(snapshot.client("Uitsmijter", "app").unwrap().pkce_only, expected, "{flag}");
    }
}

#[test]
fn a_full_client_is_read_to_the_last_key() {
    let (snapshot, problems) = with_client(
        "  redirect_urls: ['https://a.example/cb', 'https://b.example:8443/cb', 'com.example.app:/cb']
  post_logout_redirect_urls: https://a.example/bye
  grant_types: authorization_code refresh_token
  scopes: openid profile
  allowedProviderScopes: ['can:*']
  referrers: [https://a.example/]
  allow_plain_pkce: true
  secret: s3cret-that-is-longer-than-thirty-two
  token_endpoint_auth_method: client_secret_post
  access_token_hours: 0.5
  refresh_token_hours: 24
  consent: required
  jwks_uri: https://a.example/jwks
  backchannel_logout_session_required: true
  device_grant_config: {expires_in: 600, interval: 10s, verification_uri: https://a.example/device}
",
    );
    assert_eq!(problems, []);
    let client = snapshot.client("Uitsmijter", "app").unwrap();
    assert_eq!(client.auth_method, AuthMethod::ClientSecretPost);
    assert_eq!(client.access_token_lifetime, Some(Duration::from_secs(1800)));
    assert_eq!(client.refresh_token_lifetime, Some(Duration::from_secs(86_400)));
    assert_eq!(client.allowed_origins, ["https://a.example", "https://b.example:8443"]);
    assert_eq!(client.post_logout_redirect_uris, ["https://a.example/bye"]);
    assert_eq!(client.scopes.len(), 2);
    assert!(client.provider_scopes[0].matches("can:read"));
    assert!(client.consent_required && client.allow_plain_pkce && client.backchannel_logout_session_required);
    assert!(client.jwks.is_none() && client.jwks_uri.is_some());
    assert_eq!(client.device_grant.expires_in, Duration::from_secs(600));
    assert_eq!(client.device_grant.interval, Duration::from_secs(10));
    assert!(!format!("{client:?}").contains("s3cret"));
}

#[test]
fn what_is_wrong_with_a_client_is_said_and_the_client_is_not_served() {
    let uri = "  redirect_uri: https://a.example/cb\n";
    for (config, expected) in [
        (
            "  grant_types: [authorisation_code]",
            "\"authorisation_code\" is not a grant type; did you mean \"authorization_code\"?",
        ),
        ("  grant_types: [implicit]", "\"implicit\" is not a grant type"),
        ("  redirect_urls: ['javascript:alert(1)']", "must not use the scheme javascript"),
        ("  redirect_urls: ['https://a.example/#x']", "must not have a fragment"),
        ("  redirect_urls: ['https://(a']", "not a regular expression"),
        ("  secret: a\n  secret_hash: b", "secret and secret_hash are both given"),
        ("  secret_hash: abc", "secret_hash must be an argon2id hash"),
        ("  secret_hash: sha256:12", "64 hexadecimal digits"),
        ("  secretRef: {name: x, key: y}", "which only a resource can have"),
        ("  profile: fapi2", "profile is not supported yet"),
        ("  require_pushed_authorization_requests: yes", "require_pushed_authorization_requests is not supported yet"),
        ("  dpop_bound_access_tokens: true", "dpop_bound_access_tokens is not supported yet"),
        ("  token_endpoint_auth_method: private_key_jwt", "private_key_jwt needs keys"),
        (
            "  token_endpoint_auth_method: private_key_jwt\n  secret: x\n  jwks_uri: https://a.example/",
            "there is a secret",
        ),
        ("  token_endpoint_auth_method: tls_client_auth", "tls_client_auth is not supported yet"),
        ("  jwks: {keys: []}", "jwks has no usable key"),
        ("  jwks: {keys: [{kty: oct, k: abc}]}", "jwks contains a private or shared key"),
        ("  jwks: []", "it has no list called keys"),
        ("  backchannel_logout_uri: https://a.example/#x", "has no fragment"),
        ("  id_token_signed_response_alg: HS256", "must be RS256"),
        ("  jwks_uri: file:///etc/passwd", "must be a URL that begins with https://"),
        ("  token_endpoint_auth_method: client_secret_basic", "needs a secret"),
        ("  token_endpoint_auth_method: none\n  secret: x", "none, but there is a secret"),
        ("  token_endpoint_auth_method: client_secret_bsic", "did you mean \"client_secret_basic\"?"),
        ("  isPkceOnly: perhaps", "config.isPkceOnly: expected true or false, found \"perhaps\""),
        ("  access_token_hours: -1", "\"-1\" must be a number above 0"),
        ("  consent: maybe", "must be implicit or required"),
        ("  allowed_origins: ['*']", "must be like https://app.example.com"),
        ("  post_logout_redirect_urls: [/bye]", "must be a complete URL"),
        ("  scopes: {a: b}", "config.scopes: invalid type: map, expected a list"),
    ] {
        let (snapshot, problems) = with_client(config);
        let errors = errors(&problems).join("\n");
        assert!(errors.contains(expected), "{config}\n{errors}");
        // The line of the document, or where in it the reader stumbled.
        let place = errors.strip_prefix("error: Clients/app.yaml:").and_then(|rest| rest.split_once(": client app: "));
        let (place, _) = place.expect(&errors);
        let stumbled = place.split_once(':').is_some_and(|(line, _)| line.parse::<usize>().is_ok_and(|line| line >= 5));
        assert!(place == "1" || stumbled, "{errors}");
        assert_eq!(place == "5:15", config.ends_with("perhaps"), "{errors}");
        assert_eq!(snapshot.client_count(), 0, "{config}");
    }
    for (text, expected) in [
        (format!("name: x\nconfig:\n  tenantname: Uitsmijter\n{uri}"), "ident must be 1 to 256"),
        (format!("name: x\nconfig:\n  ident: ä\n  tenantname: Uitsmijter\n{uri}"), "ident must be 1 to 256"),
        (format!("name: x\nconfig:\n  ident: x\n{uri}"), "tenantname is missing"),
        (format!("name: x\nconfig:\n  ident: x\n  tenantname: Uitsmiter\n{uri}"), "did you mean \"Uitsmijter\"?"),
        (format!("config:\n  ident: x\n{uri}"), "name is missing"),
        ("name: x\nident: x\n".into(), "config is missing"),
        ("- a\n- b\n".into(), "it is not a list of keys and values"),
        ("kind: Klient\nname: x\nconfig: {}\n".into(), "kind \"klient\" is not known"),
        (
            "apiVersion: uitsmijter.io/v2\nkind: Client\nmetadata: {name: x}\nspec: {}\n".into(),
            "write uitsmijter.io/v1",
        ),
        ("a: [b\n".into(), "error: Clients/x.yaml:2:1: "),
        ("\tx: y\n".into(), "Clients/x.yaml"),
    ] {
        let (snapshot, problems) = build(&[("Tenants/a.yaml", TENANT), ("Clients/x.yaml", &text)], None);
        let errors = errors(&problems).join("\n");
        assert!(errors.contains(expected), "{text}\n{errors}");
        assert_eq!(snapshot.client_count(), 0, "{text}");
    }
}

#[test]
fn what_is_doubtful_is_served_with_a_warning() {
    for (config, expected) in [
        ("  redirect_urls: ['https://app.example.com/.*']", "put a backslash before each dot"),
        (
            "  redirect_uri: https://a.example/\n  redirect_urlss: x",
            "config.redirect_urlss is not known and has no effect; did you mean \"redirect_urls\"?",
        ),
        (
            "  redirect_uri: https://a.example/\n  device_grant_config: {intervall: 5}",
            "config.device_grant_config.intervall is not known and has no effect; did you mean \"interval\"?",
        ),
        (
            "  redirect_uri: https://a.example/\n  grant_types: [client_credentials, refresh_token]",
            "client_credentials is left out",
        ),
        ("  scopes: [a]", "redirect_urls is empty"),
        (
            "  redirect_uri: https://a.example/\n  backchannel_logout_uri: http://a.example/bye",
            "backchannel_logout_uri is plain http",
        ),
        ("  redirect_uri: http://app.example.com/cb", "\"http://app.example.com/cb\" is plain http"),
        ("  redirect_uri: 'https?://app\\.example\\.com/.*'", "is plain http, so anyone on the network path"),
        ("  redirect_uri: https://a.example/\n  secret: tooshort", "fewer than 32 characters"),
    ] {
        let (snapshot, problems) = with_client(config);
        assert_eq!(errors(&problems), [""; 0], "{config}");
        assert!(warnings(&problems).join("\n").contains(expected), "{config}\n{problems:?}");
        let client = snapshot.client("Uitsmijter", "app").unwrap();
        assert!(!client.may_use(GrantType::ClientCredentials));
    }
}

#[test]
fn secrets_are_compared_in_every_form() {
    let digest = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    for (hash, slow) in
        [(digest.to_owned(), false), (digest.to_uppercase().replace("SHA", "sha"), false), (argon2id("secret"), true)]
    {
        let secret = ClientSecret::parse_hash(&hash).unwrap();
        assert_eq!(secret.is_slow(), slow);
        assert!(secret.verify("secret"), "{hash}");
        assert!(!secret.verify("Secret") && !secret.verify(""), "{hash}");
        assert_eq!(format!("{secret:?}"), "ClientSecret(..)");
    }
}

#[test]
fn a_misspelt_key_that_was_meant_to_protect_something_is_an_error() {
    let uri = "  redirect_uri: https://a.example/";
    for key in [
        "clientSecret: a-secret-that-is-longer-than-thirty-two",
        "secert: x",
        "Secret: x",
        "secret-hash: x",
        "secretref: {name: x}",
        "requirePkce: true",
        "pkce: S256",
        "isPkceonly: true",
        "consentRequired: true",
        "concent: required",
        "enable: false",
        "disabled: true",
        "mfa: required",
        "requireMFA: true",
    ] {
        let (snapshot, problems) = with_client(&format!("{uri}\n  {key}"));
        let name = key.split(':').next().unwrap();
        let expected = format!("config.{name} is not known, and looks like a key that protects something");
        assert!(errors(&problems).join("\n").contains(&expected), "{key} {problems:?}");
        assert_eq!(snapshot.client_count(), 0, "{key}");
    }
    // The last good version stays.
    let good = format!("name: app\nconfig:\n  ident: app\n  tenantname: Uitsmijter\n{uri}\n");
    let (first, _) = build(&[("Tenants/a.yaml", TENANT), ("Clients/app.yaml", &good)], None);
    let files = [("Tenants/a.yaml", TENANT), ("Clients/app.yaml", &*format!("{good}  clientSecret: x\n"))];
    let (snapshot, problems) = build(&files, Some(&first));
    assert!(snapshot.client("Uitsmijter", "app").is_some(), "{problems:?}");
    for text in [
        format!("{TENANT}  interceptor: {{enable: false}}\n"),
        format!("{TENANT}  mfaRequired: true\n"),
        format!("{TENANT}enabled: false\n"),
        format!("{TENANT}  templates: {{bucket: pages, secretAccesKey: x}}\n"),
    ] {
        let (snapshot, problems) = build(&[("Tenants/a.yaml", &text)], None);
        assert_eq!((errors(&problems).len(), snapshot.tenant_count()), (1, 0), "{text} {problems:?}");
    }
}

#[test]
fn a_disabled_client_is_declared_and_not_found() {
    let client = |flag: &str| format!("  redirect_uri: https://a.example/\n{flag}");
    let (snapshot, problems) = with_client(&client("  enabled: no"));
    assert_eq!(problems, []);
    assert!(snapshot.client("Uitsmijter", "app").is_none() && snapshot.clients_of("Uitsmijter").is_empty());
    assert_eq!(snapshot.disabled_clients_of("Uitsmijter").len(), 1);
    let thief = "name: thief\nconfig: {ident: app, tenantname: Uitsmijter, redirect_uri: 'https://b.example/'}\n";
    let app = format!("name: app\nconfig:\n  ident: app\n  tenantname: Uitsmijter\n{}\n", client("  enabled: false"));
    let files = [("Tenants/a.yaml", TENANT), ("Clients/app.yaml", &*app), ("Clients/thief.yaml", thief)];
    let (snapshot, problems) = build(&files, None);
    assert!(errors(&problems)[0].contains("already belongs to client \"app\""), "its client_id stays its own");
    // Switched on and off again, and nothing else is read.
    let on = app.replace("enabled: false", "enabled: true");
    let (snapshot, _) = build(&[files[0], ("Clients/app.yaml", &on), files[2]], Some(&snapshot));
    assert!(snapshot.client("Uitsmijter", "app").is_some());
    let (snapshot, _) = build(&files, Some(&snapshot));
    assert!(snapshot.client("Uitsmijter", "app").is_none() && snapshot.disabled_clients_of("Uitsmijter").len() == 1);
}

#[test]
fn patterns_are_few_short_and_small() {
    let urls = |count: usize, pattern: &str| {
        let written: Vec<String> = (0..count).map(|n| format!("'{}'", pattern.replace('N', &n.to_string()))).collect();
        with_client(&format!("  redirect_urls: [{}]", written.join(", ")))
    };
    let (snapshot, problems) = urls(100, r"https://aN\.test/[\w-]{36}");
    assert_eq!(problems, []);
    let client = snapshot.client("Uitsmijter", "app").unwrap();
    assert!(client.redirect_uris[7].matches("https://a7.test/9095a4f2-35b2-48b1-a325-309ca324b97e"));
    let (snapshot, problems) = urls(400, r"https://aN\.test/\w{30}");
    assert!(errors(&problems)[0].contains("redirect_urls has more than 100 patterns"), "{problems:?}");
    assert_eq!(snapshot.client_count(), 0);
    assert_eq!(urls(400, "https://aN.test/cb").1, [], "what is no pattern may be as many");
}
