//! The configuration of these tests: one tenant, one person, and a client for each kind of application.

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;

/// The person who signs in.
pub(crate) const USERNAME: &str = "ada";
/// Her password, with characters that a form has to escape.
pub(crate) const PASSWORD: &str = "an engine & 100% <steam>";
/// Her `sub`.
pub(crate) const SUBJECT: &str = "countess-1815";
/// The secret of every confidential client here; RFC 6749 §2.3.1 has it form-encoded inside Basic.
pub(crate) const SECRET: &str = "interop: a secret + more";

/// One file of the configuration folder.
pub(crate) struct Document {
    /// `Tenants` or `Clients`.
    pub(crate) folder: &'static str,
    /// The file's name without its ending.
    pub(crate) name: &'static str,
    /// Its content.
    pub(crate) yaml: String,
}

/// The tenant for both names of this machine, with its one person.
pub(crate) fn tenant() -> Document {
    tenant_with("localhost, 127.0.0.1", &[])
}

/// The same for other hosts, with more lines for its `config`; these without their indentation.
pub(crate) fn tenant_with(hosts: &str, lines: &[&str]) -> Document {
    let hash = password_hash(PASSWORD);
    let mut yaml = format!(
        r#"
name: interop
config:
  hosts: [{hosts}]
  users:
    - username: {USERNAME}
      password_hash: "{hash}"
      subject: {SUBJECT}
      role: engineer
      profile:
        name: Ada Lovelace
        given_name: Ada
        family_name: Lovelace
        email: ada@example.com
        email_verified: true
"#
    );
    yaml.extend(lines.iter().map(|line| format!("  {line}\n")));
    Document { folder: "Tenants", name: "interop", yaml }
}

/// A password as an operator writes it down.
pub(crate) fn password_hash(password: &str) -> String {
    let hashed = Argon2::default().hash_password_with_salt(password.as_bytes(), b"interop salt 016");
    hashed.expect("password and salt have lengths that argon2 takes").to_string()
}

/// A single page application at `origin`: public, PKCE, calls the token endpoint from the browser.
pub(crate) fn single_page_application(origin: &str) -> Document {
    page("spa", origin, "authorization_code, refresh_token")
}

/// The same without refresh tokens: it renews in a hidden frame, by the session that the browser has.
pub(crate) fn page_that_renews_in_a_frame(origin: &str) -> Document {
    page("framed", origin, "authorization_code")
}

fn page(name: &'static str, origin: &str, grant_types: &str) -> Document {
    let rest = format!(
        r#"
  redirect_urls: ["{origin}/"]
  post_logout_redirect_urls: ["{origin}/"]
  grant_types: [{grant_types}]
  scopes: [openid, profile, email]"#
    );
    client(name, &rest)
}

/// A native application: public, PKCE, receives its code on any free loopback port (RFC 8252 §7.3).
pub(crate) fn native_application() -> Document {
    client(
        "native",
        r#"
  redirect_urls: ["http://127.0.0.1/callback"]
  grant_types: [authorization_code, refresh_token]
  scopes: [openid, profile, email]"#,
    )
}

/// A service that authenticates as itself.
pub(crate) fn service(name: &'static str) -> Document {
    confidential(name, "")
}

/// The same with access tokens that live for about two seconds.
pub(crate) fn short_lived_service(name: &'static str) -> Document {
    confidential(name, "\n  access_token_hours: 0.0006")
}

/// A web application with a secret and every grant; its person is asked for consent.
pub(crate) fn web_application(name: &'static str, redirect_uri: &str, post_logout_redirect_uri: &str) -> Document {
    let rest = format!(
        r#"
  secret: "{SECRET}"
  redirect_urls: ["{redirect_uri}"]
  post_logout_redirect_urls: ["{post_logout_redirect_uri}"]
  grant_types: [authorization_code, refresh_token, client_credentials, device_code]
  device_grant_config: {{interval: 1}}
  consent: required
  scopes: [openid, profile, email, offline_access, "orders:*"]"#
    );
    client(name, &rest)
}

/// A device without a browser and without a secret.
pub(crate) fn device(name: &'static str) -> Document {
    client(
        name,
        "
  grant_types: [device_code, refresh_token]
  device_grant_config: {interval: 1}
  scopes: [openid, profile, email, offline_access]",
    )
}

/// A service whose document has these additional members: another secret, or keys.
pub(crate) fn service_with(name: &'static str, proof: &str) -> Document {
    client(name, &format!("\n  grant_types: [client_credentials]\n  scopes: [\"orders:*\"]\n  {proof}"))
}

fn confidential(name: &'static str, more: &str) -> Document {
    let rest = format!(
        r#"
  secret: "{SECRET}"
  grant_types: [client_credentials]
  scopes: ["orders:*"]{more}"#
    );
    client(name, &rest)
}

fn client(name: &'static str, rest: &str) -> Document {
    let yaml = format!(
        "
name: {name}
config:
  ident: {name}
  tenantname: interop{rest}
"
    );
    Document { folder: "Clients", name, yaml }
}
