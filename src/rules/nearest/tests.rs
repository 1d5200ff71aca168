//! Which rules are named, in which order, and when none is.

use crate::message::{Contact, Cooldowns, DialogState, Facts, Inbound};
use crate::rules::tests::{event, monday_ten, set, text};

/// What is suggested for a message of somebody who never wrote before.
fn suggested(rules: &str, inbound: &Inbound) -> Vec<String> {
    suggested_to(rules, inbound, &Contact::default())
}

fn suggested_to(rules: &str, inbound: &Inbound, contact: &Contact) -> Vec<String> {
    let facts = Facts {
        now: monday_ten(),
        contact,
        app_cooldowns: &Cooldowns::new(),
    };
    let explanation = set(rules).explain(inbound, &facts);
    explanation
        .nearest
        .into_iter()
        .map(|miss| miss.suggestion)
        .collect()
}

const HOURS: &str = "[[rule]]\nname = '营业时间'\nwhen.keywords = ['几点开门', '营业时间']\nreply = 'H'\n";
const DEFAULT: &str = "[[rule]]\nname = '默认'\npriority = -1\nreply = 'D'\n";

#[test]
fn a_word_that_sounds_the_same_is_suggested_and_answers_nothing() {
    let told = suggested(HOURS, &text("請問盈業時間？"));
    assert_eq!(
        told,
        [
            "did the customer mean \"营业时间\" (rule 营业时间, shop.toml:1)? \"盈业时间\" sounds the same; if so, add \
          \"盈业时间\" to its `keywords`"
        ]
    );
    let facts = Facts {
        now: monday_ten(),
        contact: &Contact::default(),
        app_cooldowns: &Cooldowns::new(),
    };
    let explanation = set(HOURS).explain(&text("盈业时间"), &facts);
    assert_eq!(explanation.decision.rule, None);
    let json = serde_json::to_value(&explanation.nearest[0]).expect("serializable");
    assert_eq!(json["lack"], "homophone");
    assert_eq!(json["keyword"], "营业时间");
    assert_eq!(json["found"], "盈业时间");
}

#[test]
fn one_edit_is_suggested_and_a_transposition_is_one() {
    for (said, found) in [
        ("营业时问", "营业时问"),
        ("业营时间啊", "业营时间"),
        ("几点开了门", "几点开了门"),
    ] {
        let told = suggested(HOURS, &text(said));
        assert_eq!(told.len(), 1, "{said}: {told:?}");
        assert!(
            told[0].contains(&format!("\"{found}\" is one character off")),
            "{told:?}"
        );
    }
    assert_eq!(
        suggested(HOURS, &text("营业")),
        Vec::<String>::new(),
        "two are missing"
    );
}

#[test]
fn a_default_reply_does_not_hide_what_was_meant_but_a_rule_that_understood_does() {
    let rules = format!("{HOURS}{DEFAULT}");
    assert_eq!(suggested(&rules, &text("盈业时间")).len(), 1);
    let close = "[[rule]]\nname = '关门'\nwhen.keywords = '几点关门'\nreply = 'C'\n";
    let rules = format!("{close}{HOURS}");
    assert_eq!(
        suggested(&rules, &text("几点开门")),
        Vec::<String>::new(),
        "几点关门 is near, but nobody meant it"
    );
    let hand_over = format!(
        "[[rule]]\nname = '转人工'\nwhen.misses = 2\ntransfer = true\nwhen.msg_type = 'text'\n{HOURS}"
    );
    assert_eq!(suggested(&hand_over, &text("几点开门")), Vec::<String>::new());
    let not_reached = format!("[[rule]]\nname = '先'\nreply = 'F'\n{HOURS}");
    assert_eq!(suggested(&not_reached, &text("盈业时间")), Vec::<String>::new());
}

