//! What the pages say, in both languages, side by side.

use http::header;
use jiff::civil::Weekday;
use serde::{Deserialize, Serialize};

use super::html::number;
use super::request::Head;

/// A language of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Lang {
    /// English.
    En,
    /// Simplified Chinese.
    #[default]
    Zh,
}

/// The cookie of whoever chose a language.
pub(super) const LANG: &str = "wxreply_lang";

impl Lang {
    /// The language that was chosen, else the one that the browser prefers.
    pub fn of(head: &Head) -> Self {
        let chosen = match head.cookie(LANG) {
            Some("en") => Some(Self::En),
            Some("zh") => Some(Self::Zh),
            _ => None,
        };
        chosen.unwrap_or_else(|| {
            let accepted = head.header(header::ACCEPT_LANGUAGE).unwrap_or_default();
            preferred(accepted).unwrap_or_default()
        })
    }

    /// The tag of the `lang` attribute.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-CN",
        }
    }

    /// `Mon`, `周一`
    pub fn weekday(self, day: Weekday) -> &'static str {
        let w = self.words().frame;
        match day {
            Weekday::Monday => w.monday,
            Weekday::Tuesday => w.tuesday,
            Weekday::Wednesday => w.wednesday,
            Weekday::Thursday => w.thursday,
            Weekday::Friday => w.friday,
            Weekday::Saturday => w.saturday,
            Weekday::Sunday => w.sunday,
        }
    }

    /// The texts of this language.
    pub fn words(self) -> &'static Words {
        match self {
            Self::En => &EN,
            Self::Zh => &ZH,
        }
    }
}

/// The first of our languages in an `Accept-Language` header, by weight.
fn preferred(accepted: &str) -> Option<Lang> {
    let weighed = accepted.split(',').filter_map(|part| {
        let mut parts = part.split(';');
        let tag = parts.next()?.trim();
        let weight = parts.find_map(|part| part.trim().strip_prefix("q="));
        let weight: f32 = weight.map_or(Some(1.0), |weight| weight.parse().ok())?;
        let lang = match tag.split('-').next()?.to_ascii_lowercase().as_str() {
            "zh" => Lang::Zh,
            "en" => Lang::En,
            _ => return None,
        };
        Some((weight, lang))
    });
    // The first of those with the greatest weight.
    let best = weighed.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.filter(|(weight, _)| *weight > 0.0).map(|(_, lang)| lang)
}

/// A text with something in the place of its `{}`.
pub(super) fn filled(text: &str, with: impl std::fmt::Display) -> String {
    filled_all(text, &[&with.to_string()])
}

/// The form of a text that goes with a number, the number in the place of its `{}`. Where one and many differ, both stand there:
/// `{} rule|{} rules`.
pub(super) fn counted(text: &str, n: u64) -> String {
    let (one, many) = text.split_once('|').unwrap_or((text, text));
    filled(if n == 1 { one } else { many }, number(n))
}

/// A text with its places, `{}`, filled in.
pub(super) fn filled_all(text: &str, places: &[&str]) -> String {
    let mut places = places.iter();
    let mut parts = text.split("{}");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += places.next().unwrap_or(&"");
        out += part;
    }
    out
}

/// One row a text: its name, English, Chinese. A text that one language lacks does not compile.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $en:literal, $zh:literal;)* }) => {
        $(#[$doc])*
        pub(in crate::console) struct $name {
            $(pub $field: &'static str,)*
        }

        pub(super) static EN: $name = $name { $($field: $en,)* };
        pub(super) static ZH: $name = $name { $($field: $zh,)* };
    };
}

mod conversations;
mod frame;
mod messages;
mod outbox;
mod overview;
mod problem;
mod rules;
mod sentence;
mod snippets;
pub(super) mod status;
mod system;
mod trouble;
mod unanswered;
mod versions;
pub(super) mod why;

pub(super) use problem::{edit_error, problem};
pub(super) use trouble::told;

/// All texts of one language, by the pages that need them.
pub(super) struct Words {
    pub frame: &'static frame::Frame,
    pub outbox: &'static outbox::Outbox,
    pub overview: &'static overview::Overview,
    pub system: &'static system::System,
    pub conversations: &'static conversations::Conversations,
    pub messages: &'static messages::Messages,
    pub snippets: &'static snippets::Snippets,
    pub status: &'static status::Status,
    pub rules: &'static rules::Rules,
    pub unanswered: &'static unanswered::Unanswered,
    pub versions: &'static versions::Versions,
}

static EN: Words = Words {
    frame: &frame::EN,
    outbox: &outbox::EN,
    overview: &overview::EN,
    system: &system::EN,
    conversations: &conversations::EN,
    messages: &messages::EN,
    snippets: &snippets::EN,
    status: &status::EN,
    rules: &rules::EN,
    unanswered: &unanswered::EN,
    versions: &versions::EN,
};
static ZH: Words = Words {
    frame: &frame::ZH,
    outbox: &outbox::ZH,
    overview: &overview::ZH,
    system: &system::ZH,
    conversations: &conversations::ZH,
    messages: &messages::ZH,
    snippets: &snippets::ZH,
    status: &status::ZH,
    rules: &rules::ZH,
    unanswered: &unanswered::ZH,
    versions: &versions::ZH,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_told_from_many() {
        let w = EN.rules;
        assert_eq!(counted(w.warnings, 1), "1 warning");
        assert_eq!(counted(w.warnings, 1_200), "1,200 warnings");
        assert_eq!(counted(w.hits, 1), "hit");
        assert_eq!(counted(ZH.rules.warnings, 1), "1 个警告");
    }

    #[test]
    fn the_heaviest_of_our_languages_wins() {
        for (accepted, lang) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Some(Lang::Zh)),
            ("en-US,en;q=0.9,zh;q=0.8", Some(Lang::En)),
            ("fr, de;q=0.9", None),
            ("fr, zh-TW;q=0.2, en;q=0.3", Some(Lang::En)),
            ("en;q=0, zh;q=0.1", Some(Lang::Zh)),
            ("en;q=0", None),
            ("", None),
            ("en;q=x,zh", Some(Lang::Zh)),
        ] {
            assert_eq!(preferred(accepted), lang, "{accepted}");
        }
    }
}
