//! Pages: everything that a person sees, from templates and translations.

use std::sync::Arc;
use std::{fmt, io};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;
use tracing::warn;

use super::assets;
use super::content::Page;
use super::language;
use super::locale::{Locale, Translations, Words, fill};
use super::look::Look;
use super::template_shape;

/// The fuel of one page: a unit is an instruction or 64 bytes of text. Each of our pages needs less than 400.
const FUEL: u64 = 50_000;
/// The most bytes of a page. The biggest of ours has some 20,000.
const LONGEST: usize = 1 << 20;
/// How deep templates may include each other.
const DEPTH: usize = 64;
/// The page that carries an authorization code; a tenant's template must not see it.
const SEALED: &str = "form_post.html";

/// The templates that are part of the program.
const TEMPLATES: [(&str, &str); 13] = [
    ("layout.html", include_str!("../../assets/templates/layout.html")),
    ("fields.html", include_str!("../../assets/templates/fields.html")),
    ("scopes.html", include_str!("../../assets/templates/scopes.html")),
    ("login.html", include_str!("../../assets/templates/login.html")),
    ("consent.html", include_str!("../../assets/templates/consent.html")),
    ("activate.html", include_str!("../../assets/templates/activate.html")),
    ("activate_confirm.html", include_str!("../../assets/templates/activate_confirm.html")),
    ("activate_done.html", include_str!("../../assets/templates/activate_done.html")),
    ("signed_out.html", include_str!("../../assets/templates/signed_out.html")),
    ("logout.html", include_str!("../../assets/templates/logout.html")),
    ("error.html", include_str!("../../assets/templates/error.html")),
    ("index.html", include_str!("../../assets/templates/index.html")),
    (SEALED, include_str!("../../assets/templates/form_post.html")),
];

/// How a page is drawn.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The person's language.
    pub locale: Locale,
    /// The tenant's settings.
    pub look: &'a Look,
}

/// The templates of one tenant, or the default ones. Cheap to clone.
#[derive(Clone)]
pub struct Pages {
    /// Shared with all clones, and with the pages of tenants made from it.
    translations: Arc<ArcSwap<Translations>>,
    default: Arc<Environment<'static>>,
    tenant: Option<Arc<(Owner, Environment<'static>)>>,
}

/// The owner of templates.
#[derive(Clone, Default)]
pub struct Owner {
    /// For the log: a tenant, or the name of a folder.
    pub name: Arc<str>,
    /// Counts templates that fail.
    pub failures: Counter,
}

/// What a template sees; `docs/templates.md` describes it.
#[derive(Serialize)]
struct Variables<'a> {
    lang: &'static str,
    look: LookVariables<'a>,
    #[serde(flatten)]
    page: &'a Page<'a>,
}

#[derive(Serialize)]
struct LookVariables<'a> {
    title: &'a str,
    logo_url: Option<&'a str>,
    accent_stylesheet: Option<String>,
    imprint_url: Option<&'a str>,
    privacy_url: Option<&'a str>,
    register_url: Option<&'a str>,
}

impl Pages {
    /// The default pages. An error here is a mistake in the program's own templates.
    pub fn new() -> anyhow::Result<Self> {
        let translations = Arc::new(ArcSwap::from_pointee(Translations::embedded()?));
        let mut default = environment(&translations)?;
        // An undefined variable in our own templates is an error that a test finds; in a tenant's it is empty.
        default.set_undefined_behavior(UndefinedBehavior::Strict);
        Ok(Self { translations, default: Arc::new(default), tenant: None })
    }

    /// Uses these sentences on top of the program's own from here on, in templates of tenants too.
    ///
    /// Errors: a mistake in the program's own translations.
    pub fn speak(&self, words: &Words) -> anyhow::Result<()> {
        self.translations.store(Arc::new(Translations::embedded()?.with(words)));
        Ok(())
    }

    /// These pages with an owner's own templates (file name, such as `login.html`, and source) on top. Of several with
    /// one name the last valid one wins.
    ///
    /// Returns the pages, and the broken templates that were left out: name and reason. A template that fails while it
    /// is drawn is logged and counted, and the default page is shown instead.
    pub fn with_templates<'a>(
        &self,
        owner: Owner,
        templates: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> anyhow::Result<(Self, Vec<(String, String)>)> {
        let mut tenant = environment(&self.translations)?;
        let mut broken = Vec::new();
        for (name, source) in templates {
            let added = if name == SEALED {
                Err("it cannot be replaced, because it carries an authorization code".to_owned())
            } else {
                template_shape::check(source).and_then(|()| {
                    let added = tenant.add_template_owned(name.to_owned(), source.to_owned());
                    added.map_err(|error| error.to_string())
                })
            };
            broken.extend(added.err().map(|reason| (name.to_owned(), reason)));
        }
        Ok((Self { tenant: Some(Arc::new((owner, tenant))), ..self.clone() }, broken))
    }

