//! User codes: RFC 8628 §6.1. Short enough to be typed from a screen; no vowels, so that they form no words.

use crate::random::Random;

/// The consonants that the RFC suggests: 20⁸ codes, about 34 bits.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Length of a code.
const LENGTH: usize = 8;

/// A code that nobody can predict, without its dash.
pub fn fresh(random: &dyn Random) -> String {
    let mut code = String::with_capacity(LENGTH);
    while code.len() < LENGTH {
        let mut bytes = [0; 2 * LENGTH];
        random.fill(&mut bytes);
        // 240 is the largest multiple of 20 in a byte: with more, some letters would be more frequent.
        let fair = bytes.iter().filter(|byte| **byte < 240).map(|byte| char::from(ALPHABET[usize::from(byte % 20)]));
        code.extend(fair.take(LENGTH - code.len()));
    }
    code
}

/// The code as it is shown: `BCDF-GHJK`.
pub fn shown(code: &str) -> String {
    match code.split_at_checked(LENGTH / 2) {
        Some((front, back)) => format!("{front}-{back}"),
        None => code.to_owned(),
    }
}

/// Reads a typed code; case, dashes and blanks do not matter. `None`: not a code.
pub fn read(typed: &str) -> Option<String> {
    let letters = typed.chars().filter(|c| !matches!(c, '-' | '–' | '_' | '.') && !c.is_whitespace());
    let code: String = letters.map(|c| c.to_ascii_uppercase()).take(LENGTH + 1).collect();
    let known = code.bytes().all(|byte| ALPHABET.contains(&byte));
    (code.len() == LENGTH && known).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        for typed in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk ", "b.c.d.f-g-h-j-k"] {
            assert_eq!(read(typed).as_deref(), Some("BCDFGHJK"), "{typed}");
        }
        for typed in ["", "BCDF-GHJ", "BCDF-GHJKL", "ABCD-EFGH", "BCDF-GHJ1", "ſBCDFGHJ"] {
            assert_eq!(read(typed), None, "{typed}");
        }
    }

    #[test]
    fn a_fresh_code_can_be_read_and_every_letter_comes() {
        let codes: Vec<String> = (0..200).map(|_| fresh(&SystemRandom)).collect();
        assert!(codes.iter().all(|code| read(&shown(code)).as_ref() == Some(code)));
        assert!(ALPHABET.iter().all(|letter| codes.iter().any(|code| code.contains(char::from(*letter)))));
    }
}
