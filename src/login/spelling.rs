//! Spellings that a backend may take for the same user name.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;

/// `username` as backends compare names: compatible characters are one (NFKC), what is not seen is dropped, upper case is
/// lower case, white space is one space and none at the ends. Counts go by it; backends get the name as typed.
pub fn comparable(username: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let ignored = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let seen: String = nfkc.normalize(username).chars().filter(|c| !ignored.contains(*c)).collect();
    // By upper case, because some letters differ in lower case alone: the two small sigmas, or the sharp s.
    let folded: String = seen.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    nfkc.normalize(&folded).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::comparable;

    #[test]
    fn spellings_of_one_name_are_one() {
        for spelling in [
            "a lice",
            "  A  LICE ",
            "a\u{a0}lice",
            "a\u{3000}lice",
            "a\n\tlice",
            "\u{ff41} \u{ff2c}\u{ff49}ce",
            "a l\u{200b}i\u{ad}c\u{2060}e\u{feff}",
            "a li\u{e0041}ce",
            "a l\u{2170}ce",
        ] {
            assert_eq!(comparable(spelling), "a lice", "{spelling:?}");
        }
        assert_eq!(comparable("STRASSE"), comparable("stra\u{df}e"));
        assert_eq!(comparable("\u{3a3}\u{399}\u{3a3}"), comparable("\u{3c3}\u{3b9}\u{3c2}"));
        assert_eq!(comparable("re\u{301}ne"), comparable("R\u{c9}NE"));
        assert_ne!(comparable("alice"), comparable("a lice"));
        assert_eq!(comparable("\u{200b}"), "");
    }
}
