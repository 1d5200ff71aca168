//! What a rule asks and does, in the reader's language. The words of the outline are those of the rule file; in Chinese the
//! page says them in Chinese.

use crate::console::words::Lang;
use crate::console::words::status::Status;

/// One thing that a rule asks for.
pub(super) fn asks(lang: Lang, told: &str) -> String {
    if lang == Lang::En {
        return told.to_owned();
    }
    let status = lang.words().status;
    let either = |told: &str, word: fn(&Status, &str) -> String| {
        let words: Vec<String> = told.split(" or ").map(|told| word(status, told)).collect();
        words.join("或")
    };
    if let Some(events) = told.strip_prefix("event ") {
        let events = either(events, |status, event| status.event(event).to_owned());
        return format!("事件：{events}");
    }
    let Some((key, what)) = told.split_once(": ") else {
        return either(told, |status, kind| match kind {
            "text" => "文本消息".to_owned(),
            "image" => "图片消息".to_owned(),
            kind => status.kind(kind).to_owned(),
        });
    };
    let word = match key {
        "exact" => "完全等于",
        "keywords" => "包含任一",
        "all_keywords" => "包含全部",
        "not_keywords" => "不包含",
        "regex" => "正则",
        "users" => "指定用户",
        "time" => "时间",
        "first_message" => "首次来消息",
        "idle" => "静默超过",
        "state" => "对话状态",
        "misses" => "连续未命中",
        key => key.strip_prefix("fields.").unwrap_or(key),
    };
    let what = match key {
        "time" => match what.strip_suffix(" not") {
            Some(times) => format!("{times} 以外"),
            None => what.to_owned(),
        },
        "state" => {
            let states = what
                .split(" or ")
                .map(|state| if state == "none" { "无" } else { state });
            states.collect::<Vec<_>>().join(" 或 ")
        }
        "users" => what
            .strip_suffix(" openids")
            .map_or(what.to_owned(), |count| format!("{count} 个 openid")),
        "first_message" => match what {
            "true" => "是".to_owned(),
            "false" => "否".to_owned(),
            what => what.to_owned(),
        },
        _ => what.to_owned(),
    };
    let field = if key.starts_with("fields.") { "字段 " } else { "" };
    format!("{field}{word}：{what}")
}

/// One thing that a rule does.
pub(super) fn does(lang: Lang, told: &str) -> String {
    if lang == Lang::En {
        return told.to_owned();
    }
    let (told, after) = match told.rsplit_once(" after ") {
        Some((told, after)) => (told, format!("，{after} 后发送")),
        None => (told, String::new()),
    };
    let between = |start: &str, end: &str| told.strip_prefix(start)?.strip_suffix(end);
    let replies = |told: &str| {
        let between = |start: &str, end: &str| told.strip_prefix(start)?.strip_suffix(end);
        if told == "reply" {
            Some("回复 1 条".to_owned())
        } else if let Some(count) = between("one of ", " replies") {
            Some(format!("从 {count} 条回复中随机一条"))
        } else {
            between("", " replies").map(|count| format!("回复 {count} 条"))
        }
    };
    let said = if let Some(said) = replies(told) {
        said
    } else if let Some(own) = told.strip_prefix("webhook, else ") {
        format!(
            "调用 webhook，失败时{}",
            replies(own).unwrap_or_else(|| own.to_owned())
        )
    } else if told == "webhook" {
        "调用 webhook".to_owned()
    } else if told == "transfer" {
        "转人工".to_owned()
    } else if let Some(agent) = told.strip_prefix("transfer to ") {
        format!("转给客服 {agent}")
    } else if let Some(time) = told.strip_prefix("mute ") {
        format!("暂停自动回复 {time}")
    } else if told == "clear state" {
        "清除对话状态".to_owned()
    } else if let Some((state, time)) = between("state ", "").and_then(|rest| rest.rsplit_once(" for ")) {
        format!("进入状态 {state}（{time}）")
    } else if let Some(cooldown) = told.strip_prefix("cooldown ") {
        let (cooldown, next) = match cooldown.strip_suffix(", then next") {
            Some(cooldown) => (cooldown, "，期间交给后面的规则"),
            None => (cooldown, ""),
        };
        match cooldown.strip_suffix(" per app") {
            Some(time) => format!("全应用冷却 {time}{next}"),
            None => format!("冷却 {cooldown}{next}"),
        }
    } else if told == "continue" {
        "继续匹配".to_owned()
    } else {
        told.to_owned()
    };
    said + &after
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::rules::{Scope, load};

    #[test]
    fn nothing_of_an_outline_stays_english_in_chinese() {
        let text = "[[rule]]\nname = 'a'\nwhen.exact = ['甲', '乙']\nreply = ['1', '2']\npick = 'random'\ndelay = '2s'\nset_state = '菜单'\n\
                    [[rule]]\nname = 'b'\nwhen.keywords = '丙'\nwhen.time = { hours = '09:00-18:00', not = true }\nwhen.state = ['菜单', '']\n\
                    reply = '1'\ncooldown = { time = '90s', per = 'app', then = 'next' }\nmute = '30m'\ncontinue = true\n\
                    [[rule]]\nname = 'd'\nwhen.event = ['subscribe', 'CLICK']\nwhen.fields = { EventKey = 'x' }\nwhen.users = ['o1', 'o2']\nwhen.first_message = false\n\
                    [[rule]]\nname = 'e'\nwhen.msg_type = ['text', 'image', 'voice', 'miniprogrampage']\n\
                    [[rule]]\nname = 'c'\nwhen.regex = '^1'\nreply = ['1', '2']\ntransfer = true\nset_state = ''\n";
        let set = load(&[Source::new("a.toml", text)], &Scope::default())
            .set
            .expect("loads");
        let told: Vec<String> = set
            .outline()
            .iter()
            .flat_map(|rule| {
                let asks = rule.asks.iter().map(|ask| asks(Lang::Zh, ask));
                asks.chain(rule.does.iter().map(|told| does(Lang::Zh, told)))
                    .collect::<Vec<_>>()
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        完全等于：甲, 乙
        从 2 条回复中随机一条，2s 后发送
        进入状态 菜单（10m）
        包含任一：丙
        时间：09:00-18:00 以外
        对话状态：菜单 或 无
        回复 1 条
        暂停自动回复 30m
        全应用冷却 90s，期间交给后面的规则
        继续匹配
        事件：关注了公众号或点击菜单
        字段 EventKey：x
        指定用户：2 个 openid
        首次来消息：否
        文本消息或图片消息或语音或小程序
        正则：^1
        回复 2 条
        转人工
        暂停自动回复 30m
        清除对话状态
        ");
        assert_eq!(does(Lang::En, "clear state"), "clear state");
    }
}
