//! Documents become tenants and clients: what is read, what is refused, and what stays when a document breaks.

mod claims;
mod clients;
mod forms;
mod last_good;
mod many;
mod tenants;

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use uitsmijter::registry::document::{Document, Kind};
use uitsmijter::registry::{Problem, Severity, Snapshot};

fn script_is_fine(script: &str) -> Result<(), String> {
    if script.contains("syntax error") { Err("line 1: unexpected token".into()) } else { Ok(()) }
}

fn documents(files: &[(&str, &str)]) -> Vec<Document> {
    let kind_of = |path: &str| match path {
        path if path.starts_with("Tenants/") => Some(Kind::Tenant),
        path if path.starts_with("Clients/") => Some(Kind::Client),
        _ => None,
    };
    files.iter().flat_map(|(path, text)| Document::split(path, kind_of(path), text)).collect()
}

fn build(files: &[(&str, &str)], previous: Option<&Snapshot>) -> (Snapshot, Vec<Problem>) {
    Snapshot::build(&documents(files), previous, &script_is_fine)
}

fn errors(problems: &[Problem]) -> Vec<String> {
    problems.iter().filter(|problem| problem.severity == Severity::Error).map(ToString::to_string).collect()
}

fn warnings(problems: &[Problem]) -> Vec<String> {
    problems.iter().filter(|problem| problem.severity == Severity::Warning).map(ToString::to_string).collect()
}

const TENANT: &str = "name: Uitsmijter\nconfig:\n  hosts: [localhost, '*.egg.example.com']\n  providers:\n    - |\n      class UserLoginProvider { constructor(c) { commit(true); } get canLogin() { return true; } }\n";

const CLIENT: &str = "name: website\nconfig:\n  ident: 9095A4F2-35B2-48B1-A325-309CA324B97E\n  tenantname: Uitsmijter\n  redirect_urls:\n    - https://app.example.com/callback\n";

fn argon2id(password: &str) -> String {
    Argon2::default().hash_password_with_salt(password.as_bytes(), b"sixteen bytes ok").unwrap().to_string()
}

fn client(config: &str) -> String {
    format!("name: app\nconfig:\n  ident: app\n  tenantname: Uitsmijter\n{config}")
}

/// Builds with the usual tenant and one client with these keys.
fn with_client(config: &str) -> (Snapshot, Vec<Problem>) {
    build(&[("Tenants/a.yaml", TENANT), ("Clients/app.yaml", &client(config))], None)
}

fn tenant(name: &str, hosts: &str) -> String {
    TENANT.replace("Uitsmijter", name).replace("[localhost, '*.egg.example.com']", hosts)
}
