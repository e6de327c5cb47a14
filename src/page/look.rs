//! How a tenant's pages look without a template of its own: title, logo, accent colour and links.

use serde::Deserialize;
use url::Url;

use crate::page::colour::Colour;
use crate::registry::tenant::Tenant;

/// What a tenant may change by settings. Everything is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Look {
    /// The name above every page and in the window's title.
    pub title: Option<String>,
    /// A logo instead of our own.
    pub logo_url: Option<WebUrl>,
    /// The colour of the main button and, in a readable shade, of links.
    pub accent: Option<Colour>,
    /// Link in the footer: who runs this.
    pub imprint_url: Option<WebUrl>,
    /// Link in the footer: what happens with personal data.
    pub privacy_url: Option<WebUrl>,
    /// Link in the footer: where to get an account.
    pub register_url: Option<WebUrl>,
}

impl Look {
    /// How a tenant's pages look by its settings. A link that is no web address is left out.
    pub fn of(tenant: &Tenant) -> Self {
        let link =
            |text: &Option<String>| text.as_ref().and_then(|text| WebUrl::try_from(text.parse::<Url>().ok()?).ok());
        let links = &tenant.informations;
        let look = &tenant.look;
        Self {
            title: look.title.clone(),
            logo_url: look.logo_url.clone().and_then(|url| WebUrl::try_from(url).ok()),
            accent: look.accent.as_ref().and_then(|accent| accent.parse().ok()),
            imprint_url: link(&links.imprint_url),
            privacy_url: link(&links.privacy_url),
            register_url: link(&links.register_url),
        }
    }
}

/// An absolute URL with `http` or `https`: safe as a link, which `javascript:` is not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Url")]
pub struct WebUrl(Url);

impl WebUrl {
    /// The URL as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<Url> for WebUrl {
    type Error = anyhow::Error;

    fn try_from(url: Url) -> Result<Self, Self::Error> {
        match url.scheme() {
            "http" | "https" => Ok(Self(url)),
            scheme => anyhow::bail!("a link on a page must be http or https, not {scheme}"),
        }
    }
}
