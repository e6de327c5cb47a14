//! Tenants' templates in buckets of a real S3-compatible store (moto) that checks keys and signatures.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ObjectStoreExt, RetryConfig};
use regex::Regex;
use reqwest::StatusCode;
use tokio::time::{sleep, timeout};

use crate::configuration::{Document, tenant};
use crate::port::free_port;
use crate::server::{Server, http_client};
use crate::tool;

/// How long a change may take to be seen: readings are a second apart, and ten where the store was away for long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The store in a separate process, killed when the value is dropped.
struct Store {
    process: Child,
    port: u16,
    /// The access key that may do everything.
    key: (String, String),
}

impl Drop for Store {
    fn drop(&mut self) {
        // Both fail only if the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Store {
    /// Starts the store with these buckets and an access key, and from then on requires one.
    async fn start(buckets: &[&str]) -> Self {
        let port = free_port();
        let program = tool::python().with_file_name("moto_server");
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdin(Stdio::null());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("moto starts");
        let mut store = Self { process, port, key: Default::default() };
        let listens = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                sleep(Duration::from_millis(25)).await;
            }
        };
        timeout(PATIENCE, listens).await.expect("moto listens");
        store.administer("Action=CreateUser&UserName=root").await;
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
        let policy: String = form_urlencoded::byte_serialize(policy.as_bytes()).collect();
        let put = format!("Action=PutUserPolicy&UserName=root&PolicyName=all&PolicyDocument={policy}");
        store.administer(&put).await;
        let made = store.administer("Action=CreateAccessKey&UserName=root").await;
        let read = |name: &str| {
            let element = Regex::new(&format!("<{name}>([^<]+)</{name}>")).expect("a correct expression");
            element.captures(&made).unwrap_or_else(|| panic!("no {name}: {made}"))[1].to_owned()
        };
        store.key = (read("AccessKeyId"), read("SecretAccessKey"));
        for bucket in buckets {
            let made =
                http_client().put(format!("{}/{bucket}", store.host())).header("content-length", "0").send().await;
            assert_eq!(made.expect("an answer").status(), StatusCode::OK);
        }
        let closed = http_client().post(format!("{}/moto-api/reset-auth", store.host())).body("0").send().await;
        assert_eq!(closed.expect("an answer").status(), StatusCode::OK);
        store
    }

    fn host(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A call to the part of the store that knows users.
    async fn administer(&self, form: &str) -> String {
        let request = http_client()
            .post(self.host())
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=a",
            )
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("{form}&Version=2010-05-08"));
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{form}");
        answer.text().await.expect("a readable answer")
    }

    /// One of the buckets, with the access key that may do everything.
    fn bucket(&self, name: &str) -> AmazonS3 {
        let builder = AmazonS3Builder::new().with_endpoint(self.host()).with_allow_http(true).with_bucket_name(name);
        let builder = builder.with_access_key_id(&self.key.0).with_secret_access_key(&self.key.1);
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        builder.with_retry(retry).build().expect("a bucket")
    }
}

/// Puts a template at its place.
async fn put(bucket: &AmazonS3, key: &str, source: &str) {
    bucket.put(&Path::from(key), source.to_owned().into()).await.expect("the store takes it");
}

/// A tenant at `host` whose pages lie at `templates`.
fn tenant_with(name: &'static str, host: &str, templates: &str) -> Document {
    let yaml = tenant().yaml.replace("name: interop", &format!("name: {name}"));
    let yaml = yaml.replace("hosts: [localhost, 127.0.0.1]", &format!("hosts: [{host}]\n  templates: {{{templates}}}"));
    Document { folder: "Tenants", name, yaml }
}

/// What a browser sees at a tenant's front door.
async fn front_page(server: &Server, host: &str) -> String {
    let request = http_client().get(format!("{}/", server.issuer())).header("host", host);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.expect("a readable page")
}

