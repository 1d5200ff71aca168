//! What went wrong, in Chinese: sentences that the log keeps in English, because whoever reads the log and whoever reads
//! a page need not speak the same language.

use std::borrow::Cow;

use super::sentence::{Table, places};
use super::{Lang, filled_all};
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
const SENTENCES: Table = &[
    // What became of replies.
    ("quota: WeChat takes no more replies to the user's last action", "额度已用完：微信不再接受对用户上次操作的回复"),
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
    ("broke off: {}", "的应答中断了：{}"),
    ("answered {}", "返回 {}"),
    ("was busy: none of its {} calls at once ended in time", "太忙：同时进行的 {} 个请求都没有及时结束"),
    ("the message that it answers can't be read: {}", "它所回复的消息无法读取：{}"),
    ("timed out after {} s", "{} 秒内没有应答"),
    ("could not be reached: {}", "连不上：{}"),
    ("its answer can't be used: {}", "的应答无法使用：{}"),
    ("the message that it answers is not in the log any more", "它所回复的消息已不在记录中"),
    ("the config has no app `{}` any more", "配置中已没有应用 `{}`"),
    ("the config has no secret for webhooks", "配置中没有 Webhook 的密钥"),
    // Pictures.
    ("{} is neither PNG nor JPEG nor GIF, and WeChat takes no other picture", "{} 不是 PNG、JPEG 或 GIF，微信不接受其他图片"),
    // Calls.
    ("the AppSecret is wrong; copy it again from WeChat's backend", "AppSecret 有误，请到微信后台重新复制"),
    ("WeChat takes no calls from {}; add it to the IP allow-list (IP白名单) in WeChat's backend", "微信不接受来自 {} 的调用，请在微信后台把它加入 IP 白名单"),
    ("too many calls for tokens; does another program ask for tokens of this app?", "获取 token 过于频繁：是否有其他程序也在获取此应用的 token？"),
    ("it was fetched a moment ago; the next is fetched from {} on; does another program ask for tokens of this app?", "它刚刚取得，{} 之后才会再取；是否有其他程序也在获取此应用的 token？"),
    ("WeChat allows the next forced renewal at {} (every 30 s, 20 a day)", "微信要到 {} 才允许再次强制刷新（间隔 30 秒，每天 20 次）"),
    ("this machine", "这台机器"),
    ("no access token: {}", "没有可用的 access_token：{}"),
    ("could not reach {}: {}", "连不上 {}：{}"),
    ("{} did not answer: {}", "{} 没有应答：{}"),
    ("{} answered {} with no JSON of WeChat's: {}", "{} 返回 {}，内容不是微信的 JSON：{}"),
    ("WeChat refuses the present token, and {}", "微信不接受现有的 token，并且{}"),
    ("the call that gives it takes too long", "获取 token 的请求太慢"),
    ("a forced renewal gave the same one again", "强制刷新后得到的仍是同一个"),
    ("no other one is given", "拿不到别的 token"),
    ("no answer within {}", "{} 内没有应答"),
    // Requests that were refused.
    ("this takes the role {}, and {} is {}", "需要角色 {}，而 {} 的角色是 {}"),
    ("viewer", "查看者"),
    ("agent", "客服"),
    ("editor", "编辑者"),
    ("this request comes from another site's page; if it does not, there is a proxy in between: set `url` under [admin] to the address that people type, or let the proxy pass that on (nginx: proxy_set_header Host $http_host)", "请求来自其他网站的页面。若并非如此，说明中间有代理：请把 [admin] 的 `url` 设为大家输入的地址，或让代理原样传递（nginx：proxy_set_header Host $http_host）"),
    ("a backup is fetched from the console's own pages, or by a program", "备份只能从控制台自己的页面下载，或由程序获取"),
    ("without users, the console answers to localhost and 127.0.0.1 only; name users in [[admin.user]]", "没有配置用户时，控制台只接受 localhost 和 127.0.0.1；请在 [[admin.user]] 中配置用户"),
    // Pushes that were refused.
    ("the query lacks {}, or gives it twice", "请求参数缺少 {}，或重复出现"),
    ("the signature is wrong: is `token` the one in WeChat's backend?", "签名错误：`token` 与微信后台一致吗？"),
    ("the timestamp is {} s away from this machine's clock", "时间戳与本机时钟相差 {} 秒"),
    ("the push is not encrypted, but the configured mode is {}", "推送没有加密，而配置的模式是 {}"),
    ("the push is encrypted: set `encoding_aes_key`, and `mode` as it stands in WeChat's backend", "推送已加密：请设置 `encoding_aes_key`，`mode` 须与微信后台一致"),
    ("the envelope can't be opened ({}): is `encoding_aes_key` the one in WeChat's backend?", "密文无法解开（{}）：`encoding_aes_key` 与微信后台一致吗？"),
    ("its timestamp and nonce were already used for a different message", "同一组 timestamp 和 nonce 已用于另一条消息"),
    // What begins with anything comes last.
    ("{} could not be read: {}", "{} 无法读取：{}"),
    ("{}; this is a bug of wxreply", "{}；这是 wxreply 的缺陷"),
];

