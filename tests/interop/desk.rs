//! A browser that stays open: Chromium with applications on oidc-client-ts, each in a tab that is never loaded again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::calendar::Calendar;
use crate::configuration::{PASSWORD, USERNAME};
use crate::tool::{self, Conversation};

/// The browser. `browser/desk.js` documents the results of its steps.
pub(crate) struct Desk {
    browser: Conversation,
}

impl Desk {
    /// Starts it without any tab.
    pub(crate) fn start() -> Self {
        tool::expect_modules("browser");
        let (script, chromium) = (tool::source("browser/desk.js"), tool::program("chromium"));
        let arguments = [script.as_os_str(), chromium.as_os_str()];
        Self { browser: Conversation::start(&tool::program("node"), &arguments, &[]) }
    }

    /// Opens an application in a new tab. The pages' clock is set by the first one.
    pub(crate) async fn open(&mut self, tab: &str, application: &str, calendar: &Calendar) {
        let question = json!({ "do": "open", "tab": tab, "application": application, "now": calendar.timestamp() });
        let opened = self.browser.ask(&question).await;
        assert_eq!(opened["state"], "signed-out", "{opened}");
    }

    /// The person signs in with the password; returns the library's user.
    pub(crate) async fn sign_in(&mut self, tab: &str) -> Value {
        self.sign_in_as(json!({ "do": "sign in", "tab": tab, "username": USERNAME, "password": PASSWORD })).await
    }

    /// The same with an existing session at the server.
    pub(crate) async fn sign_in_once_more(&mut self, tab: &str) -> Value {
        self.sign_in_as(json!({ "do": "sign in", "tab": tab })).await
    }

    async fn sign_in_as(&mut self, question: Value) -> Value {
        let done = self.browser.ask(&question).await;
        assert_eq!(done["message"], "signed in by popup", "{done}");
        done["user"].clone()
    }

    /// `signinSilent`: returns the `user`, and the `error` if there was one.
    pub(crate) async fn renew(&mut self, tab: &str) -> Value {
        self.browser.ask(&json!({ "do": "renew", "tab": tab })).await
    }

    /// Lets time pass; the tabs in `renewing` must have renewed by themselves then. Gives the user of each tab.
    pub(crate) async fn pass(&mut self, span: Duration, renewing: &[&str]) -> Value {
        let question = json!({ "do": "pass", "seconds": span.as_secs(), "renewing": renewing });
        self.browser.ask(&question).await["users"].take()
    }

    /// The `status` and the `claims` that the application in a tab gets for an access token.
    pub(crate) async fn userinfo(&mut self, tab: &str, token: &str) -> Value {
        self.browser.ask(&json!({ "do": "userinfo", "tab": tab, "token": token })).await
    }

    /// The person signs out of the application in another tab; this one is not notified.
    pub(crate) async fn sign_out_in_another_tab(&mut self, tab: &str) {
        let done = self.browser.ask(&json!({ "do": "sign out in another tab", "tab": tab })).await;
        assert_eq!(done["message"], "signed out: goodbye", "{done}");
    }

    /// Closes it. No page may have complained.
    pub(crate) async fn close(mut self) {
        let all = self.browser.ask(&json!({ "do": "complaints" })).await;
        assert_eq!(all["complaints"], json!([]));
        self.browser.end().await;
    }
}
