//! Stylesheet, logo and script of the pages, embedded in the program.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;

use crate::page::colour::Colour;

/// One file under `/static/`.
#[derive(Clone, Debug)]
pub struct Asset {
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The file.
    pub body: Bytes,
    /// The strong entity tag, with its quotes (RFC 9110 §8.8.3).
    pub etag: String,
    version: String,
}

const CSS: &str = "text/css; charset=utf-8";
const FILES: [(&str, &str, &[u8]); 3] = [
    ("style.css", CSS, include_bytes!("../../assets/static/style.css")),
    ("logo.svg", "image/svg+xml", include_bytes!("../../assets/static/logo.svg")),
    ("demo.js", "text/javascript; charset=utf-8", include_bytes!("../../assets/static/demo.js")),
];

static ASSETS: LazyLock<Vec<(&str, Asset)>> = LazyLock::new(|| {
    FILES.iter().map(|(name, content_type, body)| (*name, Asset::new(content_type, Bytes::from_static(body)))).collect()
});

impl Asset {
    fn new(content_type: &'static str, body: Bytes) -> Self {
        let hash = digest(&SHA256, &body);
        let version: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { content_type, body, etag: format!("\"{version}\""), version }
    }

    /// The value of `Cache-Control` for a request with `?v=<version>`, or without.
    ///
    /// Only the version that is actually sent may be cached for ever. During a rollout a page of the new program may
    /// ask the old one for a file; that response must not be cached under the new name.
    pub fn cache_control(&self, version: Option<&str>) -> &'static str {
        match version {
            Some(version) if version == self.version => "public, max-age=31536000, immutable",
            _ => "no-cache",
        }
    }
}

/// The file `name`, or `accent-<rrggbb>.css` made for that colour; `None` if there is no such file.
pub fn get(name: &str) -> Option<Asset> {
    if let Some((_, asset)) = ASSETS.iter().find(|(known, _)| *known == name) {
        return Some(asset.clone());
    }
    let digits = name.strip_prefix("accent-")?.strip_suffix(".css")?;
    let colour: Colour = format!("#{digits}").parse().ok()?;
    Some(Asset::new(CSS, Bytes::from(colour.stylesheet())))
}

/// The URL path of a file with its version in the query; `None` if there is no such file.
pub fn url(name: &str) -> Option<String> {
    get(name).map(|asset| format!("/static/{name}?v={}", asset.version))
}

/// The URL path of the stylesheet for a tenant's accent colour.
pub fn accent_url(colour: Colour) -> Option<String> {
    url(&format!("accent-{}.css", colour.to_string().trim_start_matches('#')))
}
