//! Texts that no rule answered, or only one that answers anything; those that ask the same together.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::on_a_thread;
use super::rules::{Window, back};
use crate::console::Console;
use crate::console::problem::Problem;
use crate::editing::{Drafted, UnansweredGroup, group_unanswered};
use crate::message::{AppName, Direction, Entry, OpenId, RuleName, RuleSetVersion};
use crate::store::{Cursor, Filter, StoreError, UnansweredText};

/// At most so many messages are looked at, the newest: what is read and grouped while somebody waits for a page.
const MESSAGES: usize = 2_000;

/// Messages that other rules answered, whose words a draft keeps clear of.
const ANSWERED: usize = 2_000;

/// Messages that are read at once.
const PAGE: usize = 1_000;

/// At most so many rules for any text are asked about, and pages of each.
const RULES: usize = 5;
const PAGES: usize = 3;

/// Groups that are told, and texts of each.
const GROUPS: usize = 100;
const TEXTS: usize = 50;

/// What went unanswered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UnansweredTexts)]
pub(in crate::console) struct Unanswered {
    /// From when on messages were looked at.
    pub since: Timestamp,
    /// Whether these are all of the window; else there were too many, and the newest were taken.
    pub complete: bool,
    /// How many messages.
    pub messages: u64,
    /// Those that ask the same together: what was asked most often comes first.
    pub groups: Vec<Group>,
    /// Groups that are not told.
    pub others: usize,
}

/// Texts that ask the same.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = UnansweredGroup)]
pub(in crate::console) struct Group {
    /// How often they were written together.
    pub count: u64,
    /// When one of them was written last.
    pub last: Timestamp,
    /// The texts: the one that stands for all first.
    pub texts: Vec<Asked>,
    /// Texts that are not told.
    pub others: usize,
}

/// A text.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = UnansweredText)]
pub(in crate::console) struct Asked {
    /// The text.
    pub text: String,
    /// How often it was written.
    pub count: u64,
    /// How many customers wrote it.
    pub users: u64,
    /// The last message that said so.
    pub id: String,
}

/// What went unanswered.
pub(in crate::console) async fn unanswered(
    console: &Console,
    window: &Window,
) -> Result<Unanswered, Problem> {
    let (days, _) = window.since(console.clock.now())?;
    let app = window.app(console)?;
    let grouped = grouped(console, app.as_ref(), days).await?;
    let groups = grouped.groups.iter().take(GROUPS);
    Ok(Unanswered {
        since: grouped.back_to,
        complete: grouped.complete,
        messages: grouped.messages,
        others: grouped.groups.len().saturating_sub(GROUPS),
        groups: groups
            .map(|group| Group {
                count: group.count,
                last: group.last,
                others: group.texts.len().saturating_sub(TEXTS),
                texts: group
                    .texts
                    .iter()
                    .take(TEXTS)
                    .map(|text| Asked {
                        text: text.text.clone(),
                        count: text.count,
                        users: text.users,
                        id: text.last.1.to_string(),
                    })
                    .collect(),
            })
            .collect(),
    })
}

/// What went unanswered, those texts together that ask the same.
pub(in crate::console) struct Grouped {
    /// What was asked most often comes first.
    pub groups: Vec<UnansweredGroup>,
    /// How many messages were looked at.
    pub messages: u64,
    /// From when on.
    pub back_to: Timestamp,
    /// Whether these are all of the days.
    pub complete: bool,
}

/// What was grouped last: a page and what it shows again a moment later wait for it once.
#[derive(Default)]
pub struct LastGrouped(tokio::sync::Mutex<Vec<(Key, Instant, Arc<Grouped>)>>);

/// All that decides what is found, but the time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    app: Option<AppName>,
    days: u16,
    /// How often the log had changed.
    news: u64,
    rules: RuleSetVersion,
}

/// The beginning of the window moves on meanwhile.
const KEPT: Duration = Duration::from_secs(10);

/// So many apps and windows are looked at at once.
const MOST_KEPT: usize = 8;

/// What went unanswered in so many days.
pub(in crate::console) async fn grouped(
    console: &Console,
    app: Option<&AppName>,
    days: u16,
) -> Result<Arc<Grouped>, Problem> {
    // Held meanwhile: who asks for the same is given the same, and who asks for something else has a core left for it.
    let mut kept = console.last_grouped.0.lock().await;
    let key = Key {
        app: app.cloned(),
        days,
        news: *console.store.news().borrow(),
        rules: console.rules.live().borrow().version().clone(),
    };
    kept.retain(|(_, at, _)| at.elapsed() < KEPT);
    if let Some((.., grouped)) = kept.iter().find(|(known, ..)| *known == key) {
        return Ok(Arc::clone(grouped));
    }
    let since = back(console.clock.now(), days);
    let Texts {
        texts,
        messages,
        back_to,
        complete,
    } = texts(console, app, since).await?;
    let grouped = Arc::new(Grouped {
        groups: on_a_thread(move || group_unanswered(texts)).await?,
        messages,
        back_to,
        complete,
    });
    kept.retain(|(known, ..)| (&known.app, known.days) != (&key.app, key.days));
    kept.truncate(MOST_KEPT - 1);
    kept.insert(0, (key, Instant::now(), Arc::clone(&grouped)));
    Ok(grouped)
}

struct Texts {
    texts: Vec<UnansweredText>,
    messages: u64,
    back_to: Timestamp,
    complete: bool,
}

