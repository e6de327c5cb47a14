//! The parameters of a request, parsed strictly: RFC 6749 §3.1 and Appendix B, and JSON where an endpoint accepts it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::percent_decode;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::error::{OAuthError, Result};

/// Parameters that their specification allows more than once: RFC 8707 §2, RFC 8693 §2.1.
const REPEATABLE: [&str; 2] = ["resource", "audience"];

/// Longest value of one parameter, in bytes.
const MAX_VALUE: usize = 16 * 1024;

/// Decoded names and values. A parameter without a value counts as left out (RFC 6749 §3.1).
#[derive(Clone, Default)]
pub struct Parameters(BTreeMap<String, Vec<String>>);

impl Parameters {
    /// Reads `application/x-www-form-urlencoded`, the format of queries and forms.
    ///
    /// Errors: `invalid_request` for bytes that are not UTF-8.
    pub fn from_form(encoded: &[u8]) -> Result<Self> {
        let mut parameters = Self::default();
        for pair in encoded.split(|&b| b == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |&b| b == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            parameters.add(name, value);
        }
        Ok(parameters)
    }

    /// Reads a JSON object of strings, numbers and booleans, which `/token` accepts as well as forms.
    ///
    /// Errors: `invalid_request` for anything else.
    pub fn from_json(body: &[u8]) -> Result<Self> {
        let Ok(Members(members)) = serde_json::from_slice(body) else {
            return Err(OAuthError::invalid_request("the body is not a JSON object of strings"));
        };
        let mut parameters = Self::default();
        for (name, value) in members {
            match value {
                Scalar::Null(()) => {}
                Scalar::Text(text) => parameters.add(name, text),
                Scalar::Number(number) => parameters.add(name, number.to_string()),
                Scalar::Flag(flag) => parameters.add(name, flag.to_string()),
            }
        }
        Ok(parameters)
    }

    fn add(&mut self, name: String, value: String) {
        if !value.is_empty() {
            self.0.entry(name).or_default().push(value);
        }
    }

    /// Adds `value` under `name` unless it has one.
    pub(super) fn add_missing(&mut self, name: &str, value: String) {
        if !self.0.contains_key(name) {
            self.add(name.to_owned(), value);
        }
    }

    /// The value of `name`, if it was sent.
    ///
    /// Errors: `invalid_request` when it was sent twice, is too long or has control characters.
    pub fn one(&self, name: &str) -> Result<Option<&str>> {
        let value = self.text(name)?;
        value.map_or(Ok(()), |value| check_line(name, value))?;
        Ok(value)
    }

    /// Like [`Parameters::one`], but line breaks are allowed: for JSON (`claims`) and passwords.
    pub fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.0.get(name).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([value]) if value.contains('\0') => Err(control_characters(name)),
            Some([value]) => check_size(name, value).map(|()| Some(value.as_str())),
            Some(_) => Err(OAuthError::invalid_request(format!("{name} was sent more than once"))),
        }
    }

    /// An owned [`Parameters::one`].
    pub fn owned(&self, name: &str) -> Result<Option<String>> {
        Ok(self.one(name)?.map(str::to_owned))
    }

    /// The value of `name`, or `invalid_request` naming it.
    pub fn required(&self, name: &'static str) -> Result<&str> {
        self.one(name)?.ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
    }

    /// Every value of a parameter that may be repeated.
    ///
    /// Errors: `invalid_request` when one of them is too long or has control characters.
    pub fn all(&self, name: &str) -> Result<&[String]> {
        let values = self.0.get(name).map(Vec::as_slice).unwrap_or_default();
        values.iter().try_for_each(|value| check_size(name, value).and(check_line(name, value)))?;
        Ok(values)
    }

    /// The length of all names and values, in bytes.
    pub fn size(&self) -> usize {
        self.0.iter().flat_map(|(name, values)| values.iter().map(move |value| name.len() + value.len())).sum()
    }

    /// The same as a query string.
    pub fn to_query(&self) -> String {
        let pairs = self.0.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    /// RFC 6749 §3.1: parameters must not be repeated, not even unknown ones.
    pub fn refuse_duplicates(&self) -> Result<()> {
        let twice = |(name, values): &(&String, &Vec<String>)| values.len() > 1 && !REPEATABLE.contains(&name.as_str());
        match self.0.iter().find(twice) {
            Some(_) => Err(OAuthError::invalid_request("a parameter was sent more than once")),
            None => Ok(()),
        }
    }
}

fn check_size(name: &str, value: &str) -> Result<()> {
    if value.len() > MAX_VALUE { Err(OAuthError::invalid_request(format!("{name} is too long"))) } else { Ok(()) }
}

/// A value may end up in a log line or a header, so it has no control characters, not even those of C1.
fn check_line(name: &str, value: &str) -> Result<()> {
    if value.contains(char::is_control) { Err(control_characters(name)) } else { Ok(()) }
}

fn control_characters(name: &str) -> OAuthError {
    OAuthError::invalid_request(format!("{name} contains control characters"))
}

/// The members of a JSON object in order, with duplicates: a map would keep only one of them.
struct Members(Vec<(String, Scalar)>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Null(()),
    Text(String),
    Number(serde_json::Number),
    Flag(bool),
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

fn decode(encoded: &[u8]) -> Result<String> {
    let spaced = if encoded.contains(&b'+') {
        Cow::Owned(encoded.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect())
    } else {
        Cow::Borrowed(encoded)
    };
    match percent_decode(&spaced).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(OAuthError::invalid_request("a parameter is not UTF-8")),
    }
}

/// Undoes `application/x-www-form-urlencoded` for one value, as client_secret_basic needs it (RFC 6749 §2.3.1).
pub fn form_decode(encoded: &str) -> Result<String> {
    decode(encoded.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(form: &str) -> Parameters {
        Parameters::from_form(form.as_bytes()).unwrap()
    }

    #[test]
    fn a_parameter_without_a_value_counts_as_left_out() {
        assert_eq!(parse("state=&nonce").one("state").unwrap(), None);
    }

    #[test]
    fn a_parameter_sent_twice_is_refused_and_a_resource_is_not() {
        assert!(parse("a=1&a=2").one("a").is_err());
        assert!(parse("a=1&a=1").refuse_duplicates().is_err());
        assert!(parse("resource=a&resource=b").refuse_duplicates().is_ok());
    }

    #[test]
    fn what_is_not_text_is_refused() {
        assert!(Parameters::from_form(b"a=%ff").is_err());
        assert!(Parameters::from_form(b"a=\xff").is_err());
        assert!(parse("a=%00").one("a").is_err());
        assert!(parse("a=x%0Ay").one("a").is_err());
        assert!(parse("a=x%C2%85y").one("a").is_err());
        assert!(parse("resource=x&resource=a%0Ab").all("resource").is_err());
        assert_eq!(parse("a=x%0Ay").text("a").unwrap(), Some("x\ny"));
    }

    #[test]
    fn a_json_body_is_read_like_a_form() {
        let parameters = Parameters::from_json(br#"{"grant_type":"password","n":1,"x":null}"#).unwrap();
        assert_eq!(parameters.one("grant_type").unwrap(), Some("password"));
        assert_eq!(parameters.one("n").unwrap(), Some("1"));
        assert!(Parameters::from_json(b"[]").is_err());
        assert!(Parameters::from_json(br#"{"a":{}}"#).is_err());
        assert!(Parameters::from_json(br#"{"a":"1","a":"2"}"#).unwrap().one("a").is_err());
    }
}
