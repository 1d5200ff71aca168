//! The rules in force: the list, and one rule.

use std::sync::Arc;

use askama::Template;
use http::StatusCode;
use serde::Deserialize;
use warp::reply::Response;

use super::{Frame, Place, address, rules_outline};
use crate::console::Console;
use crate::console::data::rules::{self, Rule, RuleDetail, Rules, Window};
use crate::console::html::{html, query, see_other};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::message::AppName;

/// Rules on one page.
const PAGE: usize = 100;

#[derive(Deserialize)]
struct Wish {
    days: Option<u16>,
    app: Option<String>,
    #[serde(default)]
    q: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    page: usize,
    #[serde(default)]
    reloaded: String,
}

#[derive(Template)]
#[template(path = "rules.html", config = "src/console/askama.toml")]
struct RulesPage {
    frame: Frame,
    rules: Rules,
    /// Those of this page, by file when that is wanted, else all under no heading.
    groups: Vec<(String, Vec<Row>)>,
    found: usize,
    page: usize,
    pages: usize,
    query: Query,
    links: Links,
    reloaded: bool,
}

/// A rule, where its page is, and what it asks and does in the reader's language.
struct Row {
    rule: Rule,
    href: String,
    asks: Vec<String>,
    does: Vec<String>,
}

/// What is asked for, to make links of.
struct Query {
    q: String,
    days: u16,
    app: String,
    by_file: bool,
}

impl Query {
    fn link(&self, days: u16, by_file: bool, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.q.is_empty() {
            query.append_pair("q", &self.q);
        }
        if !self.app.is_empty() {
            query.append_pair("app", &self.app);
        }
        query.append_pair("days", &days.to_string());
        if by_file {
            query.append_pair("by", "file");
        }
        if page > 0 {
            query.append_pair("page", &page.to_string());
        }
        format!("/rules?{}", query.finish())
    }
}

/// Ways to look at it otherwise.
struct Links {
    in_order: String,
    by_file: String,
    windows: Vec<WindowLink>,
    previous: Option<String>,
    next: Option<String>,
}

/// Hits of another time.
pub(super) struct WindowLink {
    pub days: u16,
    pub href: String,
    pub current: bool,
}

impl WindowLink {
    /// The windows that are offered.
    pub fn all(current: u16, link: impl Fn(u16) -> String) -> Vec<Self> {
        let windows = [1, 7, 14, 30].into_iter();
        windows
            .map(|days| Self {
                days,
                href: link(days),
                current: days == current,
            })
            .collect()
    }
}

impl Links {
    fn of(query: &Query, page: usize, pages: usize) -> Self {
        let link = |page: usize| query.link(query.days, query.by_file, page);
        Self {
            in_order: query.link(query.days, false, 0),
            by_file: query.link(query.days, true, 0),
            windows: WindowLink::all(query.days, |days| query.link(days, query.by_file, 0)),
            previous: page.checked_sub(1).map(link),
            next: (page + 1 < pages).then(|| link(page + 1)),
        }
    }
}

impl RulesPage {
    /// Findings of either weight in all rules.
    fn problems(&self, errors: bool) -> usize {
        let rules = self.rules.rules.iter().flat_map(|rule| &rule.findings);
        let all = rules.chain(&self.rules.findings);
        all.filter(|finding| finding.is_error() == errors).count()
    }
}

