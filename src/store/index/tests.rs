//! The indexer, as a daemon has it: over restarts, faults and clocks, and what it must not keep.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::PART;
use crate::message::{Entry, Inbound, MessageId};
use crate::store::testing::{Bench, answering, at, inbound, shop};
use crate::store::{Filter, Order};

/// The numbers of the messages that have a text, found by pages.
async fn found(bench: &Bench, text: &str) -> usize {
    let filter = Filter {
        search: Some(text.into()),
        ..Filter::default()
    };
    let (mut entries, mut cursor) = (0, None);
    loop {
        let page = bench.store.search(&filter, cursor.as_ref(), 1000).await;
        let page = page.expect("read");
        entries += page.entries.len();
        // On a busy machine a page ends early.
        let Some(next) = page.next else { return entries };
        cursor = Some(next);
    }
}

async fn raw(bench: &Bench) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(bench.dir.path().join("t.index.db"));
    SqliteConnection::connect_with(&options).await.expect("connects")
}

async fn number(bench: &Bench, query: &'static str) -> i64 {
    let mut raw = raw(bench).await;
    let number = sqlx::query_scalar(query).fetch_one(&mut raw).await.expect("read");
    raw.close().await.expect("closed");
    number
}

async fn say(bench: &Bench, n: u64, seconds: i64, text: &str) -> MessageId {
    bench.turn_to(seconds);
    let message = Inbound {
        id: MessageId::new(at(seconds).as_second(), n),
        received: at(seconds),
        content: Some(text.to_owned()),
        ..inbound(n, "oAlice")
    };
    bench
        .record(message, answering(&["好的"]))
        .await
        .expect("recorded")
        .id
}

#[tokio::test]
async fn it_goes_on_after_a_restart() {
    let bench = Bench::new().await;
    say(&bench, 1, 1, "几点开门").await;
    bench.index_at(20).await;
    let bench = bench.reopen().await;
    say(&bench, 2, 30, "几点关门").await;
    bench.index_at(50).await;
    assert_eq!(
        number(&bench, "select max(seq) from docs").await,
        4,
        "nothing came twice"
    );
    assert_eq!((found(&bench, "几点").await, found(&bench, "好的").await), (2, 2));
}

