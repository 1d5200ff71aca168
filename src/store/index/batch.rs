//! One batch: settled rows of the log are read, and written into the index in one transaction with the watermark.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::forget::delete_text;
use super::seek::{self, table};
use super::tokens::{self, Marks};
use super::{Fault, HOUR, PART, Place};
use crate::message::{Direction, RuleName};
use crate::store::StoreError;
use crate::store::row::{At, Cells, to_json};
use crate::text::normal_form;

/// Adds what rules did to a table that begins with a time, made from the hour.
macro_rules! sum_rules {
    ($table:literal, $time:literal) => {
        concat!(
            "insert into ",
            $table,
            ", app, rule, hits, silent, observed, last) select ",
            $time,
            ", value ->> '$[0][1]', value ->> '$[0][2]', value ->> '$[1]', value ->> '$[2]', value ->> '$[3]', \
             value ->> '$[4]' from json_each($1) where true \
             on conflict do update set hits = hits + excluded.hits, silent = silent + excluded.silent, \
             observed = observed + excluded.observed, last = max(last, excluded.last)"
        )
    };
}

/// Whether a row's rule was counted with the message that the row answers, or with a reply to it before: a message
/// is one hit of a rule, however many replies it caused. The table goes by the name of `m`.
macro_rules! counted_before {
    () => {
        "(m.direction = 'out' and exists (select 1 from messages p where p.id >= (m.id & -16) and p.id < m.id \
         and p.rule = m.rule and p.status <> 'cooldown'))"
    };
}
pub(in crate::store) use counted_before;

/// The rows behind a place, up to a time, in the order of the log.
const READ: &str = concat!(
    "select m.id, m.time, m.app, m.direction, m.msg_type, m.content, m.rule, m.status, m.observed, ",
    counted_before!(),
    " from messages m where (m.time, m.id) > ($1, $2) and m.time <= $3 order by m.time, m.id limit +$4"
);

/// Takes in at most `limit` rows, none younger than `until` (milliseconds); gives how many.
pub(super) async fn take(
    log: &mut SqliteConnection,
    index: &mut SqliteConnection,
    until: i64,
    limit: usize,
) -> Result<usize, Fault> {
    // Looked at first without a lock: most often there is nothing.
    let behind = seek::mark(index).await?;
    if read(log, behind, until, 1).await?.is_empty() {
        return Ok(0);
    }
    // Rows are read while the index is locked: what is forgotten meanwhile waits, and then finds them in it.
    sqlx::query("begin immediate").execute(&mut *index).await?;
    let taken = take_locked(log, index, until, limit).await;
    let end = if taken.is_ok() { "commit" } else { "rollback" };
    let ended = sqlx::query(end).execute(index).await;
    let taken = taken?;
    ended?;
    Ok(taken)
}

async fn take_locked(
    log: &mut SqliteConnection,
    index: &mut SqliteConnection,
    until: i64,
    limit: usize,
) -> Result<usize, Fault> {
    let behind = seek::mark(index).await?;
    let rows = read(log, behind, until, limit).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let first: i64 = sqlx::query_scalar("select seq + 1 from progress")
        .fetch_one(&mut *index)
        .await?;
    let batch = Batch::of(&rows, first)?;
    batch.write(index).await?;
    Ok(rows.len())
}

async fn read(
    log: &mut SqliteConnection,
    behind: Place,
    until: i64,
    limit: usize,
) -> Result<Vec<SqliteRow>, Fault> {
    sqlx::query(READ)
        .bind(behind.0)
        .bind(behind.1)
        .bind(until)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(log)
        .await
        .map_err(Fault::log)
}

/// What a row of the log tells the index.
#[derive(Debug)]
pub(in crate::store) struct Row<'r> {
    pub(in crate::store) id: i64,
    pub(in crate::store) time: i64,
    pub(in crate::store) app: &'r str,
    pub(in crate::store) direction: Direction,
    pub(in crate::store) msg_type: &'r str,
    pub(in crate::store) content: Option<&'r str>,
    pub(in crate::store) rule: Option<&'r str>,
    pub(in crate::store) status: &'r str,
    pub(in crate::store) observed: Option<&'r str>,
    pub(in crate::store) counted_before: bool,
}

