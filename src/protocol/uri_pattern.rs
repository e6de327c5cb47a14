//! Regular expressions that are registered as redirect URIs: small, and split so that no part can match part of another.

use regex::bytes::{Regex, RegexBuilder};
use url::{Position, Url};

/// In bytes.
const LONGEST: usize = 512;
/// What a compiled part may take, in bytes.
const LARGEST: usize = 64 << 10;
/// Longer redirect URIs match none.
const LONGEST_CANDIDATE: usize = 2048;

/// A compiled pattern. Each part has to match all of its part of a URI.
#[derive(Clone, Debug)]
pub(super) enum UriPattern {
    /// Scheme, host and rest are matched separately, so that none can match part of another.
    Structured {
        /// Without `://`.
        scheme: Regex,
        /// Host and port.
        authority: Regex,
        /// From the first slash on.
        rest: Regex,
    },
    /// It cannot be split, and must match the whole URI.
    Whole(Regex),
}

impl UriPattern {
    /// Compiles a registration. Its classes are those of ASCII unless it begins with `(?u)`.
    ///
    /// Errors: a sentence that says what is wrong with it, or which limit it exceeds.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let (is_unicode, text) = match text.strip_prefix("(?u)") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if text.len() > LONGEST {
            return Err(format!(
                "a redirect URI pattern has more than {LONGEST} characters; write several shorter ones"
            ));
        }
        if switches_unicode(text) || (is_unicode && switches_case(text)) {
            return Err(format!(
                "redirect URI pattern {text:?}: (?u) stands at its beginning or nowhere, and not together with (?i); without \
                 it \\w, \\d and the like mean ASCII, as URIs do"
            ));
        }
        let text = text.trim_start_matches('^').trim_end_matches('$');
        let compile = |part: &str| {
            RegexBuilder::new(&format!("^(?:{part})$"))
                .unicode(is_unicode)
                .size_limit(LARGEST)
                .dfa_size_limit(LARGEST * 4)
                .build()
                .map_err(|error| match error {
                    regex::Error::CompiledTooBig(limit) => {
                        format!(
                            "redirect URI pattern {text:?} takes more than {} KiB; write a simpler one",
                            limit >> 10
                        )
                    }
                    error => format!("redirect URI pattern {text:?} is not a regular expression: {error}"),
                })
        };
        // `https?://host/rest` is split at the separators that every URL has. If a half is not a valid expression (a group
        // spans a separator), the whole pattern is used.
        let parts = text.split_once("://").and_then(|(scheme, after)| {
            let end = authority_end(after);
            Some((compile(scheme).ok()?, compile(&after[..end]).ok()?, compile(&after[end..]).ok()?))
        });
        Ok(match parts {
            Some((scheme, authority, rest)) => Self::Structured { scheme, authority, rest },
            None => Self::Whole(compile(text)?),
        })
    }

    /// Whether a redirect URI, which was parsed as `url`, is meant.
    pub(super) fn matches(&self, candidate: &str, url: &Url) -> bool {
        if candidate.len() > LONGEST_CANDIDATE {
            return false;
        }
        match self {
            Self::Structured { scheme, authority, rest } => {
                let Some((own_authority, own_rest)) = split_authority(candidate, url) else { return false };
                scheme.is_match(url.scheme().as_bytes())
                    && authority.is_match(own_authority.as_bytes())
                    && rest.is_match(own_rest.as_bytes())
                    && (!own_rest.starts_with('/') || rest.is_match(url[Position::BeforePath..].as_bytes()))
            }
            Self::Whole(whole) => {
                whole.is_match(candidate.as_bytes()) && (whole.is_match(url.as_str().as_bytes()) || url.path() == "/")
            }
        }
    }

    /// Whether it also matches hosts that are not meant.
    pub(super) fn is_loose(&self) -> bool {
        match self {
            Self::Structured { authority, .. } => has_bare_dot(authority.as_str()),
            Self::Whole(_) => true,
        }
    }

    /// Whether it matches plain http to another machine.
    pub(super) fn is_plain(&self) -> bool {
        match self {
            Self::Structured { scheme, authority, .. } => {
                let local = ["localhost", "127.0.0.1", "[::1]", "localhost:8080", "127.0.0.1:8080", "[::1]:8080"];
                scheme.is_match(b"http") && !local.iter().any(|host| authority.is_match(host.as_bytes()))
            }
            Self::Whole(whole) => whole.as_str().contains("http:") || whole.as_str().contains("https?:"),
        }
    }
}

/// Whether a group inside switches to Unicode: its classes are large, and cost what operators do not expect.
fn switches_unicode(pattern: &str) -> bool {
    flags(pattern).any(|flags| flags.contains('u'))
}

fn switches_case(pattern: &str) -> bool {
    flags(pattern).any(|flags| flags.contains('i'))
}

/// The flags of all groups that have some.
fn flags(pattern: &str) -> impl Iterator<Item = &str> {
    let groups = pattern.match_indices("(?").map(|(at, _)| &pattern[at + 2..]);
    groups.filter_map(|group| {
        let end = group.find(|c: char| !c.is_ascii_alphabetic() && c != '-')?;
        group[end..].starts_with([':', ')']).then(|| &group[..end])
    })
}

/// Where the authority of a pattern ends: at the first slash outside groups and classes. A `?` after that slash makes
/// it optional and belongs to the rest.
fn authority_end(pattern: &str) -> usize {
    let (mut depth, mut escaped) = (0_i32, false);
    for (at, c) in pattern.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if pattern[at..].starts_with("\\/") && depth == 0 => return at,
            '\\' => escaped = true,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '/' if depth == 0 => return at,
            _ => {}
        }
    }
    // `https://host(/.*)?`: the rest is the group that begins with the slash.
    pattern.find("(/").or_else(|| pattern.find("(?:/")).unwrap_or(pattern.len())
}

/// The host and port, and the rest, of a URI as it was sent; `None` where browsers find another host than the written
/// one, as in `https:host/x://y`. A browser resolves `..` before it sends the request, so a pattern must match both
/// forms.
fn split_authority<'a>(candidate: &'a str, url: &Url) -> Option<(String, &'a str)> {
    let (before, after) = candidate.split_once("://")?;
    if !before.eq_ignore_ascii_case(url.scheme()) {
        return None;
    }
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some((format!("{}{port}", url.host_str().unwrap_or_default()), &after[end..]))
}

fn has_bare_dot(authority: &str) -> bool {
    let mut escaped = false;
    authority.chars().any(|c| {
        let bare = c == '.' && !escaped;
        escaped = c == '\\' && !escaped;
        bare
    })
}
