//! What else a script finds in its global scope.

use super::*;

#[tokio::test]
async fn digests_are_lower_case_hexadecimal() {
    for (call, digest) in [
        ("md5('abc')", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha512('abc').slice(0, 32)", "ddaf35a193617abacc417349ae204131"),
        (
            "hmac('SHA-256', 'key', 'The quick brown fox jumps over the lazy dog')",
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8",
        ),
    ] {
        assert_eq!(value_of(call).await, digest, "{call}");
    }
    assert_eq!(value_of("hmac('sha256', 'k', 'ä') === hmac('sha256', 'k', '\\u00e4')").await, true);
    assert!(error_of(&provider("hmac('crc32', 'a', 'b'); commit(true)")).await.to_string().contains("hmac("));
}

#[tokio::test]
async fn stored_hashes_can_be_verified() {
    let bcrypt = bcrypt::hash("secret", 4).unwrap();
    let argon2 = uitsmijter::login::password::hash("secret", &uitsmijter::random::SystemRandom);
    for (function, hash) in [("bcryptVerify", &bcrypt), ("argon2Verify", &argon2)] {
        assert_eq!(value_of(&format!("{function}('secret', '{hash}')")).await, true);
        assert_eq!(value_of(&format!("{function}('Secret', '{hash}')")).await, false);
        let error = error_of(&provider(&format!("{function}('secret', 'nonsense'); commit(true)"))).await;
        assert!(error.to_string().contains(function), "{error}");
    }
    let costly = "$2b$31$abcdefghijklmnopqrstuuMk6dCB1ZC2VNDcE2LVSBv1bLhpXJ8jK";
    assert!(error_of(&provider(&format!("bcryptVerify('x', '{costly}')"))).await.to_string().contains("too much"));
    let costly = "$argon2id$v=19$m=4194304,t=9,p=1$c2FsdHNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A";
    assert!(error_of(&provider(&format!("argon2Verify('x', '{costly}')"))).await.to_string().contains("too much"));
}

#[tokio::test]
async fn texts_bytes_and_base64() {
    assert_eq!(value_of("[btoa('hello'), atob('aGVsbG8=')]").await, json!(["aGVsbG8=", "hello"]));
    assert_eq!(value_of("[...new TextEncoder().encode('ä€')]").await, json!([0xc3, 0xa4, 0xe2, 0x82, 0xac]));
    assert_eq!(value_of("new TextDecoder().decode(new Uint8Array([0xc3, 0xa4]))").await, "ä");
    assert_eq!(value_of("new TextDecoder().decode(new Uint8Array([0xff]).buffer)").await, "\u{fffd}");
    let uuid = value_of("crypto.randomUUID()").await;
    let uuid = uuid::Uuid::parse_str(uuid.as_str().unwrap()).unwrap();
    assert_eq!(uuid.get_version_num(), 4);
}

#[tokio::test]
async fn nothing_of_ours_lies_about_in_the_global_scope() {
    let names = "Object.getOwnPropertyNames(globalThis).filter((name) => !/^[A-Za-z][A-Za-z0-9]*$/.test(name))";
    assert_eq!(value_of(&format!("(fetch, URL, console, {names})")).await, json!([]));
}

#[tokio::test]
async fn what_a_script_puts_into_every_object_does_not_change_what_is_built_in() {
    let spoiled = "(Object.assign(Object.prototype, { web: 5, network: 5, console: 5, host: 5 }), say('x'), \
                   new URL('https://a.example/b').pathname)";
    assert_eq!(value_of(spoiled).await, "/b");
}

#[tokio::test]
async fn a_timer_that_is_no_number_rings_at_once() {
    for delay in ["NaN", "-1", "'soon'", "-Infinity", "undefined"] {
        assert_eq!(
            value_of(&format!("new Promise((done) => setTimeout(done, {delay}, 'rung'))")).await,
            "rung",
            "{delay}"
        );
    }
}

#[tokio::test]
async fn addresses_are_taken_apart_and_put_together() {
    let parts = value_of(
        "(() => { const u = new URL('../b?x=1&x=2#h', 'https://me:pw@users.example.com:8443/a/c/d');
         return [u.href, u.origin, u.protocol, u.username, u.host, u.hostname, u.port, u.pathname, u.search, u.hash,
                 u.searchParams.get('x'), u.searchParams.getAll('x'), `${u}` === u.href] })()",
    )
    .await;
    assert_eq!(
        parts,
        json!([
            "https://me:pw@users.example.com:8443/a/b?x=1&x=2#h",
            "https://users.example.com:8443",
            "https:",
            "me",
            "users.example.com:8443",
            "users.example.com",
            "8443",
            "/a/b",
            "?x=1&x=2",
            "#h",
            "1",
            ["1", "2"],
            true
        ])
    );
    let query = value_of(
        "(() => { const p = new URLSearchParams('?a=1&b=2&a=3'); p.set('b', 'ü &'); p.delete('a'); p.append('c', 4);
         return [String(p), p.has('a'), [...p], Object.fromEntries(p)] })()",
    )
    .await;
    assert_eq!(query, json!(["b=%C3%BC+%26&c=4", false, [["b", "ü &"], ["c", "4"]], {"b": "ü &", "c": "4"}]));
    assert_eq!(value_of("[URL.canParse('x'), URL.canParse('x', 'https://y')]").await, json!([false, true]));
    assert!(error_of(&provider("new URL('x')")).await.to_string().contains("TypeError: URL"));
}

#[tokio::test]
async fn a_script_may_use_the_names_of_built_in_classes_for_itself() {
    for own in ["class URL { mine = 1 }", "var URL = class { mine = 1 }", "URL = class { mine = 1 }"] {
        let source = format!("{own}; {}", provider("this.role = `${new URL().mine}`; commit(true)"));
        assert_eq!(identity(&source).await.role, "1", "{own}");
    }
    assert_eq!(value_of("[URL === globalThis.URL, new URL('a:b') instanceof URL]").await, json!([true, true]));
}

#[tokio::test]
async fn timers_ring_in_order_and_can_be_cleared() {
    let order = value_of(
        "new Promise((done) => { const seen = [];
         setTimeout((x) => { seen.push(x); done(seen) }, 40, 'last');
         const never = setTimeout(() => seen.push('never'), 10);
         setTimeout(() => seen.push('first'));
         clearTimeout(never); clearTimeout(never); clearTimeout(99); clearTimeout('x'); })",
    )
    .await;
    assert_eq!(order, json!(["first", "last"]));
    assert!(error_of(&provider("setTimeout('commit(true)', 1)")).await.to_string().contains("not a function"));
    let thrown = error_of(&provider("setTimeout(() => { throw new Error('late') }, 1)")).await;
    assert!(thrown.to_string().contains("Error: late"), "{thrown}");
    let cleared = provider("clearTimeout(setTimeout(() => commit(true), 60000))");
    assert_eq!(error_of(&cleared).await, ScriptError::NeverCommitted);
}

#[tokio::test]
async fn strange_texts_do_no_harm() {
    for strange in ["'\\ud800'", "'a\\0b'", "Symbol('x')", "Object.create(null)", "'x'.repeat(1e6)"] {
        for call in ["md5", "commit", "console.log", "fetch", "btoa", "new TextEncoder().encode", "say"] {
            let source = provider(&format!("try {{ {call}({strange})?.catch?.(() => 0) }} catch {{ }} commit(true)"));
            let outcome = login(&source).await;
            assert!(outcome.as_ref().is_ok_and(Option::is_some), "{call}({strange}): {outcome:?}");
        }
    }
}
