//! What goes out to a customer.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::RuleName;

/// One customer-service message (客服消息), its templates already filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Text; `<a href="…">` is the only markup that WeChat draws.
    Text(String),
    /// A picture.
    Image(Media),
    /// A link card.
    Link(Link),
    /// A mini-program card.
    MiniProgramPage(MiniProgramPage),
    /// Not known yet: a rule's webhook is to be asked. No such reply ever goes to WeChat.
    Webhook(Box<Webhook>),
}

/// A picture, either on this disk or already with WeChat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// A file, its path relative to the rules folder, `/` between its parts; it is uploaded when it is first needed.
    File(PathBuf),
    /// The id that WeChat gave an uploaded file.
    MediaId(String),
}

/// A link card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its headline.
    pub title: String,
    /// The lines below it.
    pub description: String,
    /// Where it leads.
    pub url: String,
    /// Its picture's address.
    pub thumb_url: String,
}

/// A mini-program card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MiniProgramPage {
    /// Its headline.
    pub title: String,
    /// The page to open, with its query.
    pub page_path: String,
    /// Its cover.
    pub thumb: Media,
    /// The mini program; the app's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
}

/// A question to a rule's webhook, whose answer stands in for the rule's own replies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where to ask.
    pub url: String,
    /// The rule that asks.
    pub rule: RuleName,
    /// What its patterns took from the message: named groups by name, the others by number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub captures: BTreeMap<String, String>,
    /// The dialog state that the user was in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The rule's own replies, for when it does not answer.
    #[serde(default)]
    pub fallback: Vec<Reply>,
}

impl Webhook {
    /// The URL without its query, which may hold a password.
    #[must_use]
    pub fn place(&self) -> &str {
        self.url.split(['?', '#']).next().unwrap_or_default()
    }
}

impl Reply {
    /// What is sent as far as can be said without asking anybody: the reply itself, or what a rule sends when its
    /// webhook fails.
    #[must_use]
    pub fn without_webhook(&self) -> &[Self] {
        match self {
            Self::Webhook(webhook) => &webhook.fallback,
            reply => std::slice::from_ref(reply),
        }
    }

    /// The kind, in WeChat's word for it (`msgtype` of `customerServiceMessage.send`), or `webhook`.
    #[must_use]
    pub fn msg_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Image(_) => "image",
            Self::Link(_) => "link",
            Self::MiniProgramPage(_) => "miniprogrampage",
            Self::Webhook(_) => "webhook",
        }
    }

    /// What a person reads in the log: the text itself, or what stands for the rest.
    #[must_use]
    pub fn summary(&self) -> String {
        let media = |media: &Media| match media {
            Media::File(path) => path.display().to_string(),
            Media::MediaId(id) => id.clone(),
        };
        match self {
            Self::Text(text) => text.clone(),
            Self::Image(image) => media(image),
            Self::Link(link) => format!("{} {}", link.title, link.url),
            Self::MiniProgramPage(page) => format!("{} {}", page.title, page.page_path),
            Self::Webhook(webhook) => {
                let own: Vec<_> = webhook.fallback.iter().map(Self::summary).collect();
                let own = if own.is_empty() {
                    "nothing".to_owned()
                } else {
                    own.join(" / ")
                };
                format!("{} is asked; if it fails: {own}", webhook.place())
            }
        }
    }
}
