//! What several rules do together, and what a message leaves behind.

use super::*;
use crate::message::{Answer, InboundStatus};

#[test]
fn order_is_priority_then_path_then_place() {
    let rule = |name: &str, more: &str| {
        format!("[[rule]]\nname = '{name}'\nreply = '{name}'\ncontinue = true\n{more}\n")
    };
    let sources = [
        Source::new("a.toml", rule("a1", "") + &rule("a2", "priority = 5")),
        Source::new("b.toml", rule("b1", "priority = 5") + &rule("b2", "")),
    ];
    let set = load(&sources, &scope()).set.expect("fine");
    assert_eq!(texts(&Talk::new(&set).say("x")), ["a2", "b1", "a1", "b2"]);
}

#[test]
fn lists_are_shared_by_all_files() {
    let sources = [
        Source::new(
            "a.toml",
            "[[rule]]\nname = 'r'\nwhen.keywords = ['价目', '@price']\nreply = 'R'\n",
        ),
        Source::new("b.toml", "[lists]\nprice = ['多少钱', '几块']\n"),
    ];
    let set = load(&sources, &scope()).set.expect("fine");
    for text in ["多少錢？", "几块一杯", "看价目表"] {
        assert_eq!(brief(&Talk::new(&set).say(text)), "matched r R", "{text}");
    }
    assert_eq!(brief(&Talk::new(&set).say("@price")), "unmatched -");
}

#[test]
fn a_name_may_be_used_once_in_each_app() {
    let set = set(
        "[[rule]]\nname = 'a'\napp = 'shop'\nreply = '1'\n[[rule]]\nname = 'a'\napp = 'club'\nreply = '2'\n",
    );
    let mut message = text("x");
    assert_eq!(texts(&Talk::new(&set).hear(&message)), ["1"]);
    message.app = "club".into();
    assert_eq!(texts(&Talk::new(&set).hear(&message)), ["2"]);
}

#[test]
fn a_row_of_misses_goes_on_under_a_default_reply_until_a_rule_understands() {
    let set = set(
        "[[rule]]\nname = 'known'\nwhen.keywords = ['价格']\nreply = 'K'\n\
         [[rule]]\nname = 'help'\npriority = -5\nwhen.misses = 2\nreply = 'H'\n\
         [[rule]]\nname = 'default'\npriority = -10\nreply = 'D'\n",
    );
    let mut talk = Talk::new(&set);
    let mut hear = |said: &str| brief(&talk.say(said));
    assert_eq!(hear("啊"), "matched default D");
    assert_eq!(hear("啊"), "matched help H");
    assert_eq!(hear("啊"), "matched help H", "the row is longer than 2 now");
    assert_eq!(hear("价格"), "matched known K");
    assert_eq!(hear("啊"), "matched default D");
}

#[test]
fn a_hand_over_ends_the_row_of_misses_and_events_leave_it() {
    let set = set(
        "[[rule]]\nname = 'person'\nwhen.misses = 2\nwhen.msg_type = 'text'\ntransfer = true\n\
         [[rule]]\nname = 'hello'\nwhen.event = 'enter'\nreply = 'E'\n",
    );
    let mut talk = Talk::new(&set);
    talk.say("啊");
    let before = talk.contact.clone();
    assert_eq!(brief(&talk.hear(&event("enter", &[]))), "matched hello E");
    assert_eq!(
        talk.contact, before,
        "an event changes neither the misses nor the times of messages"
    );
    assert_eq!(brief(&talk.say("啊")), "matched person");
    assert_eq!(brief(&talk.wait(31).say("啊")), "unmatched -");
}

#[test]
fn a_dialog_walks_through_its_states_and_forgets_them() {
    let set = set(
        "[[rule]]\nname = 'menu'\nwhen.exact = '菜单'\nreply = '1 茶 2 咖啡'\nset_state = 'menu'\n\
         [[rule]]\nname = 'tea'\nwhen.exact = '1'\nwhen.state = 'menu'\nreply = '茶'\nset_state = ''\n",
    );
    let mut talk = Talk::new(&set);
    assert_eq!(brief(&talk.say("1")), "unmatched -");
    assert_eq!(brief(&talk.say("菜单")), "matched menu 1 茶 2 咖啡");
    assert_eq!(brief(&talk.say("1")), "matched tea 茶");
    assert_eq!(brief(&talk.say("1")), "unmatched -", "the state was cleared");
    talk.say("菜单");
    assert_eq!(
        brief(&talk.wait(10).say("1")),
        "unmatched -",
        "the state ended after 10 minutes"
    );
    assert_eq!(talk.contact.state, None, "and is dropped");
}

