//! The password stays out of errors and log lines, whatever a script does with it.

use super::*;
use crate::harness::lines::Lines;

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no test panics while it logs").clone()).expect("UTF-8")
    }
}

async fn logged(source: &str) -> String {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let _ = login(source).await;
    lines.text()
}

#[tokio::test]
async fn what_a_script_says_is_logged_with_its_tenant() {
    let text = logged(&provider(
        "console.log('who:', credentials.username, { a: [1] }, undefined); say(42);
         console.error(new TypeError('broken')); commit(true)",
    ))
    .await;
    assert!(text.contains("INFO") && text.contains("login script: who: ada {\"a\":[1]} undefined"), "{text}");
    assert!(text.contains("login script: 42"), "{text}");
    assert!(text.contains("ERROR") && text.contains("login script: TypeError: broken"), "{text}");
    assert_eq!(text.matches("tenant=\"egg\"").count(), 3, "{text}");
}

#[tokio::test]
async fn a_committed_subject_that_names_nobody_is_told_where_somebody_signs_in() {
    for (subject, what) in
        [("undefined", "undefined"), ("null", "null"), ("''", "an empty text"), ("NaN", "not a finite")]
    {
        let text = logged(&provider(&format!("commit(true, {{ subject: {subject} }})"))).await;
        assert!(text.contains("WARN") && text.contains(&format!("the committed subject is {what}")), "{text}");
    }
    let refused = "class UserLoginProvider { canLogin = false; constructor() { commit({ subject: undefined }) } }";
    assert!(!logged(refused).await.contains("the committed subject"));
}

#[tokio::test]
async fn a_script_cannot_log_the_password() {
    let text = logged(&provider(
        "const p = credentials.password;
         console.log(p); say(`<${p}>`); console.error(credentials); console.log([p, { p }]);
         console.log(encodeURIComponent(p), btoa(p), btoa(`ada:${p}`), new URLSearchParams({ p }), sha256(p), md5(p));
         commit(true)",
    ))
    .await;
    let digest = value_of("sha256(credentials.password)").await;
    assert!(text.contains("<***>") && text.contains("\"username\":\"ada\""), "{text}");
    for shape in ["correct", "horse", "battery", "Y29ycmVjd", digest.as_str().unwrap()] {
        assert!(!text.contains(shape), "{shape} is in: {text}");
    }
}

#[tokio::test]
async fn a_line_stays_a_line_and_their_number_is_limited() {
    let text = logged(&provider("say('a\\nINFO forged\\r\\u001b[31m'); commit(true)")).await;
    assert_eq!(text.lines().count(), 1, "{text:?}");
    let flood = logged(&provider("for (let i = 0; i < 200; i++) say('x'.repeat(100000)); commit(true)")).await;
    let said: Vec<_> = flood.lines().filter(|line| line.contains("login script: x")).collect();
    assert_eq!(said.len(), 50);
    assert!(said.iter().all(|line| line.len() < 2500));
    assert_eq!(flood.matches("logs too much").count(), 1);
}

#[tokio::test]
async fn a_script_cannot_throw_the_password_into_the_log() {
    for throw in [
        "throw credentials.password",
        "throw new Error(`no ${credentials.password}`)",
        "throw credentials",
        "Promise.reject(credentials.password)",
        "Promise.reject(new Error('x'.repeat(500) + credentials.password))",
        "fetch(credentials.password)",
        "fetch('http://127.0.0.1:1/' + credentials.password).then(() => 0)",
        "new URL(credentials.password)",
        "JSON.parse(credentials.password)",
        "eval(credentials.password)",
        "({})[credentials.password]()",
        "setTimeout(() => { throw credentials.password }, 1)",
    ] {
        let error = error_of(&provider(throw)).await;
        let text = format!("{error} {error:?}");
        assert!(!text.contains("correct") && !text.contains("horse"), "{throw}: {text}");
    }
    assert_eq!(error_of(&provider("throw `no ${credentials.password}`")).await.to_string(), "exception: no ***");
}

#[test]
fn credentials_do_not_show_the_password_for_debugging() {
    let text = format!("{:?}", credentials());
    assert!(text.contains("ada") && !text.contains(PASSWORD), "{text}");
}
