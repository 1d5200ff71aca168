//! Judge and book together, on figures made by hand: when trouble is told, when again, and when it is over.

use std::time::Duration;

use jiff::Timestamp;

use super::book::Book;
use super::judge::{AppFigures, Figures, Judge};
use super::share::Count;
use super::{Kind, Notice};
use crate::reload::RulesStatus;
use crate::rules::RuleSet;

const COOLDOWN: Duration = Duration::from_secs(30 * 60);

/// A daemon made by hand, and who watches it.
struct Shop {
    figures: Figures,
    judge: Judge,
    book: Book,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

impl Shop {
    /// One app, all well.
    fn new() -> Self {
        let mut shop = Self {
            figures: Figures {
                now: at(0),
                rules: RulesStatus::of(&RuleSet::empty(), at(0)),
                database: None,
                apps: vec![AppFigures {
                    app: "shop".into(),
                    messages: Count::default(),
                    failed: 0,
                    token: None,
                }],
            },
            judge: Judge::new(COOLDOWN),
            book: Book::new(COOLDOWN),
        };
        assert_eq!(shop.look(0), [""; 0]);
        shop
    }

    fn app(&mut self) -> &mut AppFigures {
        &mut self.figures.apps[0]
    }

    fn refuse(&mut self, findings: &[&str], second: i64) {
        let findings: Vec<_> = findings.iter().map(|finding| (*finding).to_owned()).collect();
        self.figures.rules.refuse(&findings, at(second));
    }

    fn turn(&mut self, second: i64) -> Vec<Notice> {
        self.figures.now = at(second);
        let alarms = self.judge.look(&self.figures);
        self.book.turn(&alarms, at(second))
    }