/// Waits until a tenant's front door shows this.
async fn shows(server: &Server, host: &str, expected: &str) {
    let shown = async {
        while !front_page(server, host).await.contains(expected) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let page = front_page(server, host).await;
    assert!(timeout(PATIENCE, shown).await.is_ok(), "{host} does not show {expected}; it showed\n{page}");
}

/// Waits until the server has logged this.
async fn logs(server: &Server, expected: &str) {
    let logged = async {
        while !server.log().contains(expected) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(PATIENCE, logged).await.is_ok(), "{expected} is not logged");
}

/// What only the default page has.
const DEFAULT: &str = "<p class=\"lead\">";
const ACME: &str = "acme.test";
const GLOBEX: &str = "globex.test";
const WRONG: &str = "wrong.test";

#[tokio::test]
async fn each_tenants_pages_follow_its_bucket_and_outlive_it() {
    let store = Store::start(&["acme-pages", "shared-pages"]).await;
    let (id, secret) = &store.key.clone();
    let place = |bucket: &str, more: &str| format!("host: \"{}\", bucket: {bucket}{more}", store.host());
    let key = format!(", access_key_id: {id}, secret_access_key: \"{secret}\"");
    let acme_bucket = store.bucket("acme-pages");
    let globex_bucket = store.bucket("shared-pages");
    put(&acme_bucket, "index.html", "<h1>Acme one</h1>{% include 'mark.html' %}").await;
    put(&acme_bucket, "mark.html", "<i>{{ look.title }}</i>").await;
    put(&acme_bucket, "deeper/index.html", "<h1>Not here</h1>").await;
    put(&globex_bucket, "looks/globex/index.html", "<h1>Globex</h1>").await;
    put(&globex_bucket, "index.html", "<h1>Not here</h1>").await;
    let globex = format!("{}, path: looks/globex", place("shared-pages", &key));
    let wrong = ", access_key_id: AKIAWRONGWRONGWRONGX, secret_access_key: not-the-right-one";
    let documents = [
        tenant_with("acme", ACME, &place("acme-pages", &key)),
        tenant_with("globex", GLOBEX, &globex),
        tenant_with("wrong", WRONG, &place("acme-pages", wrong)),
        tenant_with("plain", "plain.test", &place("acme-pages", "")),
    ];
    let server = Server::start_with(&documents, &[("TEMPLATES_REFRESH", "1s".to_owned())]).await;

    // First load: each tenant has its own, and neither wrong keys nor missing ones open a bucket.
    shows(&server, ACME, "<h1>Acme one</h1><i>Uitsmijter</i>").await;
    shows(&server, GLOBEX, "<h1>Globex</h1>").await;
    logs(&server, "the store refuses: check access_key_id").await;
    logs(&server, "InvalidAccessKeyId").await;
    for host in [WRONG, "plain.test"] {
        assert!(front_page(&server, host).await.contains(DEFAULT), "{host}");
    }

    // A change, a broken template, and its fix; the other tenant is not affected.
    put(&acme_bucket, "index.html", "<h1>Acme two</h1>").await;
    shows(&server, ACME, "<h1>Acme two</h1>").await;
    put(&acme_bucket, "index.html", "<h1>Acme three {% if %}").await;
    shows(&server, ACME, DEFAULT).await;
    logs(&server, "a template is broken and left out").await;
    put(&acme_bucket, "index.html", "<h1>Acme four</h1>").await;
    shows(&server, ACME, "<h1>Acme four</h1>").await;
    assert!(front_page(&server, GLOBEX).await.contains("<h1>Globex</h1>"));

    // Too large: the previous one stays. Removed: the default is back.
    put(&acme_bucket, "mark.html", &"x".repeat(300_000)).await;
    logs(&server, "mark.html is bigger than 262144 bytes").await;
    assert!(front_page(&server, ACME).await.contains("<h1>Acme four</h1>"));
    acme_bucket.delete(&Path::from("mark.html")).await.expect("the store forgets it");
    logs(&server, "the tenant's bucket can be read again").await;
    acme_bucket.delete(&Path::from("index.html")).await.expect("the store forgets it");
    shows(&server, ACME, DEFAULT).await;
    put(&acme_bucket, "index.html", "<h1>Acme five</h1>").await;
    shows(&server, ACME, "<h1>Acme five</h1>").await;

    // New settings count at once; a tenant that no longer names a bucket has the default look.
    server.rewrite(&tenant_with("wrong", WRONG, &place("acme-pages", &key)));
    shows(&server, WRONG, "<h1>Acme five</h1>").await;
    let without = tenant_with("wrong", WRONG, "@").yaml.replace("  templates: {@}\n", "");
    server.rewrite(&Document { folder: "Tenants", name: "wrong", yaml: without });
    shows(&server, WRONG, DEFAULT).await;

    // The store is unavailable: the last good copies stay.
    drop(store);
    logs(&server, "the store cannot be reached").await;
    sleep(Duration::from_secs(2)).await;
    shows(&server, ACME, "<h1>Acme five</h1>").await;
    shows(&server, GLOBEX, "<h1>Globex</h1>").await;

    let metrics = http_client().get(format!("{}/metrics", server.issuer())).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    assert!(metrics.contains("uitsmijter_template_failures_total{tenant=\"acme\"}"), "{metrics}");
    let log = server.log();
    for hidden in [id, secret, "AKIAWRONGWRONGWRONGX", "not-the-right-one"] {
        assert!(!log.contains(hidden), "a part of an access key was logged");
    }
}
