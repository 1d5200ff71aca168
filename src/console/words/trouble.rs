//! What went wrong, in Chinese: sentences that the log keeps in English, because whoever reads the log and whoever reads
//! a page need not speak the same language.

use std::borrow::Cow;

use super::Lang;
use crate::wechat::errcode_zh;

/// A sentence in the language of the page. What is not known here stays as it is.
pub(in crate::console) fn told(lang: Lang, text: &str) -> Cow<'_, str> {
    match lang {
        Lang::En => text.into(),
        Lang::Zh => in_chinese(text).map_or(text.into(), Cow::Owned),
    }
}

/// English and Chinese; `{}` stands for something, which is told in Chinese too where it is known. Of two that fit, the
/// first is taken.
#[rustfmt::skip]
const SENTENCES: &[(&str, &str)] = &[
    // What became of replies.
    ("quota: WeChat takes no more replies to the user's last action", "配额已用完：微信不再接受对用户上次操作的回复"),
    ("window over: the time in which WeChat takes replies to the user's last action has passed", "时限已过：微信不再接受对用户上次操作的回复"),
    ("by hand: {}", "由 {} 手动丢弃"),
    ("WeChat may or may not have it, and no time is left to send it again: {}", "微信可能已送达，也可能没有，且已来不及重发：{}"),
    ("WeChat may or may not have it: {}", "微信可能已送达，也可能没有：{}"),
    ("an earlier attempt went unanswered, so WeChat may or may not have it; the last one: {}", "此前一次发送没有得到应答，微信可能已送达，也可能没有；最后一次：{}"),
    ("wxreply ended while it was being sent", "发送途中 wxreply 退出了"),
    ("could not be delivered before WeChat's time for replies to this user ended: {}", "在微信允许的时限内未能送达：{}"),
    ("could not be delivered within {}: {}", "{} 内未能送达：{}"),
    ("its turn did not come sooner", "一直没有轮到它"),
    ("the picture could not be uploaded: {}", "图片上传失败：{}"),
    // Webhooks.
    ("webhook: {}; the rule's own reply was sent", "Webhook {}；已改发规则自带的回复"),
    ("webhook: {}; the rule has no reply of its own", "Webhook {}；规则没有自带的回复"),
    ("webhook: it answered that there is nothing to send", "Webhook 应答说无需回复"),
    ("timed out after {} s", "{} 秒内没有应答"),
    ("could not be reached: {}", "连不上：{}"),
    ("its answer can't be used: {}", "的应答无法使用：{}"),
    ("the message that it answers is not in the log any more", "它所回复的消息已不在记录中"),
    ("the config has no app `{}` any more", "配置中已没有应用 `{}`"),
    ("the config has no secret for webhooks", "配置中没有 Webhook 的密钥"),
    // Calls.
    ("no access token: {}", "没有可用的 access_token：{}"),
    ("could not reach {}: {}", "连不上 {}：{}"),
    ("{} did not answer: {}", "{} 没有应答：{}"),
    ("{} answered {} with no JSON of WeChat's: {}", "{} 返回 {}，内容不是微信的 JSON：{}"),
    ("WeChat refuses the present token, and {}", "微信不接受现有的 token，并且{}"),
    ("the call that gives it takes too long", "获取 token 的请求太慢"),
    ("a forced renewal gave the same one again", "强制刷新后得到的仍是同一个"),
    ("no other one is given", "拿不到别的 token"),
    ("no answer within {}", "{} 内没有应答"),
    // Pushes that were refused.
    ("the query lacks {}, or gives it twice", "请求参数缺少 {}，或重复出现"),
    ("the signature is wrong: is `token` the one in WeChat's backend?", "签名错误：`token` 与微信后台一致吗？"),
    ("the timestamp is {} s away from this machine's clock", "时间戳与本机时钟相差 {} 秒"),
    ("the push is not encrypted, but the configured mode is {}", "推送没有加密，而配置的模式是 {}"),
    ("the push is encrypted: set `encoding_aes_key`, and `mode` as it stands in WeChat's backend", "推送已加密：请设置 `encoding_aes_key`，`mode` 须与微信后台一致"),
    ("the envelope can't be opened ({}): is `encoding_aes_key` the one in WeChat's backend?", "密文无法解开（{}）：`encoding_aes_key` 与微信后台一致吗？"),
    ("its timestamp and nonce were already used for a different message", "同一组 timestamp 和 nonce 已用于另一条消息"),
];

