//! `keywords`, `all_keywords`, `not_keywords`: what the message contains.

use super::Key;

pub(super) const KEYWORDS: Key = Key {
    name: "keywords",
    read: |reader, node, draft| {
        draft.text.keywords = reader.words("when.keywords", node);
        draft.text_at = Some(node.span());
    },
};

pub(super) const ALL_KEYWORDS: Key = Key {
    name: "all_keywords",
    read: |reader, node, draft| {
        draft.text.all_keywords = reader.words("when.all_keywords", node);
        draft.text_at = Some(node.span());
    },
};

pub(super) const NOT_KEYWORDS: Key = Key {
    name: "not_keywords",
    read: |reader, node, draft| {
        draft.text.not_keywords = reader.words("when.not_keywords", node);
        draft.text_at = Some(node.span());
    },
};
