//! A tenant's accent colour: the shades that keep text readable, as WCAG 2.2 §1.4.3 and §1.4.11 measure it.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A colour as `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Colour([u8; 3]);

/// Text needs this contrast to what is behind it (level AA).
const TEXT: f64 = 4.5;
/// The shape of a control needs this contrast to what is around it.
const CONTROL: f64 = 3.0;

/// The backgrounds of links and buttons in `style.css`; a test compares. Per scheme the one with the least contrast.
const LIGHT: Scheme = Scheme { behind: Colour([0xf4, 0xf2, 0xee]), away: Colour([0; 3]) };
const DARK: Scheme = Scheme { behind: Colour([0x1c, 0x22, 0x20]), away: Colour([0xff; 3]) };

/// A colour scheme: what is behind the accent, and where to move the accent for more contrast.
struct Scheme {
    behind: Colour,
    away: Colour,
}

impl Colour {
    /// The contrast of two colours: 1 (none) to 21 (black on white).
    pub fn contrast(self, other: Colour) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Relative luminance as WCAG defines it, 0 to 1.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// `percent` of the way to `other`.
    fn towards(self, other: Colour, percent: u32) -> Colour {
        let mix = |from: u8, to: u8| (u32::from(from) * (100 - percent) + u32::from(to) * percent) / 100;
        let channel = |i: usize| u8::try_from(mix(self.0[i], other.0[i])).unwrap_or(u8::MAX);
        Colour([channel(0), channel(1), channel(2)])
    }

    /// The nearest shade with at least `contrast` to what is behind it.
    fn readable(self, scheme: &Scheme, contrast: f64) -> Colour {
        let shades = (0..=100).map(|percent| self.towards(scheme.away, percent));
        shades.into_iter().find(|shade| shade.contrast(scheme.behind) >= contrast).unwrap_or(scheme.away)
    }

    /// The variables of `style.css` that depend on the accent.
    fn variables(self, scheme: &Scheme) -> String {
        // The button keeps the tenant's colour; its edge tells it from the page where the colour is too close to it.
        let accent = self;
        let edge = self.readable(scheme, CONTROL);
        // One of the two always has more than 4.5, whatever the accent is.
        let (white, black) = (Colour([0xff; 3]), Colour([0; 3]));
        let (on_accent, other) = if accent.contrast(white) >= TEXT { (white, black) } else { (black, white) };
        // On hover the button moves away from its text, so the contrast only grows.
        let strong = accent.towards(other, 15);
        let link = self.readable(scheme, TEXT);
        format!("--accent:{accent};--accent-edge:{edge};--accent-strong:{strong};--on-accent:{on_accent};--link:{link}")
    }

    /// The stylesheet that gives the pages this accent in both schemes.
    ///
    /// A separate file, named after the colour alone: so the policy of the pages needs neither inline styles nor a
    /// nonce, and browsers may cache it for ever.
    pub fn stylesheet(self) -> String {
        let (light, dark) = (self.variables(&LIGHT), self.variables(&DARK));
        format!(":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n")
    }
}

impl FromStr for Colour {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii());
        let channel = |digits: &str, i: usize| {
            // `from_str_radix` alone would take a sign.
            let pair = digits.get(i..i + 2).filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            u8::from_str_radix(pair, 16).ok()
        };
        let channels = digits.and_then(|d| Some(Colour([channel(d, 0)?, channel(d, 2)?, channel(d, 4)?])));
        channels.ok_or_else(|| anyhow::anyhow!("a colour is written as #rrggbb, for example #1c5d51"))
    }
}

impl TryFrom<String> for Colour {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(variables: &str, name: &str) -> Colour {
        let start = variables.find(&format!("{name}:")).unwrap() + name.len() + 1;
        variables[start..start + 7].parse().unwrap()
    }

    #[test]
    fn contrast_is_what_wcag_says() {
        let [black, white, grey] = ["#000000", "#ffffff", "#767676"].map(|text| text.parse::<Colour>().unwrap());
        assert!((black.contrast(white) - 21.0).abs() < 0.01);
        assert!((grey.contrast(white) - 4.54).abs() < 0.01);
    }

    #[test]
    fn every_accent_becomes_readable_in_light_and_dark() {
        let steps = [0x00, 0x33, 0x66, 0x80, 0x99, 0xcc, 0xff];
        for i in 0..steps.len().pow(3) {
            let channel = |power| steps[i / steps.len().pow(power) % steps.len()];
            let accent = Colour([channel(0), channel(1), channel(2)]);
            for scheme in [&LIGHT, &DARK] {
                let variables = accent.variables(scheme);
                let of = |name| variable(&variables, name);
                assert!(of("--link").contrast(scheme.behind) >= TEXT, "{accent} {variables}");
                assert!(of("--accent-edge").contrast(scheme.behind) >= CONTROL, "{accent} {variables}");
                assert!(of("--on-accent").contrast(of("--accent")) >= TEXT, "{accent} {variables}");
                assert!(of("--on-accent").contrast(of("--accent-strong")) >= TEXT, "{accent} {variables}");
            }
        }
    }

    #[test]
    fn only_six_digits_make_a_colour() {
        for text in ["", "#", "#fff", "red", "#+1+2+3", "#gggggg", "1c5d51", "#1c5d51ff", "#1c5d5é", "#000;}*{a:b"] {
            assert!(text.parse::<Colour>().is_err(), "{text}");
        }
    }
}