    /// What is told at `second`: kind, app, since, text.
    fn look(&mut self, second: i64) -> Vec<String> {
        let line = |notice: &Notice| {
            let alarm = &notice.alarm;
            let app = alarm
                .app
                .as_ref()
                .map(|app| format!(" {app}"))
                .unwrap_or_default();
            let state = if notice.resolved { "over: " } else { "" };
            format!(
                "{state}{}{app} {}: {}",
                alarm.kind.as_str(),
                alarm.since.as_second(),
                alarm.text_en
            )
        };
        self.turn(second).iter().map(line).collect()
    }
}

#[test]
fn rules_that_stay_unusable_are_told_once_and_their_mending_once() {
    let mut shop = Shop::new();
    shop.refuse(
        &[
            "error[E001]: this is no TOML\n  --> rules/a.toml:3:5\n   |",
            "two",
        ],
        100,
    );
    assert_eq!(shop.look(129), [""; 0], "somebody is still writing");
    assert_eq!(
        shop.look(130),
        [
            "rules_refused 100: The rules on the disk can't be used; the old ones go on answering. \
          error[E001]: this is no TOML (rules/a.toml:3:5) (+1)"
        ]
    );
    assert_eq!(shop.look(135), [""; 0]);
    shop.refuse(&["other words"], 140);
    assert_eq!(shop.look(140), [""; 0], "it is the same trouble");
    shop.figures.rules.agree(at(150));
    assert_eq!(
        shop.look(150),
        ["over: rules_refused 100: The rules on the disk can be used again."]
    );
    assert_eq!(shop.look(155), [""; 0]);
}

#[test]
fn what_is_mended_within_the_grace_is_told_to_nobody() {
    let mut shop = Shop::new();
    shop.refuse(&["x"], 100);
    shop.figures.database = Some("locked".to_owned());
    shop.app().token = Some("busy".to_owned());
    assert_eq!(shop.look(100), [""; 0]);
    assert_eq!(shop.look(129), [""; 0]);
    shop.figures.rules.agree(at(129));
    shop.figures.database = None;
    shop.app().token = None;
    assert_eq!(shop.look(131), [""; 0]);
    shop.figures.database = Some("locked".to_owned());
    assert_eq!(shop.look(135), [""; 0], "the grace begins anew");
    assert_eq!(shop.look(164), [""; 0]);
    assert_eq!(shop.look(165).len(), 1);
}

#[test]
fn trouble_that_goes_on_is_told_again_ever_more_seldom() {
    let mut shop = Shop::new();
    shop.app().token = Some("invalid appsecret (errcode 40125: …)".to_owned());
    let mut told = Vec::new();
    for minute in 0..=4000 {
        if !shop.look(minute * 60).is_empty() {
            told.push(minute);
        }
    }
    // After 30 minutes, 1 h, 2 h, 4 h, 8 h, 16 h, and from then on a day.
    assert_eq!(told, [1, 31, 91, 211, 451, 931, 1891, 3331]);
    shop.app().token = None;
    assert_eq!(
        shop.look(4001 * 60),
        ["over: token shop 0: There is a good access token again."]
    );
}

#[test]
fn trouble_that_begins_anew_after_a_long_one_does_not_wait_for_a_day() {
    let mut shop = Shop::new();
    shop.app().token = Some("x".to_owned());
    for minute in 0..=451 {
        shop.look(minute * 60);
    }
    shop.app().token = None;
    assert_eq!(shop.look(460 * 60).len(), 1, "it is over");
    shop.app().token = Some("x".to_owned());
    assert_eq!(shop.look(480 * 60), [""; 0], "30 s must pass");
    assert_eq!(shop.look(480 * 60 + 30), [""; 0], "within the cooldown since 451");
    assert_eq!(shop.look(481 * 60).len(), 1);
    assert_eq!(shop.look(510 * 60), [""; 0]);
    assert_eq!(shop.look(511 * 60).len(), 1, "and again after 30 minutes");
}

#[test]
fn trouble_that_comes_and_goes_is_told_once_a_cooldown() {
    let mut shop = Shop::new();
    let mut told = Vec::new();
    for minute in 0..60 {
        let broken = minute % 4 < 2;
        shop.figures.database = broken.then(|| "disk I/O error".to_owned());
        for second in [0, 30] {
            let now = minute * 60 + second;
            told.extend(
                shop.look(now)
                    .into_iter()
                    .map(|line| (now, line.contains("over"))),
            );
        }
    }
    let minutes: Vec<_> = told.iter().map(|(now, over)| (now / 60, *over)).collect();
    assert_eq!(minutes, [(0, false), (2, true), (32, false), (34, true)]);
}

#[test]
fn rules_from_the_archive_are_one_alarm_and_not_two() {
    let mut shop = Shop::new();
    shop.figures.rules.from_archive = true;
    shop.refuse(&["error[E001]: this is no TOML"], 0);
    let told = shop.look(40);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("rules_stand_in 0: wxreply started with the rules of its archive"),
        "{told:?}"
    );
    assert!(told[0].ends_with("error[E001]: this is no TOML"), "{told:?}");
    shop.figures.rules.agree(at(50));
    assert_eq!(shop.look(50).len(), 1);

    let mut shop = Shop::new();
    shop.figures.rules.failing_tests = vec!["error[E030]: the test `a` fails".to_owned()];
    assert_eq!(
        shop.look(5),
        ["rules_stand_in 0: Tests of the rules in force fail. error[E030]: the test `a` fails"]
    );
    shop.refuse(&["error[E001]: this is no TOML"], 10);
    let told = shop.look(40);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("rules_refused 10: "), "{told:?}");
}

#[test]
fn what_reached_nobody_is_told_again_in_a_minute_and_its_end_too() {
    let mut shop = Shop::new();
    shop.app().failed = 1;
    let notices = shop.turn(10);
    assert_eq!(notices.len(), 1);
    shop.book.missed(&notices, at(10));
    assert_eq!(shop.look(69), [""; 0]);
    assert_eq!(shop.look(70).len(), 1);
    assert_eq!(shop.look(135), [""; 0], "it was heard");
    assert_eq!(shop.look(1809), [""; 0]);

    let end = shop.turn(1810);
    assert!(end.len() == 1 && end[0].resolved, "{end:?}");
    shop.book.missed(&end, at(1810));
    assert_eq!(shop.look(1869), [""; 0]);
    let end = shop.turn(1870);
    assert!(end.len() == 1 && end[0].resolved, "{end:?}");
    assert_eq!(shop.look(2000), [""; 0], "it was heard");
}

