//! `wxreply stats`: how much came, what rules made of it, what nobody answered, what was not delivered.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::config::ConfigArg;
use super::stats_format::human;
use super::{Exit, runtime, time};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::editing::group_unanswered;
use crate::message::{AppName, RuleName};
use crate::metrics::Metrics;
use crate::reload::RulesSource;
use crate::rules::{RuleSet, WordHits};
use crate::store::{
    Access, AnsweredText, Replies, RuleHits, Store, StoreError, Taken, Texts, UnansweredText,
};

/// The most messages whose texts are looked at.
const TEXTS: usize = 20_000;

/// How many groups of unanswered texts are shown.
const GROUPS: usize = 20;

/// How many more texts of a group are shown.
const ALIKE: usize = 5;

/// Milliseconds of an hour.
const HOUR: i64 = 3_600_000;

#[derive(Debug, Args)]
#[command(after_help = "\
T is 2026-01-05, 2026-01-05T10:00, RFC 3339, or back from now: 90s, 10m, 2h, 7d. The hour that it lies in is counted whole.

The match rate is the share of messages that some rule took, if only to keep silent for its cooldown, of those that rules \
were asked about: muted customers' are not. Keywords are those of the rules on the disk; how often each stood in a text that its rule took is counted over the \
newest 20,000 such messages. Unanswered texts that ask the same are put together, the newest 20,000 of them.")]
pub(super) struct Stats {
    /// From this time on
    #[arg(long, value_name = "T", default_value = "7d")]
    since: String,
    /// Only this app
    #[arg(long, value_parser = |s: &str| anyhow::Ok(AppName::from(s)))]
    app: Option<AppName>,
    /// How the figures are printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Tables, as wide as the terminal
    Human,
    /// One JSON object
    Json,
}

/// The figures, in the form and the order of `--format json`.
#[derive(Serialize)]
pub(super) struct Page {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    pub(super) app: Option<AppName>,
    /// What should be known about where this comes from.
    pub(super) notes: Vec<String>,
    pub(super) messages: Inbound,
    pub(super) events: Inbound,
    /// The share of messages that a rule took, from 0 to 1; nothing when rules were asked about none.
    pub(super) match_rate: Option<f64>,
    pub(super) replies: Outbound,
    /// Rules that had to do with a message, the most hits first; nothing when the rules on the disk can't be used.
    pub(super) rules: Vec<Rule>,
    /// Enabled rules of the disk that had to do with no message since then.
    pub(super) never_hit: Vec<RuleName>,
    /// What `keywords` were counted over.
    pub(super) answered: Sample,
    pub(super) unanswered: Unanswered,
    pub(super) failures: Vec<Failure>,
}

#[derive(Serialize)]
pub(super) struct Inbound {
    pub(super) total: u64,
    pub(super) matched: u64,
    pub(super) unmatched: u64,
    pub(super) cooldown: u64,
    pub(super) muted: u64,
    pub(super) malformed: u64,
}

#[derive(Serialize)]
pub(super) struct Outbound {
    pub(super) total: u64,
    pub(super) sent: u64,
    pub(super) queued: u64,
    pub(super) failed: u64,
    pub(super) dropped: u64,
    pub(super) uncertain: u64,
}

#[derive(Serialize)]
pub(super) struct Rule {
    pub(super) app: AppName,
    pub(super) rule: RuleName,
    pub(super) hits: u64,
    pub(super) silent: u64,
    pub(super) observed: u64,
    pub(super) last: Option<Timestamp>,
    pub(super) keywords: Vec<WordHits>,
}

/// Which messages were looked at.
#[derive(Serialize)]
pub(super) struct Sample {
    pub(super) messages: usize,
    pub(super) since: Timestamp,
}

#[derive(Serialize)]
pub(super) struct Unanswered {
    #[serde(flatten)]
    pub(super) sample: Sample,
    /// The largest first.
    pub(super) groups: Vec<Group>,
}

