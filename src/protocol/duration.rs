//! Spans of time as operators write them: `90d`, `24h`, `10m`, `30s`, or a plain number of seconds.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest duration; anything longer must be a typing error.
const LONGEST: u64 = 100 * 366 * 86_400;

/// Reads a span; several units may follow each other (`1d12h`).
///
/// Errors: a sentence that says what is expected.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("{text:?} is not a span of time; write for example 90d, 24h, 10m, 30s or a number of seconds");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut seconds: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = rest[digits..].trim_start();
        let unit = rest.find(|c: char| c.is_ascii_digit() || c.is_whitespace()).unwrap_or(rest.len());
        let factor = match &rest[..unit] {
            "" | "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return Err(wrong()),
        };
        rest = rest[unit..].trim_start();
        seconds = number.checked_mul(factor).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
    }
    if seconds > LONGEST {
        Err(format!("{text:?} is longer than a hundred years"))
    } else {
        Ok(Duration::from_secs(seconds))
    }
}

/// Reads a number that counts units of `unit` seconds and may have a fraction, as in `access_token_hours: 0.5`.
///
/// Errors: a sentence that says what is expected, also for a span shorter than a second.
pub fn scaled(text: &str, unit: u32) -> Result<Duration, String> {
    let plain = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let number = text.parse::<f64>().ok().filter(|_| plain);
    let span = number.and_then(|number| Duration::try_from_secs_f64(number * f64::from(unit)).ok());
    match span.map(|span| span.as_secs()) {
        Some(seconds @ 1..=LONGEST) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("{text:?} must be a number above 0")),
    }
}

/// Writes a span the way [`parse`] reads it, in the largest unit that keeps it whole.
pub fn write(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [("d", 86_400), ("h", 3600), ("m", 60)];
    match units.into_iter().find(|(_, factor)| seconds >= *factor && seconds.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", seconds / factor),
        None => format!("{seconds}s"),
    }
}

/// A span in a document: read by [`parse`], written by [`write()`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SpanVisitor)
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a span of time like 24h")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
        parse(text).map(Span).map_err(E::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&write(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_in_every_unit() {
        for (text, seconds) in [
            ("90d", 7_776_000),
            ("24h", 86_400),
            ("10m", 600),
            ("30s", 30),
            ("45", 45),
            ("1d12h", 129_600),
            ("2w", 1_209_600),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "1y", "-1d", "1.5h", "99999999999999999999", "99999999999999999999d", "200000w", "1d x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_of_hours_may_have_a_fraction() {
        assert_eq!(scaled("0.5", 3600), Ok(Duration::from_secs(1800)));
        assert_eq!(scaled("720", 3600), Ok(Duration::from_secs(2_592_000)));
        for text in ["0", "-1", "inf", "NaN", "1e3", "two", "", "99999999999"] {
            assert!(scaled(text, 3600).is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_is_written_as_it_is_read() {
        for text in ["90d", "24h", "10m", "31s", "36h"] {
            let span = parse(text).unwrap();
            assert_eq!(parse(&write(span)), Ok(span), "{text}");
        }
        for (seconds, text) in [(86_400, "1d"), (90, "90s"), (0, "0s")] {
            assert_eq!(write(Duration::from_secs(seconds)), text);
        }
    }
}