#[test]
fn a_muted_user_is_left_alone_but_not_forgotten() {
    let set =
        set("[[rule]]\nname = 'p'\nwhen.msg_type = 'text'\nreply = '好'\ntransfer = true\nmute = '5m'\n");
    let mut talk = Talk::new(&set);
    assert_eq!(talk.say("人工").answer, Answer::Transfer(None));
    let first = talk.contact.first_message;
    talk.wait(4);
    let muted = talk.say("在吗");
    assert_eq!(
        (muted.status, muted.rule, muted.answer),
        (InboundStatus::Muted, None, Answer::Success)
    );
    assert_eq!(
        (talk.contact.first_message, talk.contact.last_message),
        (first, Some(talk.now))
    );
    assert_eq!(talk.hear(&event("x", &[])).status, InboundStatus::Muted);
    assert_eq!(
        brief(&talk.wait(1).say("在吗")),
        "matched p 好",
        "a written `mute` is the one that counts"
    );
}

#[test]
fn the_agents_closing_ends_the_mute() {
    let set = set("[[rule]]\nname = 'p'\nwhen.exact = '人工'\ntransfer = true\n\
         [[rule]]\nname = 'bye'\nwhen.event = 'kf_close_session'\nreply = '再见'\n");
    let mut talk = Talk::new(&set);
    talk.say("人工");
    assert_eq!(brief(&talk.wait(5).say("人工")), "muted -");
    assert_eq!(
        brief(&talk.hear(&event("KF_close_session", &[]))),
        "matched bye 再见"
    );
    assert_eq!(talk.contact.muted_until, None);
    assert_eq!(brief(&talk.say("人工")), "matched p");
}

#[test]
fn of_rules_that_go_on_the_first_that_answers_is_named() {
    let set = set("[[rule]]\nname = 'count'\ncontinue = true\nset_state = 'seen'\n\
         [[rule]]\nname = 'ad'\nwhen.keywords = ['茶']\ncontinue = true\nreply = '新茶'\ndelay = '5s'\n\
         [[rule]]\nname = 'tea'\nwhen.keywords = ['茶']\nreply = '茶'\nset_state = 'tea'\n");
    let mut talk = Talk::new(&set);
    let decision = talk.say("茶");
    assert_eq!(brief(&decision), "matched ad 新茶 | 茶");
    let delays: Vec<u64> = decision
        .replies
        .iter()
        .map(|planned| planned.delay.as_secs())
        .collect();
    assert_eq!(delays, [5, 5], "the second reply waits for the first");
    assert_eq!(
        decision.contact.state.map(|state| state.name).as_deref(),
        Some("tea"),
        "the last state wins"
    );
    assert_eq!(
        brief(&talk.say("咖啡")),
        "matched count",
        "a rule that only set something names itself"
    );
}

#[test]
fn replies_of_all_rules_together_stay_below_the_logs_limit() {
    let replies = ["'r'"; 10].join(", ");
    let rule = |name: &str| format!("[[rule]]\nname = '{name}'\ncontinue = true\nreply = [{replies}]\n");
    let set = set(&(rule("a") + &rule("b")));
    assert_eq!(Talk::new(&set).say("x").replies.len(), MessageId::MAX_REPLIES);
}

#[test]
fn a_cooldown_of_a_rule_that_goes_on_does_not_stop_the_search() {
    let set = set(
        "[[rule]]\nname = 'ad'\ncontinue = true\ncooldown = '1h'\nreply = 'A'\n\
         [[rule]]\nname = 'tea'\nwhen.keywords = ['茶']\nreply = 'T'\n",
    );
    let mut talk = Talk::new(&set);
    assert_eq!(brief(&talk.say("茶")), "matched ad A | T");
    assert_eq!(brief(&talk.say("茶")), "matched tea T");
    assert_eq!(brief(&talk.say("啊")), "cooldown ad");
    talk.wait(60);
    assert_eq!(brief(&talk.say("啊")), "matched ad A");
    assert_eq!(talk.contact.cooldowns.len(), 1);
    talk.wait(61).say("啊");
    talk.wait(61);
    talk.hear(&event("x", &[]));
    assert!(
        talk.contact.cooldowns.values().all(|until| *until > talk.now),
        "what has run out is dropped"
    );
}

