//! Coming in, and going out.

use crate::browser::View;
use crate::people::{OPS, VERA};
use crate::shop::Shop;

const NO_RULES: &str = "";

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_the_password_comes_in_and_who_signs_out_is_out() {
    let shop = Shop::open(NO_RULES).await;
    let browser = shop.browser().await;
    browser.goto("/").await;
    assert_eq!(browser.here().await, "/sign-in?next=/");
    browser.enter(OPS.name, "wrong-horse").await;
    browser.sees("no user has this name and password").await;
    assert_eq!(
        browser
            .run("document.querySelector('input[name=name]').value")
            .await,
        OPS.name
    );
    browser.enter(OPS.name, OPS.password).await;
    browser.sees("Overview").await;
    assert_eq!(browser.here().await, "/");
    browser.reload().await;
    browser.sees("Overview").await;

    browser.click("ops").await;
    browser.sees("ops · editor").await;
    browser.click("Sign out").await;
    browser
        .until("the door is shut", "location.pathname === '/sign-in'")
        .await;
    browser.goto("/").await;
    assert_eq!(browser.here().await, "/sign-in?next=/");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_has_to_wait_and_others_have_not() {
    let shop = Shop::open(NO_RULES).await;
    let browser = shop.browser().await;
    browser.goto("/sign-in").await;
    for _ in 0..10 {
        browser.enter(OPS.name, "is it this?").await;
        browser.sees("no user has this name and password").await;
        browser.goto("/sign-in").await;
    }
    browser.enter(OPS.name, OPS.password).await;
    browser
        .sees("too many attempts to sign in; wait half a minute")
        .await;
    browser.sign_in(&VERA).await;
    browser.sees("Overview").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn language_and_appearance_follow_the_browser_until_somebody_chooses() {
    let shop = Shop::open_to_all(NO_RULES).await;
    let browser = shop.browser().await;
    let background = "getComputedStyle(document.body).backgroundColor";
    browser
        .look(View {
            phone: false,
            dark: false,
            chinese: true,
        })
        .await;
    browser.goto("/").await;
    browser.sees("未配置用户").await;
    let light = browser.run(background).await;
    browser
        .look(View {
            phone: false,
            dark: true,
            chinese: false,
        })
        .await;
    browser.goto("/").await;
    browser.sees("No users are configured").await;
    let dark = browser.run(background).await;
    assert_ne!(light, dark);

    browser.click("Settings").await;
    browser.choose("Appearance", "Light").await;
    browser
        .until(
            "it is light",
            "document.documentElement.dataset.theme === 'light'",
        )
        .await;
    assert_eq!(browser.run(background).await, light);
    browser.click("Settings").await;
    browser.choose("Language", "中文").await;
    browser.sees("未配置用户").await;
    assert_eq!(browser.run("document.documentElement.lang").await, "zh-CN");
    browser.reload().await;
    browser.sees("未配置用户").await;
    assert_eq!(browser.run(background).await, light);
}