#[test]
fn of_what_nobody_heard_nobody_hears_the_end() {
    let mut shop = Shop::new();
    shop.app().failed = 1;
    let notices = shop.turn(10);
    shop.book.missed(&notices, at(10));
    let again = shop.turn(70);
    shop.book.missed(&again, at(70));
    shop.app().failed = 1;
    assert_eq!(shop.turn(1811).len(), 0, "it was over by then");
}

#[test]
fn dead_letters_are_over_when_none_more_came_for_a_while() {
    let mut shop = Shop::new();
    shop.app().failed = 1;
    assert_eq!(
        shop.look(10),
        ["dead_letters shop 10: 1 reply to a customer failed for good. Why: `wxreply log --status failed`"]
    );
    shop.app().failed = 3;
    assert_eq!(shop.look(1000), [""; 0], "within the cooldown");
    assert_eq!(
        shop.look(1810),
        ["dead_letters shop 10: 3 replies to customers failed for good. Why: `wxreply log --status failed`"]
    );
    assert_eq!(shop.look(2799), [""; 0]);
    assert_eq!(
        shop.look(2800),
        ["over: dead_letters shop 10: No more replies failed."]
    );
    assert_eq!(shop.look(2805), [""; 0]);
}

#[test]
fn what_failed_before_the_first_look_is_told_too() {
    let mut judge = Judge::new(COOLDOWN);
    let mut figures = Shop::new().figures;
    figures.apps[0].failed = 7;
    let alarms = judge.look(&figures);
    assert_eq!(alarms.len(), 1);
    assert!(alarms[0].text_zh.starts_with("有 7 条"), "{alarms:?}");
}

#[test]
fn twice_as_many_unanswered_as_usual() {
    let mut shop = Shop::new();
    shop.app().messages = Count {
        matched: 180,
        unmatched: 20,
    };
    assert_eq!(shop.look(60), [""; 0]);
    shop.app().messages = Count {
        matched: 200,
        unmatched: 32,
    };
    assert_eq!(
        shop.look(8000),
        [
            "unanswered shop 8000: 12 of 32 messages in the last hour found no rule: 38 %, against 10 % in the 7 days before. \
          What they say: `wxreply log --unmatched --since 1h`"
        ]
    );
    assert_eq!(
        shop.look(8000 + 3600),
        ["over: unanswered shop 8000: No more messages than usual find no rule."]
    );
}

#[test]
fn each_app_is_told_of_by_itself_and_the_gravest_comes_first() {
    let mut shop = Shop::new();
    let mut other = shop.figures.apps[0].clone();
    other.app = "club".into();
    shop.figures.apps.push(other);
    shop.look(1);
    for app in &mut shop.figures.apps {
        app.token = Some("x".to_owned());
        app.failed = 1;
    }
    shop.figures.database = Some("x".to_owned());
    shop.look(2);
    let alarms = {
        shop.figures.now = at(40);
        shop.judge.look(&shop.figures)
    };
    let order: Vec<_> = alarms
        .iter()
        .map(|alarm| (alarm.kind, alarm.app.as_ref().map(|app| app.as_str().to_owned())))
        .collect();
    let app = |name: &str| Some(name.to_owned());
    assert_eq!(
        order,
        [
            (Kind::Database, None),
            (Kind::Token, app("shop")),
            (Kind::Token, app("club")),
            (Kind::DeadLetters, app("shop")),
            (Kind::DeadLetters, app("club")),
        ]
    );
    shop.figures.apps[0].token = None;
    shop.turn(40);
    shop.figures.apps[1].token = None;
    let over = shop.look(45);
    assert_eq!(over, ["over: token club 2: There is a good access token again."]);
}
