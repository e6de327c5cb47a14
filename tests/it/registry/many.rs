//! Many documents, and one change among them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use uitsmijter::registry::Snapshot;
use uitsmijter::registry::document::{Document, Kind};

use super::{TENANT, build, client, documents, errors, script_is_fine, tenant};

#[test]
fn ten_thousand_tenants_are_read_and_found_quickly() {
    let mut files = Vec::new();
    for number in 0..10_000 {
        let tenant = tenant(&format!("t{number}"), &format!("[t{number}.example, '*.t{number}.example.com']"));
        let client = client("  redirect_uri: https://a.example/")
            .replace("Uitsmijter", &format!("t{number}"))
            .replace("ident: app", &format!("ident: app-{number}"));
        files.push((format!("Tenants/{number}.yaml"), tenant));
        files.push((format!("Clients/{number}.yaml"), client));
    }
    let mut text = String::new();
    let documents: Vec<Document> = files
        .iter()
        .flat_map(|(path, text)| {
            let kind = if path.starts_with('T') { Kind::Tenant } else { Kind::Client };
            Document::split(path, Some(kind), text)
        })
        .collect();
    let started = tokio::time::Instant::now();
    let (first, problems) = Snapshot::build(&documents, None, &script_is_fine);
    let cold = started.elapsed();
    assert_eq!(problems, []);
    assert_eq!((first.tenant_count(), first.client_count()), (10_000, 10_000));

    // One document less has everything put together anew.
    let started = tokio::time::Instant::now();
    drop(Snapshot::build(&documents[..documents.len() - 1], Some(&first), &script_is_fine));
    let anew = started.elapsed();
    let started = tokio::time::Instant::now();
    let never = |_: &str| -> Result<(), String> { panic!("an unchanged script was checked again") };
    let (second, _) = Snapshot::build(&documents, Some(&first), &never);
    let warm = started.elapsed();
    assert!(Arc::ptr_eq(first.tenant("t77").unwrap(), second.tenant("t77").unwrap()));

    let mut documents = documents;
    let changed = tenant("t77", "[changed.example]");
    let place = documents.iter().position(|document| document.source == "Tenants/77.yaml").unwrap();
    documents[place] = Document::split("Tenants/77.yaml", Some(Kind::Tenant), &changed).remove(0);
    // The fastest of some: the machine may have been busy with something else.
    let tries = (0..5).map(|_| {
        let started = tokio::time::Instant::now();
        let (third, _) = Snapshot::build(&documents, Some(&second), &script_is_fine);
        (started.elapsed(), third)
    });
    let (one, third) = tries.min_by_key(|(took, _)| *took).unwrap();
    assert_eq!(&*third.tenant_by_host("changed.example").unwrap().name, "t77");
    assert!(third.tenant_by_host("t77.example").is_none());
    // Both on this machine, one after the other, and far apart: what is not put together anew costs next to nothing.
    assert!(one < anew / 2, "one change took {one:?}, and everything anew {anew:?}");

    let started = tokio::time::Instant::now();
    for number in 0..10_000 {
        text.clear();
        write!(text, "x.t{number}.example.com").unwrap();
        assert!(second.tenant_by_host(&text).is_some());
    }
    let lookups = started.elapsed();
    println!(
        "10,000 tenants and clients: cold {cold:?}, anew {anew:?}, warm {warm:?}, one changed {one:?}, 10,000 lookups {lookups:?}"
    );
    // Generous: a debug build on a busy machine. A square of ten thousand would take minutes.
    assert!(cold < Duration::from_secs(60) && warm < Duration::from_secs(10) && lookups < Duration::from_secs(5));
}

/// What a snapshot has, so that two can be compared.
fn told(snapshot: &Snapshot, hosts: &[&str]) -> Vec<String> {
    let tenants = snapshot.tenants().map(|tenant| format!("{} {:?}", tenant.name, tenant.hosts));
    let clients = snapshot.clients().map(|client| format!("{} {} {:?}", client.ident, client.tenant, client.scopes));
    let leads = |host: &&str| format!("{host} {:?}", snapshot.tenant_by_host(host).map(|tenant| tenant.name.clone()));
    tenants.chain(clients).chain(hosts.iter().map(leads)).collect()
}

