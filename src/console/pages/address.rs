//! Where the pages are: each kind of address is put together here and nowhere else.

use crate::console::html::{query, segment};

/// A rule that serves an app.
pub(in crate::console) fn rule(app: &str, rule: &str) -> String {
    format!("/rules/{}/{}", segment(app), segment(rule))
}

/// The editor of a rule file, at a line from 1.
pub(in crate::console) fn edit(file: &str, line: usize) -> String {
    let mut address = query("/rules/edit");
    address.append_pair("file", file);
    if line > 1 {
        address.append_pair("line", &line.to_string());
    }
    address.finish()
}

/// The editor of a file that was saved a moment ago; it says whether it is in force.
pub(super) fn saved(file: &str) -> String {
    format!("{}&saved=1", edit(file, 1))
}

/// The simple form of a rule.
pub(super) fn form(file: &str, rule: &str) -> String {
    let mut address = query("/rules/form");
    address.append_pair("file", file).append_pair("rule", rule);
    address.finish()
}

/// A rule drafted from a text that a customer of the app wrote.
pub(super) fn draft(app: &str, text: &str) -> String {
    let mut address = query("/rules/draft");
    address.append_pair("app", app).append_pair("text", text);
    address.finish()
}

/// A conversation.
pub(super) fn conversation(app: &str, openid: &str) -> String {
    format!("/conversations/{}/{}", segment(app), segment(openid))
}

/// A message where it stands in its conversation; `keep` is the query that keeps the list beside it as it is, with its `?`.
pub(super) fn message(app: &str, openid: &str, keep: &str, id: &str) -> String {
    let separator = if keep.is_empty() { "?" } else { "&" };
    format!("{}{keep}{separator}at={id}#m-{id}", conversation(app, openid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_anything_has_an_address() {
        assert_eq!(rule("shop", "a/b 价?"), "/rules/shop/a%2Fb%20%E4%BB%B7%3F");
        assert_eq!(
            draft("shop", "a&b=多"),
            "/rules/draft?app=shop&text=a%26b%3D%E5%A4%9A"
        );
        assert_eq!(edit("a b.toml", 1), "/rules/edit?file=a+b.toml");
        assert_eq!(
            message("shop", "o/1", "", "7-8"),
            "/conversations/shop/o%2F1?at=7-8#m-7-8"
        );
        assert_eq!(
            message("shop", "o1", "?q=x", "7"),
            "/conversations/shop/o1?q=x&at=7#m-7"
        );
    }
}
