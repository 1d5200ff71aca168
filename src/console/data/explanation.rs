//! Why a message was taken as it was, by the rules of then or by those of now.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::message::Message;
use super::on_a_thread;
use crate::console::Console;
use crate::console::problem::Problem;
use crate::editing::EditError;
use crate::message::{Answer, MessageId, RuleSetVersion};
use crate::rules::{Lack, NearMiss, RuleSet, RuleTrace};
use crate::story::{Logged, ReadLoggedError, Story};

/// Which rules are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RulesOf)]
pub(in crate::console) enum Rules {
    /// Those that judged the message.
    Then,
    /// Those in force now.
    Now,
}

/// Why.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct Explanation {
    /// The message that was judged.
    pub message: Message,
    /// Which rules were asked.
    pub rules_of: Rules,
    /// Whether the rules of then were wanted, but are not there any more.
    pub then_missing: bool,
    /// Whether the rules of then are in force now.
    pub same: bool,
    /// The version of the rules that were asked.
    pub rule_set: String,
    /// The time that it is judged by.
    pub at: Timestamp,
    /// The text as `exact` and `keywords` see it.
    pub normal_form: Option<String>,
    /// Every rule of the app in the order tried.
    pub rules: Vec<Tried>,
    /// How the message is taken.
    pub status: String,
    /// The rule that decides.
    pub rule: Option<String>,
    /// Rules that only watch, and would have answered.
    pub observed: Vec<String>,
    /// The rules that nearly matched, the likeliest first.
    pub nearest: Vec<Near>,
    /// The agent, or an empty text for whoever is there, when the conversation is handed to human customer service.
    pub transfer: Option<String>,
    /// What would go out.
    pub replies: Vec<WouldSend>,
    /// The dialog state afterwards, if the message changes it; an empty name is none.
    pub new_state: Option<NewState>,
    /// Until when the bot is paused, if the message pauses it.
    pub muted_until: Option<Timestamp>,
    /// The cooldowns that begin.
    pub cooldowns: Vec<Begins>,
    /// Messages in a row that were not understood.
    pub misses: u32,
    /// What it costs.
    pub cost: Cost,
}

/// What one rule made of the message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TriedRule)]
pub(in crate::console) struct Tried {
    /// The rule.
    pub rule: String,
    /// Its file.
    pub file: String,
    /// The line it begins at, from 1.
    pub line: usize,
    /// Its priority.
    pub priority: i64,
    /// Whether it was asked.
    pub asked: bool,
    /// Whether all its conditions held.
    pub matched: bool,
    /// Its conditions, in the order in which they are looked at.
    pub conditions: Vec<Condition>,
    /// What became of it, or why it was not reached.
    pub note: Option<String>,
}

/// What one condition made of the message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TriedCondition)]
pub(in crate::console) struct Condition {
    /// Its key in `when`; `kind` stands for `msg_type` and `event`.
    pub key: String,
    /// Whether it held.
    pub held: bool,
    /// What it asks for and what it found.
    pub why: String,
}

/// A rule that nearly matched.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NearMiss)]
pub(in crate::console) struct Near {
    /// The rule.
    pub rule: String,
    /// Its file.
    pub file: String,
    /// The line it begins at.
    pub line: usize,
    /// What it lacked.
    pub lack: LackKind,
    /// The key in `when`.
    pub key: String,
    /// What the condition asks for and what it found; empty where it is a word.
    pub why: String,
    /// The word that the customer may have meant.
    pub word: Option<MeantWord>,
    /// What to make of it.
    pub suggestion: String,
}

/// What a rule lacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::console) enum LackKind {
    /// One condition did not hold.
    Condition,
    /// A word of the rule sounds like what the text has.
    Homophone,
    /// A word of the rule is one edit away from what the text has.
    Spelling,
}

/// A word that the customer may have meant.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct MeantWord {
    /// The word as the rule has it.
    pub keyword: String,
    /// What the text has in its place.
    pub found: String,
}

/// A reply that would go out.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct WouldSend {
    /// The rule.
    pub rule: String,
    /// Its kind.
    pub msg_type: String,
    /// Its text, or what stands for it.
    pub content: String,
    /// Seconds until it is sent.
    pub after: f64,
    /// Why it would not be sent.
    pub dropped: Option<String>,
}

/// A dialog state.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct NewState {
    /// Its name; empty for none.
    pub name: String,
    /// When it ends.
    pub until: Option<Timestamp>,
}

/// A cooldown that begins.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BeginningCooldown)]
pub(in crate::console) struct Begins {
    /// The rule.
    pub rule: String,
    /// When it ends.
    pub until: Timestamp,
    /// Whether it is one for all customers of the app.
    pub per_app: bool,
}

/// What a message costs of WeChat's quota.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct Cost {
    /// What it would use.
    pub used: u32,
    /// What would be left.
    pub left_after: u32,
    /// Replies that are kept for a person.
    pub reserve: u32,
    /// Until when WeChat takes replies; absent when it takes none.
    pub until: Option<Timestamp>,
}