#[test]
fn incremental_changes_give_the_same_registry_as_a_complete_rebuild() {
    let hosts = ["a.example", "b.example", "c.example", "x.b.example", "login.a.example", "none.example"];
    let a = tenant("a", "[a.example]");
    let with_page = a.clone() + "  interceptor: { enabled: true, domain: login.a.example }\n";
    let of_a = client("  redirect_uri: https://a.example/").replace("Uitsmijter", "a");
    let start = [
        ("Tenants/1.yaml", a.clone()),
        ("Tenants/2.yaml", tenant("b", "[b.example, '*.b.example']")),
        ("Clients/1.yaml", of_a.clone()),
        ("Clients/2.yaml", of_a.replace("name: ", "name: second-").replace("ident: app", "ident: other")),
    ];
    // Each of them in the place of one of the files before.
    let changes = [
        ("Tenants/1.yaml", tenant("a", "[c.example, a.example]")),
        ("Tenants/1.yaml", with_page.clone()),
        ("Tenants/2.yaml", tenant("b", "[b.example, login.a.example]")),
        ("Tenants/1.yaml", tenant("a", "[b.example]")),
        ("Tenants/2.yaml", tenant("b", "['*.b.example']")),
        ("Tenants/1.yaml", tenant("c", "[c.example]")),
        ("Tenants/1.yaml", "name: a\nconfig: {\n".to_owned()),
        ("Tenants/2.yaml", tenant("b", "[b.example]")),
        ("Tenants/1.yaml", with_page),
        ("Clients/1.yaml", of_a.replace("ident: app", "ident: new")),
        ("Clients/1.yaml", of_a.replace("ident: app", "ident: other")),
        ("Clients/2.yaml", of_a.replace("tenantname: a", "tenantname: b").replace("ident: app", "ident: third")),
        ("Tenants/2.yaml", tenant("b", "[b.example]") + "  allowed_client_namespaces: [x]\n"),
        ("Clients/2.yaml", of_a.replace("name: ", "name: second-").replace("ident: app", "ident: other")),
        ("Clients/2.yaml", "config: {}\n".to_owned()),
        ("Clients/1.yaml", of_a),
        ("Tenants/1.yaml", a),
    ];
    let mut files: Vec<(&str, String)> = start.to_vec();
    let read = |files: &[(&str, String)]| -> Vec<Document> {
        documents(&files.iter().map(|(path, text)| (*path, text.as_str())).collect::<Vec<_>>())
    };
    let (mut step, _) = Snapshot::build(&read(&files), None, &script_is_fine);
    for (path, text) in changes {
        files.iter_mut().filter(|(other, _)| *other == path).for_each(|(_, old)| old.clone_from(&text));
        let declared = read(&files);
        let (next, problems) = Snapshot::build(&declared, Some(&step), &script_is_fine);
        // A document more, which declares nothing, has everything put together anew.
        let more = [declared, documents(&[("Tenants/9.yaml", "kind: Nothing\n")])].concat();
        let (anew, mut others) = Snapshot::build(&more, Some(&step), &script_is_fine);
        others.retain(|problem| !problem.source.starts_with("Tenants/9.yaml"));
        assert_eq!(told(&next, &hosts), told(&anew, &hosts), "{path}: {text}");
        assert_eq!(problems, others, "{path}: {text}");
        step = next;
    }
}

