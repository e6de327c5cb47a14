//! Every parameter of every endpoint in every wrong way.

use super::answer::check;
use super::endpoints::{Endpoint, Want, endpoints, is_refusal};
use super::spoilt::{Spoilt, spoil};

/// Wrong ways that an endpoint may accept.
fn is_harmless(endpoint: &Endpoint, parameter: &str, spoilt: &Spoilt) -> bool {
    match (endpoint.name, parameter, spoilt.name) {
        // A list of words: blanks around it say nothing. Numbers have no case.
        (_, "scope", "blanks around") | (_, "max_age", "another case") => true,
        // It may belong to another verifier; only the redemption shows that.
        (_, "code_challenge", "another case") => true,
        // JSON may have blanks around it, and members that nobody knows are passed over.
        (_, "claims", "blanks around" | "newline" | "JSON") => true,
        _ => false,
    }
}

/// Without a pending step of this browser, the login page begins a new one, as it does for any visitor.
fn begins_anew(endpoint: &Endpoint, parameter: &str) -> bool {
    endpoint.path == "/login" && matches!(parameter, "interaction" | "for")
}

#[tokio::test]
async fn every_parameter_of_every_endpoint_in_every_wrong_way() {
    let (server, store, endpoints) = endpoints().await;
    let mut sent = 0;
    for endpoint in &endpoints {
        for (at, (name, right, want)) in endpoint.parameters.iter().enumerate() {
            for spoilt in spoil(name, right) {
                let what = format!("{} {}: {name} {}", endpoint.method, endpoint.name, spoilt.name);
                let Some(request) = endpoint.request(Some((at, &spoilt))) else { continue };
                let before = store.writes();
                let answer = server.send(request).await;
                sent += 1;
                check(&answer, endpoint.page, &what);
                let refused = spoilt.always || *want == Want::Required || (*want == Want::Known && !spoilt.left_out);
                if refused && !is_harmless(endpoint, name, &spoilt) && !right.is_empty() {
                    assert!(is_refusal(endpoint, &answer), "{what} was accepted: {answer:#?}");
                    assert!(store.writes() == before || begins_anew(endpoint, name), "{what} was stored: {answer:#?}");
                }
            }
        }
    }
    assert!(sent > 1000, "{sent} requests");
    // And nothing of it used up what the right requests need.
    for endpoint in &endpoints {
        let answer = server.send(endpoint.request(None).expect("a request")).await;
        assert!(!is_refusal(endpoint, &answer) && !answer.status.is_server_error(), "{}: {answer:#?}", endpoint.name);
    }
}
