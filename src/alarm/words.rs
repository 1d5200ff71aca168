//! What alarms say, in two languages. One line each, and nothing that a customer wrote.

use jiff::Timestamp;

use super::share::Unusual;
use super::{Alarm, Kind};
use crate::message::AppName;
use crate::reload::{LoadFailure, RulesStatus};

/// The most of an error or a finding that is quoted, in characters.
const LONGEST_QUOTE: usize = 200;

pub(super) fn database(since: Timestamp, error: &str) -> Alarm {
    let error = short(error);
    Alarm {
        kind: Kind::Database,
        app: None,
        since,
        text_en: format!("The database does not answer, so that no message can be taken: {error}"),
        text_zh: format!("数据库没有应答，现在收不下消息：{error}"),
    }
}

pub(super) fn rules_refused(failure: &LoadFailure) -> Alarm {
    let finding = first(&failure.findings);
    Alarm {
        kind: Kind::RulesRefused,
        app: None,
        since: failure.since,
        text_en: format!("The rules on the disk can't be used; the old ones go on answering. {finding}"),
        text_zh: format!("磁盘上的规则不能用，仍由原来的规则回答。{finding}"),
    }
}

pub(super) fn rules_stand_in(rules: &RulesStatus) -> Alarm {
    let (text_en, text_zh) = if rules.from_archive {
        let findings = rules.last_error.as_ref().map(|failure| &failure.findings[..]);
        let finding = first(findings.unwrap_or_default());
        (
            format!(
                "wxreply started with the rules of its archive, because those on the disk can't be used. {finding}"
            ),
            format!("启动时磁盘上的规则不能用，现在由存档里的规则回答。{finding}"),
        )
    } else {
        let finding = first(&rules.failing_tests);
        (
            format!("Tests of the rules in force fail. {finding}"),
            format!("正在使用的规则有测试不通过。{finding}"),
        )
    };
    Alarm {
        kind: Kind::RulesStandIn,
        app: None,
        since: rules.loaded,
        text_en,
        text_zh,
    }
}

pub(super) fn token(app: &AppName, since: Timestamp, error: &str) -> Alarm {
    let error = short(error);
    Alarm {
        kind: Kind::Token,
        app: Some(app.clone()),
        since,
        text_en: format!("The access token can't be renewed: {error}"),
        text_zh: format!("access_token 无法更新：{error}"),
    }
}

pub(super) fn dead_letters(app: &AppName, since: Timestamp, count: u64) -> Alarm {
    let replies = if count == 1 {
        "1 reply to a customer".to_owned()
    } else {
        format!("{count} replies to customers")
    };
    Alarm {
        kind: Kind::DeadLetters,
        app: Some(app.clone()),
        since,
        text_en: format!("{replies} failed for good. Why: `wxreply log --status failed`"),
        text_zh: format!("有 {count} 条给顾客的回复没能发出。原因见 `wxreply log --status failed`"),
    }
}

pub(super) fn unanswered(app: &AppName, since: Timestamp, unusual: Unusual) -> Alarm {
    let Unusual { last_hour, before } = unusual;
    let (all, without) = (last_hour.all(), last_hour.unmatched);
    let (now, usual) = (last_hour.percent(), before.percent());
    Alarm {
        kind: Kind::Unanswered,
        app: Some(app.clone()),
        since,
        text_en: format!(
            "{without} of {all} messages in the last hour found no rule: {now} %, against {usual} % in the 7 days before. \
             What they say: `wxreply log --unmatched --since 1h`"
        ),
        text_zh: format!(
            "最近一小时的 {all} 条消息中有 {without} 条没有规则回答：{now}%，此前 7 天是 {usual}%。\
             内容见 `wxreply log --unmatched --since 1h`"
        ),
    }
}

/// The alarm, with words that say that it is over.
pub(super) fn resolved(alarm: &Alarm) -> Alarm {
    let (en, zh) = match alarm.kind {
        Kind::Database => ("The database answers again.", "数据库恢复应答。"),
        Kind::RulesRefused => (
            "The rules on the disk can be used again.",
            "磁盘上的规则又能用了。",
        ),
        Kind::RulesStandIn => (
            "The rules on the disk are in force, and their tests pass.",
            "磁盘上的规则已经生效，测试也通过。",
        ),
        Kind::Token => ("There is a good access token again.", "access_token 已恢复正常。"),
        Kind::DeadLetters => ("No more replies failed.", "没有新的回复发送失败。"),
        Kind::Unanswered => (
            "No more messages than usual find no rule.",
            "没有规则回答的消息已恢复到平时的比例。",
        ),
    };
    Alarm {
        text_en: en.to_owned(),
        text_zh: zh.to_owned(),
        ..alarm.clone()
    }
}

/// The first finding's message and place, and how many more there are.
fn first(findings: &[String]) -> String {
    let Some(finding) = findings.first() else {
        return String::new();
    };
    let mut lines = finding.lines();
    let message = lines.next().unwrap_or_default();
    let place = lines.find_map(|line| line.trim_start().strip_prefix("--> "));
    let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
    let more = match findings.len() - 1 {
        0 => String::new(),
        more => format!(" (+{more})"),
    };
    short(&format!("{message}{place}{more}"))
}

/// On one line, and not longer than one wants to read.
fn short(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    match text.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
