//! What the engine tells in English, told in Chinese: why conditions held or not, what became of rules.
//!
//! The engine's words are the API's and the command line's too. A sentence that is not known here is shown as it is.

use super::sentence::{Table, places};
use super::{Lang, filled_all};

const CONDITIONS: Table = &[
    ("found none of {}", "没有出现 {}"),
    ("found {}", "出现了 {}"),
    ("did not find {}", "没有出现 {}"),
    ("the text {} is not one of {}", "全文 {} 不是其中任何一个：{}"),
    ("the text {} is not {}", "全文 {} 不是 {}"),
    ("the text is {}", "全文就是 {}"),
    ("the message has no text", "消息没有文本"),
    ("the message has no such field", "消息没有这个字段"),
    ("no match for one of {}", "均不匹配：{}"),
    ("no match for {}", "不匹配 {}"),
    ("{} does not match one of {}", "{} 与这些值均不匹配：{}"),
    ("{} does not match {}", "{} 不匹配 {}"),
    ("{} matches {}", "{} 匹配 {}"),
    ("{} matches", "{} 匹配"),
    ("{} is not one of {}", "{} 不在这 {} 个用户中"),
    ("{} is one of {}", "{} 在这 {} 个用户中"),
    ("anything; this is {}", "任意消息；收到 {}"),
    ("{}; this is the user's first message", "{}；这是该用户的首条消息"),
    (
        "{}; this is not the user's first message",
        "{}；这不是该用户的首条消息",
    ),
    ("{}; this is an event", "{}；这是一个事件"),
    ("{}; this is {}", "要求 {}；收到 {}"),
    ("{}; the user never wrote before", "{}；该用户此前从未发过消息"),
    ("{}; the user last wrote {} ago", "{}；该用户上次发消息在 {} 前"),
    ("{}; with this message {} in a row", "{}；算上这条连续 {} 条"),
    ("{}; the user's is none", "要求 {}；当前无状态"),
    ("{}; the user's is {}", "要求 {}；当前为 {}"),
    (
        "{}; it is {}; the night of {}, closed in calendar {}",
        "{}；当时为 {}（{} 的夜间），日历 {} 休息",
    ),
    (
        "{}; it is {}; the night of {}, open in calendar {}",
        "{}；当时为 {}（{} 的夜间），日历 {} 营业",
    ),
    (
        "{}; it is {}, closed in calendar {}",
        "{}；当时为 {}，日历 {} 休息",
    ),
    ("{}; it is {}, open in calendar {}", "{}；当时为 {}，日历 {} 营业"),
    ("{}; it is {}", "{}；当时为 {}"),
];

const NOTES: Table = &[
    (
        "not asked: the user is muted until {}",
        "未判断：自动回复暂停至 {}",
    ),
    ("not reached: {} decided", "未判断：{} 已命中"),
    ("went on to lower rules", "继续判断后面的规则"),
    ("observed only: it would have answered", "仅观察：本会回复"),
    ("silent: its cooldown runs until {}", "不回复：冷却至 {}"),
    (
        "left to lower rules: its cooldown runs until {}",
        "交给后面的规则：冷却至 {}",
    ),
];

/// Days as the engine names them.
const DAYS: [(&str, &str); 7] = [
    ("mon", "周一"),
    ("tue", "周二"),
    ("wed", "周三"),
    ("thu", "周四"),
    ("fri", "周五"),
    ("sat", "周六"),
    ("sun", "周日"),
];

/// The key of a condition: as rule files have it, in Chinese with what it means.
pub(in crate::console) fn key(lang: Lang, key: &str) -> String {
    if lang == Lang::En {
        return key.to_owned();
    }
    let known = match key {
        "kind" => "消息类型",
        "exact" => "完全一致",
        "keywords" => "关键词",
        "all_keywords" => "全部关键词",
        "not_keywords" => "排除关键词",
        "regex" => "正则",
        "users" => "指定用户",
        "time" => "时间",
        "first_message" => "首条消息",
        "idle" => "沉默时长",
        "state" => "对话状态",
        "misses" => "连续未命中",
        other => {
            return other
                .strip_prefix("fields.")
                .map_or(other.to_owned(), |field| format!("字段 {field}"));
        }
    };
    known.to_owned()
}

/// Why a condition held or not.
pub(in crate::console) fn condition(lang: Lang, key: &str, why: &str) -> String {
    let told = told(lang, CONDITIONS, why);
    match (lang, key) {
        (Lang::Zh, "time") => DAYS.iter().fold(told, |told, (day, name)| {
            told.replace(&format!("当时为 {day} "), &format!("当时为 {name} "))
        }),
        (Lang::Zh, "kind" | "state") => told
            .replace(" or ", " 或 ")
            .replace("要求 none", "要求 无状态")
            .replace("或 none", "或 无状态"),
        _ => told,
    }
}

/// What became of a rule.
pub(in crate::console) fn note(lang: Lang, note: &str) -> String {
    told(lang, NOTES, note)
}

