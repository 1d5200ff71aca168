//! Two weeks in the life of a shop: what customers write, day by day, by a clock that is put back, and then today.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use wxreply::clock::Clock;
use wxreply::message::OpenId;
use wxreply::simulator::{Fault, FaultSetting, PushBody, msg_id};

use crate::people::{self, ANNA, OPS, VERA};
use crate::shop::Shop;
use crate::world::{Plan, World, http, until};

/// A clock that stands where it is put.
struct PutClock(AtomicI64);

impl PutClock {
    fn put(&self, time: Timestamp) {
        self.0.store(time.as_millisecond(), Ordering::SeqCst);
    }
}

impl Clock for PutClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).expect("a sane time")
    }
}

/// The customers.
pub const CUSTOMERS: [&str; 9] = [
    "oQ7x5Kd8mZ2vP4nR9tL1wYc3bEsA",
    "oQ7x5KfJ0hG3aUeVoXiYtWkR6yBw",
    "oQ7x5KsT8pLq2ZcN4mVbX9rDjE1k",
    "oQ7x5KwE3rTyUiOpAsDfGhJkLzXc",
    "oQ7x5KvBnM1qWeRtYuIoPaSdFgHj",
    "oQ7x5KkLzX0cVbNmQwErTyUiOp2a",
    "oQ7x5KdFgH7jKlZxCvBnMqWeRt4y",
    "oQ7x5KuIoP6aSdFgHjKlZxCvBn8m",
    "oQ7x5KqWeR5tYuIoPaSdFgHjKl9z",
];

/// What they write, in turn.
const TEXTS: [&str; 36] = [
    "请问几点开门？",
    "你们店在哪里呀",
    "雾里青多少钱一两",
    "可以寄到新疆吗",
    "茶叶发什么快递",
    "谢谢",
    "有没有不含咖啡因的茶",
    "wifi密码是多少",
    "能开发票吗？",
    "营业时间",
    "我上周买的桂花乌龙受潮了，包装袋有个小口子，能不能换一包？急，周末要送人 🙏",
    "发什么快递",
    "会员日是哪天",
    "怎么走",
    "可以开发票吗",
    "寄新疆要几天",
    "孕妇能喝什么茶",
    "多谢老板",
    "礼盒怎么卖",
    "春节几点关门",
    "能不能退货",
    "可以退货吗，还没拆封",
    "发的是什么快递呀？",
    "开发票",
    "红茶和岩茶有什么区别？哪个更适合刚开始喝茶的人，家里老人睡眠不好，能喝吗",
    "地址发我一下",
    "有試飲嗎",
    "几点打烊",
    "能寄到新疆么",
    "桂花乌龙還有貨嗎",
    "无线网密码",
    "价格表",
    "ok",
    "👍",
    "可以货到付款吗",
    "预订明天下午两点四个人的位子",
];

/// A shop with two weeks behind it, where [`OPS`], [`ANNA`] and [`VERA`] may sign in.
pub async fn busy_shop() -> Shop {
    busy_shop_with("").await
}

/// The same, with more lines for the config's `[admin]`.
pub async fn busy_shop_with(admin: &str) -> Shop {
    let plan = Plan::rules(include_str!("shop.toml"))
        .set(
            "admin",
            &format!("{admin}{}", people::config(&[&OPS, &ANNA, &VERA])),
        )
        .set("outbox", "max_age = \"3h\"\non_uncertain = \"hold\"");
    let mut shop = Shop::closed(plan).await;
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    fs::create_dir(shop.world.path("rules/images")).expect("writable");
    for file in ["menu.toml", "orders.toml"] {
        let text = fs::read_to_string(examples.join(file)).expect("an example");
        // Their tests name rules of a file that is not taken along.
        let (rules, _) = text.split_once("[[test]]").expect("tests at its end");
        fs::write(shop.world.path("rules").join(file), rules).expect("writable");
    }
    for file in ["images/menu.png", "images/cover.png"] {
        fs::copy(examples.join(file), shop.world.path("rules").join(file)).expect("an example");
    }
    past(&shop.world).await;
    shop.start().await;
    today(&shop).await;
    shop
}

