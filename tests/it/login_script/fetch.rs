//! `fetch`: what reaches the user store, what comes back, and what rejects.

use super::*;

async fn refusal(call: &str) -> String {
    let text = format!("{call}.then(() => 'resolved', (error) => `rejected: ${{error.message}}`)");
    value_of(&text).await.as_str().expect("a text").to_owned()
}

#[tokio::test]
async fn an_object_is_sent_as_json_and_text_as_it_is() {
    let backend = backend::start().await;
    let sent = |init: &str| {
        let call = format!("fetch('{backend}/echo?a=b', {init}).then((r) => r.json())");
        async move { value_of(&call).await }
    };
    let object = sent("{ method: 'post', headers: { 'X-Trace': 7 }, body: { a: [1] } }").await;
    assert_eq!(
        object,
        json!({"method": "POST", "query": "a=b", "body": "{\"a\":[1]}", "type": "application/json",
               "authorization": null, "trace": "7"})
    );
    let typed = sent("{ method: 'PUT', headers: { 'content-type': 'application/ld+json' }, body: { a: 1 } }").await;
    assert_eq!((&typed["method"], &typed["type"]), (&json!("PUT"), &json!("application/ld+json")));
    let text = sent("{ method: 'POST', body: 'raw' }").await;
    assert_eq!((&text["body"], &text["type"]), (&json!("raw"), &json!("text/plain;charset=UTF-8")));
    let form = sent("{ method: 'POST', body: new URLSearchParams({ a: 'b c' }) }").await;
    assert_eq!(
        (&form["body"], &form["type"]),
        (&json!("a=b+c"), &json!("application/x-www-form-urlencoded;charset=UTF-8"))
    );
    let plain = sent("undefined").await;
    assert_eq!((&plain["method"], &plain["type"], &plain["body"]), (&json!("GET"), &json!(null), &json!("")));
}

#[tokio::test]
async fn a_response_has_code_status_headers_and_body() {
    let backend = backend::start().await;
    let seen = value_of(&format!(
        "fetch(new URL('/status/201', '{backend}')).then((r) => [r.code, r.status, r.ok, r.body, r.headers['content-type']])"
    ))
    .await;
    assert_eq!(seen, json!([201, 201, true, "no luck", "text/plain; charset=utf-8"]));
    let awaited = value_of(&format!(
        "(async () => {{ const r = await fetch('{backend}/echo'); return (await r.json()).method + r.headers.get('X-Seen') }})()"
    ))
    .await;
    assert_eq!(awaited, "GETyes");
}

#[tokio::test]
async fn anything_but_2xx_rejects_and_keeps_the_code() {
    let backend = backend::start().await;
    for code in [304, 400, 401, 403, 404, 500, 503] {
        let seen = value_of(&format!(
            "fetch('{backend}/status/{code}').then(() => 'resolved', (e) => [e instanceof Error, e.code, e.status])"
        ))
        .await;
        assert_eq!(seen, json!([true, code, code]));
    }
}

#[tokio::test]
async fn a_rejection_that_nobody_handles_ends_the_run_at_once() {
    let backend = backend::start().await;
    let careless = provider(&format!("fetch('{backend}/status/401').then(() => {{ commit(true) }});"));
    let began = Instant::now();
    let error = error_of(&careless).await;
    assert!(error.to_string().contains("HTTP status 401"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5), "it did not wait for the time limit");
    let after = provider("commit(true); Promise.reject(new Error('late'));");
    assert_eq!(error_of(&after).await, ScriptError::Exception("Error: late (line 3)".to_owned()));
    let handled_late =
        provider("const p = Promise.reject(1); Promise.resolve().then(() => p.catch(() => commit(true)));");
    assert_eq!(identity(&handled_late).await.username, "ada");
}

