//! A keyword of one character that stands in every second message.

use super::written::Written;
use crate::diagnostic::Diagnostic;
use crate::rules::{Scope, codes};
use crate::text::normal_form;

/// Characters of grammar rather than of meaning.
const COMMON: &str = "的地得了着过是我你您他她它们吗呢吧啊呀哦嗯么嘛不没有在就都也还又很太最这那哪谁啥个一和与及跟把被给对到从为要会能可想说去来上下看好人";

pub(super) fn lint(written: &Written<'_>, _: &Scope, findings: &mut Vec<Diagnostic>) {
    for word in written.words(&["keywords", "not_keywords"]) {
        let normal = normal_form(word.text);
        let mut characters = normal.chars();
        let (Some(character), None) = (characters.next(), characters.next()) else {
            continue;
        };
        if character.is_alphanumeric() && !COMMON.contains(character) {
            continue;
        }
        findings.push(
            Diagnostic::warning(
                codes::COMMON_KEYWORD,
                format!("{:?} stands in a great many messages", word.text),
            )
            .at(word.source, word.span, "one very common character")
            .help("write a whole word; for messages that are only this character, use `when.exact`"),
        );
    }
}
