//! Rules, changed by hand: by the form, in the editor, with mistakes, at the same time as somebody else, and back again.

use fantoccini::key::Key;

use crate::browser::Browser;
use crate::people::{ANNA, OPS};
use crate::shop::Shop;

const RULES: &str = r#"# 小店的规则。
[[rule]]
name = "营业时间"
when.keywords = ["几点开门"]  # 常问
reply = "我们 9:00 开门。"
"#;

const EDITOR: &str = "/rules/edit?file=rules.toml";

/// The check's verdict on what is in the editor.
const USABLE: &str = "document.querySelector('#part:not(.working) .verdict.good')";

fn on_disk(shop: &Shop) -> String {
    std::fs::read_to_string(shop.world.path("rules/rules.toml")).expect("readable")
}

/// What the shop answers to a text.
async fn answer(shop: &Shop, text: &str) -> Option<String> {
    shop.world.say("oAsks", text).await;
    shop.world.outbox_empty().await;
    let last = shop.last().await;
    last.reply_to.and(last.content)
}

/// Types at the end of the source.
async fn append(browser: &Browser, text: &str) {
    browser.run_with("const s = document.getElementById('source'); s.focus(); s.setSelectionRange(s.value.length, s.value.length)", Vec::new()).await;
    browser.keys(text).await;
}

