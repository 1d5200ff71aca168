//! `wxreply explain`: which rule answers a message, and why the others do not. Nothing is sent or recorded.

use std::io::{BufWriter, Write};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::json;

use super::config::{self, ConfigArg};
use super::print::{plain, short, to_stderr};
use super::{Exit, runtime, time};
use crate::clock::SystemClock;
use crate::config::{App, Config};
use crate::daemon::RulesSource;
use crate::diagnostic::Diagnostic;
use crate::intake::{QuotaPolicy, judge};
use crate::message::{
    Answer, AppName, Contact, Cooldowns, Direction, Facts, Fields, Inbound, MessageId, OpenId, Value, Verdict,
};
use crate::metrics::Metrics;
use crate::rules::{Explanation, RuleSet};
use crate::store::{Access, Store};

#[derive(Debug, Args)]
#[command(after_help = "\
The rules are those on the disk. What is known of the customer (state, cooldowns, quota) is read from the database, if \
there is one; for a message of the past it is what is known now, not then.

Exit code 1 when no rule decides.")]
pub(super) struct Explain {
    /// The text of the message
    #[arg(required_unless_present_any = ["message", "event", "msg_type"])]
    text: Option<String>,
    /// A message of the log instead
    #[arg(long, value_name = "ID", conflicts_with_all = ["text", "msg_type", "event", "field", "openid", "app"])]
    message: Option<MessageId>,
    /// MsgType [default: text, or event with --event]
    #[arg(long, value_name = "T")]
    msg_type: Option<String>,
    /// Event
    #[arg(long, value_name = "E")]
    event: Option<String>,
    /// Another field of the push (may be given several times)
    #[arg(long, value_name = "K=V", value_parser = key_value)]
    field: Vec<(String, String)>,
    /// The customer
    #[arg(long, default_value = "oExplain", value_parser = |s: &str| anyhow::Ok(OpenId::from(s)))]
    openid: OpenId,
    /// When [default: now, or when the message came]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The app; needed when there are several
    #[arg(long, value_parser = |s: &str| anyhow::Ok(AppName::from(s)))]
    app: Option<AppName>,
    /// How the story is told
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object
    Json,
}

fn key_value(text: &str) -> anyhow::Result<(String, String)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => bail!("write NAME=VALUE"),
    }
}

/// All that a decision needs.
struct Case {
    inbound: Inbound,
    contact: Contact,
    app_cooldowns: Cooldowns,
    now: Timestamp,
    /// What should be known about where this comes from.
    notes: Vec<String>,
}

impl Explain {
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = self.config.load_without_secrets()?;
        let loaded = RulesSource::of(&config).load()?;
        let Some(rules) = loaded.set else {
            let errors: Vec<_> = loaded.findings.into_iter().filter(Diagnostic::is_error).collect();
            to_stderr(&errors);
            bail!("the rules {} can't be used", config.rules.display());
        };
        let case = runtime()?.block_on(self.case(&config, &rules))?;
        let app = config::app(&config, Some(&case.inbound.app))?;
        let facts = Facts {
            now: case.now,
            contact: &case.contact,
            app_cooldowns: &case.app_cooldowns,
        };
        let explanation = rules.explain(&case.inbound, &facts);
        let verdict = judge(
            &rules,
            &case.inbound,
            &rules.candidates(&case.inbound),
            &facts,
            policy(app, &config),
        );
        let mut out = BufWriter::new(std::io::stdout().lock());
        match self.format {
            Format::Human => {
                writeln!(out, "rules: {} in {}", rules.len(), config.rules.display())?;
                tell(&mut out, &case, &explanation, &verdict)?;
            }
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, &as_json(&case, &explanation, &verdict))?;
                writeln!(out)?;
            }
        }
        out.flush()?;
        Ok(match verdict.decision.rule {
            Some(_) => Exit::Fine,
            None => Exit::Bad,
        })
    }

    async fn case(&self, config: &Config, rules: &RuleSet) -> anyhow::Result<Case> {
        let now = Timestamp::now();
        let at = self
            .at
            .as_deref()
            .map(|text| time::parse("--at", text, now, &config.timezone))
            .transpose()?;
        let metrics = Arc::new(Metrics::new());
        let store = Store::open(&config.database, Access::Command, Arc::new(SystemClock), metrics).await;
        let mut notes = Vec::new();
        let (inbound, now) = match self.message {
            Some(id) => {
                let store = store.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
                let (inbound, logged) = logged(store, id, rules).await?;
                notes.push(logged);
                let came = inbound.received;
                (inbound, at.unwrap_or(came))
            }
            None => {
                let app = config::app(config, self.app.as_ref())?;
                let at = at.unwrap_or(now);
                (self.inbound(app, at), at)
            }
        };
        let known = match store {
            Ok(store) => {
                let known = store.contact(&inbound.app, &inbound.openid).await;
                store.close().await;
                known.context("can't read what is known of the customer")?
            }
            Err(error) => {
                notes.push(format!("nothing is known of the customer: {error}"));
                Default::default()
            }
        };
        Ok(Case {
            inbound,
            contact: known.0,
            app_cooldowns: known.1,
            now,
            notes,
        })
    }

    /// The message that the arguments describe.
    fn inbound(&self, app: &App, at: Timestamp) -> Inbound {
        let default = if self.event.is_some() { "event" } else { "text" };
        let msg_type = self.msg_type.as_deref().unwrap_or(default).to_lowercase();
        let created = at.as_second();
        let mut fields: Fields = [
            ("ToUserName", app.app_id.as_str()),
            ("FromUserName", self.openid.as_str()),
            ("CreateTime", &created.to_string()),
            ("MsgType", &msg_type),
        ]
        .into_iter()
        .collect();
        let optional = [("Event", &self.event), ("Content", &self.text)];
        for (name, value) in optional.into_iter().filter_map(|(n, v)| Some((n, v.clone()?))) {
            fields.push(name, Value::Text(value));
        }
        for (name, value) in &self.field {
            fields.push(name.clone(), Value::Text(value.clone()));
        }
        Inbound {
            id: MessageId::new(created, 0),
            app: app.name.clone(),
            openid: self.openid.clone(),
            dedup_key: String::new(),
            received: at,
            event: self.event.clone().filter(|_| msg_type == "event"),
            msg_type,
            content: self.text.clone(),
            fields,
        }
    }
}

