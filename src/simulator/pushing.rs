//! A push from beginning to end: what the customer did, the attempts, and what the customer sees of their outcome.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::account::Account;
use super::answer::{Verdict, judge};
use super::chat::{Bubble, Notice, Progress, Side};
use super::push::{PushBody, signed_push};
use super::record::{AttemptRecord, PushRecord, as_text};
use super::world::{Line, Shared};
use crate::message::{AppKind, Fields, OpenId};
use crate::wechat::grant;

/// The first attempt and three more.
const ATTEMPTS: u32 = 4;

/// How a push went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushReport {
    /// Each attempt, in order; none when the message went to an agent.
    pub attempts: Vec<Attempt>,
    /// What it came to.
    pub result: PushResult,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The HTTP status; `None` when no answer came.
    pub status: Option<u16>,
    /// How long it took.
    pub took: Duration,
    /// Why no answer came.
    pub error: Option<String>,
}

/// What a push came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushResult {
    /// The answer was `success` or empty.
    Taken,
    /// The answer handed the conversation to customer service.
    Transferred,
    /// An agent has the conversation: the message was not pushed.
    ToAgent,
    /// The answer was none that WeChat understands; why.
    Abnormal(String),
    /// No attempt was answered with status 200.
    Unanswered,
    /// No push could be made of it; why.
    Unsendable(String),
}

/// A push that has begun: the customer acted, and the page shows it.
pub(super) struct Begun {
    body: PushBody,
    sender: Option<Sender>,
    record: u64,
    to_agent: bool,
}

struct Sender {
    openid: OpenId,
    entry: u64,
    /// The customer is waiting for somebody: a message or the entering of the session, no other event.
    waits: bool,
    /// Only messages can be handed over, events never.
    message: bool,
}

impl Shared {
    /// Pushes as WeChat does; returns when the last attempt is over.
    pub(super) async fn push(&self, body: PushBody) -> PushReport {
        let begun = self.begin(body);
        self.carry(begun).await
    }

    /// Pushes in the background.
    pub(super) fn push_later(self: &Arc<Self>, body: PushBody) {
        let begun = self.begin(body);
        let shared = Arc::clone(self);
        let stop = self.stop.clone();
        self.tasks
            .spawn(async move { stop.run_until_cancelled(shared.carry(begun)).await });
    }

    /// The customer acts: it counts for the quota and is shown, before anything is pushed.
    pub(super) fn begin(&self, body: PushBody) -> Begun {
        let mut world = self.world();
        let now = self.now();
        let record = world.next_id();
        let fields = body.fields();
        let field = |name: &str| fields.as_ref().and_then(|f| f.text(name)).unwrap_or_default();
        let msg_type = field("MsgType").to_ascii_lowercase();
        let event = (msg_type == "event").then(|| field("Event").to_owned());
        let what = event.clone().unwrap_or_else(|| msg_type.clone());
        let mut to_agent = false;
        let sender = match (field("FromUserName"), &fields) {
            ("", _) | (_, None) => None,
            (openid, Some(fields)) => {
                let openid = OpenId::from(openid);
                let granted = grant(world.account.kind, &msg_type, event.as_deref());
                let customer = world.customer_mut(&openid, now);
                if let Some(granted) = granted {
                    customer.granted(granted, now);
                }
                customer.exchanged(now);
                let message = event.is_none();
                to_agent = message && customer.with_agent(now);
                let mut line = line(&what, event.is_some(), fields).pushed_by(record);
                if message {
                    line.progress = Some(if to_agent {
                        Progress::ToAgent
                    } else {
                        Progress::Pushing
                    });
                }
                if to_agent {
                    line.push = None;
                }
                let entry = self.say(&mut world, &openid, line);
                self.tell_customer(&world, &openid);
                Some(Sender {
                    openid,
                    entry,
                    waits: message || what == "user_enter_tempsession",
                    message,
                })
            }
        };
        drop(fields);
        if !to_agent {
            let clear = body.clear(world.account.format).0;
            let callback = world.callback.clone();
            world.records.add_push(PushRecord {
                id: record,
                at: now.as_millisecond(),
                openid: sender.as_ref().map(|s| s.openid.as_str().to_owned()),
                what,
                callback,
                clear: as_text(&clear),
                attempts: Vec::new(),
                result: None,
            });
        }
        Begun {
            body,
            sender,
            record,
            to_agent,
        }
    }

    async fn carry(&self, begun: Begun) -> PushReport {
        let mut report = PushReport {
            attempts: Vec::new(),
            result: PushResult::ToAgent,
        };
        if begun.to_agent {
            return report;
        }
        report.result = PushResult::Unanswered;
        for attempt in 1..=ATTEMPTS {
            let began = Instant::now();
            let (account, callback, patience) = {
                let world = self.world();
                (world.account.clone(), world.callback.clone(), world.patience)
            };
            match self
                .attempt(&begun, &account, &callback, patience, &mut report)
                .await
            {
                Some(verdict) => {
                    self.conclude(&begun, verdict, &mut report);
                    return report;
                }
                // A refused connection says at once what silence says in five seconds. The attempts keep their
                // distance all the same, so that a daemon has the time to come back.
                None if attempt < ATTEMPTS => tokio::time::sleep_until(began + patience).await,
                None => {}
            }
        }
        self.fail(&begun, "unanswered");
        report
    }