/// Texts that no rule decided about, and those that only a rule for any text answered.
async fn texts(console: &Console, app: Option<&AppName>, since: Timestamp) -> Result<Texts, Problem> {
    let live = Arc::clone(&console.rules.live().borrow());
    let rules = live.catch_alls().into_iter().take(RULES);
    let answered = try_join_all(rules.map(|rule| taken(console, app, since, rule)));
    let unmatched = console.store.unanswered(app, since, MESSAGES);
    let (unmatched, answered) = tokio::try_join!(unmatched, answered)?;
    let (mut back_to, mut complete) = (unmatched.since, unmatched.since <= since);
    let mut counted = Counted::of(unmatched.texts, unmatched.messages);
    for Taken { entries, cut_off_at } in answered {
        if counted.messages >= MESSAGES {
            complete = false;
            break;
        }
        entries.into_iter().for_each(|entry| counted.add(entry));
        if let Some(at) = cut_off_at {
            back_to = back_to.max(at);
            complete = false;
        }
    }
    Ok(Texts {
        messages: counted.messages as u64,
        texts: counted.texts(),
        back_to,
        complete,
    })
}

/// The newest messages that a rule took.
struct Taken {
    entries: Vec<Entry>,
    /// How far back they reach; none when they are all.
    cut_off_at: Option<Timestamp>,
}

async fn taken(
    console: &Console,
    app: Option<&AppName>,
    since: Timestamp,
    rule: RuleName,
) -> Result<Taken, StoreError> {
    let filter = Filter {
        app: app.cloned(),
        direction: Some(Direction::In),
        rule: Some(rule),
        since: Some(since),
        ..Filter::default()
    };
    let (mut entries, mut cursor, mut pages) = (Vec::new(), None::<Cursor>, 0);
    loop {
        let found = console.store.search(&filter, cursor.as_ref(), PAGE).await?;
        entries.extend(found.entries);
        cursor = found.next;
        pages += 1;
        if cursor.is_none() || entries.len() >= MESSAGES || pages == PAGES {
            let cut_off_at = cursor.map(|_| found.back_to);
            return Ok(Taken { entries, cut_off_at });
        }
    }
}

/// Texts while they are counted.
#[derive(Default)]
struct Counted {
    messages: usize,
    known: HashMap<String, (UnansweredText, BTreeSet<OpenId>)>,
}

impl Counted {
    fn of(texts: Vec<UnansweredText>, messages: usize) -> Self {
        let known = texts
            .into_iter()
            .map(|text| (text.text.clone(), (text, BTreeSet::new())));
        Self {
            messages,
            known: known.collect(),
        }
    }

    fn texts(self) -> Vec<UnansweredText> {
        let texts = self.known.into_values();
        texts
            .map(|(text, users)| UnansweredText {
                users: text.users + users.len() as u64,
                ..text
            })
            .collect()
    }

    fn add(&mut self, entry: Entry) {
        let Some(text) = entry.content.filter(|_| entry.msg_type == "text") else {
            return;
        };
        self.messages += 1;
        let (known, users) = self.known.entry(text).or_insert_with_key(|text| {
            let text = UnansweredText {
                text: text.clone(),
                count: 0,
                last: (entry.time, entry.id),
                users: 0,
            };
            (text, BTreeSet::new())
        });
        known.count += 1;
        known.last = known.last.max((entry.time, entry.id));
        users.insert(entry.openid);
    }
}

/// A drafted rule.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct Draft {
    /// Its name.
    pub name: String,
    /// What it takes: `when.keywords`, or `when.exact` where `exact` is true.
    pub words: Vec<String>,
    /// Whether it takes exactly the words.
    pub exact: bool,
    /// The texts that its tests say.
    pub texts: Vec<String>,
    /// Texts that no rule can ask for, or that were too many.
    pub left_out: Vec<String>,
    /// Rule and tests as TOML. Without a reply, `reply = ""` stands there, with which nothing can be saved.
    pub toml: String,
}

/// Drafts a rule for texts; `with_similar`, also for those like the first one that went unanswered lately.
pub(in crate::console) async fn draft(
    console: &Console,
    mut texts: Vec<String>,
    app: Option<&str>,
    reply: &str,
    with_similar: bool,
) -> Result<Draft, Problem> {
    let window = Window {
        app: app.map(str::to_owned),
        ..Window::default()
    };
    let app = window.app(console)?;
    if let (true, Some(first)) = (with_similar, texts.first()) {
        let asked = unanswered(console, &window).await?;
        let group = asked
            .groups
            .into_iter()
            .find(|group| group.texts.iter().any(|text| text.text == *first));
        for text in group.into_iter().flat_map(|group| group.texts) {
            if !texts.contains(&text.text) {
                texts.push(text.text);
            }
        }
    }
    let since = window.since(console.clock.now())?.1;
    let answered = console.store.answered(app.as_ref(), since, ANSWERED).await?;
    let catch_alls = console.rules.live().borrow().catch_alls();
    let understood = answered
        .texts
        .into_iter()
        .filter(|text| !catch_alls.contains(&text.rule));
    let understood = understood.map(|text| text.text).collect();
    let drafted = console.editor.draft(texts, app, understood).await?;
    let drafted = drafted.ok_or_else(|| Problem::unprocessable("no rule can ask for these texts"))?;
    let toml = drafted.toml(reply);
    let Drafted {
        name,
        words,
        exact,
        texts,
        left_out,
        ..
    } = drafted;
    Ok(Draft {
        name,
        words,
        exact,
        texts,
        left_out,
        toml,
    })
}