    /// Draws a page as HTML.
    ///
    /// Send it with its [`content_security_policy`](super::content_security_policy).
    pub fn render(&self, page: &Page<'_>, view: &View<'_>) -> anyhow::Result<String> {
        let name = page.template();
        let variables = Value::from(Serde(Variables {
            lang: view.locale.tag(),
            look: LookVariables {
                title: view.look.title.as_deref().unwrap_or("Uitsmijter"),
                logo_url: view.look.logo_url.as_ref().map(|url| url.as_str()),
                accent_stylesheet: view.look.accent.and_then(assets::accent_url),
                imprint_url: view.look.imprint_url.as_ref().map(|url| url.as_str()),
                privacy_url: view.look.privacy_url.as_ref().map(|url| url.as_str()),
                register_url: view.look.register_url.as_ref().map(|url| url.as_str()),
            },
            page,
        }));
        if let Some((owner, tenant)) = self.tenant.as_deref().filter(|_| name != SEALED) {
            match draw(tenant, name, &variables) {
                Ok(html) => return Ok(html),
                // Not the whole error: its details may quote a variable, and a form's fields are secret.
                Err(error) => {
                    let (template, line) = (error.name().unwrap_or(name), error.line());
                    owner.failures.inc();
                    let (view, reason) = (&*owner.name, error.kind());
                    warn!(view, template, line, %reason, "a template failed, the default page is shown");
                }
            }
        }
        draw(&self.default, name, &variables).with_context(|| format!("the default template {name} failed"))
    }
}

fn draw(environment: &Environment<'_>, name: &str, variables: &Value) -> Result<String, Error> {
    let mut page = Bounded::default();
    environment.get_template(name)?.render_captured_to(variables.clone(), &mut page)?;
    String::from_utf8(page.bytes).map_err(|_| Error::new(ErrorKind::WriteFailure, "the page is no text"))
}

/// A page while it is written.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
}

impl io::Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + more.len() > LONGEST {
            return Err(io::Error::other("the page is too long"));
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An environment with the default templates, which always escapes, always terminates, and reads nothing from outside.
fn environment(translations: &Arc<ArcSwap<Translations>>) -> anyhow::Result<Environment<'static>> {
    let mut environment = Environment::empty();
    language::equip(&mut environment);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(write_value);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    // Otherwise errors would contain the values of variables in debug builds.
    environment.set_debug(false);
    environment.add_function("asset", |name: &str| {
        assets::url(name).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "there is no such file under /static/"))
    });
    let translations = translations.clone();
    environment.add_function("t", move |state: &State<'_, '_>, key: &str, values: Kwargs| {
        translate(&translations.load(), state, key, &values)
    });
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).with_context(|| format!("the default template {name} is broken"))?;
    }
    Ok(environment)
}

/// Writes a value into the page, always escaped.
///
/// Text is escaped here rather than by the engine, which would also turn each `/` of a URL into an entity.
fn write_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if *state.auto_escape() != AutoEscape::Html {
        return Err(Error::new(ErrorKind::InvalidOperation, "escaping cannot be switched off"));
    }
    match value.as_str() {
        Some(text) if !value.is_safe() => Ok(write_escaped(out, text)?),
        None if value.is_none() => Ok(()),
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// Text escaped for use between tags and in quoted attributes.
fn write_escaped(out: &mut Output<'_>, text: &str) -> fmt::Result {
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        let entity = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            _ => continue,
        };
        out.write_str(&text[written..at])?;
        out.write_str(entity)?;
        written = at + 1;
    }
    out.write_str(&text[written..])
}

/// `t("login.lead", client=name)`: a sentence in the page's language. `otherwise` is for a key without translation.
fn translate(translations: &Translations, state: &State<'_, '_>, key: &str, values: &Kwargs) -> Result<String, Error> {
    let lang = state.lookup("lang");
    let locale =
        lang.as_ref().and_then(Value::as_str).map_or(Locale::English, |tag| Locale::negotiate(Some(tag), None));
    let Some(sentence) = translations.get(locale, key) else {
        return Ok(values.get::<Option<String>>("otherwise")?.unwrap_or_else(|| key.to_owned()));
    };
    Ok(fill(sentence, |name| values.peek::<Option<String>>(name).ok().flatten()))
}
