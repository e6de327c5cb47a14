//! The wrong ways to write a value.

use std::fmt::Write;

/// One way to spoil a value: what follows the `=` on the wire, already encoded.
pub(super) struct Spoilt {
    pub(super) name: &'static str,
    /// The pairs that replace the valid one, on the wire.
    pub(super) pairs: Vec<Vec<u8>>,
    /// Whether it is refused even where any text is allowed.
    pub(super) always: bool,
    /// Whether it counts as left out.
    pub(super) left_out: bool,
}

pub(super) fn encode(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

fn hex(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "%25{byte:02x}").expect("a text takes everything");
        text
    })
}

/// Homoglyphs from other scripts.
fn look_alike(value: &str) -> String {
    value
        .chars()
        .map(|c| match c {
            'a' => 'а',
            'c' => 'с',
            'e' => 'е',
            'o' => 'о',
            'p' => 'р',
            '1' => 'ⅼ',
            c => c,
        })
        .collect::<String>()
        + "\u{202e}"
}

fn other_case(value: &str) -> String {
    value
        .chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect()
}

pub(super) fn spoil(name: &str, right: &str) -> Vec<Spoilt> {
    let good = encode(right);
    let pair = |value: &[u8]| [name.as_bytes(), b"=", value].concat();
    let one =
        |spoilt, value: Vec<u8>, always| Spoilt { name: spoilt, pairs: vec![pair(&value)], always, left_out: false };
    vec![
        Spoilt { name: "missing", pairs: vec![], always: false, left_out: true },
        Spoilt { name: "empty", pairs: vec![pair(b"")], always: false, left_out: true },
        Spoilt { name: "without =", pairs: vec![name.as_bytes().to_vec()], always: false, left_out: true },
        Spoilt {
            name: "doubled",
            pairs: vec![pair(good.as_bytes()), pair(good.as_bytes())],
            always: true,
            left_out: false,
        },
        Spoilt {
            name: "doubled, differing",
            pairs: vec![pair(good.as_bytes()), pair(b"x")],
            always: true,
            left_out: false,
        },
        one("too long", "x".repeat(16 * 1024 + 1).into_bytes(), true),
        one("NUL", [good.as_bytes(), b"%00"].concat(), true),
        one("NUL first", b"%00".to_vec(), true),
        one("newline", [good.as_bytes(), b"%0A"].concat(), true),
        one("CRLF", b"x%0D%0ASet-Cookie:%20zz=1".to_vec(), true),
        one("C1 control", [good.as_bytes(), b"%C2%85"].concat(), true),
        one("%ff", b"%ff".to_vec(), true),
        one("raw bytes", vec![b'a', 0xff, 0xfe], true),
        one("half a character", b"%C3".to_vec(), true),
        one("an overlong slash", b"%C0%AF".to_vec(), true),
        one("a surrogate", b"%ED%A0%80".to_vec(), true),
        one("encoded twice", hex(right).into_bytes(), false),
        one("half an escape", b"%".to_vec(), false),
        one("markup", b"%22'%3E%3Czz%3E".to_vec(), false),
        one("look-alike", encode(&look_alike(right)).into_bytes(), false),
        one("JSON", encode(r#"{"a":[1]}"#).into_bytes(), false),
        one("a number", b"-1".to_vec(), false),
        one("a big number", b"99999999999999999999999".to_vec(), false),
        one("another case", encode(&other_case(right)).into_bytes(), false),
        one("blanks around", [b"+", good.as_bytes(), b"+"].concat(), false),
    ]
}