#[test]
fn app_wide_cooldowns_are_asked_for_only_where_they_are_kept() {
    let set = set(
        "[[rule]]\nname = 'a'\napp = 'club'\nwhen.keywords = ['茶']\nreply = 'R'\ncooldown = { time = '1m', per = 'app' }\n\
         [[rule]]\nname = 'b'\nreply = 'R'\ncooldown = '1m'\n",
    );
    for (app, content, uses) in [("club", "茶", true), ("club", "水", false), ("shop", "茶", false)] {
        let mut message = text(content);
        message.app = app.into();
        let candidates = set.candidates(&message);
        assert_eq!(set.uses_app_cooldowns(&candidates), uses, "{app}: {content}");
    }
}

#[test]
fn chance_is_fixed_by_the_message_and_spread_over_messages() {
    let set = set("[[rule]]\nname = 'a'\nreply = ['1', '2', '3']\npick = 'random'\n");
    let mut seen = BTreeMap::new();
    for hash in 0..300 {
        let mut message = text("x");
        message.id = MessageId::new(1_767_578_400, hash);
        let first = texts(&Talk::new(&set).hear(&message));
        assert_eq!(texts(&Talk::new(&set).hear(&message)), first);
        *seen.entry(first).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 3);
    assert!(seen.values().all(|count| (60..140).contains(count)), "{seen:?}");
}

#[test]
fn a_template_sees_the_message_the_app_the_rule_and_the_clock() {
    let set = set(
        "[[rule]]\nname = '查单'\nwhen.regex = ['订单(?<order>\\d+)(?<rest>加急)?', '#(\\d+)']\nreply = '''\n\
         {{ order }}/{{ rest }}/{{ match[1] }}/{{ match }}/{{ match.order }}\n\
         {% if now.hour < 12 %}\n上午{{ now }} {{ now.weekday }}\n{% endif %}\n\
         {{ app.shop }} {{ app['shop'] }} {{ user.openid }} {{ rule }} {{ msg.MsgType }}{{ msg.Nothing.here }}\n'''\napp = 'shop'\n",
    );
    assert_eq!(
        texts(&Talk::new(&set).say("订单123")),
        ["123//123/订单123/123\n上午2026-01-05 10:00 mon\n小店 小店 oUser 查单 text"]
    );
    assert_eq!(
        texts(&Talk::new(&set).at("2026-01-05T20:00:00+08:00").say("#77")),
        ["//77/#77/\n小店 小店 oUser 查单 text"]
    );
}

#[test]
fn a_template_sees_the_groups_of_a_fields_pattern() {
    let set = set(
        "[[rule]]\nname = 'a'\nwhen.event = 'e'\nwhen.fields = { 'Page.Path' = 'id=(?<id>\\d+)' }\nreply = '{{ id }}, {{ msg.Page.Path|upper }}'\n",
    );
    let mut message = event("e", &[]);
    let page: Fields = [("Path", "p?id=7")].into_iter().collect();
    message.fields.push("Page", crate::message::Value::Table(page));
    assert_eq!(texts(&Talk::new(&set).hear(&message)), ["7, P?ID=7"]);
}

#[test]
fn a_customers_text_never_becomes_markup_or_template_and_the_operators_does() {
    let set = set(
        "[[rule]]\nname = 'a'\napp = 'shop'\nreply = '{{ msg.Content }}{{ msg.Content|upper }} {{ app.site }} {{ [msg.Content] }}'\n",
    );
    let reply = texts(&Talk::new(&set).say("<a href='x'>{{ app.shop }}</a>")).concat();
    assert!(
        !reply
            .replace("<a href=\"https://example.com\">官网</a>", "")
            .contains('<'),
        "{reply}"
    );
    assert!(
        reply.contains("＜a href='x'>{{ app.shop }}＜/a>＜A HREF='X'>"),
        "{reply}"
    );
    assert!(
        reply.contains("<a href=\"https://example.com\">官网</a>"),
        "{reply}"
    );
}

#[test]
fn a_template_that_fails_or_comes_out_empty_loses_no_message() {
    let set = set(
        "[[rule]]\nname = 'a'\nreply = ['总计{{ msg.Content|int + 1 }}元', '{% if msg.Content == \"9\" %}九{% endif %}']\n",
    );
    assert_eq!(texts(&Talk::new(&set).say("9")), ["总计10元", "九"]);
    assert_eq!(
        texts(&Talk::new(&set).say("很多")),
        ["总计元"],
        "the text around the tags; nothing for nothing"
    );
}

