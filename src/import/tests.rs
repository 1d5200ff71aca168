//! What is made of what.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::diagnostic::render;
use crate::intake::Policies;
use crate::rehearsal::run_tests;
use crate::rules::{TestCase, check, layout};

fn scope() -> Scope {
    Scope {
        timezone: TimeZone::get("Asia/Shanghai").expect("bundled"),
        ..Scope::default()
    }
}

fn imported_beside(bytes: &[u8], others: &[Source]) -> Result<Imported, Refused> {
    let scope = scope();
    let place = Place {
        from: "old.file",
        path: "imported.toml".into(),
        others,
        scope: &scope,
        schema: None,
    };
    let imported = import(bytes, &place)?;
    let new = Source::new("imported.toml", imported.text.as_str());
    assert_eq!(
        layout(&new).as_deref(),
        Ok(imported.text.as_str()),
        "laid out as by fmt"
    );
    let mut all = others.to_vec();
    all.push(new);
    let loaded = check(&all, &scope);
    let errors: Vec<_> = loaded
        .findings
        .iter()
        .filter(|finding| finding.is_error())
        .map(|finding| render(finding, false))
        .collect();
    assert!(errors.is_empty(), "{}\n{}", errors.join("\n"), imported.text);
    let own = |test: &&TestCase| test.place.source.path.as_os_str() == "imported.toml";
    let tests: Vec<_> = loaded.tests.iter().filter(own).cloned().collect();
    assert_eq!(tests.len(), imported.tests);
    let failed = run_tests(
        loaded.set.as_ref().expect("no errors"),
        &tests,
        &Policies::default(),
    );
    assert_eq!(failed, [], "{}", imported.text);
    Ok(imported)
}

fn imported(bytes: &[u8]) -> Imported {
    imported_beside(bytes, &[]).unwrap_or_else(|refused| panic!("{refused}"))
}

