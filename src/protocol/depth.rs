//! How deep a JSON value is nested.

use serde_json::Value;

/// Deep enough for every claim, and shallow enough that a record around it can be parsed again: the JSON parser stops
/// at 128 levels.
pub const MAX_DEPTH: usize = 32;

/// Whether there are more than `levels` arrays and objects inside each other.
pub fn is_deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper_than(item, levels - 1)),
        Value::Object(members) => levels == 0 || members.values().any(|member| is_deeper_than(member, levels - 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counted() {
        let value = serde_json::json!({ "a": [{ "b": 1 }], "c": 2 });
        assert!(is_deeper_than(&value, 2));
        assert!(!is_deeper_than(&value, 3));
        assert!(!is_deeper_than(&Value::Null, 0));
    }
}