    /// One attempt; gives the verdict on its answer, if it was answered with 200.
    async fn attempt(
        &self,
        begun: &Begun,
        account: &Account,
        callback: &str,
        patience: Duration,
        report: &mut PushReport,
    ) -> Option<Result<Verdict, String>> {
        let now = self.now();
        let signed = match signed_push(account, &begun.body, now, &mut rand::rng()) {
            Ok(signed) => signed,
            Err(error) => return Some(Err(format!("EncodingAESKey {error}"))),
        };
        let began = Instant::now();
        let answer = self.pusher.deliver(callback, &signed, patience).await;
        let took = began.elapsed();
        let verdict = answer.as_ref().ok().filter(|a| a.status == 200).map(|a| {
            let format = begun.body.clear(account.format).1;
            judge(account, format, begun.sender.as_ref().map(|s| &s.openid), &a.body)
        });
        let record = AttemptRecord {
            at: now.as_millisecond(),
            query: signed.query,
            content_type: signed.content_type,
            body: as_text(&signed.body),
            status: answer.as_ref().ok().map(|a| a.status),
            answer: answer.as_ref().ok().map(|a| as_text(&a.body)),
            opened: match &verdict {
                Some(Verdict::Transfer { clear, .. }) => Some(clear.clone()),
                _ => None,
            },
            error: answer.as_ref().err().map(ToString::to_string),
            took: millis(took),
        };
        report.attempts.push(Attempt {
            status: record.status,
            took,
            error: record.error.clone(),
        });
        let mut world = self.world();
        if let Some(push) = world.records.push_mut(begun.record) {
            push.attempts.push(record);
        }
        if let Some(sender) = &begun.sender {
            self.amend(&mut world, &sender.openid, sender.entry, |entry| {
                entry.attempts += 1;
                entry.took = Some(millis(took));
            });
        }
        verdict.map(Ok)
    }

    fn conclude(&self, begun: &Begun, verdict: Result<Verdict, String>, report: &mut PushReport) {
        match verdict {
            Ok(Verdict::Success) => {
                report.result = PushResult::Taken;
                self.settle(begun, Progress::Taken, "taken");
            }
            Ok(Verdict::Transfer { kf_account, .. }) => {
                report.result = PushResult::Transferred;
                self.settle(begun, Progress::Taken, "transferred");
                if let Some(sender) = begun.sender.as_ref().filter(|s| s.message) {
                    let mut world = self.world();
                    let now = self.now();
                    let line = Line::notice(Notice::Transferred, kf_account.clone().unwrap_or_default());
                    world.customer_mut(&sender.openid, now).transfer(kf_account, now);
                    self.say(&mut world, &sender.openid, line.pushed_by(begun.record));
                    self.tell_customer(&world, &sender.openid);
                }
            }
            Ok(Verdict::Abnormal(why)) => {
                self.fail(begun, &format!("abnormal: {why}"));
                report.result = PushResult::Abnormal(why);
            }
            Err(why) => {
                self.fail(begun, &why);
                report.result = PushResult::Unsendable(why);
            }
        }
    }

    fn settle(&self, begun: &Begun, progress: Progress, result: &str) {
        let mut world = self.world();
        if let Some(push) = world.records.push_mut(begun.record) {
            push.result = Some(result.to_owned());
        }
        if let Some(sender) = begun.sender.as_ref().filter(|s| s.message) {
            self.amend(&mut world, &sender.openid, sender.entry, |entry| {
                entry.progress = Some(progress);
            });
        }
    }

    /// The daemon did not take it: who waits is told so, in WeChat's own words.
    fn fail(&self, begun: &Begun, result: &str) {
        self.settle(begun, Progress::Failed, result);
        if let Some(sender) = begun.sender.as_ref().filter(|s| s.waits) {
            let mut world = self.world();
            let words = unavailable(world.account.kind);
            let line = Line::notice(Notice::Unavailable, words).pushed_by(begun.record);
            self.say(&mut world, &sender.openid, line);
        }
    }
}

/// The grey sentence that WeChat shows when a service does not answer.
fn unavailable(kind: AppKind) -> &'static str {
    match kind {
        AppKind::MiniProgram => "该小程序客服暂时无法提供服务，请稍后再试",
        AppKind::OfficialAccount => "该公众号暂时无法提供服务，请稍后再试",
    }
}

/// What the customer sees of what they did.
fn line(what: &str, event: bool, fields: &Fields) -> Line {
    let text = |name: &str| fields.text(name).unwrap_or_default().to_owned();
    if event {
        return match what {
            "user_enter_tempsession" => Line::notice(Notice::Entered, text("SessionFrom")),
            "kf_close_session" => Line::notice(Notice::AgentClosed, text("KfAccount")),
            other => Line::notice(Notice::Event, other),
        };
    }
    let bubble = match what {
        "text" => Bubble::Text {
            text: text("Content"),
        },
        "image" => Bubble::Image {
            media_id: text("MediaId"),
        },
        "miniprogrampage" => Bubble::Page {
            title: text("Title"),
            page_path: text("PagePath"),
            thumb_media_id: text("ThumbMediaId"),
        },
        other => Bubble::Text {
            text: format!("[{other}]"),
        },
    };
    Line::new(Side::Customer, bubble)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
