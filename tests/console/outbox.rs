//! Replies that did not get through, and what one does about them.

use wxreply::simulator::{Fault, FaultSetting};

use crate::people::{ANNA, VERA};
use crate::shop::Shop;
use crate::world::until;

const RULES: &str = "[[rule]]\nname = \"any\"\nreply = \"好的：{{ msg.Content }}\"\n";

/// A shop where two replies have failed.
async fn with_failures() -> Shop {
    let shop = Shop::open(RULES).await;
    until("there is a token", || async {
        shop.world.wechat.tokens_issued() > 0
    })
    .await;
    shop.world
        .wechat
        .set_fault(Fault::RateLimit, FaultSetting::times(2).with_value(45_015));
    for text in ["第一", "第二"] {
        shop.world.say("oLi", text).await;
        shop.world.outbox_empty().await;
    }
    assert!(shop.world.wechat.received("oLi").is_empty());
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_reply_is_found_understood_and_sent_again() {
    let shop = with_failures().await;
    let browser = shop.browser_of(&ANNA).await;
    browser.click("Outbox").await;
    browser.click("Failed").await;
    browser.sees("好的：第一").await;
    browser.sees("45015").await;
    browser
        .click_css("li.letter:last-of-type input[type=checkbox]")
        .await;
    browser.click("Send again").await;
    until("it is delivered", || async {
        !shop.world.wechat.received("oLi").is_empty()
    })
    .await;
    browser
        .until(
            "one is left",
            "document.querySelectorAll('li.letter').length === 1",
        )
        .await;

    browser.click("Failed").await;
    browser.click_css("li.letter input[type=checkbox]").await;
    browser.click("Drop").await;
    let question = browser.answer_dialog(true).await;
    assert!(question.contains("will not get them"), "{question}");
    browser.sees("No reply has failed.").await;
    browser.click("Dropped").await;
    browser
        .until(
            "it is there",
            "document.querySelectorAll('li.letter').length === 1",
        )
        .await;
    assert_eq!(shop.world.wechat.received("oLi").len(), 1);

    browser.goto("/system").await;
    browser.sees_in("#audit tr", "anna").await;
    browser.sees_in("#audit tr", "dropped replies").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_see_what_failed_and_can_do_nothing() {
    let shop = with_failures().await;
    let browser = shop.browser_of(&VERA).await;
    browser.goto("/outbox?status=failed").await;
    browser.sees("好的：第一").await;
    for control in ["Send again", "Send all failed again", "Drop"] {
        assert!(!browser.offers(control).await, "{control}");
    }
    assert_eq!(
        browser
            .run("document.querySelectorAll('main input[type=checkbox]').length")
            .await,
        0
    );
}
