//! `given`: what is known of the customer before the first message.

use std::time::Duration;

use toml::de::DeValue;

use super::names::Names;
use crate::rules::codes;
use crate::rules::read::{Node, Reader};

pub(super) const KEYS: &[&str] = &["state", "misses", "muted", "silent_for", "replies_left"];

const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

/// What is known of a customer, who has written before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The dialog state, and how long it still lasts: as if a rule had just set it.
    pub state: Option<(String, Duration)>,
    /// How many messages in a row went unmatched.
    pub misses: u32,
    /// How long no rule answers yet.
    pub muted: Option<Duration>,
    /// How long ago the last message came; just now when zero.
    pub silent_for: Duration,
    /// How many replies WeChat would still take; all that the last message bought when absent.
    pub replies_left: Option<u32>,
}

pub(super) fn read(reader: &mut Reader<'_>, names: &Names<'_>, node: &Node<'_>) -> Option<Given> {
    if matches!(node.get_ref(), DeValue::Table(table) if table.is_empty()) {
        let finding = reader.error(
            codes::EMPTY,
            node.span(),
            "`given` is empty",
            "nothing stands here",
        );
        finding.help = Some(
            "for a customer who has written before, write how long ago: `given = { silent_for = \"1h\" }`"
                .to_owned(),
        );
        return None;
    }
    let keys = reader.table("given", node, KEYS)?;
    let mut given = Given::default();
    if let Some(node) = keys.get("state")
        && let Some(state) = reader.nonempty("given.state", node)
    {
        given.state = names.state(reader, &state).map(|ttl| (state.text, ttl));
    }
    let mut number = |key: &str| {
        let node = keys.get(key)?;
        let number = reader.integer(&format!("given.{key}"), node)?;
        let fits = u32::try_from(number).ok();
        if fits.is_none() {
            reader.error(
                codes::WRONG_VALUE,
                node.span(),
                format!("`given.{key}` must be 0 or more"),
                "out of range",
            );
        }
        fits
    };
    given.misses = number("misses").unwrap_or(0);
    given.replies_left = number("replies_left");
    let mut span = |key: &str| {
        keys.get(key)
            .and_then(|node| reader.duration(&format!("given.{key}"), node, LONGEST))
    };
    given.muted = span("muted");
    given.silent_for = span("silent_for").unwrap_or_default();
    Some(given)
}