impl<'r> Row<'r> {
    pub(in crate::store) fn read(row: &'r SqliteRow) -> Result<Self, StoreError> {
        let mut cells = Cells::of(row);
        let id: i64 = cells.next()?;
        let at = At {
            table: "messages",
            row: &id,
        };
        Ok(Self {
            id,
            time: cells.next()?,
            app: cells.next()?,
            direction: at.word("direction", cells.next()?)?,
            msg_type: cells.next()?,
            content: cells.next()?,
            rule: cells.next()?,
            status: cells.next()?,
            observed: cells.next()?,
            counted_before: cells.next()?,
        })
    }

    /// No webhook has answered: what will be sent, if anything, is not known.
    fn is_question(&self) -> bool {
        self.direction == Direction::Out && self.msg_type == "webhook"
    }

    pub(in crate::store) fn tokens(&self, out: &mut String) {
        let marks = Marks {
            app: self.app,
            direction: self.direction,
            msg_type: self.msg_type,
            rule: self.rule,
            status: (self.direction == Direction::In).then_some(self.status),
        };
        let normal = self.content.map(normal_form).unwrap_or_default();
        tokens::of_row(&marks, &normal, out);
    }
}

#[derive(Default)]
pub(in crate::store) struct RuleCount {
    pub(in crate::store) hits: u64,
    pub(in crate::store) silent: u64,
    pub(in crate::store) observed: u64,
    pub(in crate::store) last: i64,
}

/// The counts of some rows.
#[derive(Default)]
pub(in crate::store) struct Counts {
    /// (hour, app, kind, status)
    pub(in crate::store) hours: BTreeMap<(i64, String, &'static str, String), u64>,
    /// (hour, app, rule)
    pub(in crate::store) rules: BTreeMap<(i64, String, RuleName), RuleCount>,
}

impl Counts {
    pub(in crate::store) fn add(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let hour = row.time.div_euclid(HOUR);
        let (kind, status) = match row.direction {
            Direction::Out => ("reply", ""),
            Direction::In if row.msg_type == "event" => ("event", row.status),
            Direction::In => ("message", row.status),
        };
        *self
            .hours
            .entry((hour, row.app.to_owned(), kind, status.to_owned()))
            .or_default() += 1;
        let mut count = |rule: RuleName, which: fn(&mut RuleCount) -> &mut u64, by: u64| {
            let count = self.rules.entry((hour, row.app.to_owned(), rule)).or_default();
            *which(count) += by;
            count.last = count.last.max(row.time);
        };
        if let Some(rule) = row.rule {
            if row.status == "cooldown" {
                count(rule.into(), |count| &mut count.silent, 1);
            } else {
                count(
                    rule.into(),
                    |count| &mut count.hits,
                    u64::from(!row.counted_before),
                );
            }
        }
        if let Some(observed) = row.observed {
            let at = At {
                table: "messages",
                row: &row.id,
            };
            for rule in at.json::<Vec<RuleName>>("observed", observed)? {
                count(rule, |count| &mut count.observed, 1);
            }
        }
        Ok(())
    }
}

impl Counts {
    fn hours_list(&self) -> Result<String, StoreError> {
        to_json(&self.hours.iter().collect::<Vec<_>>())
    }

    fn rules_list(&self) -> Result<String, StoreError> {
        let rows = self.rules.iter();
        let rows = rows.map(|(key, count)| (key, count.hits, count.silent, count.observed, count.last));
        to_json(&rows.collect::<Vec<_>>())
    }
}

/// What is to be written.
struct Batch {
    first: i64,
    last: Place,
    docs: Vec<(i64, i64)>,
    /// The tokens of rows that follow one another, by the table that they belong to.
    texts: Vec<(i64, i64, Vec<String>)>,
    questions: Vec<(i64, i64, String)>,
    counts: Counts,
}

impl Batch {
    fn of(rows: &[SqliteRow], first: i64) -> Result<Self, StoreError> {
        let mut batch = Self {
            first,
            last: (i64::MIN, i64::MIN),
            docs: Vec::with_capacity(rows.len()),
            texts: Vec::new(),
            questions: Vec::new(),
            counts: Counts::default(),
        };
        for (seq, row) in (first..).zip(rows) {
            let row = Row::read(row)?;
            batch.counts.add(&row)?;
            batch.docs.push((row.id, row.time));
            batch.last = (row.time, row.id);
            let part = row.time.div_euclid(PART);
            if batch.texts.last().is_none_or(|(last, ..)| *last != part) {
                batch.texts.push((part, seq, Vec::new()));
            }
            let mut tokens = String::new();
            row.tokens(&mut tokens);
            if row.is_question() {
                batch.questions.push((seq, row.id, tokens.clone()));
            }
            if let Some((.., texts)) = batch.texts.last_mut() {
                texts.push(tokens);
            }
        }
        Ok(batch)
    }

