//! `wxreply rules`: all rules in the order in which they are tried, and whether they are in force.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, ValueEnum};
use comfy_table::{Cell, ContentArrangement, Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::config::ConfigArg;
use super::print::{count, plain, short};
use super::time::show;
use super::{Exit, runtime, time};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::message::{AppName, RuleName, RuleSetVersion};
use crate::metrics::Metrics;
use crate::reload::{RulesSource, archived};
use crate::rules::{RuleOutline, RuleSet};
use crate::spreadsheet::{BYTE_ORDER_MARK, harmless};
use crate::store::{Access, RuleHits, Store};

#[derive(Debug, Args)]
#[command(after_help = "\
The first rule that matches decides. Rules with a higher priority are tried first; of one priority, they go by the path of \
their file and their place in it. Disabled rules stand last.

The rules are those on the disk; while these can't be used, those in force. A hit is a message that the rule took: it \
decided, or it replied and went on. Where its cooldown kept it silent, or it only watched (observe), the table says so. \
Hits are counted by the rule's name, so a rule that was renamed begins anew.

Exit code 1 with --in-force, when the rules on the disk are not those in force, or nobody can tell.")]
pub(super) struct Rules {
    /// Only rules that serve this app
    #[arg(long, value_parser = |s: &str| anyhow::Ok(AppName::from(s)))]
    app: Option<AppName>,
    /// Count hits from this time on
    #[arg(long, value_name = "T", default_value = "30d")]
    since: String,
    /// Fail unless the rules on the disk are those in force
    #[arg(long)]
    in_force: bool,
    /// How the list is printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A table, as wide as the terminal
    Human,
    /// One JSON object
    Json,
    /// For spreadsheets: UTF-8 with a byte-order mark
    Csv,
}

/// The columns of CSV: the fields of a [`Row`], in its order.
const COLUMNS: [&str; 14] = [
    "place", "rule", "priority", "file", "line", "apps", "enabled", "observe", "asks", "does", "hits",
    "silent", "observed", "last",
];

/// Longer cells are cut in a table; the other formats have them whole.
const TABLE_TEXT: usize = 80;

/// The page, in the form and the order of `--format json`.
#[derive(Serialize)]
struct Page<'a> {
    disk: Disk<'a>,
    /// What went live last; nothing when no database says so.
    in_force: Option<InForce>,
    /// Whether disk and live are the same; nothing when nobody can tell.
    same: Option<bool>,
    /// Whose rules are listed.
    listed: Listed,
    /// From when on hits are counted.
    since: Timestamp,
    /// What should be known about where this comes from.
    notes: Vec<String>,
    rules: Vec<Row>,
}

#[derive(Serialize)]
struct Disk<'a> {
    path: &'a Path,
    /// Nothing when they can't be used.
    version: Option<RuleSetVersion>,
    /// Findings that keep them from being used.
    errors: usize,
}

