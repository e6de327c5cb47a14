//! What has one maker is made in no other place.

use super::{Source, assert_none, sources};

/// How an HTTP client is made.
const CLIENTS: [&str; 3] = ["Client::builder()", "Client::new()", "ClientBuilder::new()"];

fn strange_makers(sources: &[Source]) -> Vec<String> {
    let makes = |source: &&Source| CLIENTS.iter().any(|maker| source.text.contains(maker));
    let strange = sources.iter().filter(makes).filter(|source| source.path != "src/outgoing/client.rs");
    strange.map(|source| format!("{} makes an HTTP client; src/outgoing/client.rs does", source.path)).collect()
}

#[test]
fn http_clients_have_one_maker() {
    assert_none(strange_makers(&sources("src")));
    let source =
        |path: &str| Source { path: path.to_owned(), text: "let http = reqwest::Client::builder();".to_owned() };
    assert_eq!(strange_makers(&[source("src/outgoing/client.rs"), source("src/a.rs")]).len(), 1);
}