async fn past(world: &World) {
    let now = Timestamp::now();
    let clock = Arc::new(PutClock(AtomicI64::new(0)));
    clock.put(before(now, 14 * 24 * 60));
    let daemon = world.daemon_at(clock.clone()).await;
    let mut texts = TEXTS.iter().cycle();
    for day in (1..=13).rev() {
        // Weekends are busier.
        let messages = if day % 7 < 2 { 12 } else { 7 };
        for n in 0..messages {
            let time = before(now, day * 24 * 60 - n * 17);
            clock.put(time);
            let customer = CUSTOMERS[(day * 5 + n * n) as usize % CUSTOMERS.len()];
            let text = texts.next().expect("it never ends");
            let id = msg_id(time, &mut rand::rng());
            let body = PushBody::text(&world.account, &OpenId::from(customer), text, id, time);
            let answer = world.push_at(&body, time).await.expect("an answer");
            assert_eq!(answer.status, 200);
        }
        world.outbox_empty().await;
        if day == 6 {
            let (old, new) = ("9:00–21:00", "9:30–21:30");
            // The test still names the old hours: this version is never in force.
            world.write_rules(&include_str!("shop.toml").replacen(old, new, 1));
            assert!(daemon.reload().await.is_err());
            world.write_rules(&include_str!("shop.toml").replace(old, new));
            daemon.reload().await.expect("a good set");
        }
        if day == 4 {
            world.write_rules(include_str!("shop.toml"));
            daemon.reload().await.expect("a good set");
        }
    }
    daemon.stop().await;
}

fn before(now: Timestamp, minutes: i64) -> Timestamp {
    now.checked_sub(SignedDuration::from_mins(minutes))
        .expect("a sane time")
}

/// A picture, a card, a visit, replies that fail or hang, and a push that is none of WeChat's.
async fn today(shop: &Shop) {
    let (world, wechat) = (&shop.world, &shop.world.wechat);
    let [first, second, third, fourth, ..] = CUSTOMERS;
    world.say(first, "在吗，想问一下发什么快递").await;
    world.say(first, "请问几点开门").await;
    replies_settled(shop).await;

    wechat.set_fault(Fault::RateLimit, FaultSetting::times(1).with_value(45_015));
    world.say(second, "雾里青怎么卖").await;
    replies_settled(shop).await;
    wechat.set_fault(Fault::LostAnswer, FaultSetting::times(1));
    world.say(third, "营业时间").await;
    replies_settled(shop).await;
    world.say(third, "麻烦店长回电").await;
    world.say(fourth, "转人工").await;
    world.say(fourth, "我的快递三天没动了，单号 SF1234567890").await;

    let picture = include_bytes!("../../rules/images/menu.png");
    wechat
        .customer_sends_image(second, bytes::Bytes::from_static(picture))
        .expect("a picture");
    wechat.customer_sends_card(first, "雾里青 · 明前特级 50g 礼盒", "pages/product?id=42");
    wechat.customer_enters(third, "order-1024");
    until("all is pushed", || async {
        world.log().await.iter().any(|entry| entry.msg_type == "event")
    })
    .await;
    let refused = http().post(format!(
        "{}?signature=guessed&timestamp=1&nonce=2",
        world.callback
    ));
    refused.body("{}").send().await.expect("an answer");
    let _ = tokio::time::timeout(Duration::from_secs(5), replies_settled(shop)).await;
}

/// Waits until no reply is due.
async fn replies_settled(shop: &Shop) {
    until("replies are settled", || async {
        let log = shop.world.log().await;
        log.iter().all(|entry| {
            entry.status != "queued"
                || entry
                    .rule
                    .as_ref()
                    .is_some_and(|rule| rule.as_str() == "稍后回访")
        })
    })
    .await;
}
