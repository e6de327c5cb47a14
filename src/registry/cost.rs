//! What a document may cost to read, counted on the way through it and before anything is built of it: whoever may write
//! one holds up nobody else.

use granit_parser::{ErrorKind, Event, Parser, ScanError};

/// In bytes; an API server stores no larger ones, even in JSON.
const LARGEST: usize = 2 << 20;
/// Levels of lists and keys in each other.
const DEEPEST: usize = 64;
/// Values and keys, lists and what is in them.
const MOST_NODES: usize = 20_000;
/// Places that repeat what stands elsewhere.
const MOST_ALIASES: usize = 500;
/// Brackets in a document that only one of two readers can read: what they say is then not known.
const MOST_BRACKETS: usize = 512;

/// Why a document is not read, and at which line and column of it, from 1.
pub(super) struct TooCostly {
    pub(super) message: String,
    pub(super) at: Option<(usize, usize)>,
}

/// Whether the document can be read at a price that does not matter.
///
/// Errors: which limit it exceeds.
pub(super) fn check(text: &str) -> Result<(), TooCostly> {
    if text.len() > LARGEST {
        let message = format!("it is larger than {} MiB, and no document may be", LARGEST >> 20);
        return Err(TooCostly { message, at: None });
    }
    let (mut depth, mut nodes, mut aliases) = (0_usize, 0_usize, 0_usize);
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(read) => read,
            Err(error) => return unreadable(text, &error),
        };
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => (depth, nodes) = (depth + 1, nodes + 1),
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            Event::Scalar(..) => nodes += 1,
            Event::Alias(..) => aliases += 1,
            _ => {}
        }
        let limits = [
            (depth, DEEPEST, "levels in each other"),
            (nodes, MOST_NODES, "keys and values"),
            (aliases, MOST_ALIASES, "aliases"),
        ];
        if let Some((_, limit, what)) = limits.into_iter().find(|(count, limit, _)| count > limit) {
            let message = format!("it has more than {limit} {what}, and no document may");
            return Err(TooCostly { message, at: Some((span.start.line(), span.start.col() + 1)) });
        }
    }
    Ok(())
}

/// What is no YAML is for the other reader to tell, who names the key; unless that could take long.
fn unreadable(text: &str, error: &ScanError) -> Result<(), TooCostly> {
    let is_deep = matches!(error.kind(), ErrorKind::RecursionLimitExceeded);
    if !is_deep && text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() <= MOST_BRACKETS {
        return Ok(());
    }
    let message = if is_deep {
        format!("it has more than {DEEPEST} levels in each other, and no document may")
    } else {
        format!("it is not YAML: {}", error.info())
    };
    Err(TooCostly { message, at: Some((error.marker().line(), error.marker().col() + 1)) })
}