#[test]
fn one_condition_short_comes_first_where_the_text_was_right() {
    let rules = "[[rule]]\nname = 'greeting'\nwhen.msg_type = 'text'\nwhen.first_message = false\nreply = 'G'\n\
         [[rule]]\nname = 'sound'\nwhen.keywords = '开们'\nreply = 'S'\n\
         [[rule]]\nname = 'partly'\nwhen.all_keywords = ['开门', '周日']\nreply = 'P'\n\
         [[rule]]\nname = 'night'\nwhen.keywords = '开门'\nwhen.time = { hours = '22:00-06:00' }\nreply = 'N'\n\
         [[rule]]\nname = 'two short'\nwhen.keywords = '开门'\nwhen.not_keywords = '几点'\nwhen.misses = 9\nreply = 'T'\n";
    assert_eq!(
        suggested(rules, &text("几点开门")),
        [
            "rule night (shop.toml:14) lacked one condition: time: 22:00-06:00; it is mon 2026-01-05 10:00",
            "did the customer mean \"开们\" (rule sound, shop.toml:6)? \"开门\" sounds the same; if so, add \"开门\" to its `keywords`",
            "rule partly (shop.toml:10) lacked one condition: all_keywords: did not find \"周日\"",
        ]
    );
    let (greeting, _) = rules.split_at(rules[1..].find("[[rule]]").expect("a second") + 1);
    assert_eq!(
        suggested(greeting, &text("几点开门")),
        [
            "rule greeting (shop.toml:1) lacked one condition: first_message: false; this is the user's first message"
        ]
    );
}

#[test]
fn a_keyword_that_is_simply_not_there_is_no_near_miss() {
    let rules = "[[rule]]\nname = 'a'\nwhen.keywords = '退款'\nreply = 'A'\n\
         [[rule]]\nname = 'b'\nwhen.regex = '^[0-9]+$'\nreply = 'B'\n\
         [[rule]]\nname = 'c'\nwhen.event = 'user_enter_tempsession'\nreply = 'C'\n";
    assert_eq!(suggested(rules, &text("天气很好")), Vec::<String>::new());
}

#[test]
fn whoever_stands_in_a_dialog_or_asks_more_than_exactly_is_near() {
    let rules = "[[rule]]\nname = 'menu'\nwhen.exact = '菜单'\nset_state = 'menu'\nreply = 'M'\n\
         [[rule]]\nname = 'one'\nwhen.exact = '1'\nwhen.state = 'menu'\nreply = 'O'\n";
    assert_eq!(
        suggested(rules, &text("看看菜单")),
        ["rule menu (shop.toml:1) lacked one condition: exact: the text \"看看菜单\" is not \"菜单\""]
    );
    assert_eq!(
        suggested(rules, &text("1")),
        ["rule one (shop.toml:6) lacked one condition: state: menu; the user's is none"]
    );
    let contact = Contact {
        state: Some(DialogState {
            name: "menu".to_owned(),
            until: jiff::Timestamp::MAX,
        }),
        ..Contact::default()
    };
    assert_eq!(
        suggested_to(rules, &text("2"), &contact),
        ["rule one (shop.toml:6) lacked one condition: exact: the text \"2\" is not \"1\""]
    );
}

#[test]
fn an_event_is_near_when_it_is_the_right_one_with_other_fields() {
    let rules = "[[rule]]\nname = 'order'\nwhen.event = 'user_enter_tempsession'\nwhen.fields = { SessionFrom = '^order:' }\nreply = 'O'\n";
    assert_eq!(
        suggested(
            rules,
            &event("user_enter_tempsession", &[("SessionFrom", "ordr:1")])
        ),
        [
            "rule order (shop.toml:1) lacked one condition: fields.SessionFrom: \"^order:\" does not match \"ordr:1\""
        ]
    );
    assert_eq!(suggested(rules, &event("subscribe", &[])), Vec::<String>::new());
}

#[test]
fn a_muted_user_is_asked_about_by_no_rule_so_none_is_near() {
    let contact = Contact {
        muted_until: Some(jiff::Timestamp::MAX),
        ..Contact::default()
    };
    assert_eq!(
        suggested_to(HOURS, &text("盈业时间"), &contact),
        Vec::<String>::new()
    );
}

#[test]
fn one_more_of_all_keywords_would_ask_for_more() {
    let rules = "[[rule]]\nname = 'r'\nwhen.all_keywords = ['订单', '取消']\nreply = 'R'\n";
    assert_eq!(
        suggested(rules, &text("定单取消")),
        ["did the customer mean \"订单\" (rule r, shop.toml:1)? \"定单\" sounds the same"]
    );
    assert_eq!(
        suggested(rules, &text("定单曲消")),
        Vec::<String>::new(),
        "two words are off"
    );
}
