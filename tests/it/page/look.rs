//! A tenant's own look: by settings, and by templates in its folder.

use std::fs;

use uitsmijter::page::views;

use crate::harness::server::{ACME, GLOBEX};
use crate::harness::{Browser, TestServer, fixtures};

#[tokio::test]
async fn a_tenant_chooses_title_logo_and_colour() {
    let look = "look: {title: Acme Identity, logo_url: \"https://acme.example/logo.svg\", accent: \"#0a7f5a\"}";
    let documents = fixtures::documents().replacen("  users:", &format!("  {look}\n  users:"), 1);
    let server = TestServer::start_with(&documents, &[]).await;
    let page = server.get("/").await.expect_page(200);
    assert!(page.body.contains("Acme Identity") && page.body.contains("https://acme.example/logo.svg"), "{page:#?}");
    assert!(page.header("content-security-policy").contains("https://acme.example"), "{page:#?}");
    let stylesheets: Vec<&str> = page.body.split("rel=\"stylesheet\" href=\"").skip(1).collect();
    let accent = stylesheets[1].split('"').next().expect("an end");
    server.get(accent).await.expect(200);
    let other = server.get_at(GLOBEX, "/").await.expect_page(200);
    assert!(!other.body.contains("Acme Identity"));
}

#[tokio::test]
async fn templates_in_a_tenants_folder_replace_pages_while_the_server_runs() {
    let directory = tempfile::tempdir().expect("a folder");
    let own = directory.path().join("Resources/Views/acme");
    let path = directory.path().to_str().expect("a path").to_owned();
    let server = TestServer::start_with(&fixtures::documents(), &[("DIRECTORY", &path)]).await;
    let shown = async |host| server.get_at(host, "/").await.expect_page(200).body;
    let usual = shown(ACME).await;

    fs::create_dir_all(&own).expect("a folder");
    fs::write(own.join("index.html"), "<h1>Hello at {{ look.title }}</h1>").expect("a file");
    server.app.views.reload().expect("views");
    assert_eq!(shown(ACME).await, "<h1>Hello at Uitsmijter</h1>");
    assert!(!shown(GLOBEX).await.contains("Hello"));

    // Broken: the default page appears; fixed: the new one does.
    for broken in ["{% if %}", "{% include 'index.html' %}", "{% for a in range(99999999) %}x{% endfor %}"] {
        fs::write(own.join("index.html"), broken).expect("a file");
        server.app.views.reload().expect("views");
        assert_eq!(shown(ACME).await, usual, "{broken}");
    }
    fs::write(own.join("index.html"), "<h1>Mended</h1>").expect("a file");
    server.app.views.reload().expect("views");
    assert_eq!(shown(ACME).await, "<h1>Mended</h1>");

    // Too large: the previous one stays. Removed: the default is back.
    fs::write(own.join("login.html"), "x".repeat(300_000)).expect("a file");
    server.app.views.reload().expect("views");
    assert_eq!(shown(ACME).await, "<h1>Mended</h1>");
    fs::remove_dir_all(&own).expect("a folder");
    server.app.views.reload().expect("views");
    assert_eq!(shown(ACME).await, usual);
}

#[test]
fn check_names_what_is_wrong_with_templates_in_folders() {
    let directory = tempfile::tempdir().expect("a folder");
    assert_eq!(views::problems(directory.path()).expect("nothing to read"), []);
    let write = |path: &str, source: &str| {
        let path = directory.path().join("Resources/Views").join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, source).expect("a file");
    };
    write("acme/index.html", "<h1>Good</h1>");
    write("acme/login.html", "{% if %}");
    write("acme/form_post.html", "own");
    write("globex/login.html", &"x".repeat(300_000));
    let problems = views::problems(directory.path()).expect("problems");
    let shown = problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown.len(), 3, "{shown:#?}");
    for (problem, expected) in shown.iter().zip([
        "acme/form_post.html: the template is broken, the default one is shown: it cannot be replaced",
        "acme/login.html: the template is broken, the default one is shown: syntax error",
        "globex: the default pages are shown: ",
    ]) {
        assert!(problem.starts_with("warning: ") && problem.contains(expected), "{problem}");
    }
}

#[tokio::test]
async fn an_operators_own_sentences_stand_over_ours_and_follow_their_files() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path().join("Resources/Translations");
    fs::create_dir_all(&folder).expect("a folder");
    let write = |file: &str, text: &str| fs::write(folder.join(file), text).expect("a file");
    write("de.json", r#"{"login.title": "Hereinspaziert", "login.lead": "Auf zu {cient}", "login.titel": "x"}"#);
    write("fr.json", "{");
    let path = directory.path().to_str().expect("a path");
    let server = TestServer::start_with(&fixtures::documents(), &[("DIRECTORY", path)]).await;
    let page = async |language: &str| {
        let page = Browser::new(&server).visit(&format!("/login?ui_locales={language}")).await;
        page.expect_page(200).body
    };
    let german = page("de").await;
    assert!(german.contains("Hereinspaziert") && german.contains("Benutzername"), "{german}");
    assert!(page("fr").await.contains("Mot de passe") && !page("en").await.contains("Hereinspaziert"));
    let problems = views::problems(directory.path()).expect("problems");
    let told: String = problems.iter().map(|problem| format!("{} {}\n", problem.source, problem.message)).collect();
    for wrong in ["fr.json", "{cient}", "\"login.titel\""] {
        assert!(told.contains(wrong), "{wrong}: {told}");
    }
    write("de.json", r#"{"login.title": "Willkommen zurück"}"#);
    server.app.views.reload().expect("the folders");
    assert!(page("de").await.contains("Willkommen zurück"));
    fs::remove_file(folder.join("de.json")).expect("a file");
    server.app.views.reload().expect("the folders");
    assert!(page("de").await.contains("Anmelden"));
}
