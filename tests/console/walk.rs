//! Every page in every light: accessible, no wider than the screen, and nothing for the browser to complain of.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::browser::{Browser, View};
use crate::history;
use crate::people::OPS;
use crate::shop::Shop;
use crate::tools;
use crate::tour::{Sights, Stop};

/// Any two of a device, a colour scheme and a language meet in one of these.
const VIEWS: [View; 4] = [
    View {
        phone: true,
        dark: true,
        chinese: true,
    },
    View {
        phone: true,
        dark: false,
        chinese: false,
    },
    View {
        phone: false,
        dark: false,
        chinese: true,
    },
    View {
        phone: false,
        dark: true,
        chinese: false,
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_fits_the_screen_and_works_without_complaint() {
    let shop = history::busy_shop().await;
    let sights = Sights::of(&shop).await;
    let browser = shop.browser_of(&OPS).await;
    let mut faults = String::new();
    for stop in sights.tour() {
        for view in VIEWS {
            faults += &faults_of(&browser, &stop, view).await;
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_forms_answer_is_chinese_too() {
    let shop = history::busy_shop().await;
    let browser = shop.browser_of(&OPS).await;
    let view = VIEWS[2];
    browser.look(view).await;
    let mut faults = String::new();
    for (text, shown) in [("雾里青怎麽买", "没有规则回复"), ("营业时间", "回复规则")] {
        browser.goto("/rules/edit?file=rules.toml").await;
        browser.click("试一试").await;
        browser.fill("客户发来的内容", text).await;
        browser.click("试一下").await;
        browser.sees_in("#part .verdict", shown).await;
        browser
            .run("document.querySelectorAll('#part details').forEach((fold) => fold.open = true)")
            .await;
        faults += &english_in(&browser, view).await;
    }
    browser.goto("/rules/new").await;
    browser.fill("名称", "营业时间").await;
    browser.fill("关键词，每行一个", "几点").await;
    browser.fill("回复内容", "九点").await;
    browser.click("保存").await;
    browser.sees_in("[role=alert]", "未保存").await;
    faults += &english_in(&browser, view).await;
    assert!(faults.is_empty(), "{faults}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_in_and_the_pages_of_what_went_wrong_are_accessible_too() {
    let shop = Shop::open("").await;
    let browser = shop.browser().await;
    let mut faults = String::new();
    let stop = |name: &str, path: &str| Stop {
        name: name.to_owned(),
        path: path.to_owned(),
    };
    for view in VIEWS {
        faults += &faults_of(&browser, &stop("sign-in", "/sign-in"), view).await;
        browser.goto("/nowhere").await;
        faults += &violations(&browser).await;
        faults += &english_in(&browser, view).await;
        browser.goto("/sign-in").await;
        browser.enter("ops", "wrong").await;
        browser
            .until("it was wrong", "document.querySelector('[role=alert]')")
            .await;
        faults += &violations(&browser).await;
        faults += &english_in(&browser, view).await;
        browser.complaints().await;
    }
    assert!(faults.is_empty(), "{faults}");
}

/// What is wrong with a page, a line each.
pub async fn faults_of(browser: &Browser, stop: &Stop, view: View) -> String {
    browser.look(view).await;
    browser.goto(&stop.path).await;
    browser
        .until(
            "the page has settled",
            "document.readyState === 'complete' && !document.querySelector('.working')",
        )
        .await;
    let mut faults = violations(browser).await;
    let status = browser.status().await;
    if status != 200 {
        let _ = writeln!(faults, "answers {status}: {}", stop.path);
    }
    faults += &overflow(browser).await;
    for complaint in browser
        .complaints()
        .await
        .into_iter()
        .chain(browser.alarms().await)
    {
        let _ = writeln!(faults, "complains: {complaint}");
    }
    faults += &english_in(browser, view).await;
    faults
        .lines()
        .map(|fault| format!("{} {view}: {fault}\n", stop.name))
        .collect()
}

/// What axe-core finds.
async fn violations(browser: &Browser) -> String {
    browser.run_with(tools::axe(), Vec::new()).await;
    let found = browser
        .run_async(include_str!("scripts/axe.js"), Vec::new())
        .await;
    let mut faults = String::new();
    let found = found
        .as_array()
        .unwrap_or_else(|| panic!("axe-core failed: {found}"))
        .clone();
    for violation in found {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (rule, help) = (text(&violation["rule"]), text(&violation["help"]));
        for place in violation["places"].as_array().into_iter().flatten() {
            let _ = writeln!(faults, "{rule} ({help}): {}", text(place));
        }
    }
    faults
}

/// What makes the page scroll sideways.
async fn overflow(browser: &Browser) -> String {
    let wide = browser
        .run_with(include_str!("scripts/overflow.js"), vec![json!(6)])
        .await;
    let wide: Vec<String> = serde_json::from_value(wide).expect("a list of texts");
    wide.iter()
        .map(|element| format!("wider than the screen: {element}\n"))
        .collect()
}

/// English words on a Chinese page that are no names, ids or words of WeChat's.
async fn english_in(browser: &Browser, view: View) -> String {
    if !view.chinese {
        return String::new();
    }
    let words = browser
        .run_with(include_str!("scripts/english.js"), Vec::new())
        .await;
    let words: Vec<String> = serde_json::from_value(words).expect("a list of texts");
    words
        .iter()
        .map(|words| format!("not Chinese: {words}\n"))
        .collect()
}