#[derive(Serialize)]
struct InForce {
    version: RuleSetVersion,
    since: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Listed {
    Disk,
    InForce,
}

/// One rule.
#[derive(Serialize)]
struct Row {
    /// Its place in the order, from 1; a disabled rule has none.
    place: Option<usize>,
    #[serde(flatten)]
    outline: RuleOutline,
    /// How the log knows it; nothing without a database.
    #[serde(flatten)]
    hits: Hits,
}

#[derive(Default, Serialize)]
struct Hits {
    hits: Option<u64>,
    silent: Option<u64>,
    observed: Option<u64>,
    last: Option<Timestamp>,
}

/// What the database says.
#[derive(Default)]
struct Known {
    in_force: Option<InForce>,
    /// The rules in force, where they are wanted and there.
    rules: Option<RuleSet>,
    hits: Option<BTreeMap<(AppName, RuleName), RuleHits>>,
    notes: Vec<String>,
}

impl Rules {
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = self.config.load_without_secrets()?;
        if let Some(app) = &self.app {
            super::config::app(&config, Some(app))?;
        }
        let since = time::parse("--since", &self.since, Timestamp::now(), &config.timezone)?;
        let mut notes = Vec::new();
        let (on_disk, errors) = on_disk(&config, &mut notes);
        let known = runtime()?.block_on(known(&config, since, on_disk.is_none()))?;
        notes.extend(known.notes);
        let version = on_disk.as_ref().map(|set| set.version().clone());
        let listed = if on_disk.is_some() {
            Listed::Disk
        } else {
            Listed::InForce
        };
        let same = match (&known.in_force, &version) {
            (None, _) => None,
            (Some(live), version) => Some(Some(&live.version) == version.as_ref()),
        };
        let exit = match same {
            Some(true) => Exit::Fine,
            _ if self.in_force => Exit::Bad,
            _ => Exit::Fine,
        };
        let set = on_disk.or(known.rules);
        if set.is_none() && !self.in_force {
            bail!("there are no rules to show: {}", notes.join("; "));
        }
        let page = Page {
            disk: Disk {
                path: &config.rules,
                version,
                errors,
            },
            in_force: known.in_force,
            same,
            listed,
            since,
            notes,
            rules: set
                .map(|set| self.rows(&set, known.hits.as_ref()))
                .unwrap_or_default(),
        };
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let mut out = BufWriter::new(stdout.lock());
        match self.format {
            Format::Human => human(&mut out, &page, &config.timezone, terminal, None)?,
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, &page)?;
                writeln!(out)?;
            }
            Format::Csv => csv(&mut out, &page.rules)?,
        }
        out.flush()?;
        Ok(exit)
    }

    fn rows(&self, set: &RuleSet, hits: Option<&BTreeMap<(AppName, RuleName), RuleHits>>) -> Vec<Row> {
        // The place counts all rules: it does not depend on what is shown.
        let outlines = (1..).zip(set.outline());
        outlines
            .filter(|(_, outline)| self.app.as_ref().is_none_or(|app| outline.serves(app)))
            .map(|(place, outline)| Row {
                place: outline.enabled.then_some(place),
                hits: hits.map_or_else(Hits::default, |hits| {
                    let mine = hits.iter().filter(|((app, rule), _)| {
                        *rule == outline.rule
                            && outline.serves(app)
                            && self.app.as_ref().is_none_or(|only| only == app)
                    });
                    Hits::sum(mine.map(|(_, hits)| hits))
                }),
                outline,
            })
            .collect()
    }
}

impl Hits {
    fn sum<'a>(all: impl Iterator<Item = &'a RuleHits>) -> Self {
        let sum = all.fold(RuleHits::default(), |sum, hits| RuleHits {
            hits: sum.hits + hits.hits,
            silent: sum.silent + hits.silent,
            observed: sum.observed + hits.observed,
            last: sum.last.max(hits.last),
        });
        Self {
            hits: Some(sum.hits),
            silent: Some(sum.silent),
            observed: Some(sum.observed),
            last: sum.last,
        }
    }
}

/// The rules on the disk, and how many errors keep them from being used.
fn on_disk(config: &Config, notes: &mut Vec<String>) -> (Option<RuleSet>, usize) {
    let (set, errors) = match RulesSource::of(config).load() {
        Err(error) => {
            notes.push(error.to_string());
            return (None, 1);
        }
        Ok(loaded) => {
            let errors = loaded
                .findings
                .iter()
                .filter(|finding| Diagnostic::is_error(finding));
            (loaded.set, errors.count())
        }
    };
    if set.is_none() {
        notes.push(format!(
            "the rules in {} can't be used: {} (`wxreply check` shows them)",
            config.rules.display(),
            count(errors, "error")
        ));
    }
    (set, errors)
}

/// Asks the database, if there is one; for the rules in force only when they are to be shown.
async fn known(config: &Config, since: Timestamp, show: bool) -> anyhow::Result<Known> {
    let metrics = Arc::new(Metrics::new());
    let mut known = Known::default();
    let store = match Store::open(&config.database, Access::Command, Arc::new(SystemClock), metrics).await {
        Ok(store) => store,
        Err(error) => {
            known
                .notes
                .push(format!("what is in force, and hits, are not known: {error}"));
            return Ok(known);
        }
    };
    let asked = ask(&store, since, show, &mut known).await;
    store.close().await;
    asked?;
    Ok(known)
}

async fn ask(store: &Store, since: Timestamp, show: bool, known: &mut Known) -> anyhow::Result<()> {
    known.hits = Some(store.rule_counts(since).await?);
    let Some(live) = store.live_rule_set().await? else {
        known.notes.push(
            "what is in force is not known: no daemon has loaded rules with this database yet".to_owned(),
        );
        return Ok(());
    };
    if show {
        match archived(store, &live.version).await {
            Ok(set) => known.rules = set,
            Err(error) => known.notes.push(error.to_string()),
        }
    }
    known.in_force = Some(InForce {
        version: live.version,
        since: live.live,
    });
    Ok(())
}

