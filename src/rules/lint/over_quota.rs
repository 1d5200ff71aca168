//! The worst case of replies that one message can cause, against what WeChat lets through for it.

use super::written::{Rule, Written};
use crate::diagnostic::Diagnostic;
use crate::message::AppKind;
use crate::rules::{Quota, Scope, codes};
use crate::text::exact_form;

/// One rule, as far as it can add replies to a message.
struct Talker<'a> {
    rule: &'a Rule<'a>,
    replies: u32,
    goes_on: bool,
    apps: Vec<&'a str>,
    /// Kinds of pushes: `MsgType`, and `Event` if it is one.
    kinds: Vec<(String, Option<String>)>,
    states: Vec<&'a str>,
    exact: Vec<String>,
}

pub(super) fn lint(written: &Written<'_>, scope: &Scope, findings: &mut Vec<Diagnostic>) {
    let Some(quota) = scope.quota else { return };
    let mut talkers: Vec<_> = written.enabled().filter_map(Talker::of).collect();
    // Stable: rules of one priority keep the order of their files and places.
    talkers.sort_by_key(|talker| std::cmp::Reverse(talker.rule.priority()));
    let mut said: Vec<*const Rule<'_>> = Vec::new();
    for talker in &talkers {
        if let Some(finding) = talker.alone(scope, quota) {
            said.push(std::ptr::from_ref(talker.rule));
            findings.push(finding);
        }
    }
    let mut kinds: Vec<_> = talkers.iter().flat_map(|talker| &talker.kinds).collect();
    kinds.sort();
    kinds.dedup();
    for kind in kinds {
        let takers = talkers
            .iter()
            .filter(|talker| talker.kinds.contains(kind) && !said.contains(&std::ptr::from_ref(talker.rule)));
        if let Some((last, finding)) = together(takers, kind, scope, quota) {
            said.push(std::ptr::from_ref(last.rule));
            findings.push(finding);
        }
    }
}

impl<'a> Talker<'a> {
    fn of(rule: &'a Rule<'a>) -> Option<Self> {
        let reply = rule.get("reply")?;
        let all = reply.get_ref().as_array().map_or(1, |list| list.len());
        let random = rule.texts("pick").iter().any(|pick| pick.text == "random");
        let lower = |condition: &str| -> Vec<String> {
            let words = rule.words(condition);
            words.iter().map(|word| word.text.to_ascii_lowercase()).collect()
        };
        let (types, events) = (lower("msg_type"), lower("event"));
        let kinds = if !events.is_empty() {
            events
                .into_iter()
                .map(|event| ("event".to_owned(), Some(event)))
                .collect()
        } else if types.is_empty() {
            vec![("text".to_owned(), None)]
        } else {
            // Of events that nobody names none is known to buy anything.
            types
                .into_iter()
                .filter(|t| t != "event")
                .map(|t| (t, None))
                .collect()
        };
        let exact = rule.words("exact");
        let talker = Self {
            replies: if random {
                1
            } else {
                u32::try_from(all).unwrap_or(u32::MAX)
            },
            goes_on: rule.flag("continue", false),
            apps: rule.texts("app").iter().map(|word| word.text).collect(),
            kinds,
            states: rule.words("state").iter().map(|word| word.text).collect(),
            // What stands in a list is not looked at: then nothing is known of it.
            exact: match exact.iter().any(|word| word.text.starts_with('@')) {
                true => Vec::new(),
                false => exact.iter().map(|word| exact_form(word.text)).collect(),
            },
            rule,
        };
        (!rule.flag("observe", false)).then_some(talker)
    }

