//! The languages of the pages: which one a person reads, and its words. OIDC Core §3.1.2.1, RFC 9110 §12.5.4.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;

/// A language that the pages speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Locale {
    /// English, also the fallback for everything that is not translated.
    #[default]
    English,
    /// German.
    German,
    /// Dutch.
    Dutch,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Portuguese.
    Portuguese,
}

impl Locale {
    /// All languages, in the order in which `*` of `Accept-Language` picks them.
    pub const ALL: [Locale; 6] =
        [Self::English, Self::German, Self::Dutch, Self::French, Self::Spanish, Self::Portuguese];

    /// The language tag, as in `<html lang>` (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Dutch => "nl",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Portuguese => "pt",
        }
    }

    /// The language of a page: the first known one of `ui_locales`, else the best of the header, else English.
    ///
    /// `ui_locales` is the space separated list of OIDC Core §3.1.2.1, `accept_language` the value of the header.
    /// Neither can be wrong: what cannot be parsed is ignored.
    pub fn negotiate(ui_locales: Option<&str>, accept_language: Option<&str>) -> Locale {
        let asked = ui_locales.unwrap_or_default().split_ascii_whitespace().find_map(Self::from_tag);
        asked.or_else(|| Self::accepted(accept_language?)).unwrap_or_default()
    }

    /// `de`, `de-AT` and `de_AT` are German to us: no page differs by region.
    fn from_tag(tag: &str) -> Option<Locale> {
        let primary = tag.split(['-', '_']).next()?;
        Self::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(primary))
    }

    fn accepted(header: &str) -> Option<Locale> {
        let ranges = || header.split(',').filter_map(parse_range);
        // A weight of zero refuses a language (RFC 9110 §12.4.2), but `de-AT;q=0` says nothing about German elsewhere.
        let refuses = |locale: &Locale| {
            ranges().any(|(tag, weight)| weight == 0 && tag.len() == 2 && Self::from_tag(tag) == Some(*locale))
        };
        let refused: Vec<Locale> = Self::ALL.into_iter().filter(refuses).collect();
        // §12.5.4: `*` stands for what no other range names.
        let named: Vec<Locale> = ranges().filter_map(|(tag, _)| Self::from_tag(tag)).collect();
        let mut best = None;
        for (tag, weight) in ranges() {
            let locale = match tag {
                "*" => Self::ALL.into_iter().find(|locale| !named.contains(locale)),
                tag => Self::from_tag(tag).filter(|locale| !refused.contains(locale)),
            };
            // Among equals the first one wins, so only a greater weight replaces what was found.
            if let Some(locale) = locale
                && weight > best.map_or(0, |(_, weight)| weight)
            {
                best = Some((locale, weight));
            }
        }
        best.map(|(locale, _)| locale)
    }
}

/// One member of `Accept-Language` with its weight in thousandths; `None` for what the grammar does not allow.
fn parse_range(range: &str) -> Option<(&str, u16)> {
    let (tag, parameter) = match range.split_once(';') {
        Some((tag, parameter)) => (tag.trim(), Some(parameter.trim())),
        None => (range.trim(), None),
    };
    if tag.is_empty() {
        return None;
    }
    let Some(parameter) = parameter else { return Some((tag, 1000)) };
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    Some((tag, parse_weight(value.trim())?))
}

