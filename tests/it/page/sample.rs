//! A sample of every page, with natural or hostile text, and how to draw it.

use uitsmijter::page::locale::Locale;
use uitsmijter::page::look::Look;
use uitsmijter::page::{ActivateError, Demo, LoginError, OpenSession, Owner, Page, Pages, Person, View};

pub(super) const FIELDS: &[(&str, &str)] = &[("interaction", "i-1"), ("csrf", "c-1")];

pub(super) fn login<'a>() -> Page<'a> {
    Page::Login { username: None, error: None, client: Some("Garden Planner"), fields: FIELDS }
}

/// The text in each place of the samples.
pub(super) struct Texts<'a> {
    pub(super) client: &'a str,
    pub(super) name: &'a str,
    pub(super) code: &'a str,
    pub(super) error: &'a str,
    pub(super) scopes: &'a [&'a str],
    pub(super) fields: &'a [(&'a str, &'a str)],
    pub(super) sessions: &'a [OpenSession<'a>],
}

pub(super) const NATURAL: Texts<'static> = Texts {
    client: "Garden Planner",
    name: "Ada Lovelace",
    code: "WDJB-MJHT",
    error: "invalid_client",
    scopes: &["openid", "profile", "email", "offline_access", "garden:water"],
    fields: FIELDS,
    sessions: &[
        OpenSession { id: "s-1", since: "2027-01-15T08:00:00Z", browser: Some("Firefox, Linux"), this: true },
        OpenSession { id: "s-2", since: "2027-01-12T18:30:00Z", browser: None, this: false },
    ],
};

/// One sample of every page.
pub(super) fn every_page<'a>(texts: &Texts<'a>) -> Vec<(&'static str, Page<'a>)> {
    let Texts { client, name, code, error, scopes, fields, sessions } = *texts;
    let (username, client_name, person_name) = (Some(name), Some(client), Some(name));
    let wrong = Some(LoginError::InvalidCredentials);
    let demo = Some(Demo { client_id: client, username: name, password: code });
    let person = Some(Person { name, email: Some(client) });
    vec![
        ("login", Page::Login { username: None, error: None, client: client_name, fields }),
        ("login_error", Page::Login { username, error: wrong, client: client_name, fields }),
        ("consent", Page::Consent { action: "/consent", client, scopes, name: person_name, fields }),
        ("activate", Page::Activate { code: None, error: None, fields }),
        ("activate_error", Page::Activate { code: Some(code), error: Some(ActivateError::UnknownCode), fields }),
        ("activate_confirm", Page::ActivateConfirm { code, client, scopes, name: person_name, fields }),
        ("activate_allowed", Page::ActivateDone { allowed: true }),
        ("activate_denied", Page::ActivateDone { allowed: false }),
        ("signed_out", Page::SignedOut {}),
        ("logout", Page::Logout { name: person_name, fields }),
        ("error", Page::Error { code: error, description: client, request_id: Some(code) }),
        ("index", Page::Index { person, fields, sessions, demo: None }),
        ("index_signed_out", Page::Index { person: None, fields: &[], sessions: &[], demo: None }),
        ("index_demo", Page::Index { person: None, fields: &[], sessions: &[], demo }),
        ("form_post", Page::FormPost { action: "https://app.example.com/cb", fields, nonce: "bm9uY2U" }),
    ]
}

pub(super) fn default_pages() -> Pages {
    Pages::new().expect("the default templates are sound")
}

pub(super) fn draw_with(pages: &Pages, page: &Page<'_>) -> String {
    draw_in(pages, page, Locale::English)
}

pub(super) fn draw_in(pages: &Pages, page: &Page<'_>, locale: Locale) -> String {
    pages.render(page, &View { locale, look: &Look::default() }).expect("a page is always drawn")
}

pub(super) fn draw(page: &Page<'_>, locale: Locale) -> String {
    draw_in(&default_pages(), page, locale)
}

/// The pages of a tenant with these templates.
pub(super) fn own(templates: &[(&str, &str)]) -> Pages {
    let (pages, _) = default_pages().with_templates(Owner::default(), templates.iter().copied()).expect("pages");
    pages
}