/// Texts that ask the same.
#[derive(Serialize)]
pub(super) struct Group {
    pub(super) text: String,
    pub(super) count: u64,
    pub(super) last: Timestamp,
    /// How many different texts there are.
    pub(super) texts: usize,
    /// Some of the others.
    pub(super) others: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Failure {
    pub(super) status: String,
    pub(super) errcode: Option<i64>,
    pub(super) error: Option<String>,
    pub(super) count: u64,
    pub(super) last: Timestamp,
}

impl Stats {
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = self.config.load_without_secrets()?;
        if let Some(app) = &self.app {
            super::config::app(&config, Some(app))?;
        }
        let now = Timestamp::now();
        let since = whole_hour(time::parse("--since", &self.since, now, &config.timezone)?);
        let page = runtime()?.block_on(async {
            let metrics = Arc::new(Metrics::new());
            let store =
                Store::open(&config.database, Access::Command, Arc::new(SystemClock), metrics).await?;
            let page = self.page(&store, &config, since, now).await;
            store.close().await;
            anyhow::Ok(page?)
        })?;
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let mut out = BufWriter::new(stdout.lock());
        match self.format {
            Format::Human => human(&mut out, &page, &config.timezone, terminal)?,
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, &page)?;
                writeln!(out)?;
            }
        }
        out.flush()?;
        Ok(Exit::Fine)
    }

    async fn page(
        &self,
        store: &Store,
        config: &Config,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let app = self.app.as_ref();
        let mut notes = Vec::new();
        let set = match RulesSource::of(config).load() {
            Ok(loaded) => loaded.set,
            Err(_) => None,
        };
        if set.is_none() {
            notes.push(format!(
                "the rules in {} can't be used, so keywords and rules without hits are not told (`wxreply check` says why)",
                config.rules.display()
            ));
        }
        // To the end of time: a reply that was decided this very moment counts.
        let hours = store.hours(since, Timestamp::MAX, app).await?;
        let (mut messages, mut events, mut replies) = <(Taken, Taken, Replies)>::default();
        for hour in &hours {
            messages += hour.messages;
            events += hour.events;
            replies += hour.replies;
        }
        let mut hits = store.rule_counts(since).await?;
        hits.retain(|(of, _), _| app.is_none_or(|app| app == of));
        let answered = store.answered(app, since, TEXTS).await?;
        let (rules, never_hit) = rules(set.as_ref(), &hits, &answered.texts, app);
        let failures = store.delivery_failures(since, app).await?;
        let unanswered = store.unanswered(app, since, TEXTS).await?;
        Ok(Page {
            since,
            until: now,
            app: self.app.clone(),
            notes,
            messages: messages.into(),
            events: events.into(),
            match_rate: (messages.asked() > 0).then(|| messages.taken() as f64 / messages.asked() as f64),
            replies: replies.into(),
            rules,
            never_hit,
            answered: Sample::of(&answered),
            unanswered: Unanswered {
                sample: Sample::of(&unanswered),
                groups: groups(unanswered.texts),
            },
            failures: failures
                .into_iter()
                .map(|failure| Failure {
                    status: failure.status,
                    errcode: failure.errcode,
                    error: failure.error,
                    count: failure.count,
                    last: failure.last,
                })
                .collect(),
        })
    }
}

fn whole_hour(time: Timestamp) -> Timestamp {
    let begin = time.as_millisecond().div_euclid(HOUR) * HOUR;
    Timestamp::from_millisecond(begin).unwrap_or(Timestamp::MIN)
}

/// The rules with hits, the most first, and the enabled rules of the disk without any.
fn rules(
    set: Option<&RuleSet>,
    hits: &BTreeMap<(AppName, RuleName), RuleHits>,
    answered: &[AnsweredText],
    app: Option<&AppName>,
) -> (Vec<Rule>, Vec<RuleName>) {
    let taken = answered
        .iter()
        .map(|text| (&text.app, &text.rule, text.text.as_str(), text.count));
    let mut words = set.map(|set| set.word_hits(taken)).unwrap_or_default();
    let mut all: Vec<Rule> = hits
        .iter()
        .map(|((app, rule), hits)| Rule {
            app: app.clone(),
            rule: rule.clone(),
            hits: hits.hits,
            silent: hits.silent,
            observed: hits.observed,
            last: hits.last,
            keywords: words.remove(&(app, rule)).unwrap_or_default(),
        })
        .collect();
    // Stable: of two with as many, by app and name.
    all.sort_by_key(|rule| Reverse((rule.hits, rule.silent, rule.observed)));
    let mut apps_of: HashMap<&RuleName, Vec<&AppName>> = HashMap::new();
    for (app, rule) in hits.keys() {
        apps_of.entry(rule).or_default().push(app);
    }
    let outlines = set.map(RuleSet::outline).unwrap_or_default();
    let never = outlines
        .into_iter()
        .filter(|outline| outline.enabled && app.is_none_or(|app| outline.serves(app)))
        .filter(|outline| {
            let apps = apps_of.get(&outline.rule);
            !apps.is_some_and(|apps| apps.iter().any(|app| outline.serves(app)))
        })
        .map(|outline| outline.rule)
        .collect();
    (all, never)
}

