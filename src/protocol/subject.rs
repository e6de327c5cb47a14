//! `sub`: OIDC Core §2.

/// Whether `text` can be the `sub` of a token: 1 to 255 printable ASCII characters.
pub fn is_subject(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_short_and_ascii() {
        let longest = "x".repeat(255);
        for subject in ["ada", "8f0e-22", "ada lovelace", "ada@example.com", &longest] {
            assert!(is_subject(subject), "{subject}");
        }
        for subject in ["", "jürgen", "ada\n", "\u{7f}", "а", &format!("{longest}x")] {
            assert!(!is_subject(subject), "{subject}");
        }
    }
}