impl Console {
    /// Explains a message of the log, or the message that a reply of the log answers.
    pub(in crate::console) async fn explain(
        &self,
        id: MessageId,
        wanted: Rules,
    ) -> Result<Explanation, Problem> {
        let logged = Logged::read(&self.store, id).await.map_err(|error| match error {
            ReadLoggedError::None(_) => Problem::not_found(),
            ReadLoggedError::Gone(..) => Problem::new(http::StatusCode::NOT_FOUND, error.to_string()),
            ReadLoggedError::Store(error) => error.into(),
        })?;
        let message = self
            .store
            .entry(id.message())
            .await?
            .ok_or_else(Problem::not_found)?;
        let live = Arc::clone(&self.rules.live().borrow());
        let same = logged.rule_set.as_ref() == Some(live.version());
        let then = match &logged.rule_set {
            Some(version) if wanted == Rules::Then && !same => self.rules_of_then(version).await?,
            _ => None,
        };
        let rules_of = match wanted {
            Rules::Then if same || then.is_some() => Rules::Then,
            _ => Rules::Now,
        };
        let then_missing = wanted != rules_of;
        let rules = then.unwrap_or(live);
        let mut case = logged.case(None);
        let known = self
            .store
            .contact(&case.inbound.app, &case.inbound.openid)
            .await?;
        (case.contact, case.app_cooldowns) = known;
        let policies = self.intake.policies();
        on_a_thread(move || {
            let story = Story::of(&case, &rules, &policies);
            told(story, message.into(), rules_of, then_missing, same)
        })
        .await
    }

    /// The rules of a version, if the archive has them and this program can use them.
    async fn rules_of_then(&self, version: &RuleSetVersion) -> Result<Option<Arc<RuleSet>>, Problem> {
        match self.editor.archived_set(version).await {
            Ok(set) => Ok(set),
            Err(EditError::NoVersion(_)) => Ok(None),
            Err(EditError::Archive(error)) => {
                tracing::warn!(%error, "rules of the archive");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn told(story: Story<'_>, message: Message, rules_of: Rules, then_missing: bool, same: bool) -> Explanation {
    let after = story.after;
    Explanation {
        message,
        rules_of,
        then_missing,
        same,
        rule_set: story.rule_set.into(),
        at: story.at,
        normal_form: story.normal_form,
        rules: story.rules.into_iter().map(Tried::from).collect(),
        status: story.status.as_str().to_owned(),
        rule: story.rule.map(Into::into),
        observed: story.observed.into_iter().map(Into::into).collect(),
        nearest: story.nearest.into_iter().map(Near::from).collect(),
        transfer: match story.answer {
            Answer::Success => None,
            Answer::Transfer(agent) => Some(agent.unwrap_or_default()),
        },
        replies: story
            .replies
            .into_iter()
            .map(|sent| WouldSend {
                rule: sent.rule.into(),
                msg_type: sent.msg_type.to_owned(),
                content: sent.reply.summary(),
                after: sent.due.duration_since(story.at).as_secs_f64().max(0.0),
                dropped: sent.dropped.map(|reason| reason.explanation().to_owned()),
            })
            .collect(),
        new_state: after.state_changed.then(|| match after.state {
            Some(state) => NewState {
                name: state.name,
                until: Some(state.until),
            },
            None => NewState {
                name: String::new(),
                until: None,
            },
        }),
        muted_until: after.muted_until.filter(|_| after.mute_changed),
        cooldowns: after
            .cooldowns
            .into_iter()
            .map(|cooldown| Begins {
                rule: cooldown.rule.into(),
                until: cooldown.until,
                per_app: cooldown.per_app,
            })
            .collect(),
        misses: after.misses,
        cost: Cost {
            used: story.quota.used,
            left_after: story.quota.left_after,
            reserve: story.quota.reserve,
            until: story.quota.until,
        },
    }
}

impl From<RuleTrace> for Tried {
    fn from(trace: RuleTrace) -> Self {
        Self {
            rule: trace.rule.into(),
            file: trace.file,
            line: trace.line,
            priority: trace.priority,
            asked: trace.asked,
            matched: trace.matched,
            conditions: trace
                .conditions
                .into_iter()
                .map(|condition| Condition {
                    key: condition.key,
                    held: condition.held,
                    why: condition.why,
                })
                .collect(),
            note: trace.note,
        }
    }
}

impl Tried {
    /// The first condition that did not hold.
    pub fn first_failed(&self) -> Option<&Condition> {
        self.conditions.iter().find(|condition| !condition.held)
    }
}

impl From<NearMiss> for Near {
    fn from(near: NearMiss) -> Self {
        let (lack, key, why, word) = match near.lack {
            Lack::Condition { key, why } => (LackKind::Condition, key, why, None),
            Lack::Homophone(word) => (
                LackKind::Homophone,
                word.key.to_owned(),
                String::new(),
                Some(word),
            ),
            Lack::Spelling(word) => (LackKind::Spelling, word.key.to_owned(), String::new(), Some(word)),
        };
        Self {
            rule: near.rule.into(),
            file: near.file,
            line: near.line,
            lack,
            key,
            why,
            word: word.map(|word| MeantWord {
                keyword: word.keyword,
                found: word.found,
            }),
            suggestion: near.suggestion,
        }
    }
}
