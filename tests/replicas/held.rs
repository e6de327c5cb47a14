//! A request that is pending when the replica is stopped.

use std::net::Ipv4Addr;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{COOKIE, HeaderValue, LOCATION, SET_COOKIE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::configuration::Document;
use crate::redis::RedisServer;
use crate::server::http_client;
use crate::world::World;

/// A tenant with an external user store.
fn tenant(port: u16) -> Document {
    let yaml = format!(
        r#"
name: interop
config:
  hosts: [localhost, 127.0.0.1]
  providers:
    - |
      class UserLoginProvider {{
        constructor(credentials) {{
          fetch("http://127.0.0.1:{port}/", {{ method: "POST", body: credentials }})
            .then((answer) => {{ this.user = answer.json(); commit({{ subject: this.user.id }}); }})
            .catch(() => commit(false));
        }}
        get canLogin() {{ return this.user !== undefined; }}
        get userProfile() {{ return {{}}; }}
      }}
"#
    );
    Document { folder: "Tenants", name: "interop", yaml }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_a_slow_user_store_holds_up_finishes_after_the_replica_was_told_to_stop() {
    let redis = RedisServer::start().await;
    let store = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let world = World::on(&redis);
    world.write(&tenant(store.local_addr().expect("a bound address").port()));
    let replica = world.start().await;
    let port = replica.port;
    let signing_in = tokio::spawn(sign_in(replica.url("/login")));
    let asked = timeout(Duration::from_secs(60), store.accept()).await;
    let (mut asked, _) = asked.expect("the script asks").expect("a connection");
    let stopping = tokio::spawn(replica.stop());
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
        assert!(Instant::now() < deadline, "the replica goes on listening");
        sleep(Duration::from_millis(50)).await;
    }
    // The listener is closed, and the request is still pending.
    assert!(asked.read(&mut [0; 4096]).await.expect("a request") > 0);
    let body = r#"{"id":"ada"}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    asked.write_all(answer.as_bytes()).await.expect("an answer");
    assert_eq!(signing_in.await.expect("an answer"), StatusCode::SEE_OTHER, "the person is signed in");
    stopping.await.expect("the replica ends with success");
}

/// Opens the page, submits its form, and returns the response without following a redirect.
async fn sign_in(login: String) -> StatusCode {
    let http = http_client();
    let begun = http.get(&login).send().await.expect("an answer");
    let text = |value: &HeaderValue| value.to_str().expect("text").to_owned();
    let cookies: Vec<String> = begun.headers().get_all(SET_COOKIE).iter().map(text).collect();
    let cookies: Vec<&str> = cookies.iter().filter_map(|cookie| cookie.split(';').next()).collect();
    let location = text(begun.headers().get(LOCATION).expect("where the step is"));
    let interaction = location.split_once("interaction=").expect("a step").1;
    let form = [("username", "ada"), ("password", "a password"), ("interaction", interaction)];
    http.post(&login).header(COOKIE, cookies.join("; ")).form(&form).send().await.expect("an answer").status()
}