    /// The least that WeChat lets through for a kind of push, over the apps of the rule; an app that gets no such push,
    /// or nothing for it, does not count beside one that does.
    fn limit(&self, scope: &Scope, quota: Quota, (msg_type, event): &(String, Option<String>)) -> u32 {
        let of = |kind| quota(kind, msg_type, event.as_deref());
        let served = scope
            .apps
            .iter()
            .filter(|app| self.apps.is_empty() || self.apps.contains(&app.name.as_str()));
        let served: Vec<_> = served.map(|app| of(app.kind)).collect();
        let least = served.iter().copied().filter(|limit| *limit > 0).min();
        match (least, served.is_empty()) {
            (Some(limit), _) => limit,
            (None, false) => 0,
            // Of apps that are not known the more generous kind is assumed.
            (None, true) => of(AppKind::MiniProgram).max(of(AppKind::OfficialAccount)),
        }
    }

    fn alone(&self, scope: &Scope, quota: Quota) -> Option<Diagnostic> {
        let (kind, limit) = self
            .kinds
            .iter()
            .map(|kind| (kind, self.limit(scope, quota, kind)))
            .min_by_key(|(_, limit)| *limit)?;
        if self.replies <= limit {
            return None;
        }
        let what = name(kind);
        let (message, label) = match limit {
            0 => (
                format!("WeChat lets no reply to {what} through"),
                "never sent".to_owned(),
            ),
            _ => (
                format!(
                    "WeChat lets {limit} replies to {what} through, and this rule sends {}",
                    self.replies
                ),
                format!("{} too many", self.replies - limit),
            ),
        };
        let reply = self
            .rule
            .get("reply")
            .map_or_else(|| self.rule.place(), |node| node.span());
        Some(
            Diagnostic::warning(codes::OVER_QUOTA, message)
                .at(self.rule.source, reply, label)
                .help(match limit {
                    0 => "leave `reply` out, or answer what the customer does next",
                    _ => "put several texts into one, or send one of them with `pick = \"random\"`",
                }),
        )
    }

    /// Whether one message can match both; where that can't be told, it can.
    fn meets(&self, other: &Self) -> bool {
        fn share<T: PartialEq>(a: &[T], b: &[T]) -> bool {
            a.is_empty() || b.is_empty() || a.iter().any(|one| b.contains(one))
        }
        share(&self.apps, &other.apps)
            && share(&self.states, &other.states)
            && share(&self.exact, &other.exact)
    }
}

/// Rules that say `continue`, and the first with which they are too many. Once it is found, that is enough: one
/// finding for each kind of push.
fn together<'t, 'a>(
    takers: impl Iterator<Item = &'t Talker<'a>>,
    kind: &(String, Option<String>),
    scope: &Scope,
    quota: Quota,
) -> Option<(&'t Talker<'a>, Diagnostic)>
where
    'a: 't,
{
    let mut chain: Vec<&Talker<'_>> = Vec::new();
    for talker in takers {
        let before: Vec<_> = chain.iter().filter(|other| other.meets(talker)).collect();
        let total = talker.replies + before.iter().map(|other| other.replies).sum::<u32>();
        let limit = talker.limit(scope, quota, kind);
        if !before.is_empty() && total > limit && limit > 0 {
            let mut finding = Diagnostic::warning(
                codes::OVER_QUOTA,
                format!(
                    "{} can cause {total} replies here, and WeChat lets {limit} through",
                    name(kind)
                ),
            )
            .at(
                talker.rule.source,
                talker.rule.place(),
                format!("{} from this rule", talker.replies),
            );
            for other in before {
                let label = format!("{} from this one, which goes on", other.replies);
                finding = finding.see(other.rule.source, other.rule.place(), label);
            }
            let help = "this is the worst case, when a message matches all of them: let fewer of them `continue`, or say less";
            return Some((talker, finding.help(help)));
        }
        if talker.goes_on && chain.iter().all(|other| other.meets(talker)) {
            chain.push(talker);
        }
    }
    None
}

fn name((msg_type, event): &(String, Option<String>)) -> String {
    match event {
        Some(event) => format!("the event `{event}`"),
        None if msg_type == "text" => "one message".to_owned(),
        None => format!("one `{msg_type}` message"),
    }
}
