//! A made-up log of a shop: short Chinese texts of varied vocabulary, many customers, about half of the messages
//! unanswered, through the real tables. The same in every run, but for its times: it ends a minute ago.

use std::path::Path;

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use wxreply::message::MessageId;

pub use crate::random::Random;

/// How far back the log goes.
pub const DAYS: i64 = 180;

pub const RULES: u64 = 200;

/// A customer with a hundredth of all messages.
pub const HEAVY: &str = "oGZUI0egBJY1zhBYw2Kh00000000";

const ROWS: usize = 50;

/// What customers really ask.
const PHRASES: [&str; 32] = [
    "请问几点开门",
    "多少钱",
    "怎么退款",
    "在吗",
    "你好",
    "营业时间",
    "有没有优惠",
    "订单到哪了",
    "可以打包吗",
    "怎么付款",
    "地址在哪里",
    "有停车位吗",
    "能不能换货",
    "什么时候发货",
    "快递单号",
    "要等多久",
    "会员怎么办",
    "积分怎么用",
    "可以开发票吗",
    "人工客服",
    "今天有货吗",
    "有小份的吗",
    "能便宜点吗",
    "送货上门吗",
    "怎么预约",
    "电话多少",
    "谢谢",
    "好的",
    "有无线网吗",
    "可以带宠物吗",
    "几号放假",
    "过期了怎么办",
];

/// A word of two characters, of a vocabulary of 20,000.
fn word(n: u64) -> [char; 2] {
    let mut random = Random(n.wrapping_mul(77_777));
    // 3,000 characters, some in many words.
    let mut character =
        || char::from_u32(0x4e00 + (random.low(3000) * 7 % 20_000) as u32).expect("a Chinese character");
    [character(), character()]
}

/// What a customer writes.
pub fn text(random: &mut Random) -> String {
    let mut text = String::new();
    if random.below(3) == 0 {
        text.push_str(PHRASES[random.low(32) as usize]);
    }
    for _ in 0..random.low(9) + u64::from(text.is_empty()) {
        text.extend(word(random.low(20_000)));
        if random.below(8) == 0 {
            text.push(['，', '的', '了', '吗', '？', ' '][random.below(6) as usize]);
        }
    }
    match random.below(20) {
        0 => text.push_str(&format!(" 订单{}", 2026_0000 + random.below(9999))),
        1 => text.push_str(&format!("{}号", random.below(100))),
        2 => text.push('？'),
        3 => text.push_str("wifi"),
        _ => {}
    }
    text
}

/// Rules for this log: some of its own phrases, and the names that its rows bear.
pub fn rules() -> String {
    let rule = |n: u64| {
        let words = PHRASES[n as usize % PHRASES.len()];
        format!(
            "[[rule]]\nname = \"规则 {n}\"\npriority = {}\nwhen.keywords = [\"{words}{}\"]\nreply = \"我们每天 9:00–21:00 营业。\"\n\n",
            -(n as i64),
            if n < 32 { String::new() } else { n.to_string() }
        )
    };
    (0..RULES).map(rule).collect()
}

/// Writes a log of `rows` rows, messages and replies.
pub async fn fill(database: &Path, rows: u64) {
    let url = format!("sqlite://{}", database.display());
    let mut conn = SqliteConnection::connect(&url).await.expect("it is there");
    sqlx::raw_sql("pragma synchronous = off; pragma cache_size = -200000; begin")
        .execute(&mut conn)
        .await
        .expect("begun");
    let end = Timestamp::now().as_millisecond() - 60_000;
    let users = (rows / 15).max(10);
    let mut latest: Vec<(Option<i64>, i64)> = vec![(None, 0); users as usize];
    let mut waiting = Vec::with_capacity(ROWS);
    let (mut n, mut messages) = (0, 0u64);
    while n < rows {
        let mut random = Random(n);
        let time = end - DAYS * 86_400_000 + (n as f64 / rows as f64 * (DAYS * 86_400_000) as f64) as i64;
        let user = if random.below(66) == 0 {
            0
        } else {
            random.below(users)
        };
        messages += 1;
        let message = message(&mut random, time, user, messages, latest[user as usize].0);
        let first = if latest[user as usize].0.is_none() {
            time
        } else {
            latest[user as usize].1
        };
        latest[user as usize] = (Some(message.id), first);
        n += 1;
        let reply = message.rule.is_some().then(|| reply(&mut random, &message));
        waiting.push(message);
        if let Some(reply) = reply {
            waiting.push(reply);
            n += 1;
        }
        if waiting.len() >= ROWS {
            write(&mut conn, &mut waiting).await;
        }
        if n % 200_000 < 2 {
            sqlx::raw_sql("commit; begin")
                .execute(&mut conn)
                .await
                .expect("committed");
        }
    }
    for row in std::mem::take(&mut waiting) {
        write(&mut conn, &mut vec![row]).await;
    }
    for (user, (latest, first)) in latest.iter().enumerate() {
        if let Some(latest) = latest {
            sqlx::query(
                "insert into contacts (app, openid, first_message, last_message, misses, ledger_left, latest) \
                 select app, openid, ?, time, 0, 0, id from messages where id = ?",
            )
            .bind(first)
            .bind(latest)
            .execute(&mut conn)
            .await
            .unwrap_or_else(|error| panic!("user {user}: {error}"));
        }
    }
    sqlx::raw_sql("commit")
        .execute(&mut conn)
        .await
        .expect("committed");
    conn.close().await.expect("closed");
}

