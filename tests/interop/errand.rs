//! A client in another language that sometimes needs a person: it prints `{"open": url}`, the person goes there and
//! does what the pages ask, and the client reads on its next line where that led. With `"deny": true` the person
//! declines.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::ChildStdin;
use url::Url;

use crate::configuration::{PASSWORD, USERNAME};
use crate::person::{Arrival, Browser};
use crate::tool;

/// More pages than any sign-in has: login, consent or device, and the last one.
const PAGES: usize = 5;

/// The findings of a client, by name. Every finding has to be checked: [`Findings::end`] reports those that were not.
pub(crate) struct Findings(BTreeMap<String, Value>);

impl Findings {
    /// One finding, once.
    #[track_caller]
    pub(crate) fn take(&mut self, what: &str) -> Value {
        let found = self.0.remove(what);
        found.unwrap_or_else(|| panic!("the client did not find {what:?}, but {:#?}", self.0))
    }

    /// The client made a forbidden request, and the server answered with this error code.
    #[track_caller]
    pub(crate) fn refused(&mut self, what: &str, error: &str) -> Value {
        let finding = self.take(what);
        assert_eq!(finding["error"], error, "{what}: {finding}");
        finding
    }

    /// The library itself refused, before it called the server, for a reason that contains these words.
    #[track_caller]
    pub(crate) fn complained(&mut self, what: &str, reason: &str) {
        let finding = self.take(what);
        assert_ne!(finding["accepted"], true, "{what}: {finding}");
        assert!(finding["message"].as_str().is_some_and(|text| text.contains(reason)), "{what}: {finding}");
    }

    /// Every finding has been checked.
    #[track_caller]
    pub(crate) fn end(self) {
        assert!(self.0.is_empty(), "nobody judged {:#?}", self.0);
    }
}

/// Runs a client to its end, with a person and a fresh browser.
/// A client that fails, or prints anything but JSON, fails the test.
pub(crate) async fn accompany(program: &Path, arguments: &[&Path], settings: &Value) -> Findings {
    let mut client = tool::start(program, arguments);
    let mut stdin = client.stdin.take().expect("stdin is a pipe");
    let mut lines = BufReader::new(client.stdout.take().expect("stdout is a pipe")).lines();
    let mut errors = client.stderr.take().expect("stderr is a pipe");
    let complaints = tokio::spawn(async move {
        let mut text = String::new();
        let _ = errors.read_to_string(&mut text).await;
        text
    });
    let journey = async {
        let (mut browser, mut found) = (Browser::new(), BTreeMap::new());
        tell(&mut stdin, settings).await;
        while let Some(line) = lines.next_line().await.expect("text") {
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"));
            if let Some(url) = line["open"].as_str() {
                let url = url.parse().unwrap_or_else(|error| panic!("{error}: {url}"));
                let decision = if line["deny"] == true { "deny" } else { "allow" };
                tell(&mut stdin, &errand(&mut browser, url, decision).await).await;
            } else {
                let what = line["found"].as_str().unwrap_or_else(|| panic!("no finding: {line}")).to_owned();
                assert!(found.insert(what, line.clone()).is_none(), "found twice: {line}");
            }
        }
        (found, client.wait().await.expect("the client's end"))
    };
    let ended = tokio::time::timeout(tool::PATIENCE, journey).await;
    let (found, status) = ended.unwrap_or_else(|_| panic!("{arguments:?} took longer than {:?}", tool::PATIENCE));
    let complaints = complaints.await.expect("what the client complained about");
    assert!(status.success(), "{arguments:?}: {status}\n{found:#?}\n{complaints}");
    Findings(found)
}

async fn tell(stdin: &mut ChildStdin, line: &Value) {
    // The exit status of a client says more than this error.
    let _ = stdin.write_all(format!("{line}\n").as_bytes()).await;
}

/// Opens a URL, signs in and decides where a page asks for it. Returns where that led: a foreign URL, perhaps with a
/// form to post there, or the path and the outcome of the server's last page.
async fn errand(browser: &mut Browser, url: Url, decision: &str) -> Value {
    let mut arrival = browser.open(url).await;
    for _ in 0..PAGES {
        let page = match arrival {
            Arrival::Left(url) => return json!({ "url": url }),
            Arrival::Page(page) => page,
        };
        if let Some((url, fields)) = page.form_for_another() {
            return json!({ "url": url, "form": fields.into_iter().collect::<BTreeMap<_, _>>() });
        }
        arrival = if page.body.contains(r#"id="password""#) {
            browser.submit(&page, &[("username", USERNAME), ("password", PASSWORD)]).await
        } else if page.body.contains(r#"name="decision""#) {
            browser.submit(&page, &[("decision", decision)]).await
        } else {
            let allowed = page.body.contains(r#"data-outcome="allowed""#);
            return json!({ "page": page.url.path(), "status": page.status.as_u16(), "allowed": allowed });
        };
    }
    panic!("more than {PAGES} pages");
}
