//! What goes out to a customer.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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

impl Reply {
    /// The kind, in WeChat's word for it (`msgtype` of `customerServiceMessage.send`).
    #[must_use]
    pub fn msg_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Image(_) => "image",
            Self::Link(_) => "link",
            Self::MiniProgramPage(_) => "miniprogrampage",
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
        }
    }
}
