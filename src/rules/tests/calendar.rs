//! Calendars: what they change, and the mistakes in writing them.

use jiff::civil::date;

use super::*;

const YEAR: &str = r#"
    [calendar.cn]
    closed = ["2026-01-06..2026-01-07", 2026-01-12]
    open = ["2026-01-10"]
"#;

/// What a rule with this `when.time` makes of a message at each of these times, `+` or `-`.
fn at(time: &str, clocks: &[&str]) -> String {
    let set = set(&format!(
        "{YEAR}\n[[rule]]\nname = \"a\"\nwhen.time = {time}\nreply = \"R\"\n"
    ));
    clocks
        .iter()
        .map(|clock| {
            let mut talk = Talk::new(&set);
            talk.now = format!("{clock}+08:00").parse().expect("a time");
            if brief(&talk.say("你好")).starts_with("matched") {
                '+'
            } else {
                '-'
            }
        })
        .collect()
}

/// Monday to Monday, the 5th to the 12th of January 2026.
const DAYS: [&str; 8] = [
    "2026-01-05T10:00",
    "2026-01-06T10:00",
    "2026-01-07T10:00",
    "2026-01-08T10:00",
    "2026-01-09T10:00",
    "2026-01-10T10:00",
    "2026-01-11T10:00",
    "2026-01-12T10:00",
];

#[test]
fn closed_days_are_none_and_make_up_days_are_days_of_work() {
    assert_eq!(at("{ days = 'mon-fri' }", &DAYS), "+++++--+");
    assert_eq!(at("{ days = 'mon-fri', calendar = 'cn' }", &DAYS), "+--+++--");
    assert_eq!(
        at("{ days = 'mon-fri', calendar = 'cn', not = true }", &DAYS),
        "-++---++"
    );
    assert_eq!(at("{ calendar = 'cn' }", &DAYS), "+--++++-");
    assert_eq!(
        at("{ hours = '11:00-12:00', calendar = 'cn' }", &DAYS),
        "--------"
    );
    assert_eq!(
        at("{ dates = '2026-01-01..2026-01-06', calendar = 'cn' }", &DAYS),
        "+-------"
    );
}

#[test]
fn a_night_is_that_of_the_day_on_which_it_began() {
    let nights = [
        "2026-01-06T01:00",
        "2026-01-06T22:30",
        "2026-01-08T01:00",
        "2026-01-08T22:30",
    ];
    assert_eq!(at("{ hours = '22:00-02:00', calendar = 'cn' }", &nights), "+--+");
}

#[test]
fn the_explanation_names_the_calendar() {
    let set = set(&format!(
        "{YEAR}\n[[rule]]\nname = \"a\"\nwhen.time = {{ hours = '22:00-02:00', days = 'mon-fri', calendar = 'cn' }}\nreply = \"R\"\n"
    ));
    let said = |clock: &str| {
        let facts = Facts {
            now: format!("{clock}+08:00").parse().expect("a time"),
            contact: &Contact::default(),
            app_cooldowns: &Cooldowns::new(),
        };
        let explanation = set.explain(&text("你好"), &facts);
        explanation.rules[0].conditions.last().expect("one").why.clone()
    };
    assert_eq!(
        said("2026-01-05T22:30"),
        "22:00-02:00 mon-fri calendar cn; it is mon 2026-01-05 22:30"
    );
    assert!(said("2026-01-06T22:30").ends_with("it is tue 2026-01-06 22:30, closed in calendar cn"));
    assert!(said("2026-01-10T22:30").ends_with("it is sat 2026-01-10 22:30, open in calendar cn"));
    assert!(said("2026-01-08T01:00").ends_with("01:00; the night of 2026-01-07, closed in calendar cn"));
}