/// `GET /rules`
pub(in crate::console) async fn list(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let wish: Wish = request.query()?;
    let window = Window {
        days: wish.days,
        app: wish.app.clone(),
    };
    let rules = rules::rules(&console, &window).await?;
    let needle = wish.q.trim().to_lowercase();
    let fits = |rule: &&Rule| {
        let texts = [&rule.name, &rule.file]
            .into_iter()
            .chain(&rule.asks)
            .chain(&rule.does);
        needle.is_empty()
            || texts
                .into_iter()
                .any(|text| text.to_lowercase().contains(&needle))
    };
    let mut found: Vec<&Rule> = rules.rules.iter().filter(fits).collect();
    let by_file = wish.by == "file";
    if by_file {
        found.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    }
    let pages = found.len().div_ceil(PAGE);
    let page = wish.page.min(pages.saturating_sub(1));
    let mut groups: Vec<(String, Vec<Row>)> = Vec::new();
    for rule in found.iter().skip(page * PAGE).take(PAGE) {
        let row = Row {
            href: address::rule(&rule.app(&console), &rule.name),
            asks: rule
                .asks
                .iter()
                .map(|ask| rules_outline::asks(request.lang, ask))
                .collect(),
            does: rule
                .does
                .iter()
                .map(|does| rules_outline::does(request.lang, does))
                .collect(),
            rule: (*rule).clone(),
        };
        let heading = if by_file { rule.file.as_str() } else { "" };
        match groups.last_mut().filter(|(name, _)| name == heading) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((heading.to_owned(), vec![row])),
        }
    }
    let query = Query {
        q: wish.q,
        days: window.since(console.clock.now())?.0,
        app: wish.app.unwrap_or_default(),
        by_file,
    };
    html(&RulesPage {
        frame: Frame::new(&console, &request, Place::Rules, request.lang.words().frame.rules),
        links: Links::of(&query, page, pages),
        query,
        found: found.len(),
        groups,
        page,
        pages,
        reloaded: !wish.reloaded.is_empty(),
        rules,
    })
}

#[derive(Template)]
#[template(path = "rule.html", config = "src/console/askama.toml")]
struct RulePage {
    frame: Frame,
    detail: RuleDetail,
    days: u16,
    form: String,
    edit: String,
    test_edits: Vec<String>,
    asks: Vec<String>,
    does: Vec<String>,
    /// Where its last messages stand.
    recent: Vec<String>,
}

/// A rule that is not in force, at least not for this app.
#[derive(Template)]
#[template(path = "rule_gone.html", config = "src/console/askama.toml")]
struct RuleGonePage {
    frame: Frame,
    messages: String,
}

/// `GET /rules/{app}/{rule}`
pub(in crate::console) async fn one(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let (app, name): (String, String) = (request.param(0)?, request.param(1)?);
    let wish: Wish = request.query()?;
    let window = Window {
        days: wish.days,
        app: None,
    };
    let found = rules::rule(&console, &AppName::from(app), &name, &window).await;
    let detail = match found {
        Err(problem) if problem.status() == StatusCode::NOT_FOUND => {
            // Messages name the rule that took them for as long as they are kept, and rules come and go.
            let page = html(&RuleGonePage {
                frame: Frame::new(&console, &request, Place::Rules, name.as_str()),
                messages: query("/messages").append_pair("rule", &name).finish(),
            })?;
            return Ok(problem.head(page));
        }
        found => found?,
    };
    let tests = detail
        .tests
        .iter()
        .map(|test| address::edit(&test.file, test.line));
    html(&RulePage {
        frame: Frame::new(&console, &request, Place::Rules, name.as_str()),
        days: window.since(console.clock.now())?.0,
        form: address::form(&detail.rule.file, &name),
        edit: address::edit(&detail.rule.file, detail.rule.line),
        test_edits: tests.collect(),
        asks: detail
            .rule
            .asks
            .iter()
            .map(|ask| rules_outline::asks(request.lang, ask))
            .collect(),
        does: detail
            .rule
            .does
            .iter()
            .map(|does| rules_outline::does(request.lang, does))
            .collect(),
        recent: detail
            .recent
            .iter()
            .map(|message| address::message(&message.app, &message.openid, "", &message.id))
            .collect(),
        detail,
    })
}

/// `POST /rules/reload`
pub(in crate::console) async fn reload(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    // What is wrong stands on the page that follows.
    if let Ok(version) = console.rules.reload().await {
        let detail = serde_json::json!({ "version": version });
        console
            .store
            .audit(&request.who.name, "rules.reload", "", detail)
            .await?;
        return Ok(see_other("/rules?reloaded=1"));
    }
    Ok(see_other("/rules"))
}
