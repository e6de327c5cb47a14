//! Scope: RFC 6749 §3.3.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::{OAuthError, Result};

/// The most tokens of one request. A pattern may permit any number of them, and a page has to show them all.
const MAX_TOKENS: usize = 256;

/// A list of distinct, case-sensitive scope tokens in the order of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Scope(Vec<String>);

impl Scope {
    /// Reads a space-separated list.
    ///
    /// Errors: `invalid_scope` for characters outside `%x21 / %x23-5B / %x5D-7E`, and for more tokens than a consent
    /// page can show.
    pub fn parse(text: &str) -> Result<Self> {
        if text.split(' ').count() > MAX_TOKENS {
            return Err(OAuthError::invalid_scope("scope has too many tokens"));
        }
        let allowed = |b: u8| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        if text.split(' ').flat_map(str::bytes).all(allowed) {
            Ok(Self::from(text.to_owned()))
        } else {
            Err(OAuthError::invalid_scope("scope contains characters that are not allowed"))
        }
    }

    /// Whether `token` is one of them.
    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|own| own == token)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The tokens for which `permitted` holds.
    pub fn narrowed(&self, permitted: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|token| permitted(token)).cloned().collect())
    }

    /// The tokens that are not in `other`.
    pub fn without(&self, other: &Scope) -> Self {
        self.narrowed(|token| !other.contains(token))
    }

    /// Whether every token of `self` is in `other`.
    pub fn is_within(&self, other: &Scope) -> bool {
        self.iter().all(|token| other.contains(token))
    }

    /// Adds a token unless it is there.
    pub fn add(&mut self, token: &str) {
        if !token.is_empty() && !self.contains(token) {
            self.0.push(token.to_owned());
        }
    }
}

/// Whether a scope asks for an ID token or for its renewal, and so needs somebody who signs in.
pub fn is_personal(token: &str) -> bool {
    matches!(token, "openid" | "offline_access")
}

impl From<String> for Scope {
    fn from(text: String) -> Self {
        let mut scope = Self::default();
        text.split_ascii_whitespace().for_each(|token| scope.add(token));
        scope
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0.join(" ")
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// A scope that a client may ask for: a token, or the URI of a resource, in which `*` stands for one or more characters
/// and nothing else is special.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopePattern(String);

impl ScopePattern {
    /// The pattern as operators write it.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.trim().to_owned())
    }

    /// Whether the pattern matches `token`.
    pub fn matches(&self, token: &str) -> bool {
        matches(self.0.as_bytes(), token.as_bytes())
    }

    /// The token itself if the pattern has no `*`.
    pub fn literal(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&self.0)
    }
}

/// Greedy matching with one backtracking point: at most `pattern × text` steps.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            // the star matches at least one character
            retry = Some((p + 1, t + 1));
            (p, t) = (p + 1, t + 1);
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((star, from)) = retry {
            retry = Some((star, from + 1));
            (p, t) = (star, from + 1);
        } else {
            return false;
        }
    }
    p == pattern.len() && t == text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_one_or_more_characters() {
        for (pattern, token, expected) in [
            ("read", "read", true),
            ("read", "reads", false),
            ("user:*", "user:list", true),
            ("user:*", "user:", false),
            ("*:read", "a:b:read", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "ace", false),
            ("*", "", false),
            ("a.c", "abc", false),
        ] {
            assert_eq!(ScopePattern::new(pattern).matches(token), expected, "{pattern} {token}");
        }
    }

    #[test]
    fn a_scope_keeps_order_and_drops_repetition() {
        assert_eq!(Scope::parse("b a b").unwrap().to_string(), "b a");
        assert!(Scope::parse("a\"b").is_err());
        assert!(Scope::parse("a\tb").is_err());
        assert!(Scope::parse("ä").is_err());
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_its_regular_expression_matches(pattern in "[ab*]{0,6}", token in "[ab]{0,8}") {
            let expression = format!("^{}$", regex::escape(&pattern).replace("\\*", ".+"));
            let expected = regex::Regex::new(&expression).unwrap().is_match(&token);
            prop_assert_eq!(ScopePattern::new(&pattern).matches(&token), expected);
        }
    }
}
