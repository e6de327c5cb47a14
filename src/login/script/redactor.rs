//! Takes the password of a login out of everything that a script logs or reports.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::digest;

/// Shorter passwords are found in every other word; a text with one of them is withheld as a whole.
const SHORT: usize = 4;

/// The shapes in which a password may appear in a text, computed at the first text.
pub(super) struct Redactor {
    username: String,
    password: Zeroizing<String>,
    shapes: OnceLock<Vec<Zeroizing<String>>>,
}

impl Redactor {
    pub(super) fn new(username: &str, password: &str) -> Self {
        let password = Zeroizing::new(password.to_owned());
        Self { username: username.to_owned(), password, shapes: OnceLock::new() }
    }

    /// For a script that gets no password.
    pub(super) fn none() -> Self {
        Self::new("", "")
    }

    /// `text` on one line, at most `limit` characters of it, without the password: neither as it is nor escaped,
    /// encoded or digested in one of the ways that scripts have at hand.
    pub(super) fn redact(&self, text: &str, limit: usize) -> String {
        // The password goes first: the cut could leave half of it.
        let mut text = Zeroizing::new(text.to_owned());
        for shape in self.shapes.get_or_init(|| self.shapes()) {
            if text.contains(shape.as_str()) {
                if shape.chars().count() < SHORT {
                    return "(withheld, it may contain the password)".to_owned();
                }
                text = Zeroizing::new(text.replace(shape.as_str(), "***"));
            }
        }
        let mut line: String = text.chars().take(limit).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if text.chars().nth(limit).is_some() {
            line.push('…');
        }
        line
    }

    /// Longest first, so that no shape hides a part of a longer one.
    fn shapes(&self) -> Vec<Zeroizing<String>> {
        let password = self.password.as_str();
        if password.is_empty() {
            return Vec::new();
        }
        let basic = Zeroizing::new(format!("{}:{password}", self.username));
        let json = Zeroizing::new(serde_json::Value::from(password).to_string());
        let mut shapes = vec![
            password.to_owned(),
            json[1..json.len() - 1].to_owned(),
            utf8_percent_encode(password, NON_ALPHANUMERIC).to_string(),
            form_urlencoded::byte_serialize(password.as_bytes()).collect(),
            digest::md5(password),
            digest::sha256(password),
            digest::sha512(password),
        ];
        for base64 in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
            shapes.push(base64.encode(password));
            shapes.push(base64.encode(basic.as_str()));
        }
        shapes.sort_by_key(|shape| std::cmp::Reverse(shape.len()));
        shapes.dedup();
        shapes.into_iter().map(Zeroizing::new).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_disappears_in_every_shape() {
        let redactor = Redactor::new("ada", "pässword \"1\"/+");
        for shape in [
            "pässword \"1\"/+".to_owned(),
            serde_json::json!({"password": "pässword \"1\"/+"}).to_string(),
            "p=p%C3%A4ssword+%221%22%2F%2B".to_owned(),
            "p=p%C3%A4ssword%20%221%22%2F%2B".to_owned(),
            STANDARD.encode("ada:pässword \"1\"/+"),
            URL_SAFE_NO_PAD.encode("pässword \"1\"/+"),
            digest::sha256("pässword \"1\"/+"),
        ] {
            let text = redactor.redact(&format!("before {shape} after"), 1000);
            assert!(text.contains("***"), "{shape} is still in: {text}");
            assert!(text.starts_with("before ") && text.ends_with(" after"), "{text}");
        }
    }

    #[test]
    fn a_cut_never_leaves_half_a_password() {
        let redactor = Redactor::new("ada", "correct horse");
        assert_eq!(redactor.redact("abc correct horse", 10), "abc ***");
        assert_eq!(redactor.redact("abc\nreplaced", 7), "abc rep…");
    }

    #[test]
    fn a_short_password_takes_the_whole_text_with_it() {
        assert!(!Redactor::new("ada", "abc").redact("alphabc", 100).contains("alph"));
        assert_eq!(Redactor::none().redact("as it is", 100), "as it is");
    }
}
