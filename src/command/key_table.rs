//! The keys as a table for people.

use uitsmijter::clock::Timestamp;
use uitsmijter::key::listing::ListedKey;
use uitsmijter::key::record::State;

const HEAD: [&str; 9] =
    ["TENANT", "KID", "ALG", "STATE", "AGE", "NEXT ROTATION", "LAST EXPIRY", "SAFE TO DROP", "NOTE"];

/// One line per key, in columns.
pub(super) fn table(keys: &[ListedKey]) -> String {
    if keys.is_empty() {
        return "There are no keys yet; a tenant's key is created at its first use.\n".to_owned();
    }
    let rows: Vec<[String; 9]> = std::iter::once(HEAD.map(str::to_owned)).chain(keys.iter().map(row)).collect();
    let widths: Vec<usize> =
        (0..HEAD.len()).map(|at| rows.iter().map(|row| row[at].len()).max().unwrap_or(0)).collect();
    let line = |row: &[String; 9]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn row(key: &ListedKey) -> [String; 9] {
    let date = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_else(|| "-".to_owned());
    [
        key.tenant.clone(),
        key.kid.clone(),
        key.algorithm.to_string(),
        key.state.as_str().to_owned(),
        age(key.age_seconds),
        date(key.next_rotation),
        date(key.last_expiry),
        date(key.safe_to_drop_at),
        note(key),
    ]
}

fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn note(key: &ListedKey) -> String {
    let mut notes = Vec::new();
    if let Some(reason) = key.foreign {
        notes.push(format!("not believed: {}", reason.as_str()));
    }
    if key.sealed == Some(false) {
        notes.push("not sealed".to_owned());
    }
    if key.opens == Some(false) {
        notes.push("cannot be opened here".to_owned());
    }
    if !key.waits_for.is_empty() {
        notes.push(format!("waits for {}", key.waits_for.join(", ")));
    }
    if let (State::Announced, Some(from)) = (key.state, key.signs_from) {
        notes.push(format!("signs from {from}"));
    }
    notes.join("; ")
}