    async fn write(&self, index: &mut SqliteConnection) -> Result<(), StoreError> {
        sqlx::query(
            "insert into docs (seq, id, time) select $1 + key, value ->> 0, value ->> 1 from json_each($2)",
        )
        .bind(self.first)
        .bind(to_json(&self.docs)?)
        .execute(&mut *index)
        .await?;
        for (part, first, texts) in &self.texts {
            make_part(index, *part, *first).await?;
            insert_texts(index, *part, *first, texts).await?;
        }
        if !self.questions.is_empty() {
            let text =
                "insert into questions select value ->> 0, value ->> 1, value ->> 2 from json_each($1)";
            run(index, text, to_json(&self.questions)?).await?;
        }
        self.write_counts(index).await?;
        sqlx::query("update progress set seq = $1, time = $2, id = $3")
            .bind(self.first + i64::try_from(self.docs.len()).unwrap_or_default() - 1)
            .bind(self.last.0)
            .bind(self.last.1)
            .execute(index)
            .await?;
        Ok(())
    }

    async fn write_counts(&self, index: &mut SqliteConnection) -> Result<(), StoreError> {
        let text = "insert into hours (hour, app, kind, status, count) select value ->> '$[0][0]', value ->> '$[0][1]', \
                    value ->> '$[0][2]', value ->> '$[0][3]', value ->> '$[1]' from json_each($1) where true \
                    on conflict do update set count = count + excluded.count";
        run(index, text, self.counts.hours_list()?).await?;
        if self.counts.rules.is_empty() {
            return Ok(());
        }
        let rules = self.counts.rules_list()?;
        for text in [
            sum_rules!("rule_hours (hour", "value ->> '$[0][0]'"),
            sum_rules!("rule_days (day", "(value ->> '$[0][0]') / 24"),
        ] {
            run(index, text, rules.clone()).await?;
        }
        Ok(())
    }
}

/// Runs a statement over a list, which is one value: the driver would take longer over its rows than the database does.
async fn run(index: &mut SqliteConnection, text: &'static str, list: String) -> Result<(), StoreError> {
    sqlx::query(text).bind(list).execute(index).await?;
    Ok(())
}

/// Makes the full-text table of a part, if it is not there.
async fn make_part(index: &mut SqliteConnection, part: i64, first: i64) -> Result<(), StoreError> {
    let made = sqlx::query("insert into parts (part, first) values ($1, $2) on conflict do nothing")
        .bind(part)
        .bind(first)
        .execute(&mut *index)
        .await?;
    if made.rows_affected() == 0 {
        return Ok(());
    }
    let table = table(part);
    let mut text = String::new();
    // It keeps no text and no places in texts. What is taken out of it is gone from the file at once. The default of 1 MiB
    // of tokens before they are written cuts a batch into many small pieces.
    let _ = write!(
        text,
        "create virtual table {table} using fts5 (text, content = '', columnsize = 0, detail = none, tokenize = 'ascii'); \
         insert into {table} ({table}, rank) values ('secure-delete', 1); \
         insert into {table} ({table}, rank) values ('hashsize', 16777216)"
    );
    // Safe: made of literals and a number.
    sqlx::raw_sql(AssertSqlSafe(text)).execute(index).await?;
    Ok(())
}

async fn insert_texts(
    index: &mut SqliteConnection,
    part: i64,
    first: i64,
    texts: &[String],
) -> Result<(), StoreError> {
    let table = table(part);
    let text = format!(
        "insert into {table} (rowid, text) select $1 + key, value from json_each($2) where value <> ''"
    );
    // Safe: made of literals and a number.
    sqlx::query(AssertSqlSafe(text))
        .bind(first)
        .bind(to_json(&texts)?)
        .execute(index)
        .await?;
    Ok(())
}

/// Takes in what came of questions that have been answered: looks at `limit` of them behind the row `after`. Gives the
/// last that it looked at, or none when there are no more.
pub(super) async fn answer(
    log: &mut SqliteConnection,
    index: &mut SqliteConnection,
    after: i64,
    limit: usize,
) -> Result<Option<i64>, Fault> {
    let questions: Vec<(i64, i64)> =
        sqlx::query_as("select seq, id from questions where seq > $1 order by seq limit +$2")
            .bind(after)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *index)
            .await?;
    let last = questions.last().filter(|_| questions.len() == limit);
    let last = last.map(|(seq, _)| *seq);
    // Looked at first without a lock: most often nothing has come.
    let open = open_questions(log, &questions).await?;
    if open.len() < questions.len() {
        sqlx::query("begin immediate").execute(&mut *index).await?;
        let answered = answer_locked(log, index, &questions).await;
        let end = if answered.is_ok() { "commit" } else { "rollback" };
        let ended = sqlx::query(end).execute(index).await;
        answered?;
        ended?;
    }
    Ok(last)
}