fn in_chinese(text: &str) -> Option<String> {
    let known = SENTENCES
        .iter()
        .find_map(|(english, chinese)| retold(text, english, chinese));
    known.or_else(|| refusal(text))
}

/// `MEANING (errcode N: WORDS)` or `errcode N: WORDS`, the words being WeChat's.
fn refusal(text: &str) -> Option<String> {
    let (meaning, code) = match text.strip_prefix("errcode ") {
        Some(code) => (None, code),
        None => {
            let (meaning, code) = text.split_once(" (errcode ")?;
            (Some(meaning), code.strip_suffix(')')?)
        }
    };
    let (code, words) = code.split_once(':')?;
    let (code, words) = (code.parse::<i64>().ok()?, words.trim());
    let meaning = match meaning {
        // The access token's calls give some codes a meaning of their own.
        Some(meaning) if meaning != crate::wechat::errcode(code).1 => in_chinese(meaning)?,
        _ => errcode_zh(code).to_owned(),
    };
    Some(format!("{meaning}（errcode {code}：{words}）"))
}

/// The Chinese sentence with what stood in the places of the English one, if the text is that one.
fn retold(text: &str, english: &str, chinese: &str) -> Option<String> {
    let places = places(english, text)?.into_iter();
    let told: Vec<String> = places
        .map(|place| in_chinese(place).unwrap_or_else(|| place.to_owned()))
        .collect();
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    Some(filled_all(chinese, &told))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::message::{DropReason, Mode};
    use crate::token::{TokenError, advice};
    use crate::webhook::Failure;
    use crate::wechat::Refusal;
    use crate::wechat::api::ApiError;

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
        let host = || "api.weixin.qq.com".to_owned();
        let calls = [
            ApiError::Unreached {
                host: host(),
                cause: "refused".to_owned(),
            },
            ApiError::Unanswered {
                host: host(),
                cause: "reset".to_owned(),
            },
            ApiError::Gateway {
                host: host(),
                status: 502,
                excerpt: "<html>".to_owned(),
            },
            ApiError::Refused {
                errcode: -1,
                errmsg: "system busy".to_owned(),
            },
            ApiError::NotReady("x".to_owned()),
        ];
        let advised = [40001, 40164, 45009, 45011, 48001].map(|errcode| TokenError::Refused {
            errcode,
            advice: advice(errcode, "no address").expect("no passing matter"),
            errmsg: "words".to_owned(),
        });
        let tokens = [
            TokenError::Slow,
            TokenError::Withheld {
                reason: "no other one is given".to_owned(),
            },
        ];
        let tokens = advised.iter().chain(&tokens).map(ToString::to_string);
        let webhooks = [
            Failure::TimedOut(Duration::from_secs(3)),
            Failure::Unreached("refused".to_owned()),
            Failure::BrokeOff("reset".to_owned()),
            Failure::Status(500),
            Failure::Unusable("no JSON".to_owned()),
            Failure::Busy(8),
        ];
        for sentence in calls.iter().map(ToString::to_string).chain(tokens) {
            assert!(!told(Lang::Zh, &sentence).is_ascii(), "{sentence}");
        }
        for failure in webhooks {
            let sentence = format!("webhook: {failure}; the rule's own reply was sent");
            let told = told(Lang::Zh, &sentence);
            assert!(in_chinese(&failure.to_string()).is_some(), "{failure}");
            assert!(told.ends_with("已改发规则自带的回复"), "{told}");
        }
        let dropped = [DropReason::Quota, DropReason::WindowOver];
        let rooms = refused.iter().map(Refusal::to_string);
        let rooms = rooms.chain(dropped.map(|reason| reason.explanation().to_owned()));
        for sentence in rooms {
            assert_ne!(told(Lang::Zh, &sentence), sentence);
        }
    }
}
