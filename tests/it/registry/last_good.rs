//! What stays when a document breaks.

use std::sync::Arc;

use uitsmijter::registry::Snapshot;
use uitsmijter::registry::document::{Document, Kind};

use super::{build, client, errors, script_is_fine, tenant, warnings};

#[test]
fn a_broken_document_hides_no_other_of_its_file() {
    let good = tenant("good", "[good.example]");
    let last = tenant("last", "[last.example]");
    for broken in
        ["a: [", "name: x\nconfig: 5", "*nobody", "name: x\nconfig:\n  hosts: [b.example]\n  silent_login: {}"]
    {
        let text = format!("{good}---\n{broken}\n--- # and on\n{last}...\n");
        let (snapshot, problems) = build(&[("Tenants/a.yaml", &text)], None);
        assert_eq!(errors(&problems).len(), 1, "{broken} {problems:?}");
        let line = problems[0].source.split(':').nth(1).and_then(|line| line.parse().ok());
        assert!(line.is_some_and(|line: usize| (7..=11).contains(&line)), "{broken} {problems:?}");
        assert!(snapshot.tenant("good").is_some() && snapshot.tenant("last").is_some(), "{broken}");
    }
}

#[test]
fn the_last_good_version_stays_when_a_document_breaks_and_goes_when_it_is_deleted() {
    let (one, two) = (tenant("one", "[one.example]"), tenant("two", "[two.example]"));
    let app = client("  redirect_uri: https://a.example/").replace("Uitsmijter", "one");
    let (first, problems) =
        build(&[("Tenants/1.yaml", &one), ("Tenants/2.yaml", &two), ("Clients/a.yaml", &app)], None);
    assert_eq!(problems, []);

    for broken in [
        "name: one\nconfig:\n  hosts: [one.example]\n  jwt_algorithm: nonsense\n",
        "name: [",
        "name: one\nconfig:\n  hosts: [two.example]\n  providers: x\n",
    ] {
        // the third one is good for itself, but takes what the other has
        let files = [("Tenants/2.yaml", two.as_str()), ("Tenants/1.yaml", broken), ("Clients/a.yaml", &app)];
        let (snapshot, problems) = build(&files, Some(&first));
        assert_eq!(errors(&problems).len(), 1, "{problems:?}");
        assert!(
            warnings(&problems).iter().any(|warning| warning.contains("the last good version of tenant one stays"))
        );
        let tenant = snapshot.tenant_by_host("one.example").unwrap();
        assert!(Arc::ptr_eq(tenant, first.tenant("one").unwrap()));
        assert!(snapshot.client("one", "app").is_some());

        // still there after another reading, gone with its document
        let (snapshot, _) = build(&files, Some(&snapshot));
        assert!(snapshot.tenant("one").is_some());
        let (snapshot, problems) = build(&files[..1], Some(&snapshot));
        assert_eq!(problems, []);
        assert!(snapshot.tenant("one").is_none());
        assert_eq!(snapshot.client_count(), 0);
    }

    let broken_client = app.replace("ident: app", "ident: app\n  grant_types: [x]");
    let files = [("Tenants/1.yaml", one.as_str()), ("Clients/a.yaml", &broken_client)];
    let (snapshot, problems) = build(&files, Some(&first));
    assert_eq!(errors(&problems).len(), 1);
    assert!(snapshot.client("one", "app").is_some());
}

#[test]
fn an_unreadable_file_or_folder_deletes_nothing() {
    let both = format!("{}---\n{}", tenant("one", "[one.example]"), tenant("two", "[two.example]"));
    let (first, _) = build(&[("Tenants/1.yaml", &both)], None);
    for source in ["Tenants/1.yaml", "Tenants"] {
        let unreadable = Document::unreadable(source, Some(Kind::Tenant), "permission denied".into());
        let (snapshot, problems) = Snapshot::build(&[unreadable], Some(&first), &script_is_fine);
        assert_eq!(snapshot.tenant_count(), 2, "{problems:?}");
        assert_eq!(errors(&problems), [format!("error: {source}: permission denied")]);
    }
    let other = Document::unreadable("Tenants/10.yaml", Some(Kind::Tenant), "permission denied".into());
    assert_eq!(Snapshot::build(&[other], Some(&first), &script_is_fine).0.tenant_count(), 0);
    // A file half of which is broken: what is named moves, what is broken stays.
    let half = format!("name: [\n---\n{}", tenant("two", "[new.example]"));
    let (snapshot, _) = build(&[("Tenants/1.yaml", &half)], Some(&first));
    assert!(snapshot.tenant_by_host("one.example").is_some());
    assert!(snapshot.tenant_by_host("new.example").is_some() && snapshot.tenant_by_host("two.example").is_none());
}

#[test]
fn clients_of_one_name_in_different_files_keep_their_own_last_version() {
    let (one, two) = (tenant("one", "[one.example]"), tenant("two", "[two.example]"));
    let app = |tenant: &str, ident: &str, more: &str| {
        format!(
            "name: web\nconfig:\n  ident: {ident}\n  tenantname: {tenant}\n  redirect_uri: https://a.example/\n{more}"
        )
    };
    let (web_one, web_two) = (app("one", "w1", ""), app("two", "w2", ""));
    let tenants = [("Tenants/1.yaml", one.as_str()), ("Tenants/2.yaml", &two)];
    let (first, _) = build(&[tenants[0], tenants[1], ("Clients/1.yaml", &web_one), ("Clients/2.yaml", &web_two)], None);
    let broken = app("two", "w2", "  consent: perhaps\n");
    let (snapshot, problems) =
        build(&[tenants[0], tenants[1], ("Clients/1.yaml", &web_one), ("Clients/2.yaml", &broken)], Some(&first));
    assert_eq!(errors(&problems).len(), 1);
    assert!(snapshot.client("one", "w1").is_some() && snapshot.client("two", "w2").is_some());
}
