//! The shipped example shop: it loads without a finding and answers as its owner would.

use std::fs;
use std::path::Path;

use super::*;
use crate::message::Answer;

/// The rules at the top of the repository.
fn shop() -> RuleSet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut sources = Vec::new();
    let mut media = BTreeMap::new();
    for place in [folder.clone(), folder.join("images")] {
        for entry in fs::read_dir(place).expect("the folder is there") {
            let path = entry.expect("readable").path();
            let name = path.strip_prefix(&folder).expect("in it").to_owned();
            if path.extension().is_some_and(|extension| extension == "toml") {
                sources.push(Source::new(name, fs::read_to_string(&path).expect("text")));
            } else if path.is_file() {
                let bytes = std::fs::read(&path).expect("readable");
                media.insert(name, MediaFile::new(bytes.len() as u64, Some(&bytes)));
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(
        media.values().all(|file| file.size() < 20_000),
        "pictures stay small: {media:?}"
    );
    let mut scope = scope();
    scope.apps.truncate(1);
    scope.media = media;
    // Not even a warning.
    let loaded = check(&sources, &scope);
    let findings: Vec<String> = loaded
        .findings
        .iter()
        .map(|finding| render(finding, false))
        .collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    loaded.set.expect("no findings")
}

fn rule_of(decision: &Decision) -> &str {
    decision.rule.as_ref().map_or("-", |rule| rule.as_str())
}

#[test]
fn one_message_is_answered_by_the_right_rule() {
    let set = shop();
    for (said, rule) in [
        ("几点开门", "营业时间"),
        ("請問營業時間是？", "营业时间"),
        ("你们几点关门啊", "营业时间"),
        ("现在营业吗", "现在开着"),
        ("你们在哪里？", "地址"),
        ("我要改地址", "默认回复"),
        ("雾里青多少钱", "价目表"),
        ("WIFI密码多少", "无线密码"),
        ("您好！", "打招呼"),
        ("this", "默认回复"),
        ("谢谢。", "道谢"),
        ("菜单", "菜单"),
        ("订单号：20260105001", "查订单"),
        ("我的订单到哪了", "问订单但没给号"),
        ("我要退款", "转人工"),
        ("1", "默认回复"),
        ("天气不错", "默认回复"),
    ] {
        assert_eq!(rule_of(&Talk::new(&set).say(said)), rule, "{said}");
    }
    assert_eq!(
        rule_of(&Talk::new(&set).hear(&push("image", Fields::new()))),
        "收到图片"
    );
}

#[test]
fn the_order_number_comes_back_in_the_reply() {
    let decision = Talk::new(&shop()).say("帮我看看订单 20260105001 谢谢");
    let replies: Vec<String> = decision
        .replies
        .iter()
        .map(|planned| planned.reply.summary())
        .collect();
    insta::assert_snapshot!(replies.join("\n"), @"
    正在为您查订单 20260105001，点下面的卡片看进度。
    订单 20260105001 pages/order/detail?id=20260105001
    ");
}

#[test]
fn the_menu_is_a_dialog() {
    let set = shop();
    let mut talk = Talk::new(&set);
    assert_eq!(rule_of(&talk.say("菜单")), "菜单");
    assert_eq!(rule_of(&talk.say("3")), "菜单 3 查订单");
    assert_eq!(rule_of(&talk.say("不知道")), "订单号不对");
    assert_eq!(rule_of(&talk.say("几点关门")), "营业时间");
    assert_eq!(rule_of(&talk.say("20260105001")), "补上订单号");
    assert_eq!(rule_of(&talk.say("20260105001")), "默认回复");
}

#[test]
fn a_person_is_fetched_while_one_is_there() {
    let set = shop();
    let mut talk = Talk::new(&set);
    let decision = talk.say("人工");
    assert_eq!(decision.answer, Answer::Transfer(None));
    assert_eq!(brief(&talk.wait(29).say("在吗")), "muted -");
    assert_eq!(rule_of(&talk.wait(1).say("在吗")), "打招呼");
    let night = Talk::new(&set).at("2026-01-05T23:00:00+08:00").say("人工");
    assert_eq!((rule_of(&night), &night.answer), ("人工不在", &Answer::Success));
}

#[test]
fn who_comes_in_is_greeted_once_a_day_and_known_by_the_order() {
    let set = shop();
    let mut talk = Talk::new(&set);
    let enter = |from: &str| event("user_enter_tempsession", &[("SessionFrom", from)]);
    assert_eq!(rule_of(&talk.hear(&enter(""))), "欢迎");
    assert_eq!(brief(&talk.hear(&enter(""))), "cooldown 欢迎");
    let known = talk.hear(&enter("order:20260105001"));
    assert!(texts(&known)[0].contains("订单 20260105001"), "{known:?}");
}

#[test]
fn who_is_not_understood_twice_is_pointed_to_a_person() {
    let set = shop();
    let mut talk = Talk::new(&set);
    assert_eq!(rule_of(&talk.say("呜啦啦")), "默认回复");
    let second = talk.say("会员呢");
    assert_eq!(rule_of(&second), "总是听不懂");
    assert_eq!(second.observed, ["有人问会员".into()]);
}

#[test]
fn every_rule_of_the_shop_can_answer() {
    for (name, reach) in shop().reach() {
        assert!(matches!(reach, crate::rules::Reach::Open(_)), "{name}: {reach:?}");
    }
}