fn in_chinese(text: &str) -> Option<String> {
    refusal(text).or_else(|| {
        SENTENCES
            .iter()
            .find_map(|(english, chinese)| filled(text, english, chinese))
    })
}

/// `MEANING (errcode N: WORDS)`, the meaning being our own.
fn refusal(text: &str) -> Option<String> {
    let at = text.find(" (errcode ")?;
    let (code, words) = text[at + " (errcode ".len()..].split_once(':')?;
    let code: i64 = code.parse().ok()?;
    let words = words.trim().strip_suffix(')')?;
    let own = &text[..at] == crate::wechat::errcode(code).1;
    own.then(|| format!("{}（errcode {code}：{words}）", errcode_zh(code)))
}

/// The Chinese sentence with what stood in the places of the English one, if the text is that one.
fn filled(text: &str, english: &str, chinese: &str) -> Option<String> {
    let mut fixed = english.split("{}");
    let mut rest = text.strip_prefix(fixed.next()?)?;
    let mut holes = Vec::new();
    let parts: Vec<&str> = fixed.collect();
    for (n, part) in parts.iter().enumerate() {
        let last = n + 1 == parts.len();
        let (hole, after) = match last {
            true => (rest.strip_suffix(part)?, ""),
            false => rest.split_once(part)?,
        };
        holes.push(hole);
        rest = after;
    }
    if !rest.is_empty() {
        return None;
    }
    let mut holes = holes.into_iter();
    let mut pieces = chinese.split("{}");
    let mut out = pieces.next()?.to_owned();
    for piece in pieces {
        let hole = holes.next()?;
        match in_chinese(hole) {
            Some(told) => out.push_str(&told),
            None => out.push_str(hole),
        }
        out.push_str(piece);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{DropReason, Mode};
    use crate::wechat::Refusal;

    #[test]
    fn what_the_log_says_is_told_in_chinese() {
        for (english, chinese) in [
            (
                "the access_token has expired (errcode 42001: access_token expired rid: 66-1)",
                "access_token 已过期（errcode 42001：access_token expired rid: 66-1）",
            ),
            (
                "could not be delivered within 15m: WeChat is busy; the call is tried again later (errcode -1: system busy)",
                "15m 内未能送达：微信系统繁忙，稍后会重试（errcode -1：system busy）",
            ),
            (
                "WeChat may or may not have it: api.weixin.qq.com did not answer: operation timed out",
                "微信可能已送达，也可能没有：api.weixin.qq.com 没有应答：operation timed out",
            ),
            ("by hand: 小王", "由 小王 手动丢弃"),
            (
                "could not be delivered within 2s: could not reach 127.0.0.1: refused",
                "2s 内未能送达：连不上 127.0.0.1：refused",
            ),
        ] {
            assert_eq!(told(Lang::Zh, english), chinese);
            assert_eq!(told(Lang::En, english), english);
        }
        assert_eq!(told(Lang::Zh, "something else"), "something else");
        assert_eq!(told(Lang::Zh, ""), "");
    }

    #[test]
    fn the_sentences_are_those_that_the_other_rooms_say() {
        let refused = [
            Refusal::Query("nonce"),
            Refusal::Signature,
            Refusal::Stale(700),
            Refusal::Mode(Mode::Safe),
            Refusal::Key,
            Refusal::Reused,
        ];
        let dropped = [DropReason::Quota, DropReason::WindowOver];
        let rooms = refused.iter().map(Refusal::to_string);
        let rooms = rooms.chain(dropped.map(|reason| reason.explanation().to_owned()));
        for sentence in rooms {
            assert_ne!(told(Lang::Zh, &sentence), sentence);
        }
    }
}