#[test]
fn what_wechats_backend_knows_becomes_rules() {
    let text = |content: &str| json!({ "type": "text", "content": content });
    let word = |mode: &str, content: &str| json!({ "type": "text", "match_mode": mode, "content": content });
    let answer = json!({
        "is_add_friend_reply_open": 1,
        "is_autoreply_open": 1,
        "add_friend_autoreply_info": text("欢迎关注！\n发「菜单」看看。"),
        "message_default_autoreply_info": text("稍后回复您。"),
        "keyword_autoreply_info": { "list": [
            {
                "rule_name": "营业时间", "create_time": 1423028166, "reply_mode": "reply_all",
                "keyword_list_info": [word("contain", "几点开门"), word("contain", "营业时间"), word("equal", "时间")],
                "reply_list_info": [text("9:00–21:00"), { "type": "img", "content": "MEDIA" }],
            },
            {
                "rule_name": "打招呼", "reply_mode": "random_one",
                "keyword_list_info": [word("equal", "你好"), word("equal", "您好"), word("equal", "@all")],
                "reply_list_info": [text("您好！"), text("在的，{{ 括号 }} 也行 {% x")],
            },
            {
                "rule_name": "文章", "reply_mode": "reply_all",
                "keyword_list_info": [word("contain", "故事"), word("contain", "营业时间表")],
                "reply_list_info": [{ "type": "news", "content": "M", "news_info": { "list": [
                    { "title": "一片叶子", "content_url": "http://mp.weixin.qq.com/s?a=1", "source_url": "" },
                    { "title": "第二篇", "content_url": "", "source_url": "https://example.com/2" },
                ] } }, { "type": "voice", "content": "V" }],
            },
            { "rule_name": "空的", "reply_mode": "reply_all", "keyword_list_info": [], "reply_list_info": [text("没人问")] },
            { "rule_name": "文章", "keyword_list_info": [word("contain", "视频")], "reply_list_info": [{ "type": "video", "content": "https://v" }] },
        ] },
    });
    let imported = imported(answer.to_string().as_bytes());
    insta::assert_snapshot!(imported.text, @r#"
    # Imported from old.file by `wxreply import`.

    # A picture was not carried over: WeChat gives only a media_id, which ends after three days. Save the picture beside this file, and add { image = "images/….png" } to its reply.
    [[rule]]
    name = "营业时间（全匹配）"
    when.exact = ["时间"]
    reply = "9:00–21:00"

    [[test]]
    name = "营业时间（全匹配）"
    message = "时间"
    expect = { rule = "营业时间（全匹配）", reply = "9:00–21:00" }

    # No keyword can be written like "@all". Write a rule with when.regex for it.
    [[rule]]
    name = "打招呼"
    when.exact = ["你好", "您好"]
    reply = ["您好！", "在的，{{ '{{' }} 括号 }} 也行 {{ '{%' }} x"]
    pick = "random"

    [[test]]
    name = "打招呼"
    each = ["你好", "您好"]
    expect = { rule = "打招呼", reply = ["您好！", "在的，{{ 括号 }} 也行 {% x"] }

    # A picture was not carried over: WeChat gives only a media_id, which ends after three days. Save the picture beside this file, and add { image = "images/….png" } to its reply.
    [[rule]]
    name = "营业时间"
    when.keywords = ["几点开门", "营业时间"]
    reply = "9:00–21:00"

    [[test]]
    name = "营业时间"
    each = ["几点开门", "营业时间"]
    expect = { rule = "营业时间", reply = "9:00–21:00" }

    # A card of articles (news) became a text with its titles and addresses. For a mini program, a link card may look better: { link = { title, description, url, thumb_url } }.
    # A voice reply was not carried over: it can't be sent by a mini program, nor by this version. Say it in a text, or put it on a page and send a link.
    # Who writes "营业时间表" is answered by "营业时间", which is tried first. Put this rule above that one, give it a higher priority, or take the word out.
    [[rule]]
    name = "文章"
    when.keywords = ["故事", "营业时间表"]
    reply = """
    一片叶子
    http://mp.weixin.qq.com/s?a=1
    第二篇
    https://example.com/2"""

    [[test]]
    name = "文章"
    message = "故事"
    expect = { rule = "文章", reply = """
    一片叶子
    http://mp.weixin.qq.com/s?a=1
    第二篇
    https://example.com/2""" }

    # It has no keyword, so it is disabled. Write when.keywords, and delete `enabled = false`; or delete the rule.
    [[rule]]
    name = "空的"
    enabled = false
    reply = "没人问"

    # A video reply was not carried over: it can't be sent by a mini program, nor by this version. Say it in a text, or put it on a page and send a link.
    # It has no reply that could be carried over, so it is disabled. Write its reply, and delete `enabled = false`.
    [[rule]]
    name = "文章 2"
    enabled = false
    when.keywords = ["视频"]

    # Nobody follows a mini program: only an Official Account gets this event. To greet who opens a mini program's chat, write when.event = "user_enter_tempsession".
    [[rule]]
    name = "关注后回复"
    when.event = "subscribe"
    reply = """
    欢迎关注！
    发「菜单」看看。"""

    [[test]]
    name = "关注后回复"
    message = { MsgType = "event", Event = "subscribe" }
    expect = { rule = "关注后回复", reply = """
    欢迎关注！
    发「菜单」看看。""" }

    [[rule]]
    name = "默认回复"
    priority = -100
    when.msg_type = ["text", "image", "voice", "video", "miniprogrampage"]
    reply = "稍后回复您。"
    cooldown = "1h"

    [[test]]
    name = "默认回复"
    message = "这句话没有人教过"
    expect = { rule = "默认回复", reply = "稍后回复您。" }
    "#);
    assert_eq!((imported.rules, imported.disabled, imported.tests), (8, 2, 6));
}

#[test]
fn blocks_that_are_not_used_are_missing_and_switches_are_kept() {
    let answer = json!({
        "is_add_friend_reply_open": 0,
        "is_autoreply_open": 0,
        "add_friend_autoreply_info": { "type": "text", "content": "hi" },
        "keyword_autoreply_info": { "list": [{
            "rule_name": "", "keyword_list_info": [{ "match_mode": "contain", "content": "茶" }],
            "reply_list_info": [{ "type": "text", "content": "好" }],
        }] },
    });
    let imported = imported(answer.to_string().as_bytes());
    insta::assert_snapshot!(imported.text, @r#"
    # Imported from old.file by `wxreply import`.

    # Auto-replies are switched off in WeChat's backend (is_autoreply_open = 0), so these rules are disabled. Delete `enabled = false` where a rule is wanted.

    [[rule]]
    name = "茶"
    enabled = false
    when.keywords = ["茶"]
    reply = "好"

    # Nobody follows a mini program: only an Official Account gets this event. To greet who opens a mini program's chat, write when.event = "user_enter_tempsession".
    # It is switched off in WeChat's backend, so it is disabled. Delete `enabled = false` if it is wanted.
    [[rule]]
    name = "关注后回复"
    enabled = false
    when.event = "subscribe"
    reply = "hi"
    "#);
}

#[test]
fn a_table_is_read_as_a_spreadsheet_saves_it() {
    let csv = "\u{feff}序号,关键词,回复内容\r\n1,\"几点开门，营业时间/打烊\",9:00–21:00\r\n2,地址,\"青石巷 12 号\n钟楼站 B 口\"\r\n,,\r\n3,在哪,\"青石巷 12 号\n钟楼站 B 口\"\r\n4,价格,价目表\r\n5,只有词,\r\n6,,只有回复\r\n7,价格|多少钱,请看菜单\r\n";
    let imported = imported(csv.as_bytes());
    insta::assert_snapshot!(imported.text, @r#"
    # Imported from old.file by `wxreply import`.

    # Line 8 was left out: it has no reply. Write a keyword and a reply into it, and import it again or add the rule by hand.

    # Line 9 was left out: it has no keyword. Write a keyword and a reply into it, and import it again or add the rule by hand.

    [[rule]]
    name = "几点开门"
    when.keywords = ["几点开门", "营业时间", "打烊"]
    reply = "9:00–21:00"

    [[test]]
    name = "几点开门"
    each = ["几点开门", "营业时间", "打烊"]
    expect = { rule = "几点开门", reply = "9:00–21:00" }

    [[rule]]
    name = "地址"
    when.keywords = ["地址", "在哪"]
    reply = """
    青石巷 12 号
    钟楼站 B 口"""

    [[test]]
    name = "地址"
    each = ["地址", "在哪"]
    expect = { rule = "地址", reply = """
    青石巷 12 号
    钟楼站 B 口""" }

    # The table has 2 replies for it; one of them is sent by chance. Delete `pick` to send all of them.
    [[rule]]
    name = "价格"
    when.keywords = ["价格"]
    reply = ["价目表", "请看菜单"]
    pick = "random"

    [[test]]
    name = "价格"
    message = "价格"
    expect = { rule = "价格", reply = ["价目表", "请看菜单"] }

    [[rule]]
    name = "多少钱"
    when.keywords = ["多少钱"]
    reply = "请看菜单"

    [[test]]
    name = "多少钱"
    message = "多少钱"
    expect = { rule = "多少钱", reply = "请看菜单" }
    "#);
    assert_eq!(imported.notes.len(), 3);
}

#[test]
fn other_delimiters_and_no_header_will_do() {
    for csv in [
        "茶,好茶\n水,没有\n",
        "茶;好茶\n水;没有\n",
        "茶\t好茶\n水\t没有\n",
        "keyword,reply\n茶,好茶\n水,没有",
    ] {
        let imported = imported(csv.as_bytes());
        assert_eq!(
            (imported.rules, imported.tests, imported.notes.len()),
            (2, 2, 0),
            "{csv}"
        );
        assert!(imported.text.contains("reply = \"好茶\""), "{}", imported.text);
    }
}

#[test]
fn rules_that_are_there_already_are_reckoned_with() {
    let others = [Source::new(
        "a.toml",
        "[[rule]]\nname = '茶'\nwhen.keywords = '茶'\nreply = '旧'\n",
    )];
    let imported = imported_beside("茶叶,新\n茶,新二\n".as_bytes(), &others).expect("imported");
    insta::assert_snapshot!(imported.text, @r#"
    # Imported from old.file by `wxreply import`.

    # Who writes "茶叶" is answered by "茶", which is tried first. Put this rule above that one, give it a higher priority, or take the word out.
    [[rule]]
    name = "茶叶"
    when.keywords = ["茶叶"]
    reply = "新"

    # Who writes "茶" is answered by "茶", which is tried first. Put this rule above that one, give it a higher priority, or take the word out.
    [[rule]]
    name = "茶 2"
    when.keywords = ["茶"]
    reply = "新二"
    "#);
    // Imported twice, it is the same file.
    let mut again = others.to_vec();
    again.push(Source::new("imported.toml", imported.text.as_str()));
    let scope = scope();
    let place = Place {
        from: "old.file",
        path: "imported.toml".into(),
        others: &again,
        scope: &scope,
        schema: None,
    };
    assert_eq!(
        import("茶叶,新\n茶,新二\n".as_bytes(), &place)
            .expect("imported")
            .text,
        imported.text
    );
}

#[test]
fn what_can_not_be_imported_is_answered_with_what_to_do() {
    let refused = |bytes: &[u8]| imported_beside(bytes, &[]).expect_err("refused").to_string();
    insta::assert_snapshot!(refused(br#"{"errcode":48001,"errmsg":"api unauthorized rid: 1"}"#), @r#"this is no list of replies, but an error of WeChat's API: 48001: this account may not ask for its auto-replies; only Official Accounts have them, mini programs have none (WeChat says: api unauthorized rid: 1)"#);
    insta::assert_snapshot!(refused(br#"{"errcode":40001,"errmsg":"invalid credential"}"#), @r#"this is no list of replies, but an error of WeChat's API: 40001: the access_token is not the latest, or of another account; when a token was being fetched: the AppSecret is wrong, copy it again from WeChat's backend (WeChat says: invalid credential)"#);
    insta::assert_snapshot!(refused(br#"{"is_autoreply_open":1}"#), @r#"this is not the answer of get_current_autoreply_info: it has none of keyword_autoreply_info, message_default_autoreply_info and add_friend_autoreply_info. WeChat gives them only while the replies made in its backend are on, and those are off while the account pushes to a server of its own: read them before that is switched on, or switch it off for a moment"#);
    insta::assert_snapshot!(refused(b"{oops"), @r#"this begins like JSON, but is none: key must be a string at line 1 column 2"#);
    assert_eq!(import_error(b"\xb2\xe8,\xba\xc3"), Refused::NotUtf8);
    assert_eq!(import_error(b"\xff\xfeA\0"), Refused::Utf16);
    assert_eq!(import_error(b"PK\x03\x04rest"), Refused::Workbook);
    assert_eq!(import_error(b""), Refused::Empty(String::new()));
    insta::assert_snapshot!(refused("茶\n水\n".as_bytes()), @r#"there is no row with a keyword and a reply: 2 have only one of them; the first column is for keywords, the second for replies"#);
}

fn import_error(bytes: &[u8]) -> Refused {
    imported_beside(bytes, &[]).expect_err("refused")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// `imported_beside` itself asserts that what was made has no errors, passes its tests, and is laid out.
    #[test]
    fn whatever_a_table_holds_the_rules_have_no_errors(
        rows in prop::collection::vec(("[茶a@{%#\"\\\\'|，? \u{3000}\n]{0,6}", "[茶a@{}%#\"\\\\' \n\u{7}]{0,8}"), 1..8),
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for (word, reply) in &rows {
            writer.write_record([word, reply]).expect("in memory");
        }
        let csv = writer.into_inner().expect("in memory");
        match imported_beside(&csv, &[]) {
            Ok(imported) => prop_assert!(imported.rules > 0),
            Err(refused) => prop_assert!(matches!(refused, Refused::Empty(_) | Refused::Json(_)), "{refused}"),
        }
    }

    #[test]
    fn nothing_that_is_read_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = imported_beside(&bytes, &[]);
    }

    /// Its test says what WeChat's backend sent, and passes, whatever in it looks like a template.
    #[test]
    fn a_reply_is_sent_as_it_was(reply in "[茶a{}%#' \"\n\\\\<>&-]{1,20}") {
        prop_assume!(!reply.trim().is_empty());
        let answer = json!({ "keyword_autoreply_info": { "list": [{
            "rule_name": "r", "keyword_list_info": [{ "match_mode": "equal", "content": "问" }],
            "reply_list_info": [{ "type": "text", "content": reply }],
        }] } });
        let imported = imported_beside(answer.to_string().as_bytes(), &[]).expect("imported");
        prop_assert_eq!(imported.tests, 1, "{}", imported.text);
    }
}