struct Row {
    id: i64,
    app: &'static str,
    openid: String,
    direction: &'static str,
    time: i64,
    msg_type: &'static str,
    event: Option<&'static str>,
    content: Option<String>,
    fields: String,
    rule: Option<String>,
    status: &'static str,
    dedup_key: Option<String>,
    observed: Option<&'static str>,
    previous: Option<i64>,
    errcode: Option<i64>,
    error: Option<&'static str>,
}

fn message(random: &mut Random, time: i64, user: u64, n: u64, previous: Option<i64>) -> Row {
    let openid = format!("oGZUI0egBJY1zhBYw2Kh{user:08}");
    let is_event = random.below(12) == 0;
    let content = (!is_event).then(|| text(random));
    let seconds = time.div_euclid(1000);
    let fields = match &content {
        Some(text) => format!(
            r#"{{"ToUserName":"gh_0123456789ab","FromUserName":"{openid}","CreateTime":"{seconds}","MsgType":"text","Content":"{text}","MsgId":"{n}"}}"#
        ),
        None => format!(
            r#"{{"ToUserName":"gh_0123456789ab","FromUserName":"{openid}","CreateTime":"{seconds}","MsgType":"event","Event":"user_enter_tempsession","SessionFrom":"home"}}"#
        ),
    };
    let (status, rule) = match random.below(100) {
        0..48 => ("matched", Some(format!("规则 {}", random.low(RULES)))),
        48..50 => ("cooldown", None),
        50 => ("muted", None),
        _ => ("unmatched", None),
    };
    Row {
        id: MessageId::new(seconds, random.next()).as_i64(),
        // A user belongs to one app.
        app: if user % 10 == 9 { "branch" } else { "shop" },
        openid,
        direction: "in",
        time,
        msg_type: if is_event { "event" } else { "text" },
        event: is_event.then_some("user_enter_tempsession"),
        content,
        fields,
        rule,
        status,
        dedup_key: Some(n.to_string()),
        observed: (random.below(20) == 0).then_some(r#"["看一看"]"#),
        previous,
        errcode: None,
        error: None,
    }
}

fn reply(random: &mut Random, message: &Row) -> Row {
    let rule = message.rule.clone().unwrap_or_default();
    let text = format!("您好，{rule}：我们每天 9:00–21:00 营业，欢迎光临。");
    let (status, errcode, error) = match random.below(1000) {
        0..10 => ("failed", Some(45047), Some("errcode 45047: too many replies")),
        10..25 => (
            "dropped",
            None,
            Some("quota: WeChat takes no more replies to the user's last action"),
        ),
        25 => ("uncertain", None, Some("no answer came in time")),
        _ => ("sent", None, None),
    };
    Row {
        id: message.id + 1,
        openid: message.openid.clone(),
        direction: "out",
        time: message.time + 3,
        msg_type: "text",
        event: None,
        fields: format!(r#"{{"text":"{text}"}}"#),
        content: Some(text),
        rule: Some(rule),
        status,
        dedup_key: None,
        observed: None,
        previous: None,
        errcode,
        error,
        ..*message
    }
}

async fn write(conn: &mut SqliteConnection, rows: &mut Vec<Row>) {
    const HEAD: &str = "insert or ignore into messages (id, app, openid, direction, time, msg_type, event, content, fields, rule, \
                        rule_set, status, dedup_key, observed, previous, errcode, error, due, queued_at, turn, settled) values ";
    let values =
        vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '0123456789abcdef', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"; rows.len()];
    let mut query = sqlx::query(AssertSqlSafe(format!("{HEAD}{}", values.join(", "))));
    for row in rows.drain(..) {
        let due = (row.direction == "out").then_some(row.time);
        query = query
            .bind(row.id)
            .bind(row.app)
            .bind(row.openid)
            .bind(row.direction)
            .bind(row.time)
            .bind(row.msg_type)
            .bind(row.event)
            .bind(row.content)
            .bind(row.fields)
            .bind(row.rule)
            .bind(row.status)
            .bind(row.dedup_key)
            .bind(row.observed)
            .bind(row.previous)
            .bind(row.errcode)
            .bind(row.error)
            .bind(due)
            .bind(due.map(|due| due * 1000))
            .bind(due.map(|due| due * 1000))
            .bind(due);
    }
    query.execute(conn).await.expect("written");
}