/// RFC 9110 §12.4.2: `0` or `1` with at most three decimals, and never more than one.
fn parse_weight(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{decimals:0<3}").parse::<u16>().ok()?;
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// Sentences by language and key.
pub type Words = HashMap<Locale, BTreeMap<String, String>>;

/// The words of all languages, by key.
#[derive(Clone, Debug)]
pub struct Translations(Words);

impl Translations {
    /// The translations that are part of the program.
    pub fn embedded() -> anyhow::Result<Self> {
        let source = |locale| match locale {
            Locale::English => include_str!("../../assets/translations/en.json"),
            Locale::German => include_str!("../../assets/translations/de.json"),
            Locale::Dutch => include_str!("../../assets/translations/nl.json"),
            Locale::French => include_str!("../../assets/translations/fr.json"),
            Locale::Spanish => include_str!("../../assets/translations/es.json"),
            Locale::Portuguese => include_str!("../../assets/translations/pt.json"),
        };
        let words = |locale: Locale| {
            let words = serde_json::from_str(source(locale));
            Ok((locale, words.with_context(|| format!("translations/{}.json is broken", locale.tag()))?))
        };
        Ok(Self(Locale::ALL.into_iter().map(words).collect::<anyhow::Result<_>>()?))
    }

    /// These with others on top, key by key.
    pub fn with(&self, others: &Words) -> Self {
        let mut all = self.0.clone();
        for (locale, sentences) in others {
            all.entry(*locale).or_default().extend(sentences.clone());
        }
        Self(all)
    }

    /// The sentence behind `key`: in `locale`, else in English, else `None`. Placeholders are still in it.
    pub fn get(&self, locale: Locale, key: &str) -> Option<&str> {
        [locale, Locale::English].iter().find_map(|locale| self.0.get(locale)?.get(key)).map(String::as_str)
    }

    /// The keys of one language, without the fallback; in alphabetical order.
    pub fn keys(&self, locale: Locale) -> impl Iterator<Item = &str> {
        self.0.get(&locale).into_iter().flat_map(|words| words.keys()).map(String::as_str)
    }
}

/// The names of the `{name}` places of a sentence.
pub fn places(sentence: &str) -> impl Iterator<Item = &str> {
    sentence.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

/// Puts values into the `{name}` places of a sentence.
///
/// One pass from left to right: a value that itself looks like a placeholder stays as it is.
/// A place that `value_of` does not know stays too, so that a mistake can be seen.
pub fn fill(sentence: &str, value_of: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let place = after.split_once('}').and_then(|(name, after)| Some((value_of(name)?, after)));
        rest = match place {
            Some((value, after)) => {
                filled.push_str(&value);
                after
            }
            None => {
                filled.push('{');
                after
            }
        };
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_language_that_we_speak_wins() {
        let table = [
            (None, None, "en"),
            (None, Some(""), "en"),
            (None, Some("de"), "de"),
            (None, Some("de-AT,de;q=0.9,en;q=0.5"), "de"),
            (None, Some("DE-at"), "de"),
            (None, Some("ja,zh;q=0.9"), "en"),
            (None, Some("ja, nl;q=0.3, fr;q=0.4"), "fr"),
            (None, Some("fr;q=0.4,nl;q=0.4"), "fr"),
            (None, Some("es ; q=0.1 , pt-BR ; Q=1.000"), "pt"),
            (None, Some("en;q=0, *"), "de"),
            (None, Some("*"), "en"),
            (None, Some("*;q=0.5, nl;q=0.6"), "nl"),
            (None, Some("en;q=0.1, *;q=0.5"), "de"),
            (None, Some("de;q=0.2, *;q=0.1, en;q=0.05"), "de"),
            (None, Some("de;q=0, de-AT"), "en"),
            (None, Some("de-AT;q=0, de;q=0.5"), "de"),
            (None, Some("fr;q=0"), "en"),
            (None, Some("fr;q=2, nl;q=0.1"), "nl"),
            (None, Some("fr;q=0.1234, es;q=0.001"), "es"),
            (None, Some(";;=,q=,de;q=,é;q=1,\u{0},nl;q=-1,-,_, fr;q=.5, es;q=0.2"), "es"),
            (Some("nl fr"), Some("de"), "nl"),
            (Some("xx fr-CA de"), Some("de"), "fr"),
            (Some("xx"), Some("pt"), "pt"),
            (Some(""), Some("es"), "es"),
        ];
        for (ui_locales, header, tag) in table {
            assert_eq!(Locale::negotiate(ui_locales, header).tag(), tag, "{ui_locales:?} {header:?}");
        }
    }

    #[test]
    fn a_value_is_never_read_as_a_placeholder() {
        let value_of = |name: &str| match name {
            "client" => Some("{name}".to_owned()),
            "name" => Some("Ada".to_owned()),
            _ => None,
        };
        assert_eq!(fill("{client} and {name}, {other} {", value_of), "{name} and Ada, {other} {");
    }
}