/// Those of the questions that nobody has answered, whatever became of them: a person may have them asked again.
async fn open_questions(
    log: &mut SqliteConnection,
    questions: &[(i64, i64)],
) -> Result<BTreeSet<i64>, Fault> {
    if questions.is_empty() {
        return Ok(BTreeSet::new());
    }
    let ids: Vec<i64> = questions.iter().map(|(_, id)| *id).collect();
    let open: Vec<i64> = sqlx::query_scalar(
        "select m.id from json_each($1) q cross join messages m on m.id = q.value where m.msg_type = 'webhook'",
    )
    .bind(to_json(&ids)?)
    .fetch_all(log)
    .await
    .map_err(Fault::log)?;
    Ok(open.into_iter().collect())
}

async fn answer_locked(
    log: &mut SqliteConnection,
    index: &mut SqliteConnection,
    questions: &[(i64, i64)],
) -> Result<(), Fault> {
    let seqs: Vec<i64> = questions.iter().map(|(seq, _)| *seq).collect();
    let still: BTreeMap<i64, (i64, String)> = {
        // Some may have been forgotten meanwhile.
        let rows: Vec<(i64, i64, String)> = sqlx::query_as(
            "select id, seq, tokens from questions where seq in (select value from json_each($1))",
        )
        .bind(to_json(&seqs)?)
        .fetch_all(&mut *index)
        .await?;
        rows.into_iter()
            .map(|(id, seq, tokens)| (id, (seq, tokens)))
            .collect()
    };
    let ids: Vec<i64> = still.keys().copied().collect();
    let rows = sqlx::query(
        "select m.id, m.time, m.app, m.direction, m.msg_type, m.content, m.rule, m.status, m.observed, 0 \
         from json_each($1) q cross join messages m on m.id = q.value",
    )
    .bind(to_json(&ids)?)
    .fetch_all(log)
    .await
    .map_err(Fault::log)?;
    let mut open = BTreeSet::new();
    for row in &rows {
        let row = Row::read(row)?;
        let Some((seq, before)) = still.get(&row.id) else {
            continue;
        };
        if row.is_question() {
            open.insert(*seq);
            continue;
        }
        let part = row.time.div_euclid(PART);
        let mut tokens = String::new();
        row.tokens(&mut tokens);
        delete_text(index, part, *seq, before).await?;
        insert_texts(index, part, *seq, &[tokens]).await?;
    }
    let done = still.values().map(|(seq, _)| *seq);
    let done: Vec<i64> = done.filter(|seq| !open.contains(seq)).collect();
    let text = "delete from questions where seq in (select value from json_each($1))";
    run(index, text, to_json(&done)?).await?;
    Ok(())
}
