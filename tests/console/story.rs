//! The console's whole reason, in one sitting: a message goes unanswered, somebody sees it, sees why, writes a rule, sees what that would
//! change, saves, and the next such message is answered.

use crate::people::OPS;
use crate::shop::{LI, Shop};

const RULES: &str = r#"# 小店的规则，一行注释也不能丢。
[[rule]]
name = "营业时间"
when.keywords = ["几点开门", "发货时间"]  # 常问
reply = "我们 9:00 开门。"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_message_becomes_a_rule_that_answers_the_next_one() {
    let shop = Shop::open(RULES).await;
    for (openid, text) in [
        ("oWang", "在吗"),
        ("oZhao", "能开发票吗"),
        (LI, "请问几点开门"),
        ("oQian", "可以开发票吗？"),
    ] {
        shop.world.say(openid, text).await;
    }
    shop.world.outbox_empty().await;

    let browser = shop.browser().await;
    browser.goto("/conversations").await;
    browser.enter(OPS.name, OPS.password).await;
    browser.sees("Conversations").await;

    // Find a conversation.
    browser.keys("/").await;
    browser.keys("几点\n").await;
    browser.arrives("q=").await;
    browser.click("请问几点开门").await;
    browser.arrives("/oLi").await;
    browser.is_live().await;

    // Watch a message arrive.
    shop.world.say(LI, "你们能开发票吗").await;
    browser.sees("你们能开发票吗").await;
    browser
        .sees_in("#messages li:last-child", "No rule matched")
        .await;

    // See why it went unanswered.
    browser.click_css("#messages li:last-child a.why").await;
    browser
        .until("the dialog is open", "document.querySelector('dialog:modal')")
        .await;
    browser.sees("Rules in the order tried").await;
    browser
        .sees_in("#why-body .nearest, #why-body .tried", "几点开门")
        .await;

    // Draft a rule.
    browser.click("Draft a rule from this message").await;
    browser
        .until("the draft is there", "location.pathname === '/rules/draft'")
        .await;
    browser.sees("Drafted from these texts").await;
    browser.fill("Reply", "可以的，请把抬头发给我们。").await;
    browser.click("Put it into the rule").await;
    let source = "document.getElementById('source').value";
    browser
        .until(
            "the rule says it",
            &format!("{source}.includes('可以的，请把抬头发给我们。')"),
        )
        .await;
    let text = browser.run(source).await;
    let text = text.as_str().expect("a text");
    assert!(text.starts_with(RULES), "what was there stays as it was:\n{text}");
    assert!(text.contains("[[test]]"), "a rule comes with its tests:\n{text}");
    browser
        .until(
            "it is usable",
            "document.querySelector('#part:not(.working) .verdict.good')",
        )
        .await;

    // See the replay.
    browser.click("What would change").await;
    browser.click("Judge the last 14 days again").await;
    browser.sees_in("#part .change", "Newly answered").await;
    browser
        .sees_in("#part .fates .new", "可以的，请把抬头发给我们。")
        .await;

    // Save.
    browser.click("Save").await;
    browser.sees("Saved, and in force.").await;
    let saved = std::fs::read_to_string(shop.world.path("rules/rules.toml")).expect("readable");
    assert_eq!(saved, text);

    // See the next message answered.
    browser.goto(&format!("/conversations/shop/{LI}")).await;
    browser.is_live().await;
    shop.world.say(LI, "那能开发票吗？").await;
    browser.sees("可以的，请把抬头发给我们。").await;
    let received = shop.world.wechat.received(LI);
    assert_eq!(
        received.last().and_then(|reply| reply.text()),
        Some("可以的，请把抬头发给我们。")
    );
    assert_eq!(browser.complaints().await, [""; 0]);
}