#[test]
fn a_hostile_document_delays_nobody_and_is_read_once() {
    let patterns = |head: &str, pattern: &str, count: usize| {
        let all: Vec<String> = (0..count).map(|n| format!("'{head}https://a{n}\\.test/{pattern}'")).collect();
        client(&format!("  redirect_urls: [{}]", all.join(", ")))
    };
    let deep = |open: &str, close: &str, levels: usize| {
        format!("name: x\nconfig:\n  hosts: {}{}", open.repeat(levels), close.repeat(levels))
    };
    let keys: String = (0..40_000).map(|n| format!("  key{n}: 1\n")).collect();
    for (path, hostile, expected) in [
        ("Clients/x.yaml", patterns("", r"\w{30}", 400), "more than 100 patterns"),
        ("Clients/x.yaml", patterns("(?u)", r"\w{30}", 400), "takes more than 64 KiB"),
        ("Clients/x.yaml", patterns("", r"((\w{100}){100}){100}", 400), "takes more than 64 KiB"),
        ("Clients/x.yaml", patterns("(?iu)", r"[\x{0}-\x{10ffff}]", 400), "(?u) stands at its beginning"),
        ("Tenants/x.yaml", deep("[", "]", 100_000), "more than 64 levels"),
        ("Tenants/x.yaml", deep("{a: ", "}", 100_000), "more than 64 levels"),
        ("Tenants/x.yaml", deep("[", "", 100_000), "more than 64 levels"),
        ("Tenants/x.yaml", deep("", "", 0) + "\n    " + &"- ".repeat(65) + "x", "more than 64 levels"),
        ("Tenants/x.yaml", format!("name: x\nconfig:\n{keys}"), "more than 20000 keys and values"),
        ("Tenants/x.yaml", format!("a: &a x\nb: [{}]", "*a, ".repeat(1_000)), "more than 500 aliases"),
        ("Tenants/x.yaml", format!("name: x\nconfig: {{hosts: {}}}", "a".repeat(3 << 20)), "larger than 2 MiB"),
        ("Tenants/x.yaml", tenant("x", &format!("[{}]", "a.test, ".repeat(2_000))), "more than 1000 hosts"),
        ("Tenants/x.yaml", tenant("x", &format!("['*.{}']", "ü".repeat(100_000))), "a host has more than 512"),
        // What is wrong stands behind the name, which is cut.
        ("Clients/x.yaml", client("").replace("Uitsmijter", &"Uitsmijte".repeat(50_000)), "client app: tenantname"),
        ("Clients/x.yaml", client(&format!("  {}: 1", "secret".repeat(50_000))), "could not find expected"),
    ] {
        let files = [("Tenants/a.yaml", TENANT), (path, &*hostile)];
        let started = tokio::time::Instant::now();
        let (first, problems) = build(&files, None);
        let took = started.elapsed();
        assert!(errors(&problems)[0].contains(expected), "{expected}: {:.300}", errors(&problems)[0]);
        assert!(errors(&problems)[0].len() < 5_000, "{expected}");
        assert_eq!(first.tenant_count(), 1, "{expected}");
        // A debug build on a busy machine; before, some of them took minutes.
        assert!(took < Duration::from_secs(5), "{expected} took {took:?}");
    }
}

#[test]
fn a_document_that_is_broken_is_not_read_again_when_another_changes() {
    let broken = tenant("x", "[x.example]").replace("class UserLoginProvider", "syntax error");
    let files = |host: &str| [("Tenants/a.yaml", tenant("a", host)), ("Tenants/x.yaml", broken.clone())];
    let read = |host: &str| -> Vec<Document> {
        documents(&files(host).iter().map(|(path, text)| (*path, text.as_str())).collect::<Vec<_>>())
    };
    let (first, before) = Snapshot::build(&read("[a.example]"), None, &script_is_fine);
    assert_eq!(errors(&before).len(), 1);
    let only_good = |script: &str| {
        assert!(!script.contains("syntax error"), "the broken one was read again");
        Ok(())
    };
    let (second, after) = Snapshot::build(&read("[b.example]"), Some(&first), &only_good);
    assert_eq!((errors(&after), errors(&after).len()), (errors(&before), 1));
    assert!(second.tenant_by_host("b.example").is_some());
    // The place that is told follows the document.
    let torn = format!("{}---\n{}", tenant("a", "[a.example]"), "name: [\n");
    let (first, before) = build(&[("Tenants/a.yaml", &torn)], None);
    let (_, after) = build(&[("Tenants/a.yaml", &format!("# one more line\n{torn}"))], Some(&first));
    let line = |problems: &[uitsmijter::registry::Problem]| -> usize {
        problems[0].source.split(':').nth(1).unwrap().parse().unwrap()
    };
    assert_eq!(line(&after), line(&before) + 1, "{before:?} {after:?}");
}