/// A message of the log, and what the log says became of it.
async fn logged(store: &Store, id: MessageId, rules: &RuleSet) -> anyhow::Result<(Inbound, String)> {
    let entry = store.entry(id).await?;
    let entry = entry.with_context(|| format!("there is no message {id}"))?;
    if entry.direction == Direction::Out {
        bail!("{id} is a reply; the message that it answers is {}", id.message());
    }
    let rule = entry
        .rule
        .as_ref()
        .map(|rule| format!(" by {rule:?}"))
        .unwrap_or_default();
    let same = entry
        .rule_set
        .as_ref()
        .is_some_and(|version| version == rules.version());
    let same = if same {
        "the same rules"
    } else {
        "other rules than those on the disk"
    };
    let note = format!("the log says: {}{rule}, under {same}", entry.status);
    let inbound = Inbound {
        id: entry.id,
        app: entry.app,
        openid: entry.openid,
        dedup_key: String::new(),
        received: entry.time,
        msg_type: entry.msg_type,
        event: entry.event,
        content: entry.content,
        fields: entry.fields,
    };
    Ok((inbound, note))
}

fn policy(app: &App, config: &Config) -> QuotaPolicy {
    QuotaPolicy {
        kind: app.kind,
        reserve: config.outbox.reserve,
    }
}

fn tell(
    out: &mut impl Write,
    case: &Case,
    explanation: &Explanation,
    verdict: &Verdict,
) -> std::io::Result<()> {
    for note in &case.notes {
        writeln!(out, "{}", plain(note))?;
    }
    if let Some(normal) = &explanation.normal_form {
        writeln!(out, "normal form: {}", plain(normal))?;
    }
    for rule in &explanation.rules {
        let mark = if rule.matched { '✓' } else { '✗' };
        let (name, file) = (plain(rule.rule.as_str()), &rule.file);
        writeln!(
            out,
            "\n{mark} {name}  ({file}:{}, priority {})",
            rule.line, rule.priority
        )?;
        for (held, why) in &rule.conditions {
            let mark = if *held { '✓' } else { '✗' };
            writeln!(out, "    {mark} {}", plain(why))?;
        }
        if let Some(note) = &rule.note {
            writeln!(out, "    {}", plain(note))?;
        }
    }
    let decision = &verdict.decision;
    let rule = decision
        .rule
        .as_ref()
        .map(|rule| format!(" by {}", plain(rule.as_str())))
        .unwrap_or_default();
    writeln!(out, "\n→ {}{rule}", decision.status.as_str())?;
    if let Answer::Transfer(agent) = &decision.answer {
        let to = agent.as_deref().unwrap_or("whoever is there");
        writeln!(out, "  handed to a person: {}", plain(to))?;
    }
    for (outbound, planned) in verdict.outbound.iter().zip(&decision.replies) {
        let text = outbound.reply.summary();
        write!(
            out,
            "  {}: {}",
            outbound.reply.msg_type(),
            short(&plain(&text), 500)
        )?;
        if !planned.delay.is_zero() {
            write!(out, "  (after {:?})", planned.delay)?;
        }
        if let Some(reason) = outbound.dropped {
            write!(out, "  (would not be sent: {})", reason.explanation())?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn as_json(case: &Case, explanation: &Explanation, verdict: &Verdict) -> serde_json::Value {
    let replies: Vec<_> = verdict
        .outbound
        .iter()
        .map(|outbound| {
            json!({
                "rule": outbound.rule,
                "msg_type": outbound.reply.msg_type(),
                "reply": outbound.reply,
                "due": outbound.due,
                "dropped": outbound.dropped,
            })
        })
        .collect();
    json!({
        "notes": case.notes,
        "at": case.now,
        "normal_form": explanation.normal_form,
        "rules": explanation.rules,
        "rule_set": verdict.decision.rule_set,
        "status": verdict.decision.status,
        "rule": verdict.decision.rule,
        "observed": verdict.decision.observed,
        "answer": verdict.decision.answer,
        "replies": replies,
    })
}