/// The largest groups of texts that ask the same.
fn groups(texts: Vec<UnansweredText>) -> Vec<Group> {
    let groups = group_unanswered(texts).into_iter().take(GROUPS);
    groups
        .map(|group| {
            let different = group.texts.len();
            let mut texts = group.texts.into_iter().map(|text| text.text);
            Group {
                text: texts.next().unwrap_or_default(),
                count: group.count,
                last: group.last,
                texts: different,
                others: texts.take(ALIKE).collect(),
            }
        })
        .collect()
}

impl Sample {
    fn of<T>(texts: &Texts<T>) -> Self {
        Self {
            messages: texts.messages,
            since: texts.since,
        }
    }
}

impl From<Taken> for Inbound {
    fn from(taken: Taken) -> Self {
        Self {
            total: taken.total(),
            matched: taken.matched,
            unmatched: taken.unmatched,
            cooldown: taken.cooldown,
            muted: taken.muted,
            malformed: taken.malformed,
        }
    }
}

impl From<Replies> for Outbound {
    fn from(replies: Replies) -> Self {
        Self {
            total: replies.total(),
            sent: replies.sent,
            queued: replies.queued,
            failed: replies.failed,
            dropped: replies.dropped,
            uncertain: replies.uncertain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::message::AppKind;
    use crate::rules::{AppScope, Scope, load};

    #[test]
    fn rules_of_one_name_are_counted_app_by_app() {
        let app = |name: &str| AppScope {
            name: name.into(),
            kind: AppKind::MiniProgram,
            vars: BTreeMap::new(),
        };
        let scope = Scope {
            apps: vec![app("a"), app("b")],
            ..Scope::default()
        };
        let file = "[[rule]]\nname = 'hours'\napp = 'b'\nwhen.keywords = 'closed'\nreply = 'x'\n\
                    [[rule]]\nname = 'hours'\napp = 'a'\nwhen.keywords = 'open'\nreply = 'x'\n\
                    [[rule]]\nname = 'both'\nwhen.keywords = 'both'\nreply = 'x'\n\
                    [[rule]]\nname = 'rest'\napp = 'b'\npriority = -1\nreply = 'x'\n";
        let set = load(&[Source::new("a.toml", file)], &scope).set.expect("loads");
        let hits = |hits| RuleHits {
            hits,
            ..RuleHits::default()
        };
        let counted = BTreeMap::from([
            (("a".into(), "hours".into()), hits(2)),
            (("a".into(), "rest".into()), hits(1)),
            (("b".into(), "both".into()), hits(3)),
        ]);
        let answered = [AnsweredText {
            app: "a".into(),
            rule: "hours".into(),
            text: "open?".into(),
            count: 2,
        }];
        let told = |app: Option<&AppName>| {
            let hits = counted
                .iter()
                .filter(|((of, _), _)| app.is_none_or(|app| app == of));
            let hits = hits.map(|(key, hits)| (key.clone(), hits.clone())).collect();
            let (rules, never) = rules(Some(&set), &hits, &answered, app);
            let rules: Vec<String> = rules
                .iter()
                .map(|rule| {
                    let words = rule
                        .keywords
                        .iter()
                        .map(|word| format!(" {}:{}", word.word, word.hits));
                    format!(
                        "{}/{} {}{}",
                        rule.app,
                        rule.rule,
                        rule.hits,
                        words.collect::<String>()
                    )
                })
                .collect();
            let never: Vec<String> = never.iter().map(ToString::to_string).collect();
            format!("{}; never {}", rules.join(", "), never.join(", "))
        };
        assert_eq!(
            told(None),
            "b/both 3, a/hours 2 open:2, a/rest 1; never hours, rest",
            "nothing hit `hours` and `rest` of b"
        );
        assert_eq!(told(Some(&"a".into())), "a/hours 2 open:2, a/rest 1; never both");
    }
}