/// An editor's browser, on the file's page, ready.
async fn in_the_editor(shop: &Shop) -> Browser {
    let browser = shop.browser_of(&OPS).await;
    browser.goto(EDITOR).await;
    browser.until("it is usable", USABLE).await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shopkeeper_writes_a_rule_without_seeing_toml() {
    let shop = Shop::open(RULES).await;
    let browser = shop.browser_of(&OPS).await;
    browser.click("Rules").await;
    browser.sees("营业时间").await;
    browser.click("New rule").await;
    browser.fill("Name", "发票").await;
    browser.fill("Keywords, one a line", "发票\n抬头").await;
    browser.fill("Reply", "可以开，\n请发抬头。").await;
    browser.click("Save").await;
    browser
        .until(
            "it is saved",
            "location.pathname !== '/rules/form' && location.pathname !== '/rules/new'",
        )
        .await;
    assert!(
        on_disk(&shop).starts_with(RULES),
        "what was there stays:\n{}",
        on_disk(&shop)
    );
    assert_eq!(
        answer(&shop, "怎么开發票").await.as_deref(),
        Some("可以开，\n请发抬头。")
    );

    browser.goto("/rules").await;
    browser.keys("/").await;
    browser.keys("发票").await;
    browser.sees("发票").await;
    browser.loses("我们 9:00 开门。").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_shown_at_its_place_and_is_not_saved() {
    let shop = Shop::open(RULES).await;
    let browser = in_the_editor(&shop).await;
    append(
        &browser,
        "\n[[rule]]\nname = \"发票\"\nwhen.keyword = [\"发票\"]\nreply = \"可以\"\n",
    )
    .await;
    browser.sees("These rules can't go live yet.").await;
    browser.sees("did you mean").await;
    let marked = browser
        .run("document.querySelector('.gutter .bad').textContent")
        .await;
    assert_eq!(marked, "9");
    browser.click("Save").await;
    browser.sees("Not saved").await;
    assert_eq!(on_disk(&shop), RULES);
    let kept = browser.run("document.getElementById('source').value").await;
    assert!(
        kept.as_str().is_some_and(|kept| kept.contains("when.keyword = ")),
        "what was typed stays"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_somebody_else_changed_meanwhile_is_not_overwritten_in_silence() {
    let shop = Shop::open(RULES).await;
    let browser = shop.browser_of(&OPS).await;
    browser.goto(EDITOR).await;
    append(&browser, "# mine\n").await;
    let theirs = format!("{RULES}# theirs\n");
    shop.world.write_rules(&theirs);
    browser.click("Save").await;
    browser.sees("This file was changed on the disk meanwhile.").await;
    assert_eq!(on_disk(&shop), theirs);
    browser.sees("# theirs").await;
    browser.click("Save mine over it").await;
    browser.sees("Saved, and in force.").await;
    assert_eq!(on_disk(&shop), format!("{RULES}# mine\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_can_be_tried_before_anything_is_saved_and_keys_save() {
    let shop = Shop::open(RULES).await;
    let browser = in_the_editor(&shop).await;
    append(
        &browser,
        "\n[[rule]]\nname = \"发票\"\nwhen.keywords = [\"发票\"]\nreply = \"可以开。\"\n",
    )
    .await;
    browser.click("Try").await;
    browser.fill("What the customer writes", "发票怎么开").await;
    browser.key(Key::Enter).await;
    browser.sees_in("#part .bubble", "可以开。").await;
    assert_eq!(on_disk(&shop), RULES, "nothing is saved yet");
    browser.click("Changes").await;
    browser.sees("+").await;
    browser
        .until("the change is shown", "document.querySelector('#part .diff')")
        .await;
    browser.ctrl_letter('s').await;
    browser.sees("Saved, and in force.").await;
    assert_eq!(answer(&shop, "发票").await.as_deref(), Some("可以开。"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_comes_back_and_answers() {
    let shop = Shop::open(RULES).await;
    let browser = shop.browser_of(&OPS).await;
    browser.goto(EDITOR).await;
    let changed = RULES.replace("9:00", "10:00");
    browser
        .run_with(
            "document.getElementById('source').value = arguments[0]",
            vec![changed.as_str().into()],
        )
        .await;
    append(&browser, "\n").await;
    browser.click("Save").await;
    browser.sees("Saved, and in force.").await;
    assert_eq!(
        answer(&shop, "几点开门").await.as_deref(),
        Some("我们 10:00 开门。")
    );

    browser.click("Versions").await;
    browser
        .until(
            "there are two",
            "document.querySelectorAll('.timeline li').length === 2",
        )
        .await;
    browser.click_css(".timeline li:last-child a.mono").await;
    browser.click("with the disk").await;
    browser.sees("我们 9:00 开门。").await;
    browser.click("Restore").await;
    browser.answer_dialog(false).await;
    assert_ne!(on_disk(&shop), RULES);
    browser.click("Restore").await;
    let question = browser.answer_dialog(true).await;
    assert!(question.contains("Replace the rule files"), "{question}");
    browser.sees("Restored, and in force.").await;
    assert_eq!(on_disk(&shop), RULES);
    assert_eq!(
        answer(&shop, "几点开门").await.as_deref(),
        Some("我们 9:00 开门。")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_ask_the_same_stand_together_and_one_click_drafts_a_rule() {
    let shop = Shop::open(RULES).await;
    for (n, text) in [
        "能开发票吗",
        "可以开发票吗",
        "开发票",
        "寄到新疆要几天",
        "请问能开发票吗？",
    ]
    .iter()
    .enumerate()
    {
        shop.world.say(&format!("oAsks{n}"), text).await;
    }
    let browser = shop.browser_of(&OPS).await;
    browser.goto("/unanswered").await;
    let groups = browser
        .run("document.querySelectorAll('.asked-for > li').length")
        .await;
    assert_eq!(groups, 2);
    let first = browser
        .run("document.querySelector('.asked-for > li').innerText")
        .await;
    assert!(
        first
            .as_str()
            .is_some_and(|text| text.contains('4') && text.contains("发票")),
        "{first}"
    );
    browser.click("Draft a rule").await;
    browser.fill("Reply", "可以开。").await;
    browser.click("Put it into the rule").await;
    browser.until("it is usable", USABLE).await;
    browser.click("Save").await;
    browser.sees("Saved, and in force.").await;
    for text in ["能开发票吗", "开发票"] {
        assert_eq!(answer(&shop, text).await.as_deref(), Some("可以开。"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_change_rules_reads_and_tries_them() {
    let shop = Shop::open(RULES).await;
    let browser = shop.browser_of(&ANNA).await;
    browser.goto("/rules").await;
    browser.sees("营业时间").await;
    assert!(!browser.offers("New rule").await);
    browser.goto(EDITOR).await;
    browser.sees("You may read and try, but not save.").await;
    for control in ["Save", "Delete file", "New file"] {
        assert!(!browser.offers(control).await, "{control}");
    }
    browser.click("Try").await;
    browser.fill("What the customer writes", "请问几点开门").await;
    browser.click("Try it").await;
    browser.sees_in("#part .bubble", "我们 9:00 开门。").await;
    browser.goto("/versions").await;
    browser.click_css(".timeline a.mono").await;
    browser
        .until(
            "the version is shown",
            "location.pathname.startsWith('/versions/')",
        )
        .await;
    assert!(!browser.offers("Restore").await);
    browser.goto("/rules/new").await;
    browser.sees("This is not allowed.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_rules_are_checked_and_saved_too() {
    let shop = Shop::open(RULES).await;
    let browser = shop.browser_of(&OPS).await;
    browser.scripts(false).await;
    browser.goto(EDITOR).await;
    assert!(
        browser.run("typeof window.wx").await == "undefined",
        "scripts are off"
    );
    let field = browser.css("#source").await;
    field.send_keys("\n[[rule]]\nnam = \"x\"\n").await.expect("typed");
    browser.click("Check").await;
    browser.sees("These rules can't go live yet.").await;
    let field = browser.css("#source").await;
    field.clear().await.expect("cleared");
    field
        .send_keys(&RULES.replace("9:00", "8:00"))
        .await
        .expect("typed");
    browser.click("Changes").await;
    browser.sees("8:00").await;
    browser.click("Save").await;
    browser.sees("Saved, and in force.").await;
    assert_eq!(
        answer(&shop, "几点开门").await.as_deref(),
        Some("我们 8:00 开门。")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_can_save_after_somebody_else_changed_the_file() {
    let shop = Shop::open(RULES).await;
    let browser = shop.browser_of(&OPS).await;
    browser.goto("/rules/shop/营业时间").await;
    browser.click("Edit").await;
    browser.arrives("/rules/form").await;
    browser.fill("Reply", "我们 8:00 开门。").await;
    shop.world.write_rules(&format!("{RULES}# theirs\n"));
    browser.click("Save").await;
    browser.sees("This file was changed on the disk meanwhile.").await;
    assert_eq!(on_disk(&shop), format!("{RULES}# theirs\n"));
    browser.click("Save").await;
    browser.arrives("/rules/shop/").await;
    assert_eq!(
        on_disk(&shop),
        format!("{RULES}# theirs\n").replace("9:00", "8:00")
    );
}

/// Whether the page would ask before it is left.
const ASKS: &str = "(() => { const leaving = new Event('beforeunload', { cancelable: true }); \
                    dispatchEvent(leaving); return leaving.defaultPrevented; })()";

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_not_saved_is_not_lost() {
    let shop = Shop::open(RULES).await;
    let browser = in_the_editor(&shop).await;
    assert_eq!(browser.run(ASKS).await, false);
    append(&browser, "# mine\n").await;
    assert_eq!(browser.run(ASKS).await, true);
    // Another form than that of the text, which takes the page away too.
    let chooses = "document.querySelector('form[action=\"/preferences\"]')\
                   .dispatchEvent(new SubmitEvent('submit', { bubbles: true, cancelable: true }))";
    browser.run(chooses).await;
    assert_eq!(browser.run(ASKS).await, true, "the language would lose it");

    // The session ends, and only saving tells.
    browser.forget_session().await;
    browser.click("Changes").await;
    browser.sees("You are signed out.").await;
    browser.click("Save").await;
    browser.arrives("/sign-in").await;
    browser.enter(OPS.name, OPS.password).await;
    browser.arrives("/rules/edit").await;
    browser.goto(EDITOR).await;
    browser.click("Bring it back").await;
    let source = "document.getElementById('source').value";
    assert_eq!(browser.run(source).await, format!("{RULES}# mine\n"));
    browser.click("Save").await;
    browser.sees("Saved, and in force.").await;
    assert_eq!(on_disk(&shop), format!("{RULES}# mine\n"));
    browser.goto(EDITOR).await;
    assert!(!browser.offers("Bring it back").await, "it is saved");

    // What was refused is still not saved.
    append(&browser, "[[rule]\n").await;
    browser.click("Save").await;
    browser.sees("Not saved").await;
    assert_eq!(browser.run(ASKS).await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_gone_leads_on_to_its_messages() {
    let shop = Shop::open(RULES).await;
    let browser = shop.browser_of(&ANNA).await;
    browser.goto("/rules/shop/旧规则").await;
    browser.sees("This rule is not in force any more.").await;
    browser.click("Its messages").await;
    browser.arrives("/messages?rule=").await;
}
