//! The day of somebody who talks to customers: read, search, watch, answer, hold the bot back.

use std::time::Duration;

use fantoccini::key::Key;
use serde_json::json;
use wxreply::message::Direction;
use wxreply::simulator::{Fault, FaultSetting};

use crate::browser::View;
use crate::people::{ANNA, OPS, VERA};
use crate::shop::{LI, Shop};
use crate::world::until;

const RULES: &str =
    "[[rule]]\nname = \"营业时间\"\nwhen.keywords = [\"几点开门\"]\nreply = \"我们 9:00 开门。\"\n";

/// Another.
const WANG: &str = "oWang123456789abcdefghijklmn";

#[tokio::test(flavor = "multi_thread")]
async fn messages_arrive_while_one_watches_and_what_is_being_typed_stays() {
    let shop = Shop::open(RULES).await;
    shop.world.say(LI, "在吗").await;
    let browser = shop.browser_of(&ANNA).await;
    browser.click("Conversations").await;
    browser.sees("在吗").await;
    browser.is_live().await;

    shop.world.say(WANG, "我要退货").await;
    browser.sees("我要退货").await;
    browser.click("我要退货").await;
    browser.arrives("/oWang").await;
    browser.is_live().await;
    browser
        .field("Write a reply")
        .await
        .send_keys("正在查")
        .await
        .expect("typed");
    let slow = FaultSetting::times(1).with_value(4_000);
    shop.world.wechat.set_fault(Fault::Latency, slow);
    shop.world.say(WANG, "请问几点开门").await;
    browser.sees("请问几点开门").await;
    browser.sees_in("#messages .msg.ours", "Queued").await;
    browser.sees("我们 9:00 开门。").await;
    let typed = "document.getElementById('reply-text').value";
    assert_eq!(browser.run(typed).await, "正在查");
    // The status of the bot's reply follows it to the customer, without a reload.
    until("it is sent", || async { shop.last().await.status == "sent" }).await;
    browser.loses("Queued").await;
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_by_hand_reaches_the_customer_and_holds_the_bot_back_until_it_is_let_go() {
    let shop = Shop::open(RULES).await;
    shop.world.say(LI, "我的订单到哪了").await;
    let browser = shop.browser_of(&ANNA).await;
    browser.goto(&format!("/conversations/shop/{LI}")).await;
    browser.fill("Write a reply", "您好，今天下午送到。\n").await;
    browser.keys("请留意电话。").await;
    browser.ctrl(Key::Enter).await;
    let received = shop
        .world
        .wechat
        .wait_for_replies(LI, 1, Duration::from_secs(20))
        .await;
    let texts: Vec<_> = received.iter().map(|reply| reply.text()).collect();
    assert_eq!(texts, [Some("您好，今天下午送到。\n请留意电话。")]);
    browser.sees("请留意电话。").await;
    browser
        .until(
            "the field is empty",
            "document.getElementById('reply-text').value === ''",
        )
        .await;
    browser.sees_in(".msg.ours .chip.info", "anna").await;
    browser.sees("Bot paused for").await;

    shop.world.say(LI, "几点开门").await;
    browser.sees("几点开门").await;
    assert_eq!(shop.last().await.status, "muted");
    browser.click("Resume bot").await;
    browser.loses("Bot paused for").await;
    shop.world.say(LI, "到底几点开门").await;
    browser.sees("我们 9:00 开门。").await;

    browser.click("Actions").await;
    browser.click("for 2 h").await;
    browser.sees("Bot paused for").await;
    shop.world.say(LI, "明天几点开门呢").await;
    browser.sees("明天几点开门呢").await;
    assert_eq!(shop.last().await.status, "muted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_found_by_a_few_characters() {
    let shop = Shop::open(RULES).await;
    shop.world.say(LI, "我买的桂花乌龙受潮了").await;
    for n in 0..30 {
        shop.world.say(&format!("oOther{n}"), "在吗").await;
    }
    let browser = shop.browser_of(&VERA).await;
    browser.goto("/conversations").await;
    browser.keys("/").await;
    browser.keys("桂花").await;
    browser.key(Key::Enter).await;
    browser.arrives("q=").await;
    browser.sees("我买的桂花乌龙受潮了").await;
    let rows = browser.run("document.querySelectorAll('a.chat').length").await;
    assert_eq!(rows, 1);
    let marked = browser
        .run("[...document.querySelectorAll('#chat-list mark')].map((mark) => mark.textContent).join()")
        .await;
    assert_eq!(marked, "桂花");
    browser.click("受潮了").await;
    browser.arrives("/oLi").await;
    browser.sees("我买的桂花乌龙受潮了").await;
    browser.goto("/conversations?q=不存在的话").await;
    browser.sees("Nothing found.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_can_not_be_sent_says_why_and_what_was_typed_stays() {
    let shop = Shop::open(RULES).await;
    shop.world.say(LI, "在吗").await;
    let browser = shop.browser_of(&ANNA).await;
    browser.goto(&format!("/conversations/shop/{LI}")).await;
    let long = "很长".repeat(400);
    browser
        .run_with(
            "document.getElementById('reply-text').value = arguments[0]",
            vec![long.as_str().into()],
        )
        .await;
    browser.keys(" ").await;
    browser.click("Send").await;
    browser.sees("Not sent:").await;
    let typed = browser.run("document.getElementById('reply-text').value").await;
    assert!(typed.as_str().is_some_and(|typed| typed.contains(&long)));
    assert!(shop.world.log_of(Direction::Out).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_see_no_way_to_write_and_are_refused_when_they_try() {
    let shop = Shop::open(RULES).await;
    shop.world.say(LI, "在吗").await;
    let thread = format!("/conversations/shop/{LI}");
    let browser = shop.browser_of(&VERA).await;
    browser.goto(&thread).await;
    browser.sees("Your role may read, but not write.").await;
    browser.click("Actions").await;
    browser.sees("Export as CSV").await;
    for control in ["Send", "for 30 min", "Forget this customer"] {
        assert!(!browser.offers(control).await, "{control}");
    }
    for path in ["reply", "mute", "unmute", "forget"] {
        let status = browser
            .run_async(
                "const done = arguments[1];
                 fetch(arguments[0], { method: 'POST', body: new URLSearchParams({ text: 'x', for: '30m' }) })
                   .then((answer) => done(answer.status), (error) => done(String(error)));",
                vec![format!("{thread}/{path}").into()],
            )
            .await;
        assert_eq!(status, 403, "{path}");
    }
    assert_eq!(shop.last().await.direction, Direction::In);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_keys_alone_one_gets_from_the_list_into_a_thread_and_sends() {
    let shop = Shop::open(RULES).await;
    shop.world.say(LI, "在吗").await;
    let browser = shop.browser_of(&ANNA).await;
    browser.goto("/conversations").await;
    browser.key(Key::Tab).await;
    let focused = "document.activeElement.textContent.trim()";
    assert_eq!(browser.run(focused).await, "Skip to content");
    browser.key(Key::Enter).await;
    // By Tab alone to the conversation, passing nothing that can't be seen.
    for _ in 0..30 {
        browser.key(Key::Tab).await;
        let visible = "document.activeElement.checkVisibility() && document.activeElement !== document.body";
        assert_eq!(browser.run(visible).await, true);
        let outlined = "getComputedStyle(document.activeElement).outlineStyle !== 'none' || getComputedStyle(document.activeElement).boxShadow !== 'none'";
        assert_eq!(
            browser.run(outlined).await,
            true,
            "{} has the focus, and nobody sees it",
            browser.run(focused).await
        );
        if browser.run("document.activeElement.matches('a.chat')").await == true {
            break;
        }
    }
    browser.key(Key::Enter).await;
    browser.arrives("/oLi").await;
    browser.keys("r").await;
    browser
        .until("one can write", "document.activeElement.id === 'reply-text'")
        .await;
    browser.keys("在的").await;
    browser.ctrl(Key::Enter).await;
    let received = shop
        .world
        .wechat
        .wait_for_replies(LI, 1, Duration::from_secs(20))
        .await;
    assert_eq!(received.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_one_reads_searches_asks_why_and_answers() {
    let shop = Shop::open(RULES).await;
    shop.world.say(LI, "能开发票吗").await;
    let browser = shop.browser_of(&ANNA).await;
    browser
        .look(View {
            phone: true,
            dark: false,
            chinese: true,
        })
        .await;
    browser.scripts(false).await;
    browser.goto("/conversations").await;
    assert!(
        browser.run("typeof window.wx").await == "undefined",
        "scripts are off"
    );
    browser.click("能开发票吗").await;
    browser.arrives("/oLi").await;
    let thread = browser.here().await;
    browser.click("为什么？").await;
    browser.sees("规则（按匹配顺序）").await;
    assert!(browser.here().await.starts_with("/messages/"));
    browser.goto(&thread).await;
    browser.fill("输入回复", "可以的，请留下抬头。").await;
    browser.click("发送").await;
    browser.sees("可以的，请留下抬头。").await;
    until("it is sent", || async { shop.last().await.status == "sent" }).await;
    browser.goto("/conversations?q=发票").await;
    browser.sees("能开发票吗").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_forgotten_only_by_name() {
    let shop = Shop::open(RULES).await;
    shop.world.say(LI, "请忘记我").await;
    shop.world.say(WANG, "在吗").await;
    let browser = shop.browser_of(&OPS).await;
    browser.goto(&format!("/conversations/shop/{LI}")).await;
    browser.click("Actions").await;
    browser.click("Forget this customer").await;
    browser.fill("Type the openid to confirm", WANG).await;
    browser.click("Forget for ever").await;
    browser.sees("That is not the openid of this customer.").await;
    assert_eq!(shop.world.log().await.len(), 2);
    browser.fill("Type the openid to confirm", LI).await;
    browser.click("Forget for ever").await;
    browser
        .until("all is gone", "location.pathname === '/conversations'")
        .await;
    browser.sees("rows erased: 1.").await;
    let log = shop.world.log().await;
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].openid.as_str(), WANG);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_after_the_session_has_ended_is_not_lost() {
    let shop = Shop::open(RULES).await;
    shop.world.say(LI, "在吗").await;
    let browser = shop.browser_of(&ANNA).await;
    let thread = format!("/conversations/shop/{LI}");
    browser.goto(&thread).await;
    browser.fill("Write a reply", "下午送到").await;
    browser.forget_session().await;
    browser.click("Send").await;
    browser.sees_in("#composer-problem", "You are signed out.").await;
    let typed = "document.getElementById('reply-text').value";
    assert_eq!(browser.run(typed).await, "下午送到");
    assert!(shop.world.log_of(Direction::Out).await.is_empty());
    browser.sign_in(&ANNA).await;
    browser.goto(&thread).await;
    assert_eq!(browser.run(typed).await, "下午送到");
    browser.click("Send").await;
    browser.sees_in("#messages .msg.ours", "下午送到").await;
}

/// Whether the messages that are shown end with those of the page as the server has it now, each once.
const AS_THE_SERVER: &str = "const done = arguments[0];
    const rows = (page) => [...page.querySelectorAll('#messages > li')];
    const address = location.pathname + location.search;
    fetch(address).then((answer) => answer.text()).then((text) => {
      const fresh = rows(new DOMParser().parseFromString(text, 'text/html')).filter((row) => !row.matches('.day'));
      const shown = rows(document).filter((row) => !row.matches('.day')).map((row) => row.id);
      const days = rows(document).filter((row) => row.matches('.day')).map((row) => row.textContent);
      const ids = fresh.map((row) => row.id);
      done({
        order: shown.slice(-ids.length).join() === ids.slice(-shown.length).join(),
        once: new Set(shown).size === shown.length,
        days: new Set(days).size === days.length,
        count: shown.length,
      });
    })";

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_was_opened_at_a_message_goes_on_in_order() {
    let shop = Shop::open(RULES).await;
    for n in 0..30 {
        shop.world.say(LI, &format!("第 {n} 条")).await;
    }
    let log = shop.world.log().await;
    let browser = shop.browser_of(&ANNA).await;
    browser
        .goto(&format!("/conversations/shop/{LI}?at={}", log[22].id))
        .await;
    browser.is_live().await;
    browser
        .until("it is the newest part", "!location.search.includes('at=')")
        .await;
    let as_the_server = async |count: u64| {
        let found = browser.run_async(AS_THE_SERVER, Vec::new()).await;
        let right = json!({ "order": true, "once": true, "days": true, "count": count });
        assert_eq!(found, right);
    };
    for n in 30..35 {
        shop.world.say(LI, &format!("第 {n} 条")).await;
    }
    let rows =
        |count: u64| format!("document.querySelectorAll('#messages > li:not(.day)').length === {count}");
    browser.until("they are there", &rows(35)).await;
    as_the_server(35).await;

    // More than a page comes while nobody looks.
    browser.hide(true).await;
    for n in 35..110 {
        shop.world.say(LI, &format!("第 {n} 条")).await;
    }
    browser.hide(false).await;
    browser.until("they are there", &rows(60)).await;
    as_the_server(60).await;

    // From where one reads what is long past, writing leads to the end.
    browser
        .goto(&format!("/conversations/shop/{LI}?at={}", log[2].id))
        .await;
    browser.fill("Write a reply", "都看到了").await;
    browser.click("Send").await;
    browser
        .sees_in("#thread[data-newest] .msg.ours", "都看到了")
        .await;
    let typed = "document.getElementById('reply-text').value";
    assert_eq!(browser.run(typed).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_page_holds_no_line_while_hidden_and_asks_no_more_often_than_anybody_reads() {
    let shop = Shop::open(RULES).await;
    shop.world.say(LI, "第一").await;
    let browser = shop.browser_of(&ANNA).await;
    browser.goto("/messages").await;
    browser.is_live().await;
    browser.hide(true).await;
    browser
        .until(
            "the line is closed",
            "!document.documentElement.classList.contains('is-live')",
        )
        .await;
    shop.world.say(LI, "第二").await;
    browser.hide(false).await;
    browser.is_live().await;
    browser.sees("第二").await;

    // What is being marked is not taken away.
    let mark = "getSelection().selectAllChildren(document.querySelector('#rows .what'))";
    browser.run(mark).await;
    shop.world.say(LI, "第三").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!browser.text().await.contains("第三"));
    browser.run("getSelection().removeAllRanges()").await;
    browser.sees("第三").await;

    let asked =
        "performance.getEntriesByType('resource').filter((entry) => entry.initiatorType === 'fetch').length";
    let before = browser.run(asked).await.as_u64().expect("a number");
    for n in 0..20 {
        shop.world.say(LI, &format!("又一条 {n}")).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    let after = browser.run(asked).await.as_u64().expect("a number");
    assert!(
        after - before <= 3,
        "{} rounds in some three seconds",
        after - before
    );
    browser.sees("又一条 19").await;

    browser.goto("/messages?search=第一").await;
    shop.world.say(LI, "第一百").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!browser.text().await.contains("第一百"), "a search is made once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snippet_takes_no_other_ones_name() {
    let shop = Shop::open(RULES).await;
    let browser = shop.browser_of(&ANNA).await;
    browser.goto("/snippets").await;
    for (name, text) in [("问候", "您好"), ("再见", "慢走")] {
        browser.fill("Name", name).await;
        browser.fill("Text", text).await;
        browser.click("Save").await;
        browser.sees_in("details.snippet summary", name).await;
    }
    browser.click("问候").await;
    let field = browser.css("details[open] input[name=name]").await;
    field.clear().await.expect("cleared");
    field.send_keys("再见").await.expect("typed");
    browser.click_css("details[open] button.main").await;
    browser.sees("There is a snippet of this name already.").await;
    let kept = browser
        .run("[...document.querySelectorAll('details.snippet summary')].map((kept) => kept.innerText.trim()).length")
        .await;
    assert_eq!(kept, 2);
    // The form still knows which one it is about.
    browser.fill("Name", "欢迎").await;
    browser.click("Save").await;
    browser.sees_in("details.snippet summary", "欢迎").await;
    let text = browser.text().await;
    assert!(!text.contains("问候") && text.contains("再见"), "{text}");
}