fn human(
    out: &mut impl Write,
    page: &Page<'_>,
    zone: &TimeZone,
    terminal: bool,
    width: Option<u16>,
) -> io::Result<()> {
    for note in &page.notes {
        writeln!(out, "{}", plain(note))?;
    }
    let path = page.disk.path.display();
    if let Some(version) = &page.disk.version {
        writeln!(out, "on the disk: version {version}, {path}")?;
    }
    if let Some(live) = &page.in_force {
        let since = show(live.since, zone);
        match page.same {
            Some(true) => writeln!(out, "in force: the same, since {since}")?,
            _ => writeln!(out, "in force: another version, {}, since {since}", live.version)?,
        }
        if page.same == Some(false) && page.listed == Listed::Disk {
            writeln!(
                out,
                "A running daemon takes up what is on the disk by itself; if it did not, its log says why."
            )?;
        }
    }
    if page.rules.is_empty() {
        return Ok(());
    }
    let whose = match page.listed {
        Listed::Disk => "on the disk",
        Listed::InForce => "in force",
    };
    let hits = if page.rules.iter().any(|row| row.hits.hits.is_some()) {
        format!("; hits since {}", show(page.since, zone))
    } else {
        String::new()
    };
    writeln!(out, "\nThe rules {whose}, in the order tried{hits}:\n")?;
    let mut table = Table::new();
    if !terminal {
        table.force_no_tty();
    }
    if let Some(width) = width {
        table.set_width(width);
    }
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["", "rule", "asks for → does", "hits, and the last"]);
    for row in &page.rules {
        table.add_row(cells(row, zone).map(Cell::new));
    }
    writeln!(out, "{}", table.trim_fmt())
}

/// A row for people.
fn cells(row: &Row, zone: &TimeZone) -> [String; 4] {
    let Row { place, outline, hits } = row;
    let cut = |text: &str| short(&plain(text), TABLE_TEXT).into_owned();
    let mut asks = outline.asks.join("; ");
    if asks.is_empty() {
        "anything".clone_into(&mut asks);
    }
    if let Some(apps) = &outline.apps {
        let apps: Vec<&str> = apps.iter().map(AppName::as_str).collect();
        asks = format!("app: {}; {asks}", apps.join(", "));
    }
    let mut does = outline.does.join("; ");
    if does.is_empty() {
        "nothing".clone_into(&mut does);
    }
    if outline.observe {
        does = format!("observe: {does}");
    }
    let number = |number: Option<u64>, after: &str| {
        number
            .filter(|number| *number > 0)
            .map(|number| format!("{number}{after}"))
    };
    let counted = [
        number(hits.hits, ""),
        number(hits.silent, " silent"),
        number(hits.observed, " watched"),
    ];
    let counted: Vec<String> = counted.into_iter().flatten().collect();
    let counted = match hits.hits {
        None => "?".to_owned(),
        Some(_) if counted.is_empty() => "0".to_owned(),
        Some(_) => counted.join(", "),
    };
    let priority = match outline.priority {
        0 => String::new(),
        priority => format!(", priority {priority}"),
    };
    let last = hits.last.map(|last| format!("\n{}", show(last, zone)));
    [
        place.map_or_else(|| "off".to_owned(), |place| place.to_string()),
        format!(
            "{}\n{}:{}{priority}",
            cut(outline.rule.as_str()),
            cut(&outline.file),
            outline.line
        ),
        format!("{}\n→ {}", cut(&asks), cut(&does)),
        counted + last.as_deref().unwrap_or_default(),
    ]
}

