//! What the engine tells in English, told in Chinese: why conditions held or not, what became of rules, why a reply was not sent.
//!
//! The engine's words are the API's and the command line's too. A sentence that is not known here is shown as it is.

use super::{Lang, errcode};

/// A sentence with places, `{}`, and the same in Chinese with the places in the same order. The first that fits counts.
type Table = &'static [(&'static str, &'static str)];

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
        "{}; it is {}, closed in calendar {}",
        "{}；当时为 {}，日历 {} 休息",
    ),
    ("{}; it is {}, open in calendar {}", "{}；当时为 {}，日历 {} 营业"),
    ("{}; it is {}", "{}；当时为 {}"),
];

const NOTES: Table = &[
    ("not asked: the user is muted until {}", "未判断：机器人暂停至 {}"),
    ("not reached: {} decided", "未判断：{} 已命中"),
    ("went on to lower rules", "继续判断后面的规则"),
    ("observed only: it would have answered", "仅观察：本会回复"),
    ("silent: its cooldown runs until {}", "不回复：冷却至 {}"),
    (
        "left to lower rules: its cooldown runs until {}",
        "交给后面的规则：冷却至 {}",
    ),
];

const REASONS: Table = &[
    ("quota: {}", "可回复条数已用完，需等用户再次发来消息"),
    ("window over: {}", "已超过可回复时间，需等用户再次发来消息"),
    ("by hand: {}", "由 {} 手动取消"),
    (
        "could not be delivered before WeChat's time for replies to this user ended: {}",
        "未能在可回复时间内送达：{}",
    ),
    ("could not be delivered within {}: {}", "{} 内未能送达：{}"),
    (
        "WeChat may or may not have it, and no time is left to send it again: {}",
        "微信可能已收到，也可能没有，且已来不及重发：{}",
    ),
    (
        "WeChat may or may not have it: {}",
        "微信可能已收到，也可能没有：{}",
    ),
    (
        "an earlier attempt went unanswered, so WeChat may or may not have it; the last one: {}",
        "此前一次发送没有得到应答，微信可能已收到，也可能没有；最近一次：{}",
    ),
    ("wxreply ended while it was being sent", "发送过程中 wxreply 退出"),
    ("its turn did not come sooner", "未能及时轮到发送"),
    ("the picture could not be uploaded: {}", "图片上传失败：{}"),
    ("no access token: {}", "无法获取 access_token：{}"),
    (
        "webhook: {}; the rule's own reply was sent",
        "Webhook：{}；已改发规则自带的回复",
    ),
    (
        "webhook: {}; the rule has no reply of its own",
        "Webhook：{}；规则没有自带的回复",
    ),
    (
        "webhook: it answered that there is nothing to send",
        "Webhook 应答无需回复",
    ),
    ("timed out after {} s", "{} 秒内没有应答"),
    ("could not be reached: {}", "无法连接：{}"),
    ("could not reach {}: {}", "无法连接 {}：{}"),
    ("{} did not answer: {}", "{} 没有应答：{}"),
    (
        "{} answered {} with no JSON of WeChat's: {}",
        "{} 返回 {}，不是微信的 JSON：{}",
    ),
    ("its answer can't be used: {}", "应答无法使用：{}"),
    (
        "the message that it answers is not in the log any more",
        "所回复的消息已不在记录中",
    ),
    ("the config has no app `{}` any more", "配置中已没有应用 {}"),
    ("the config has no secret for webhooks", "配置中没有 Webhook 密钥"),
];

/// Days as the engine names them.
const DAYS: [(&str, &str); 7] = [
    ("Mon", "周一"),
    ("Tue", "周二"),
    ("Wed", "周三"),
    ("Thu", "周四"),
    ("Fri", "周五"),
    ("Sat", "周六"),
    ("Sun", "周日"),
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
        (Lang::Zh, "kind" | "state") => told.replace(" or ", " 或 ").replace("要求 none", "要求 无状态"),
        _ => told,
    }
}

/// What became of a rule.
pub(in crate::console) fn note(lang: Lang, note: &str) -> String {
    told(lang, NOTES, note)
}

/// Why a reply was not sent, or not as it was meant.
pub(in crate::console) fn reason(lang: Lang, code: Option<i64>, reason: &str) -> String {
    if lang == Lang::En {
        return reason.to_owned();
    }
    let meaning = code.and_then(|code| Some((code, errcode::meaning(code)?)));
    match meaning {
        Some((code, meaning)) => format!("{meaning}（{code}）"),
        None => told(lang, REASONS, reason),
    }
}

fn told(lang: Lang, table: Table, text: &str) -> String {
    let Lang::Zh = lang else {
        return text.to_owned();
    };
    let found = table
        .iter()
        .find_map(|(english, chinese)| Some((places(english, text)?, chinese)));
    let Some((places, chinese)) = found else {
        return text.to_owned();
    };
    let mut out = String::new();
    let mut places = places.into_iter();
    for (n, part) in chinese.split("{}").enumerate() {
        if n > 0 {
            // A reason may hold another one.
            out += &places
                .next()
                .map(|place| self::told(lang, table, place))
                .unwrap_or_default();
        }
        out += part;
    }
    out
}

/// What stands in the places of a sentence; `None` when the text is another one.
fn places<'t>(sentence: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut parts = sentence.split("{}").peekable();
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut places = Vec::new();
    while let Some(part) = parts.next() {
        let at = match (part, parts.peek()) {
            ("", None) => rest.len(),
            // The last part ends the text.
            (_, None) => rest
                .len()
                .checked_sub(part.len())
                .filter(|at| rest.is_char_boundary(*at) && &rest[*at..] == part)?,
            (_, Some(_)) => rest.find(part)?,
        };
        places.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    rest.is_empty().then_some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_gives_what_stands_in_its_places() {
        assert_eq!(
            places("found {}", "found \"a\", \"b\""),
            Some(vec!["\"a\", \"b\""])
        );
        assert_eq!(places("{} is {}", "x is y"), Some(vec!["x", "y"]));
        assert_eq!(places("{} matches", "\"x\" matches"), Some(vec!["\"x\""]));
        assert_eq!(places("a", "a"), Some(vec![]));
        for (sentence, text) in [
            ("found {}", "lost x"),
            ("{} matches", "x match"),
            ("a", "ab"),
            ("{}b", ""),
        ] {
            assert_eq!(places(sentence, text), None, "{sentence} {text}");
        }
    }

    #[test]
    fn a_reason_within_a_reason_is_told_too() {
        for (code, english, chinese) in [
            (
                Some(45047),
                "whatever (errcode 45047: rid)",
                "可回复条数已用完，需等用户再次发来消息（45047）",
            ),
            (
                None,
                "quota: WeChat takes no more replies to the user's last action",
                "可回复条数已用完，需等用户再次发来消息",
            ),
            (
                None,
                "could not be delivered within 15m: api.weixin.qq.com did not answer: timed out after 5 s",
                "15m 内未能送达：api.weixin.qq.com 没有应答：5 秒内没有应答",
            ),
            (None, "some new reason", "some new reason"),
        ] {
            assert_eq!(reason(Lang::Zh, code, english), chinese);
            assert_eq!(reason(Lang::En, code, english), english);
        }
    }
}