#[test]
fn mistakes_in_calendars() {
    insta::assert_snapshot!(findings::findings(
        r#"[calendar.cn]
closed = ["2026-10-01..2026-10-07", "2026-02-30", 7]
open   = ["2026-10-07", "2026-10-11..2026-10-10"]
shut   = ["2026-01-01"]

[calendar.us]

[calendar]
closed = ["2026-10-01"]

[[rule]]
name = "a"
when.time.calendar = "cm"
reply = "R"

[[rule]]
name = "b"
when.time.calendar = "shop"
reply = "R"
"#
    ), @r#"
    error[E012]: `calendar.cn.closed` can't be read
     --> shop.toml:2:37
      |
    2 | closed = ["2026-10-01..2026-10-07", "2026-02-30", 7]
      |                                     ^^^^^^^^^^^^ not understood
      |
      = help: write "2026-10-01" or "2026-10-01..2026-10-07", the last day included

    error[E003]: `calendar.cn.closed` must be a string, but this is a whole number
     --> shop.toml:2:51
      |
    2 | closed = ["2026-10-01..2026-10-07", "2026-02-30", 7]
      |                                                   ^ expected a string

    error[E043]: the calendar `cn` says of 2026-10-07 both that it is open and that it is closed
     --> shop.toml:3:11
      |
    2 | closed = ["2026-10-01..2026-10-07", "2026-02-30", 7]
      |           ------------------------ closed here
    3 | open   = ["2026-10-07", "2026-10-11..2026-10-10"]
      |           ^^^^^^^^^^^^ open here
      |
      = help: take the day out of one of them; a range may be written as two

    error[E012]: `calendar.cn.open` has a range that ends before it begins
     --> shop.toml:3:25
      |
    3 | open   = ["2026-10-07", "2026-10-11..2026-10-10"]
      |                         ^^^^^^^^^^^^^^^^^^^^^^^^ turned round
      |
      = help: write "2026-10-10..2026-10-11"

    error[E002]: unknown key `shut`
     --> shop.toml:4:1
      |
    4 | shut   = ["2026-01-01"]
      | ^^^^ no such key
      |
      = help: known here: closed, open

    error[E005]: the calendar `us` names no day
     --> shop.toml:6:1
      |
    6 | [calendar.us]
      | ^^^^^^^^^^^^^ needs `closed` or `open`
      |
      = help: write `closed = ["2026-10-01..2026-10-07"]`

    error[E002]: this calendar has no name
     --> shop.toml:9:1
      |
    9 | closed = ["2026-10-01"]
      | ^^^^^^ which calendar's?
      |
      = help: write `[calendar.NAME]` above it, with a name of your own

    error[E042]: there is no calendar `cm`
      --> shop.toml:13:22
       |
    13 | when.time.calendar = "cm"
       |                      ^^^^ no such calendar
       |
       = help: did you mean "cn"?

    error[E042]: there is no calendar `shop`
      --> shop.toml:18:22
       |
    18 | when.time.calendar = "shop"
       |                      ^^^^^^ no such calendar
       |
       = help: write `[calendar.shop]` with its `closed` days in any rule file
    "#);
}

#[test]
fn one_calendar_is_written_once() {
    let one = Source::new("a.toml", "[calendar.cn]\nclosed = [2026-10-01]\n");
    let two = Source::new("b.toml", "[calendar.cn]\nclosed = [2026-10-02]\n");
    let found = load(&[one, two], &scope()).findings;
    let found: Vec<_> = found.iter().map(|finding| render(finding, false)).collect();
    insta::assert_snapshot!(found.join("\n\n"), @r#"
    error[E006]: there are two calendars `cn`
     --> b.toml:1:11
      |
    1 | [calendar.cn]
      |           ^^ again here
      |
     ::: a.toml:1:11
      |
    1 | [calendar.cn]
      |           -- first here
      |
      = help: a calendar is written once, in any file: put the dates together, or rename one
    "#);
}

#[test]
fn a_calendar_that_rules_ask_is_missed_before_it_ends() {
    let warned = |today: Option<jiff::civil::Date>, asked: &str| {
        let rules = format!(
            "[calendar.cn]\nclosed = [2026-10-01, \"2026-01-01..2026-01-03\"]\nopen = [2026-10-10]\n\
             [[rule]]\nname = \"a\"\nwhen.time = {{ {asked} }}\nreply = \"R\"\n"
        );
        let scope = Scope { today, ..scope() };
        let found = load(&[Source::new("shop.toml", rules)], &scope).findings;
        found
            .iter()
            .map(|finding| format!("{} {}", finding.code, finding.message))
            .collect::<Vec<_>>()
    };
    let asked = "calendar = 'cn'";
    assert_eq!(warned(None, asked), [""; 0]);
    assert_eq!(
        warned(Some(date(2026, 9, 10)), asked),
        [""; 0],
        "30 days are left"
    );
    assert_eq!(
        warned(Some(date(2026, 9, 11)), asked),
        ["W040 the calendar `cn` ends on 2026-10-10"]
    );
    assert_eq!(
        warned(Some(date(2026, 10, 11)), asked),
        ["W040 the calendar `cn` ended on 2026-10-10"]
    );
    assert_eq!(
        warned(Some(date(2026, 10, 11)), "days = 'mon'"),
        [""; 0],
        "nobody asks it"
    );
}
