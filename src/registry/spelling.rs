//! What an operator may have meant by an unknown word.

/// In bytes.
const LONGEST: usize = 128;

/// The known word that is spelled most like `unknown`, if any is close enough to be meant.
pub fn nearest<'a>(known: impl IntoIterator<Item = &'a str>, unknown: &str) -> Option<&'a str> {
    // Nobody means a word of ours by so long a one, and comparing it would take long.
    if unknown.len() > LONGEST {
        return None;
    }
    let unknown = unknown.to_lowercase();
    known
        .into_iter()
        .map(|word| (word, strsim::normalized_damerau_levenshtein(&word.to_lowercase(), &unknown)))
        .filter(|(_, likeness)| *likeness >= 0.5)
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(word, _)| word)
}

/// `; did you mean "x"?`, or nothing.
pub fn hint<'a>(known: impl IntoIterator<Item = &'a str>, unknown: &str) -> String {
    nearest(known, unknown).map(|word| format!("; did you mean {word:?}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_the_one_that_was_meant() {
        let known = ["redirect_urls", "referrers", "grant_types"];
        assert_eq!(nearest(known, "redirect_url"), Some("redirect_urls"));
        assert_eq!(nearest(known, "Referers"), Some("referrers"));
        assert_eq!(nearest(known, "colour"), None);
    }
}