#[tokio::test]
async fn only_rows_that_are_old_enough_are_taken_in() {
    let bench = Bench::new().await;
    say(&bench, 1, 1, "几点开门").await;
    say(&bench, 2, 15, "几点关门").await;
    bench.index_at(20).await;
    let status = bench.store.index_status().await.expect("read");
    assert_eq!((status.watermark, status.behind), (Some(at(1)), 2));
    assert_eq!(found(&bench, "几点").await, 2);
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_it_begin_anew() {
    let bench = Bench::new().await;
    say(&bench, 1, 100, "几点开门").await;
    bench.metrics.push_answered(std::time::Duration::from_millis(3));
    bench.index_at(200).await;
    say(&bench, 2, 50, "几点关门").await;
    bench.index_at(70).await;
    assert_eq!(
        bench.store.index_status().await.expect("read").watermark,
        Some(at(50))
    );
    assert_eq!(found(&bench, "几点").await, 2);
    bench.index_at(300).await;
    assert_eq!(number(&bench, "select count(*) from docs").await, 4);
    let latency = bench.store.latency(at(-3600), at(3600)).await.expect("read");
    assert_eq!(
        latency.iter().map(|hour| hour.count).sum::<u64>(),
        1,
        "not in the log, so kept"
    );
}

#[tokio::test]
async fn a_deleted_or_broken_file_is_made_again() {
    let bench = Bench::new().await;
    say(&bench, 1, 1, "几点开门").await;
    bench.index_at(20).await;
    let mut conn = raw(&bench).await;
    sqlx::query("drop table docs")
        .execute(&mut conn)
        .await
        .expect("broken");
    conn.close().await.expect("closed");
    say(&bench, 2, 30, "几点关门").await;
    bench.index_at(50).await;
    assert_eq!(number(&bench, "select count(*) from docs").await, 4, "broken");

    let file = bench.dir.path().join("t.index.db");
    std::fs::remove_file(&file).expect("deleted");
    while !file.exists() {
        bench.store.index().look_now();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    bench.index_at(60).await;
    assert_eq!(
        number(&bench, "select count(*) from docs").await,
        4,
        "deleted while it ran"
    );

    bench.store.close().await;
    std::fs::write(&file, "no database").expect("written");
    let bench = bench.reopen().await;
    bench.index_at(70).await;
    assert_eq!(found(&bench, "几点").await, 2);
}

#[tokio::test]
async fn what_the_log_has_lost_leaves_it() {
    let bench = Bench::new().await;
    let months = PART / 1000;
    say(&bench, 1, 0, "几点开门").await;
    say(&bench, 2, months + 10, "几点关门").await;
    say(&bench, 3, months + 9_000, "几点休息").await;
    bench.index_at(months + 10_000).await;
    assert_eq!(number(&bench, "select count(*) from parts").await, 2);
    sqlx::query("delete from messages where time < $1")
        .bind(at(months + 100).as_millisecond())
        .execute(&mut bench.raw().await)
        .await
        .expect("deleted");
    assert_eq!(found(&bench, "几点").await, 1, "at once");
    // It looks for such rows when it begins, and every ten minutes.
    let bench = bench.reopen().await;
    say(&bench, 4, months + 10_001, "几点").await;
    bench.index_at(months + 10_100).await;
    bench.index_at(months + 10_101).await;
    assert_eq!(number(&bench, "select count(*) from parts").await, 1);
    assert_eq!(number(&bench, "select count(*) from docs").await, 4);
    let hours = bench
        .store
        .hours(at(0), at(months + 10_200), None)
        .await
        .expect("read");
    assert_eq!(hours.iter().map(|hour| hour.messages.total()).sum::<u64>(), 2);
    assert_eq!(found(&bench, "几点").await, 2);
}

#[tokio::test]
async fn nothing_of_a_forgotten_text_stays() {
    let bench = Bench::new().await;
    shop(&bench, 0..40, 1).await;
    bench.index_at(500).await;
    let all = bench
        .store
        .entries(&Filter::default(), Order::OldestFirst)
        .await
        .expect("read");
    let (gone, kept): (Vec<Entry>, Vec<Entry>) =
        all.into_iter().partition(|entry| entry.openid.as_str() != "o3");
    sqlx::query("delete from messages where openid <> 'o3'")
        .execute(&mut bench.raw().await)
        .await
        .expect("deleted");
    let mut index = bench
        .store
        .index()
        .forgetting()
        .await
        .expect("opens")
        .expect("is there");
    index.lock().await.expect("locked");
    assert!(index.take_out(&gone).await.expect("taken out"));
    index.lock().await.expect("locked");
    assert!(!index.take_out(&gone).await.expect("looked"), "once");
    index.close().await.expect("closed");
    assert_eq!(
        number(&bench, "select count(*) from docs").await,
        kept.len() as i64
    );

    let terms = async |bench: &Bench| -> Vec<String> {
        let mut raw = raw(bench).await;
        let part: i64 = sqlx::query_scalar("select part from parts")
            .fetch_one(&mut raw)
            .await
            .expect("read");
        let table = format!("create virtual table temp.terms using fts5vocab (main, grams_{part}, 'row')");
        sqlx::query(sqlx::AssertSqlSafe(table))
            .execute(&mut raw)
            .await
            .expect("made");
        sqlx::query_scalar("select term from temp.terms")
            .fetch_all(&mut raw)
            .await
            .expect("read")
    };
    let mut expected: Vec<String> = Vec::new();
    for entry in &kept {
        let mut tokens = String::new();
        let text = entry.content.as_deref().map(crate::text::normal_form);
        super::tokens::of_text(&text.unwrap_or_default(), &mut tokens);
        expected.extend(
            tokens
                .split(' ')
                .filter(|token| !token.is_empty())
                .map(str::to_owned),
        );
    }
    expected.sort();
    expected.dedup();
    let mut left: Vec<String> = terms(&bench).await;
    left.retain(|term| !term.starts_with('§'));
    left.sort();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn a_webhooks_answer_is_found_once_it_has_come() {
    let bench = Bench::new().await;
    let id = say(&bench, 1, 1, "几点开门").await.reply(1);
    let set = async |text| change(&bench, id, text).await;
    set("update messages set msg_type = 'webhook', content = '问一问' where id = $1").await;
    bench.index_at(20).await;
    assert_eq!(number(&bench, "select count(*) from questions").await, 1);
    set("update messages set msg_type = 'text', content = '九点开门' where id = $1").await;
    all_answered(&bench).await;
    assert_eq!((found(&bench, "九点").await, found(&bench, "问一").await), (1, 0));
}

async fn change(bench: &Bench, id: MessageId, text: &'static str) {
    sqlx::query(text)
        .bind(id.as_i64())
        .execute(&mut bench.raw().await)
        .await
        .expect("written");
}

/// Waits until no question is open, or long enough.
async fn all_answered(bench: &Bench) {
    for _ in 0..500 {
        bench.store.index().look_now();
        if number(bench, "select count(*) from questions").await == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// It may be asked again at any time, and whoever looks for a rule's failures finds it before.
#[tokio::test]
async fn a_question_that_failed_is_found_by_what_it_becomes_later() {
    let bench = Bench::new().await;
    let id = say(&bench, 1, 1, "几点开门").await.reply(1);
    let set = async |text| change(&bench, id, text).await;
    set("update messages set msg_type = 'webhook', content = '问一问', status = 'failed' where id = $1")
        .await;
    bench.index_at(20).await;
    assert_eq!(found(&bench, "问一").await, 1);
    say(&bench, 2, 30, "几点关门").await;
    bench.index_at(50).await;
    assert_eq!(
        number(&bench, "select count(*) from questions").await,
        1,
        "still open"
    );
    set("update messages set msg_type = 'text', content = '九点开门', status = 'sent' where id = $1").await;
    all_answered(&bench).await;
    assert_eq!((found(&bench, "九点").await, found(&bench, "问一").await), (1, 0));
}

#[tokio::test]
async fn questions_take_turns() {
    let bench = Bench::new().await;
    for n in 1..=4 {
        say(&bench, n, n as i64, "几点").await;
    }
    sqlx::query("update messages set msg_type = 'webhook' where direction = 'out'")
        .execute(&mut bench.raw().await)
        .await
        .expect("written");
    bench.index_at(30).await;
    let log = SqliteConnectOptions::new().filename(bench.dir.path().join("t.db"));
    let mut log = SqliteConnection::connect_with(&log).await.expect("connects");
    let mut index = raw(&bench).await;
    let mut looked = Vec::new();
    let mut after = 0;
    for _ in 0..3 {
        let last = super::batch::answer(&mut log, &mut index, after, 2)
            .await
            .expect("works");
        looked.push(last);
        after = last.unwrap_or_default();
    }
    assert_eq!(looked, [Some(4), Some(8), None]);
}
