//! A way past every page of the console, with something to see on each.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use wxreply::clock::SystemClock;
use wxreply::message::{Direction, Entry};
use wxreply::metrics::Metrics;
use wxreply::store::{Access, Filter, Order, Store};

use crate::routes;
use crate::shop::Shop;

/// One page.
pub struct Stop {
    /// A short name, for files.
    pub name: String,
    pub path: String,
}

/// What there is to see in a shop.
pub struct Sights {
    /// The newest rows of the log, the newest first.
    log: Vec<Entry>,
    version: String,
    rule: String,
}

impl Sights {
    /// Looks around in a shop that has rules and at least one message each way.
    pub async fn of(shop: &Shop) -> Self {
        Self::in_database(&shop.world.path("wxreply.db")).await
    }

    /// The same, in the log of any daemon.
    pub async fn in_database(database: &Path) -> Self {
        let url = format!("sqlite://{}", database.display());
        let store = Store::open(
            &url,
            Access::Command,
            Arc::new(SystemClock),
            Arc::new(Metrics::new()),
        );
        let store = store.await.expect("there is a log");
        let newest = Filter {
            limit: Some(1_000),
            ..Filter::default()
        };
        let log = store
            .entries(&newest, Order::NewestFirst)
            .await
            .expect("readable");
        store.close().await;
        let answered = log
            .iter()
            .find(|entry| entry.rule.is_some() && entry.rule_set.is_some());
        let answered = answered.expect("a message that was answered");
        Self {
            version: answered.rule_set.clone().expect("found by it").into(),
            rule: answered.rule.clone().expect("found by it").into(),
            log,
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

    /// The user with the most messages.
    pub fn openid(&self) -> String {
        let count = |openid| self.log.iter().filter(|entry| entry.openid == openid).count();
        let busiest = self.log.iter().max_by_key(|entry| count(entry.openid.clone()));
        busiest.expect("a message").openid.clone().into()
    }

    /// A path or query with what there is in the places of `{…}`.
    fn told(&self, text: &str) -> String {
        let app = self.log[0].app.as_str();
        let places = [
            ("{unanswered}", self.unanswered()),
            ("{rule}", encoded(&self.rule)),
            ("{app}", encoded(app)),
            ("{version}", self.version.clone()),
        ];
        places
            .iter()
            .fold(text.to_owned(), |text, (place, value)| text.replace(place, value))
    }

    fn unanswered(&self) -> String {
        let text = self.log.iter().find(|entry| {
            entry.status == "unmatched"
                && entry
                    .content
                    .as_ref()
                    .is_some_and(|text| text.chars().count() > 3)
        });
        let text = text
            .and_then(|entry| entry.content.clone())
            .unwrap_or_else(|| "在吗".to_owned());
        encoded(&text)
    }

    fn sample(&self, page: &str, parameter: &str) -> String {
        match parameter {
            "app" => self.log[0].app.as_str().to_owned(),
            "openid" => encoded(&self.openid()),
            "id" => {
                let inbound = self.log.iter().find(|entry| entry.direction == Direction::In);
                inbound.expect("a message").id.to_string()
            }
            "version" => self.version.clone(),
            "rule" | "name" => encoded(&self.rule),
            "path" | "file" => "rules.toml".to_owned(),
            other => panic!("{page}: say here what to put for {{{other}}}"),
        }
    }
}

/// What a page must be asked for, so that it has something to show.
const QUERIES: &[(&str, &str)] = &[
    ("/rules/edit", "file=rules.toml&line=7"),
    ("/rules/form", "file=rules.toml&rule=%E9%81%93%E8%B0%A2"),
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
