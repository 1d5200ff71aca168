//! Texts that agents use again and again: what fits, and what does not.

use serde::Serialize;
use utoipa::ToSchema;

use crate::console::Console;
use crate::console::problem::Problem;
use crate::rules::MAX_TEXT;
use crate::store::SnippetExists;

/// A text under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::console) struct Snippet {
    /// Its name.
    pub name: String,
    /// The text.
    pub text: String,
}

/// More would not be found again.
pub(in crate::console) const MOST: usize = 200;

/// Characters of a name.
pub(in crate::console) const NAME: usize = 40;

/// Why a snippet is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::console) enum Unfit {
    /// The name.
    #[error("a name has 1 to {NAME} characters, no line breaks or slashes, and no space around it")]
    Name,
    /// The text.
    #[error("a text has 1 to {MAX_TEXT} bytes")]
    Text,
    /// Another one has the name.
    #[error("there is a snippet of this name already")]
    Taken,
    /// There are too many.
    #[error("there are {MOST} snippets already; delete one first")]
    TooMany,
}

impl Snippet {
    fn check(&self) -> Result<(), Unfit> {
        let name = &self.name;
        let strange = |c: char| c.is_control() || c == '/';
        if name.trim() != name || name.is_empty() || name.chars().count() > NAME || name.contains(strange) {
            return Err(Unfit::Name);
        }
        if self.text.trim().is_empty() || self.text.len() > MAX_TEXT {
            return Err(Unfit::Text);
        }
        Ok(())
    }
}

impl Console {
    /// All of them.
    pub(in crate::console) async fn snippets(&self) -> Result<Vec<Snippet>, Problem> {
        let snippets = self.store.snippets().await?;
        let snippets = snippets.into_iter().map(|snippet| Snippet {
            name: snippet.name,
            text: snippet.text,
        });
        Ok(snippets.collect())
    }

    /// Keeps one, if it fits.
    pub(in crate::console) async fn put_snippet(
        &self,
        snippet: &Snippet,
        by: &str,
    ) -> Result<Result<(), Unfit>, Problem> {
        if let Err(unfit) = snippet.check() {
            return Ok(Err(unfit));
        }
        let there = self.store.snippets().await?;
        if there.len() >= MOST && there.iter().all(|other| other.name != snippet.name) {
            return Ok(Err(Unfit::TooMany));
        }
        self.store.put_snippet(&snippet.name, &snippet.text, by).await?;
        Ok(Ok(()))
    }
}

impl Console {
    /// Keeps one under its name, instead of that which was called `was`; never in the place of another one.
    pub(in crate::console) async fn rename_snippet(
        &self,
        was: Option<&str>,
        snippet: &Snippet,
        by: &str,
    ) -> Result<Result<(), Unfit>, Problem> {
        if let Err(unfit) = snippet.check() {
            return Ok(Err(unfit));
        }
        let there = self.store.snippets().await?;
        if there.len() >= MOST && there.iter().all(|other| Some(other.name.as_str()) != was) {
            return Ok(Err(Unfit::TooMany));
        }
        let renamed = self
            .store
            .rename_snippet(was, &snippet.name, &snippet.text, by)
            .await?;
        Ok(renamed.map_err(|SnippetExists| Unfit::Taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_has_a_name_and_a_text_that_fit() {
        let check = |name: &str, text: &str| {
            let snippet = Snippet {
                name: name.to_owned(),
                text: text.to_owned(),
            };
            snippet.check()
        };
        assert_eq!(check("问候", "您好，请问有什么可以帮您？"), Ok(()));
        assert_eq!(check(&"长".repeat(40), &"x".repeat(2048)), Ok(()));
        for name in ["", " a", "a\nb", "a/b", &"长".repeat(41)] {
            assert_eq!(check(name, "x"), Err(Unfit::Name), "{name:?}");
        }
        for text in ["", " \n", &"x".repeat(2049)] {
            assert_eq!(check("a", text), Err(Unfit::Text));
        }
    }
}
