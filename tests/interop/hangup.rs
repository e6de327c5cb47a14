//! SIGHUP: what can change is read again at once, what is broken changes nothing, and what needs a restart is named.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::configuration;
use crate::port::free_port;
use crate::server::Server;

/// A self-signed certificate for this machine, with its key.
fn certificate(folder: &Path, name: &str) -> (String, String) {
    let place = |ending: &str| folder.join(format!("{name}.{ending}")).display().to_string();
    let (cert, key) = (place("crt"), place("key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &key, "-out", &cert])
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (cert, key)
}

/// Whether the server shows a certificate of this name.
async fn shows(server: &Server, certificate: &str) -> bool {
    let pem = fs::read(certificate).expect("a certificate");
    let trusted = reqwest::Certificate::from_pem(&pem).expect("a certificate");
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]).build().expect("a client");
    let url = format!("{}/health", server.issuer().replace("http://", "https://"));
    http.get(url).send().await.is_ok()
}

async fn says(server: &Server, what: &str) {
    for _ in 0..200 {
        if server.log().contains(what) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the server did not say {what:?}: {}", server.log());
}

#[tokio::test]
async fn settings_tenants_and_the_level_of_the_log_are_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("settings.yaml");
    fs::write(&file, "log: {level: info}\n").expect("a file");
    let named = [("UITSMIJTER_CONFIG", file.display().to_string()), ("LOG_LEVEL", String::new())];
    let server = Server::start_with(&[configuration::tenant()], &named).await;
    let http = crate::server::http_client();
    let ask = async || http.get(format!("{}/versions", server.issuer())).send().await.expect("an answer");
    ask().await;
    assert!(!server.log().contains("answered"), "{}", server.log());

    // A broken file: reported, and nothing changes.
    fs::write(&file, "log: {level: loud}\n").expect("a file");
    server.signal("-HUP");
    says(&server, "the settings of before stay in force").await;
    assert!(server.log().contains("log.level: unknown variant"), "{}", server.log());
    ask().await;
    assert!(!server.log().contains("answered"), "{}", server.log());

    // A level that changes, settings that cannot, and a new client.
    let port = free_port();
    fs::write(&file, format!("log: {{level: debug}}\nlisten: 127.0.0.1:{port}\nstore: {{path: /elsewhere}}\n"))
        .expect("a file");
    server.rewrite(&configuration::service("service"));
    server.signal("-HUP");
    says(&server, "these settings changed, and need a restart").await;
    // LISTEN of the environment overrides the file.
    let log = server.log();
    let line = log.lines().find(|line| line.contains("need a restart")).expect("a line");
    assert!(line.contains("settings=\"store\""), "{line}");
    says(&server, "clients=1").await;
    ask().await;
    says(&server, "answered").await;

    // And back, with a broken tenant: the last good one is served.
    fs::write(&file, "log: {level: info}\n").expect("a file");
    let mut broken = configuration::tenant();
    broken.yaml = "name: interop\nconfig: [".to_owned();
    server.rewrite(&broken);
    let (before, said) =
        (server.log().matches("answered").count(), server.log().matches("everything was read").count());
    server.signal("-HUP");
    for _ in 0..200 {
        if server.log().matches("everything was read").count() > said {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let discovery = format!("{}/.well-known/openid-configuration", server.issuer());
    assert_eq!(http.get(discovery).send().await.expect("an answer").status(), 200);
    assert_eq!(server.log().matches("answered").count(), before, "{}", server.log());
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_after_the_signal_and_without_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second, third) = (
        certificate(folder.path(), "first"),
        certificate(folder.path(), "second"),
        certificate(folder.path(), "third"),
    );
    let (cert, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let install = |pair: &(String, String)| {
        fs::copy(&pair.0, &cert).expect("a copy");
        fs::copy(&pair.1, &key).expect("a copy");
    };
    install(&first);
    let named = [("TLS_CERT_FILE", cert.display().to_string()), ("TLS_KEY_FILE", key.display().to_string())];
    let metrics = ("METRICS_LISTEN", format!("127.0.0.1:{}", free_port()));
    let server = Server::start_with(&[configuration::tenant()], &[&named[..], &[metrics]].concat()).await;
    assert!(shows(&server, &first.0).await);

    install(&second);
    server.signal("-HUP");
    says(&server, "the certificate was read again").await;
    assert!(shows(&server, &second.0).await && !shows(&server, &first.0).await);

    // A key of another certificate: reported, and the previous certificate stays.
    fs::copy(&first.0, &cert).expect("a copy");
    server.signal("-HUP");
    says(&server, "the certificate of before stays in use").await;
    assert!(shows(&server, &second.0).await);

    // Without a signal it takes up to ten seconds.
    install(&third);
    for _ in 0..150 {
        if shows(&server, &third.0).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(shows(&server, &third.0).await, "{}", server.log());
}