fn csv(out: &mut impl Write, rows: &[Row]) -> anyhow::Result<()> {
    out.write_all(BYTE_ORDER_MARK.as_bytes())?;
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(COLUMNS)?;
    for Row { place, outline, hits } in rows {
        let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
        let apps = outline.apps.iter().flatten().map(AppName::as_str);
        csv.write_record([
            place.map(|place| place.to_string()).unwrap_or_default(),
            harmless(outline.rule.as_str()).into_owned(),
            outline.priority.to_string(),
            harmless(&outline.file).into_owned(),
            outline.line.to_string(),
            apps.collect::<Vec<_>>().join(" "),
            outline.enabled.to_string(),
            outline.observe.to_string(),
            harmless(&outline.asks.join("; ")).into_owned(),
            harmless(&outline.does.join("; ")).into_owned(),
            number(hits.hits),
            number(hits.silent),
            number(hits.observed),
            hits.last.map(|last| last.to_string()).unwrap_or_default(),
        ])?;
    }
    csv.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page<'static> {
        let outline = |name: &str, asks: &[&str], does: &[&str]| RuleOutline {
            rule: name.into(),
            priority: 0,
            file: "shop/hours.toml".to_owned(),
            line: 12,
            apps: None,
            enabled: true,
            observe: false,
            asks: asks.iter().map(|a| (*a).to_owned()).collect(),
            does: does.iter().map(|d| (*d).to_owned()).collect(),
        };
        let at: Timestamp = "2026-01-05T02:00:00Z".parse().expect("a time");
        Page {
            disk: Disk {
                path: Path::new("rules"),
                version: Some("0123456789abcdef".into()),
                errors: 0,
            },
            in_force: Some(InForce {
                version: "0123456789abcdef".into(),
                since: at,
            }),
            same: Some(true),
            listed: Listed::Disk,
            since: at,
            notes: Vec::new(),
            rules: vec![
                Row {
                    place: Some(1),
                    outline: RuleOutline {
                        priority: 10,
                        ..outline(
                            "节假日营业时间",
                            &[
                                "keywords: 营业时间, 几点开门, 几点关门, 开门了吗",
                                "time: 2026-10-01..2026-10-07",
                            ],
                            &["reply", "cooldown 10m"],
                        )
                    },
                    hits: Hits {
                        hits: Some(1234),
                        silent: Some(5),
                        observed: Some(0),
                        last: Some(at),
                    },
                },
                Row {
                    place: None,
                    outline: RuleOutline {
                        enabled: false,
                        observe: true,
                        apps: Some(vec!["club".into()]),
                        ..outline("=旧\u{1b}的", &[], &[])
                    },
                    hits: Hits::default(),
                },
            ],
        }
    }

    fn table(width: u16) -> String {
        let mut out = Vec::new();
        human(&mut out, &page(), &TimeZone::UTC, false, Some(width)).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_narrow_terminal_still_shows_every_column() {
        insta::assert_snapshot!(table(80), @"
        on the disk: version 0123456789abcdef, rules
        in force: the same, since 2026-01-05 02:00:00

        The rules on the disk, in the order tried; hits since 2026-01-05 02:00:00:

              rule                 asks for → does                  hits, and the last
         1    节假日营业时间       keywords: 营业时间, 几点开门,    1234, 5 silent
              shop/hours.toml:12,  几点关门, 开门了吗; time:        2026-01-05 02:00:00
              priority 10          2026-10-01..2026-10-07
                                   → reply; cooldown 10m
         off  =旧·的               app: club; anything              ?
              shop/hours.toml:12   → observe: nothing
        ");
        insta::assert_snapshot!(table(160), @"
        on the disk: version 0123456789abcdef, rules
        in force: the same, since 2026-01-05 02:00:00

        The rules on the disk, in the order tried; hits since 2026-01-05 02:00:00:

              rule                             asks for → does                                                                 hits, and the last
         1    节假日营业时间                   keywords: 营业时间, 几点开门, 几点关门, 开门了吗; time: 2026-10-01..2026-10-07  1234, 5 silent
              shop/hours.toml:12, priority 10  → reply; cooldown 10m                                                           2026-01-05 02:00:00
         off  =旧·的                           app: club; anything                                                             ?
              shop/hours.toml:12               → observe: nothing
        ");
    }

    #[test]
    fn a_spreadsheet_gets_every_field_and_runs_none() {
        let mut out = Vec::new();
        csv(&mut out, &page().rules).expect("written");
        insta::assert_snapshot!(String::from_utf8(out).expect("text").replace(['\u{feff}', '\u{1b}'], "␛"), @r#"
        ␛place,rule,priority,file,line,apps,enabled,observe,asks,does,hits,silent,observed,last
        1,节假日营业时间,10,shop/hours.toml,12,,true,false,"keywords: 营业时间, 几点开门, 几点关门, 开门了吗; time: 2026-10-01..2026-10-07",reply; cooldown 10m,1234,5,0,2026-01-05T02:00:00Z
        ,'=旧␛的,0,shop/hours.toml,12,club,false,true,,,,,,
        "#);
        let row = serde_json::to_string(&page().rules[0]).expect("serializable");
        let mut from = 0;
        for column in COLUMNS {
            let at = row[from..].find(&format!("\"{column}\":"));
            from += at.unwrap_or_else(|| panic!("{column} is not there, or not in its place"));
        }
    }
}
