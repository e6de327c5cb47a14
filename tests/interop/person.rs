//! A browser without JavaScript: follows redirects, keeps cookies, fills in forms.

use std::collections::BTreeMap;

use regex::Regex;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, StatusCode};
use url::Url;

use crate::server::http_client;

/// More redirects than any journey needs; a browser gives up at about 20.
const REDIRECTS: usize = 10;

/// The browser: it has cookies only, for a single server.
pub(crate) struct Browser {
    http: Client,
    cookies: BTreeMap<String, String>,
}

/// Where a journey ended.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// On a page of the server.
    Page(Page),
    /// At a redirect to another origin, which is not followed.
    Left(Url),
}

/// One page of the server.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

impl Browser {
    /// A browser that was never used.
    pub(crate) fn new() -> Self {
        Self { http: http_client(), cookies: BTreeMap::new() }
    }

    /// The same on top of this client.
    pub(crate) fn with(http: Client) -> Self {
        Self { http, cookies: BTreeMap::new() }
    }

    /// All its cookies, as it sends them.
    pub(crate) fn cookie_header(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// Opens a URL and follows the server's redirects.
    pub(crate) async fn open(&mut self, url: Url) -> Arrival {
        self.travel(Method::GET, url, None).await
    }

    /// Fills in the page's form and submits it, with its hidden fields.
    pub(crate) async fn submit(&mut self, page: &Page, typed: &[(&str, &str)]) -> Arrival {
        let form = Form::find(page);
        let mut fields = form.hidden;
        fields.extend(typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.travel(Method::POST, form.action, Some(fields)).await
    }

    async fn travel(&mut self, method: Method, url: Url, form: Option<Vec<(String, String)>>) -> Arrival {
        let home = url.origin();
        let (mut method, mut url, mut form) = (method, url, form);
        for _ in 0..REDIRECTS {
            let mut request = self.http.request(method.clone(), url.clone()).header("accept", "text/html");
            if !self.cookies.is_empty() {
                request = request.header(COOKIE, self.cookie_header());
            }
            if let Some(form) = &form {
                request = request.form(form);
            }
            let answer = request.send().await.expect("the server answers");
            self.keep(answer.headers());
            let status = answer.status();
            if !status.is_redirection() {
                let body = answer.text().await.expect("a readable page");
                return Arrival::Page(Page { url, status, body });
            }
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).expect("a location");
            url = url.join(location).expect("a location that is a URL");
            if url.origin() != home {
                return Arrival::Left(url);
            }
            // Only 307 and 308 repeat the method and its body (RFC 9110 §15.4).
            if !matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
                (method, form) = (Method::GET, None);
            }
        }
        panic!("more than {REDIRECTS} redirects, the last to {url}");
    }

    fn keep(&mut self, headers: &reqwest::header::HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let Some((name, value)) = pair.split_once('=') else { continue };
            if value.is_empty() || attributes.to_ascii_lowercase().contains("max-age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

impl Arrival {
    /// The page; anything else fails the test.
    #[track_caller]
    pub(crate) fn page(self) -> Page {
        match self {
            Self::Page(page) => page,
            Self::Left(url) => panic!("expected a page of the server, was sent to {url}"),
        }
    }

    /// The foreign URL that the browser was sent to; anything else fails the test.
    #[track_caller]
    pub(crate) fn left(self) -> Url {
        match self {
            Self::Left(url) => url,
            Self::Page(page) => panic!("expected to be sent on, got {} {}\n{}", page.status, page.url, page.body),
        }
    }
}

impl Page {
    /// The form of a page that only submits itself to another origin (`response_mode=form_post`): its action, and its
    /// fields.
    pub(crate) fn form_for_another(&self) -> Option<(Url, Vec<(String, String)>)> {
        let form = Form::first(self)?;
        (form.action.origin() != self.url.origin()).then_some((form.action, form.hidden))
    }
}

struct Form {
    action: Url,
    hidden: Vec<(String, String)>,
}

impl Form {
    /// The first form of a page that posts; a page without one fails the test.
    #[track_caller]
    fn find(page: &Page) -> Self {
        Self::first(page).unwrap_or_else(|| panic!("no form to post at {}\n{}", page.url, page.body))
    }

    fn first(page: &Page) -> Option<Self> {
        let form = Regex::new(r"(?is)<form\b([^>]*)>(.*?)</form>").expect("a correct expression");
        let input = Regex::new(r"(?is)<input\b([^>]*)>").expect("a correct expression");
        let found = form
            .captures_iter(&page.body)
            .find(|form| attribute(&form[1], "method").is_some_and(|method| method.eq_ignore_ascii_case("post")))?;
        let action = attribute(&found[1], "action").unwrap_or_default();
        let hidden = input
            .captures_iter(&found[2])
            .filter(|input| attribute(&input[1], "type").is_some_and(|kind| kind.eq_ignore_ascii_case("hidden")));
        let hidden = hidden.map(|input| {
            let read = |name| attribute(&input[1], name).unwrap_or_default();
            (read("name"), read("value"))
        });
        Some(Self { action: page.url.join(&action).expect("an action that is a URL"), hidden: hidden.collect() })
    }
}

/// The value of one attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let pattern = format!(r#"(?is)(?:^|\s){name}\s*=\s*(?:"([^"]*)"|'([^']*)')"#);
    let found = Regex::new(&pattern).expect("a correct expression").captures(tag)?;
    Some(without_references(found.get(1).or(found.get(2))?.as_str()))
}

/// Text with the character references of our templates resolved.
fn without_references(text: &str) -> String {
    let reference = Regex::new(r"&(#x[0-9a-fA-F]+|#[0-9]+|amp|lt|gt|quot|apos);").expect("a correct expression");
    let resolve = |found: &regex::Captures<'_>| {
        let number = |digits, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let character = match &found[1] {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            code => match code.strip_prefix("#x") {
                Some(digits) => number(digits, 16),
                None => number(&code[1..], 10),
            },
        };
        character.expect("a reference to a character").to_string()
    };
    reference.replace_all(text, resolve).into_owned()
}
