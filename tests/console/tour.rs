//! A way past every page of the console, with something to see on each.

use std::collections::BTreeSet;

use serde_json::Value;
use wxreply::message::Entry;

use crate::people::{OPS, Person};
use crate::routes;
use crate::shop::Shop;
use crate::world::http;

/// One page.
pub struct Stop {
    /// A short name, for files.
    pub name: String,
    pub path: String,
}

/// What there is to see in a shop, as its own API tells.
pub struct Sights {
    /// A customer who wrote much of late, and their app.
    app: String,
    openid: String,
    /// A message that came from a customer.
    message: String,
    /// A text that no rule answered.
    unanswered: String,
    /// A version that is not the first, where there is one.
    version: String,
    /// A rule, and an app that it serves.
    rule: String,
    rule_app: String,
    /// A rule that the simple form shows, and its file.
    simple: String,
    file: String,
    line: u64,
}

impl Sights {
    /// Looks around in a shop that has rules and at least one message each way.
    pub async fn of(shop: &Shop) -> Self {
        Self::at(&shop.world.admin, Some(&OPS)).await
    }

    /// The same, at any console.
    pub async fn at(admin: &str, person: Option<&Person>) -> Self {
        let client = http();
        let get = async |path: &str| {
            let mut request = client.get(format!("{admin}{path}"));
            if let Some(person) = person {
                request = request.basic_auth(person.name, Some(person.password));
            }
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), 200, "{path}");
            let text = answer.text().await.expect("a body");
            serde_json::from_str::<Value>(&text).expect("JSON")
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let log = get("/api/messages?direction=in&limit=100").await;
        let log = log["items"].as_array().expect("a list");
        let count = |one: &Value| {
            log.iter()
                .filter(|other| other["openid"] == one["openid"])
                .count()
        };
        let busiest = log.iter().max_by_key(|one| count(one)).expect("a message");
        let unanswered = get("/api/messages?direction=in&status=unmatched&limit=100").await;
        let unanswered = unanswered["items"].as_array().expect("a list").iter();
        let mut unanswered = unanswered.map(|message| text(&message["content"]));
        let versions = get("/api/versions").await;
        let versions = versions["versions"].as_array().expect("a list");
        let later = versions.iter().find(|version| version["before"].is_string());
        let rules = get("/api/rules").await;
        let rules = rules["rules"].as_array().expect("a list");
        let app_of = |rule: &Value| match rule["apps"][0].as_str() {
            Some(app) => app.to_owned(),
            None => text(&busiest["app"]),
        };
        let mut simple = None;
        for rule in rules {
            let path = format!(
                "/api/rules/{}/{}",
                encoded(&app_of(rule)),
                encoded(&text(&rule["name"]))
            );
            if get(&path).await["simple"] == true {
                simple = Some(rule);
                break;
            }
        }
        let simple = simple.expect("a rule that the form can show");
        Self {
            app: text(&busiest["app"]),
            openid: text(&busiest["openid"]),
            message: text(&log[0]["id"]),
            unanswered: unanswered
                .find(|text| text.chars().count() > 3)
                .unwrap_or_else(|| "在吗".to_owned()),
            version: text(&later.unwrap_or(&versions[0])["version"]),
            rule: text(&rules[0]["name"]),
            rule_app: app_of(&rules[0]),
            simple: text(&simple["name"]),
            file: text(&simple["file"]),
            line: simple["line"].as_u64().expect("a number"),
        }
    }

    /// One stop for each page that the table of routes knows, and more where a page has more than one face.
    pub fn tour(&self) -> Vec<Stop> {
        let mut stops: Vec<Stop> = Vec::new();
        for route in routes::all()
            .iter()
            .filter(|route| route.is_page() && route.path != "/sign-in")
        {
            let name = match route.path {
                "/" => "overview".to_owned(),
                path => path
                    .trim_matches('/')
                    .replace(['/', '{', '}'], "-")
                    .replace("--", "-"),
            };
            let path = route.filled(|parameter| self.sample(route.path, parameter));
            let query = QUERIES.iter().find(|(page, _)| *page == route.path);
            let query = query.map_or_else(String::new, |(_, query)| format!("?{}", self.told(query)));
            let path = path + &query;
            stops.push(Stop { name, path });
        }
        for (name, page, path) in FACES {
            assert!(
                routes::all().iter().any(|route| route.path == *page),
                "there is no page {page} any more"
            );
            let path = self.told(path);
            stops.push(Stop {
                name: (*name).to_owned(),
                path,
            });
        }
        let names: BTreeSet<_> = stops.iter().map(|stop| &stop.name).collect();
        assert_eq!(names.len(), stops.len(), "two stops have one name");
        stops
    }

    /// The page of one message.
    pub fn message(&self, entry: &Entry) -> String {
        format!("/messages/{}", entry.id)
    }

    /// A path or query with what there is in the places of `{…}`.
    fn told(&self, text: &str) -> String {
        let places = [
            ("{unanswered}", encoded(&self.unanswered)),
            ("{simple}", encoded(&self.simple)),
            ("{file}", encoded(&self.file)),
            ("{line}", self.line.to_string()),
            ("{app}", encoded(&self.app)),
            ("{version}", self.version.clone()),
        ];
        places
            .iter()
            .fold(text.to_owned(), |text, (place, value)| text.replace(place, value))
    }

    fn sample(&self, page: &str, parameter: &str) -> String {
        match parameter {
            "app" if page.starts_with("/rules/") => encoded(&self.rule_app),
            "app" => encoded(&self.app),
            "openid" => encoded(&self.openid),
            "id" => self.message.clone(),
            "version" => self.version.clone(),
            "rule" => encoded(&self.rule),
            other => panic!("{page}: say here what to put for {{{other}}}"),
        }
    }
}

/// What a page must be asked for, so that it has something to show.
const QUERIES: &[(&str, &str)] = &[
    ("/rules/edit", "file={file}&line={line}"),
    ("/rules/form", "file={file}&rule={simple}"),
    ("/rules/draft", "app={app}&text={unanswered}"),
];

/// More faces of a page: a name, the page, and what to ask it for.
const FACES: &[(&str, &str, &str)] = &[
    ("overview-30d", "/", "/?window=30d"),
    ("search", "/conversations", "/conversations?q=%E5%8F%91%E7%A5%A8"),
    (
        "unanswered-chats",
        "/conversations",
        "/conversations?show=unanswered",
    ),
    (
        "log-search",
        "/messages",
        "/messages?search=%E5%BF%AB%E9%80%92&direction=in",
    ),
    ("outbox-failed", "/outbox", "/outbox?status=failed"),
    ("outbox-uncertain", "/outbox", "/outbox?status=uncertain"),
    ("rules-filtered", "/rules", "/rules?q=%E8%8C%B6"),
    (
        "version-disk",
        "/versions/{version}",
        "/versions/{version}?with=disk",
    ),
];

/// As a segment of a path, or a value of a query.
pub fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
