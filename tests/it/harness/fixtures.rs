//! Two tenants, their people and their clients, as operators would write them.

use std::sync::LazyLock;

use uitsmijter::random::SystemRandom;
use uitsmijter::settings::{Flags, Settings};

/// The person `ada` of both tenants.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// The secret of every confidential client.
pub(crate) const SECRET: &str = "a secret of 32 characters or more";
/// The redirect URI of every client.
pub(crate) const CALLBACK: &str = "https://app.acme.example/callback";

static HASH: LazyLock<String> = LazyLock::new(|| uitsmijter::login::password::hash(PASSWORD, &SystemRandom));

/// The settings of a test server, read as the program reads them: development, behind https, with these environment
/// variables.
pub(crate) fn settings(environment: &[(&str, &str)]) -> Settings {
    let find = |name: &str| {
        let set = environment.iter().chain(&[("SECURE", "true")]).find(|(own, _)| *own == name);
        set.map(|(_, value)| (*value).to_owned())
    };
    let mut settings = Settings::load(None, &find, &Flags::default()).expect("settings");
    settings.script_program = Some(env!("CARGO_BIN_EXE_uitsmijter").into());
    settings
}

/// All documents.
pub(crate) fn documents() -> String {
    let acme = format!("{}\n---\n{}", tenant("acme", "login.acme.example"), clients("acme", ""));
    let globex = format!("{}\n---\n{}", tenant("globex", "login.globex.example"), clients("globex", "globex-"));
    format!("{acme}\n---\n{globex}")
}

/// A tenant with the people `ada` and `bob`.
pub(crate) fn tenant(name: &str, host: &str) -> String {
    let hash = &*HASH;
    format!(
        r#"
name: {name}
config:
  hosts: ["{host}"]
  informations:
    imprint_url: https://{name}.example/imprint
  users:
    - username: ada
      password_hash: "{hash}"
      subject: {name}-ada
      role: admin
      scopes: [staff, secret]
      profile:
        name: Ada Lovelace
        given_name: Ada
        email: ada@{name}.example
        email_verified: true
        updated_at: 1700000000
        phone_number: ""
        picture: null
        birthdate: 1815
        address: {{ locality: London }}
        department: engines
        sub: forged
    - username: bob
      password_hash: "{hash}"
"#
    )
}

/// The clients of a tenant: `spa` (public), `web` (confidential), `service`, `legacy` (password), `shop` (consent), `tv`
/// and `box` (devices), `exchange-service` (token exchange).
pub(crate) fn clients(tenant: &str, prefix: &str) -> String {
    format!(
        r#"
name: Single Page
config:
  tenantname: {tenant}
  ident: {prefix}spa
  redirect_urls: ["{CALLBACK}", "http://127.0.0.1/native"]
  post_logout_redirect_urls: ["https://app.acme.example/bye"]
  scopes: [openid, profile, email, address, phone, offline_access, "read:*"]
  resources: ["https://api.acme.example/", "https://one.example/", "https://two.example/"]
  allowedProviderScopes: [staff]
---
name: Web
config:
  tenantname: {tenant}
  ident: {prefix}web
  secret: "{SECRET}"
  redirect_urls: ["{CALLBACK}"]
  scopes: [openid, profile, email]
---
name: Service
config:
  tenantname: {tenant}
  ident: {prefix}service
  secret: "{SECRET}"
  redirect_urls: ["{CALLBACK}"]
  grant_types: [client_credentials, "urn:ietf:params:oauth:grant-type:token-exchange"]
  scopes: [jobs, "read:*"]
  resources: ["https://api.example/", "urn:x:*"]
---
name: Legacy
config:
  tenantname: {tenant}
  ident: {prefix}legacy
  redirect_urls: ["{CALLBACK}"]
  grant_types: [password]
  scopes: [openid, profile]
---
name: Shop
config:
  tenantname: {tenant}
  ident: {prefix}shop
  consent: required
  redirect_urls: ["{CALLBACK}"]
  scopes: [openid, profile]
---
name: Exchange
config:
  tenantname: {tenant}
  ident: {prefix}exchange-service
  secret: "{SECRET}"
  redirect_urls: ["{CALLBACK}"]
  grant_types: [authorization_code, client_credentials, "urn:ietf:params:oauth:grant-type:token-exchange"]
  scopes: [openid, profile, jobs, "read:*"]
  resources: ["https://api.example/", "{prefix}service"]
  accepted_audiences: ["{prefix}spa"]
---
name: Box
config:
  tenantname: {tenant}
  ident: {prefix}box
  grant_types: [device_code]
  scopes: [openid]
---
name: Television
config:
  tenantname: {tenant}
  ident: {prefix}tv
  grant_types: [device_code, refresh_token]
  scopes: [openid, profile]
"#
    )
}
