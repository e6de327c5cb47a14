//! Documents become tenants and clients: what is read, what is refused, and what stays when a document breaks.

use uitsmijter::protocol::token::GrantType;
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

const TENANT: &str = "name: Uitsmijter\nconfig:\n  hosts: [localhost, '*.egg.example.com']\n  providers:\n    - |\n      class UserLoginProvider { constructor(c) { commit(true); } get canLogin() { return true; } }\n";
const CLIENT: &str = "name: website\nconfig:\n  ident: 9095A4F2-35B2-48B1-A325-309CA324B97E\n  tenantname: Uitsmijter\n  redirect_urls:\n    - https://app.example.com/callback\n";

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
    assert!(errors(&problems).is_empty());
}
