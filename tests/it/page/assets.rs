//! The files under `/static/`: their caching, and the contrast of the colours.

use uitsmijter::page::assets;
use uitsmijter::page::colour::Colour;

#[test]
fn files_are_cached_for_ever_under_their_own_version_only() {
    let style = assets::get("style.css").unwrap();
    let url = assets::url("style.css").unwrap();
    let version = url.split_once("?v=").unwrap().1;
    assert_eq!(style.content_type, "text/css; charset=utf-8");
    assert_eq!(style.etag, format!("\"{version}\""));
    assert!(style.cache_control(Some(version)).contains("immutable"));
    assert_eq!(style.cache_control(Some("other")), "no-cache");
    assert_eq!(style.cache_control(None), "no-cache");
    for name in
        ["", "nothing.css", "../style.css", "accent-.css", "accent-12345g.css", "accent-#12345.css", "accent-é1234.css"]
    {
        assert!(assets::get(name).is_none(), "{name}");
    }
}

#[test]
fn the_palette_has_enough_contrast_in_light_and_dark() {
    let style = String::from_utf8(assets::get("style.css").unwrap().body.to_vec()).unwrap();
    let dark_at = style.find("prefers-color-scheme: dark").unwrap();
    let text = [
        ("--text", "--background"),
        ("--text", "--surface"),
        ("--muted", "--background"),
        ("--muted", "--surface"),
        ("--on-accent", "--accent"),
        ("--on-accent", "--accent-strong"),
        ("--link", "--surface"),
        ("--link", "--background"),
        ("--alarm", "--alarm-surface"),
    ];
    let control = [("--control", "--surface"), ("--accent-edge", "--surface"), ("--link", "--surface")];
    for (scheme, style) in [("light", &style[..dark_at]), ("dark", &style[dark_at..])] {
        let colour = |name: &str| -> Colour {
            let start = style.find(&format!("{name}: #")).unwrap() + name.len() + 2;
            style[start..start + 7].parse().unwrap()
        };
        for (pairs, enough) in [(&text[..], 4.5), (&control[..], 3.0)] {
            for (front, behind) in pairs {
                let contrast = colour(front).contrast(colour(behind));
                assert!(contrast >= enough, "{scheme}: {front} on {behind} is {contrast:.2}");
            }
        }
    }
    // What `colour.rs` assumes about the surfaces.
    assert!(style[..dark_at].contains("--background: #f4f2ee") && style[dark_at..].contains("--surface: #1c2220"));
}
