//! The sentences of the pages: complete in every language, and all in use.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use uitsmijter::page::locale::{Locale, Translations, places};

#[test]
fn all_languages_have_the_same_keys_and_placeholders() {
    let translations = Translations::embedded().unwrap();
    let keys = |locale| translations.keys(locale).map(str::to_owned).collect::<BTreeSet<_>>();
    let named =
        |locale, key: &str| places(translations.get(locale, key).unwrap()).map(str::to_owned).collect::<BTreeSet<_>>();
    for locale in Locale::ALL {
        let (english, other) = (keys(Locale::English), keys(locale));
        assert_eq!(english.difference(&other).collect::<Vec<_>>(), [] as [&String; 0], "missing in {}", locale.tag());
        assert_eq!(
            other.difference(&english).collect::<Vec<_>>(),
            [] as [&String; 0],
            "superfluous in {}",
            locale.tag()
        );
        for key in &english {
            assert_eq!(named(Locale::English, key), named(locale, key), "placeholders of {key} in {}", locale.tag());
        }
    }
}

#[test]
fn each_key_is_used_and_each_used_key_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/templates");
    let sources: String =
        fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    // `t("login.error." ~ error)` uses all keys with this prefix; the test of the errors checks each of them.
    let call = regex::Regex::new(r#"\bt\(["']([a-z_.]+)["']"#).unwrap();
    let used: Vec<&str> = call.captures_iter(&sources).map(|call| call.get(1).unwrap().as_str()).collect();
    let translations = Translations::embedded().unwrap();
    for key in &used {
        assert!(key.ends_with('.') || translations.get(Locale::English, key).is_some(), "{key} is not translated");
    }
    for key in translations.keys(Locale::English) {
        let is_used = |used: &&str| *used == key || (used.ends_with('.') && key.starts_with(*used));
        assert!(used.iter().any(is_used), "{key} is used nowhere");
    }
}
