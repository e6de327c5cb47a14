//! What a fresh installation serves, so that there is something to see: a tenant, a client and a person, all `demo`.
//!
//! Never in production, and only as long as no tenant is declared.

use serde_json::{Value, json};

use super::document::{Document, Kind};
use super::secrets::Secrets;

/// The name of the demo's tenant, client and person.
pub const NAME: &str = "demo";

/// The demo, as the documents that an operator would write.
///
/// `password_hash` is the person's password as argon2id; `public_origin` is where browsers reach the server, like
/// `http://localhost:8080`.
pub fn documents(password_hash: &str, public_origin: &str) -> Vec<Document> {
    let origin = public_origin.trim_end_matches('/');
    let local_port = origin.rsplit_once(':').map(|(_, port)| port).filter(|port| port.parse::<u16>().is_ok());
    let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
    let public_host = url::Url::parse(origin).ok().and_then(|url| url.host_str().map(str::to_owned));
    hosts.extend(public_host.filter(|host| !hosts.contains(host)));
    // `localhost` is no loopback address to RFC 8252 §8.3, so its port counts; addresses match with any.
    let mut urls = vec![format!("{origin}/"), "http://127.0.0.1/".to_owned(), "http://[::1]/".to_owned()];
    urls.push(format!("http://localhost{}/", local_port.map(|port| format!(":{port}")).unwrap_or_default()));
    urls.dedup();
    let logout: Vec<String> = match local_port {
        None => urls.clone(),
        Some(port) => [origin, "http://localhost", "http://127.0.0.1", "http://[::1]"]
            .map(|front| if front == origin { format!("{front}/") } else { format!("{front}:{port}/") })
            .to_vec(),
    };
    let tenant = json!({
        "name": NAME,
        "config": {
            "hosts": hosts,
            "users": [{
                "username": NAME,
                "password_hash": password_hash,
                "subject": NAME,
                "role": "user",
                "profile": {
                    "name": "Demo Person",
                    "given_name": "Demo",
                    "family_name": "Person",
                    "preferred_username": NAME,
                    "email": "demo@example.com",
                    "email_verified": true,
                    "locale": "en",
                },
            }],
        },
    });
    let client = json!({
        "name": NAME,
        "config": {
            "ident": NAME,
            "tenantname": NAME,
            "redirect_urls": urls,
            "post_logout_redirect_urls": logout,
            "grant_types": ["authorization_code", "refresh_token"],
            "scopes": ["openid", "profile", "email", "offline_access"],
            "allowed_origins": [origin],
        },
    });
    vec![document("demo tenant", Kind::Tenant, &tenant), document("demo client", Kind::Client, &client)]
}

fn document(source: &str, kind: Kind, content: &Value) -> Document {
    // JSON is YAML.
    Document::new(source, 0, Some(kind), Ok(content.to_string().into()), Secrets::default())
}