#[tokio::test]
async fn a_backend_that_refuses_or_hangs_up_rejects() {
    let nobody = backend::nobody().await;
    assert!(refusal(&format!("fetch('{nobody}/?secret=1')")).await.starts_with("rejected: fetch:"));
    assert!(!refusal(&format!("fetch('{nobody}/?secret=1')")).await.contains("secret"), "no query in messages");
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nonly this",
        b"hello, who is there?\r\n\r\n",
    ] {
        let rude = backend::start_raw(answer).await;
        let outcome = refusal(&format!("fetch('{rude}')")).await;
        assert!(outcome.starts_with("rejected: fetch:"), "{outcome}");
    }
}

#[tokio::test]
async fn a_backend_that_hangs_rejects_after_the_time_limit() {
    let backend = backend::start().await;
    let limits = ScriptLimits {
        fetch: FetchLimits { timeout: Duration::from_millis(100), ..FetchLimits::default() },
        ..patient()
    };
    let source = provider(&format!(
        "fetch('{backend}/slow/60000').catch((e) => {{ this.canLogin = false; commit(e.message) }})"
    ));
    let began = Instant::now();
    assert_eq!(login_within(limits, &source).await, Ok(None));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_body_of_ten_megabytes_rejects() {
    let backend = backend::start().await;
    assert_eq!(
        refusal(&format!("fetch('{backend}/big')")).await,
        "rejected: fetch: the response is bigger than 1048576 bytes"
    );
    let announced = backend::start_raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\nx").await;
    assert!(refusal(&format!("fetch('{announced}')")).await.contains("bigger than"));
}

#[tokio::test]
async fn redirects_are_followed_five_times_and_not_in_circles() {
    let backend = backend::start().await;
    assert_eq!(value_of(&format!("fetch('{backend}/hops/5').then((r) => r.body)")).await, "arrived");
    assert_eq!(refusal(&format!("fetch('{backend}/hops/6')")).await, "rejected: fetch: more than 5 redirects");
    assert_eq!(refusal(&format!("fetch('{backend}/circle')")).await, "rejected: fetch: more than 5 redirects");
    assert!(refusal(&format!("fetch('{backend}/elsewhere')")).await.contains("neither http nor https"));
}

#[tokio::test]
async fn a_redirected_post_becomes_a_get_where_http_says_so() {
    let backend = backend::start().await;
    for (code, method, body) in
        [(301, "GET", ""), (302, "GET", ""), (303, "GET", ""), (307, "POST", "x"), (308, "POST", "x")]
    {
        let call = format!("fetch('{backend}/moved/{code}', {{ method: 'POST', body: 'x' }}).then((r) => r.json())");
        let seen = value_of(&call).await;
        assert_eq!((&seen["method"], &seen["body"]), (&json!(method), &json!(body)), "{code}");
    }
}

#[tokio::test]
async fn a_redirect_to_another_origin_leaves_the_authorization_behind() {
    let backend = backend::start().await;
    let elsewhere = format!("HTTP/1.1 307 Moved\r\nlocation: {backend}/echo\r\ncontent-length: 0\r\n\r\n");
    let origin = backend::start_raw(elsewhere.into_bytes().leak()).await;
    let call = |root: &str, path: &str| {
        format!(
            "fetch('{root}{path}', {{ headers: {{ Authorization: 'Basic x', 'X-Trace': 'y' }} }}).then((r) => r.json())"
        )
    };
    let stranger = value_of(&call(&origin, "/")).await;
    assert_eq!((&stranger["authorization"], &stranger["trace"]), (&json!(null), &json!("y")));
    assert_eq!(value_of(&call(&backend, "/moved/307")).await["authorization"], "Basic x");
}

#[tokio::test]
async fn only_http_and_only_well_formed_requests() {
    for (call, reason) in [
        ("fetch('file:///etc/passwd')", "neither http nor https"),
        ("fetch('data:text/plain,x')", "neither http nor https"),
        ("fetch('users')", "the URL is bad"),
        ("fetch()", "the URL is bad"),
        ("fetch('http://127.0.0.1/', { method: 'G T' })", "not a method"),
        ("fetch('http://127.0.0.1/', { headers: { 'a b': 'c' } })", "name of a header"),
        ("fetch('http://127.0.0.1/', { headers: { a: 'b\\r\\nc: d' } })", "value of the header"),
        ("fetch('http://127.0.0.1/', { method: 'POST', body: new Uint8Array(3) })", "must be text"),
    ] {
        let outcome = refusal(call).await;
        assert!(outcome.contains(reason) && outcome.starts_with("rejected: "), "{call}: {outcome}");
    }
}

#[tokio::test]
async fn a_tenant_may_be_kept_to_its_hosts_even_by_redirect() {
    let backend = backend::start().await;
    let away = format!("HTTP/1.1 302 Found\r\nlocation: {backend}/echo\r\ncontent-length: 0\r\n\r\n");
    let redirector = backend::start_raw(away.into_bytes().leak()).await;
    let pool = ScriptPool::new(patient());
    let ask = |url: String, hosts: &[&str]| {
        let source = provider(&format!(
            "fetch('{url}').then(() => commit(true), (e) => {{ this.userProfile = {{ e: e.message }}; commit(false) }})"
        ));
        let hosts: Arc<[String]> = hosts.iter().map(|&host| host.to_owned()).collect();
        let pool = pool.clone();
        async move {
            let script = Script { fetch_hosts: Some(hosts), ..script(&source) };
            pool.login(&script, credentials()).await.unwrap().unwrap().profile.remove("e")
        }
    };
    let port = |url: &str| url.trim_start_matches("http://").to_owned();
    let refused = Some(json!("fetch: the host 127.0.0.1 is not allowed for this tenant"));
    assert_eq!(ask(format!("{backend}/echo"), &["127.0.0.1"]).await, None);
    assert_eq!(ask(format!("{backend}/echo"), &[&port(&backend)]).await, None);
    assert_eq!(ask(format!("{backend}/echo"), &["users.example.com"]).await, refused);
    assert_eq!(ask(format!("{backend}/echo"), &[]).await, refused);
    assert_eq!(ask(redirector.clone(), &[&port(&redirector)]).await, refused);
    assert_eq!(ask(redirector.clone(), &[&port(&redirector), &port(&backend)]).await, None);
}

#[tokio::test]
async fn a_script_may_not_start_requests_without_end() {
    let flood = provider(
        "for (let i = 0; i < 1000; i++) fetch('http://127.0.0.1:1/').catch((e) => { this.role = e.message });
         setTimeout(() => commit(true), 50);",
    );
    let outcome = login(&flood).await;
    assert!(matches!(&outcome, Err(ScriptError::Exception(m)) if m.contains("wait for 64 things")), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_logins_wait_together_for_a_slow_backend() {
    let backend = backend::start().await;
    let pool = ScriptPool::new(patient());
    let source = provider(&format!("fetch('{backend}/slow/200').then((r) => {{ this.role = r.body; commit(true) }})"));
    let script = script(&source);
    let began = Instant::now();
    let logins = (0..500).map(|_| pool.login(&script, credentials()));
    for outcome in futures_util::future::join_all(logins).await {
        assert_eq!(outcome.unwrap().unwrap().role, "at last");
    }
    // One after the other on two threads they would take 50 seconds.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_backend_that_fails_is_an_outage_only_where_it_says_so() {
    let backend = backend::start().await;
    for (status, is_outage) in [(400, false), (401, false), (404, false), (500, false), (502, true), (503, true)] {
        let uncaught = provider(&format!("fetch('{backend}/status/{status}').then(() => commit(true))"));
        assert_eq!(error_of(&uncaught).await.is_outage(), is_outage, "{status}");
    }
    assert!(error_of(&provider("fetch('http://127.0.0.1:1/').then(() => commit(true))")).await.is_outage());
}