#[test]
fn an_unfilled_reply_may_leave_a_rule_without_an_answer() {
    let set = set("[[rule]]\nname = 'a'\nreply = '{{ msg.Title }}'\n");
    assert_eq!(brief(&Talk::new(&set).say("x")), "matched a");
}

#[test]
fn without_a_config_any_app_and_variable_is_taken() {
    let mut scope = scope();
    scope.apps.clear();
    let source = Source::new(
        "a.toml",
        "[[rule]]\nname = 'a'\napp = 'any'\nreply = '{{ app.any }}!'\n",
    );
    let loaded = load(&[source], &scope);
    assert!(loaded.findings.is_empty());
    let set = loaded.set.expect("fine");
    let mut message = text("x");
    message.app = "any".into();
    assert_eq!(texts(&Talk::new(&set).hear(&message)), ["!"]);
}

#[test]
fn the_version_names_all_that_decides() {
    let of = |path: &str, text: &str, scope: &Scope| {
        load(&[Source::new(path, text)], scope)
            .set
            .expect("fine")
            .version()
            .clone()
    };
    let rule = "[[rule]]\nname = 'a'\nreply = 'R'\n";
    let version = of("a.toml", rule, &scope());
    assert_eq!(version.as_str().len(), 16);
    assert_eq!(version, of("a.toml", rule, &scope()));
    let mut other_vars = scope();
    other_vars.apps[0]
        .vars
        .insert("shop".to_owned(), "大店".to_owned());
    let mut other_zone = scope();
    other_zone.timezone = TimeZone::UTC;
    for other in [
        of("b.toml", rule, &scope()),
        of("a.toml", &rule.replace('R', "S"), &scope()),
        of("a.toml", rule, &other_vars),
        of("a.toml", rule, &other_zone),
    ] {
        assert_ne!(version, other);
    }
}

#[test]
fn candidates_of_another_set_are_no_danger() {
    let (large, small) = (
        set("[[rule]]\nname = 'a'\n[[rule]]\nname = 'b'\n"),
        RuleSet::empty(),
    );
    let (message, contact) = (text("x"), Contact::default());
    let facts = Facts {
        now: monday_ten(),
        contact: &contact,
        app_cooldowns: &Cooldowns::new(),
    };
    let decision = small.decide(&message, &large.candidates(&message), &facts);
    assert_eq!(decision.status, InboundStatus::Unmatched);
    assert!(small.is_empty() && large.len() == 2);
}

#[test]
fn candidates_may_be_found_on_any_thread() {
    fn takes_any<T: Send + 'static>(_: &T) {}
    takes_any(&RuleSet::empty().candidates(&text("x")));
}

#[test]
fn an_explanation_tells_of_every_rule_why() {
    let set = set("[[rule]]\nname = 'watch'\nobserve = true\n\
         [[rule]]\nname = 'night'\nwhen.keywords = ['茶']\nwhen.time = { hours = '22:00-06:00' }\nreply = 'N'\n\
         [[rule]]\nname = 'tea'\nwhen.keywords = ['茶']\ncooldown = { time = '10m', then = 'next' }\nreply = 'T'\n\
         [[rule]]\nname = 'default'\nreply = 'D'\n\
         [[rule]]\nname = 'after'\nreply = 'A'\n\
         [[rule]]\nname = 'elsewhere'\napp = 'club'\nreply = 'E'\n");
    let mut talk = Talk::new(&set);
    talk.say("喝茶");
    let facts = Facts {
        now: talk.now,
        contact: &talk.contact,
        app_cooldowns: &talk.app_cooldowns,
    };
    let explanation = set.explain(&text("喝茶"), &facts);
    let told: Vec<String> = explanation
        .rules
        .iter()
        .map(|trace| {
            let mark = if trace.matched { '✓' } else { '✗' };
            let failed = trace.conditions.iter().filter(|condition| !condition.held);
            let failed: Vec<String> = failed.map(ToString::to_string).collect();
            let note = trace.note.as_deref().unwrap_or("-");
            format!(
                "{mark} {} {}:{} {failed:?} {note}",
                trace.rule, trace.file, trace.line
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    ✓ watch shop.toml:1 [] observed only: it would have answered
    ✗ night shop.toml:4 ["time: 22:00-06:00; it is mon 2026-01-05 10:00"] -
    ✓ tea shop.toml:9 [] left to lower rules: its cooldown runs until 2026-01-05 10:10:00
    ✓ default shop.toml:14 [] -
    ✓ after shop.toml:17 [] not reached: default decided
    "#);
    assert_eq!(explanation.normal_form.as_deref(), Some("喝茶"));
}
