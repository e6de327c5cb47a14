//! Settings: the order of their sources, every variable, and the messages about mistakes.

use tempfile::NamedTempFile;
use uitsmijter::settings::{Flags, Settings};

mod advice;
mod sources;
mod variables;

fn load(file: Option<&str>, environment: &[(&str, &str)], flags: &Flags) -> anyhow::Result<Settings> {
    let written = file.map(|text| {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    });
    let lookup = |name: &str| {
        let found = environment.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Settings::load(written.as_ref().map(|file| file.path()), &lookup, flags)
}

fn environment(variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
    load(None, variables, &Flags::default())
}

fn defaults() -> Settings {
    environment(&[]).unwrap()
}

const SECRET: &str = "an HS256 secret of more than 32 bytes";
