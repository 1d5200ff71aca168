//! The order of keys: who answers to what, then what is answered, then what happens besides.

use toml_edit::Key;

use crate::rules::condition;

const RULE: &[&str] = &[
    "name",
    "owner",
    "note",
    "app",
    "priority",
    "enabled",
    "observe",
    "when",
    "reply",
    "pick",
    "delay",
    "typing",
    "cooldown",
    "transfer",
    "mute",
    "set_state",
    "state_ttl",
    "webhook",
    "continue",
];

const TEST: &[&str] = &[
    "name", "app", "openid", "at", "given", "message", "each", "steps", "expect",
];

/// Where a key stands in its table. Keys of one rank keep the order in which they were written, and so do those that
/// nobody knows, at the end.
pub(super) type Rank = (usize, usize);

/// The rank of a key, dotted or not, in the table at `path`.
pub(super) fn rank(path: &[&Key], keys: &[&Key]) -> Rank {
    let path: Vec<&str> = path.iter().map(|key| key.get()).collect();
    let key = |at: usize| keys.get(at).map_or("", |key| key.get());
    match path.as_slice() {
        ["rule"] if key(0) == "when" => (place(RULE, "when"), when(key(1))),
        ["rule"] => (place(RULE, key(0)), 0),
        ["rule", "when"] => (when(key(0)), 0),
        ["test"] => (place(TEST, key(0)), 0),
        _ => (0, 0),
    }
}

fn place(order: &[&str], key: &str) -> usize {
    order
        .iter()
        .position(|known| *known == key)
        .unwrap_or(order.len())
}

fn when(key: &str) -> usize {
    let keys = condition::KEYS;
    keys.iter()
        .position(|known| known.name == key)
        .unwrap_or(keys.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::rule;

    #[test]
    fn every_key_of_a_rule_has_its_place() {
        for key in rule::KEYS {
            assert!(RULE.contains(key), "{key}");
        }
    }
}
