//! `exact`: the whole message is one of these.

use super::Key;

pub(super) const KEY: Key = Key {
    name: "exact",
    read: |reader, node, draft| {
        draft.text.exact = reader.words("when.exact", node);
        draft.text_at = Some(node.span());
    },
};