fn told(lang: Lang, table: Table, text: &str) -> String {
    let Lang::Zh = lang else {
        return text.to_owned();
    };
    let found = table
        .iter()
        .find_map(|(english, chinese)| Some(filled_all(chinese, &places(english, text)?)));
    found.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::diagnostic::Source;
    use crate::message::{Contact, Cooldowns, DialogState, Facts, Fields, Inbound, MessageId};
    use crate::rules::{Scope, load};

    /// Every condition there is, each asked in a way that holds and in one that does not.
    const RULES: &str = r#"
        [calendar.cn]
        closed = ["2026-01-05"]
        open = ["2026-01-10"]
        [[rule]]
        name = "a"
        when = { keywords = ["多少", "钱"], all_keywords = ["多", "少"], not_keywords = ["退", "货"], regex = ['^价', '钱$'] }
        set_state = "menu"
        [[rule]]
        name = "one"
        when = { exact = ["价格"], regex = '^价', users = ["oAlice"] }
        [[rule]]
        name = "either"
        when.exact = ["价格", "价目"]
        [[rule]]
        name = "b"
        when = { fields = { SessionFrom = "home" }, msg_type = ["text", "image"] }
        [[rule]]
        name = "c"
        when = { users = ["oAlice", "oBob"], first_message = true, idle = "24h", state = ["menu", ""] }
        [[rule]]
        name = "missed"
        when.misses = 2
        [[rule]]
        name = "d"
        when = { users = ["oBob"], first_message = false, state = "menu", time = { hours = "09:00-18:00", days = "mon-fri" } }
        [[rule]]
        name = "e"
        when.time = { calendar = "cn" }
        when.event = "user_enter_tempsession"
        [[rule]]
        name = "f"
        when.time = { calendar = "cn", hours = "09:00-18:00" }
        [[rule]]
        name = "g"
    "#;

    fn explained(
        msg_type: &str,
        content: Option<&str>,
        contact: &Contact,
        now: &str,
    ) -> Vec<(String, String)> {
        let source = Source::new("rules.toml", RULES);
        let scope = Scope {
            timezone: TimeZone::get("Asia/Shanghai").expect("bundled"),
            ..Scope::default()
        };
        let loaded = load(&[source], &scope);
        let set = loaded.set.unwrap_or_else(|| panic!("{:?}", loaded.findings));
        let now: Timestamp = now.parse().expect("a time");
        let fields = [("SessionFrom", "cart")];
        let inbound = Inbound {
            id: MessageId::new(1_767_600_000, 1),
            app: "shop".into(),
            openid: "oAlice".into(),
            dedup_key: "1".to_owned(),
            received: now,
            msg_type: msg_type.to_owned(),
            event: (msg_type == "event").then(|| "user_enter_tempsession".to_owned()),
            content: content.map(str::to_owned),
            fields: if content == Some("价格") {
                Fields::new()
            } else {
                fields.into_iter().collect()
            },
        };
        let cooldowns = Cooldowns::new();
        let facts = Facts {
            now,
            contact,
            app_cooldowns: &cooldowns,
        };
        let rules = set.explain(&inbound, &facts).rules.into_iter();
        rules
            .flat_map(|rule| rule.conditions)
            .map(|condition| (condition.key, condition.why))
            .collect()
    }

    #[test]
    fn every_condition_is_told_in_chinese() {
        let known = Contact {
            first_message: "2026-01-01T00:00:00Z".parse().ok(),
            last_message: "2026-01-04T00:00:00Z".parse().ok(),
            state: Some(DialogState {
                name: "menu".to_owned(),
                until: "2026-02-01T00:00:00Z".parse().expect("a time"),
            }),
            ..Contact::default()
        };
        let mut all = Vec::new();
        for contact in [&Contact::default(), &known] {
            for now in [
                "2026-01-05T02:00:00Z",
                "2026-01-10T02:00:00Z",
                "2026-01-11T15:00:00Z",
            ] {
                for (msg_type, content) in [
                    ("text", Some("价格")),
                    ("text", Some("这个多少钱")),
                    ("text", Some("退货")),
                    ("image", None),
                    ("event", None),
                ] {
                    all.extend(explained(msg_type, content, contact, now));
                }
            }
        }
        // WeChat's words, names, units, and how rule files write times.
        let names = regex::Regex::new(
            r#""[^"]*"|\b(text|image|event|user_enter_tempsession|menu|cn|true|false|oAlice|h|hours|days|calendar|mon-fri)\b|\d+[smhd]"#,
        );
        let names = names.expect("a pattern");
        for (key, why) in all {
            let told = condition(Lang::Zh, &key, &why);
            let rest = names.replace_all(&told, "");
            let english = rest.chars().any(|c| c.is_ascii_alphabetic());
            assert!(!english, "{key}: {why} → {told}");
            assert!(!super::key(Lang::Zh, &key).is_ascii() || key == "kind", "{key}");
        }
    }
}
