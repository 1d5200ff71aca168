//! Texts that agents use again and again.

use std::sync::Arc;

use futures_util::FutureExt;
use serde::Serialize;
use serde_json::json;
use sqlx::SqliteConnection;

use super::{Store, StoreError, audit};

/// A text with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Snippet {
    /// The name, unique.
    pub name: String,
    /// The text.
    pub text: String,
}

/// There is a snippet of this name already, and another one was to have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is a snippet of this name already")]
pub struct SnippetExists;

impl Store {
    /// All of them, by name.
    pub async fn snippets(&self) -> Result<Vec<Snippet>, StoreError> {
        let mut conn = self.reader().await?;
        let snippets = sqlx::query_as("select name, text from snippets order by name")
            .fetch_all(&mut *conn)
            .await?;
        Ok(snippets)
    }

    /// Keeps a text under a name, in place of what had that name; `by` is who does it.
    pub async fn put_snippet(&self, name: &str, text: &str, by: &str) -> Result<(), StoreError> {
        let now = self.clock().now();
        let [name, text, by] = [name, text, by].map(Arc::<str>::from);
        self.write(move |conn| {
            let (name, text, by) = (Arc::clone(&name), Arc::clone(&text), Arc::clone(&by));
            async move {
                put(conn, &name, &text).await?;
                audit::note(conn, now, &by, "snippet.put", &name, &json!({ "text": &*text })).await
            }
            .boxed()
        })
        .await
    }

    /// Gives the snippet `was` a name and a text, or adds a new one (`None`, and if `was` is gone): both at once or nothing.
    /// Never takes the place of another one.
    pub async fn rename_snippet(
        &self,
        was: Option<&str>,
        name: &str,
        text: &str,
        by: &str,
    ) -> Result<Result<(), SnippetExists>, StoreError> {
        let now = self.clock().now();
        let was: Option<Arc<str>> = was.map(Into::into);
        let [name, text, by] = [name, text, by].map(Arc::<str>::from);
        self.write(move |conn| {
            let (was, name, text, by) = (was.clone(), Arc::clone(&name), Arc::clone(&text), Arc::clone(&by));
            async move {
                let is_other = was.as_ref().is_none_or(|was| *was != name);
                if is_other {
                    let there = sqlx::query("select 1 from snippets where name = $1")
                        .bind(&*name)
                        .fetch_optional(&mut *conn)
                        .await?;
                    if there.is_some() {
                        return Ok(Err(SnippetExists));
                    }
                }
                let mut detail = json!({ "text": &*text });
                if let Some(was) = was.filter(|_| is_other) {
                    sqlx::query("delete from snippets where name = $1")
                        .bind(&*was)
                        .execute(&mut *conn)
                        .await?;
                    detail["was"] = json!(&*was);
                }
                put(conn, &name, &text).await?;
                audit::note(conn, now, &by, "snippet.put", &name, &detail).await?;
                Ok(Ok(()))
            }
            .boxed()
        })
        .await
    }

    /// Removes one; tells whether it was there.
    pub async fn delete_snippet(&self, name: &str, by: &str) -> Result<bool, StoreError> {
        let now = self.clock().now();
        let [name, by] = [name, by].map(Arc::<str>::from);
        self.write(move |conn| {
            let (name, by) = (Arc::clone(&name), Arc::clone(&by));
            async move {
                let deleted = sqlx::query("delete from snippets where name = $1")
                    .bind(&*name)
                    .execute(&mut *conn)
                    .await?;
                let there = deleted.rows_affected() > 0;
                if there {
                    audit::note(conn, now, &by, "snippet.delete", &name, &json!({})).await?;
                }
                Ok(there)
            }
            .boxed()
        })
        .await
    }
}

async fn put(conn: &mut SqliteConnection, name: &str, text: &str) -> Result<(), StoreError> {
    sqlx::query(
        "insert into snippets (name, text) values ($1, $2) \
         on conflict (name) do update set text = excluded.text",
    )
    .bind(name)
    .bind(text)
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::SnippetExists;
    use crate::store::testing::Bench;

    #[tokio::test]
    async fn a_snippet_is_kept_replaced_and_deleted_and_each_is_noted() {
        let bench = Bench::new().await;
        for (name, text) in [("地址", "旧"), ("b", "x"), ("地址", "人民路 1 号")] {
            bench.store.put_snippet(name, text, "ann").await.expect("written");
        }
        let all = async || {
            let snippets = bench.store.snippets().await.expect("read");
            snippets
                .into_iter()
                .map(|snippet| (snippet.name, snippet.text))
                .collect::<Vec<_>>()
        };
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(all().await, [pair("b", "x"), pair("地址", "人民路 1 号")]);
        assert!(bench.store.delete_snippet("b", "ann").await.expect("written"));
        assert!(!bench.store.delete_snippet("b", "ann").await.expect("written"));
        assert_eq!(all().await, [pair("地址", "人民路 1 号")]);
        let audits = bench.store.audits(None, 9).await.expect("read");
        let actions: Vec<_> = audits.iter().map(|audit| audit.action.as_str()).collect();
        assert_eq!(
            actions,
            ["snippet.delete", "snippet.put", "snippet.put", "snippet.put"]
        );
        assert_eq!(
            (audits[0].user.as_str(), audits[0].subject.as_str()),
            ("ann", "b")
        );
    }

    #[tokio::test]
    async fn a_new_name_never_takes_the_place_of_another() {
        let bench = Bench::new().await;
        let rename = async |was: Option<&str>, name: &str, text: &str| {
            let renamed = bench.store.rename_snippet(was, name, text, "ann").await;
            renamed.expect("written")
        };
        assert_eq!(rename(None, "a", "1").await, Ok(()));
        assert_eq!(rename(None, "b", "2").await, Ok(()));
        assert_eq!(rename(None, "b", "3").await, Err(SnippetExists));
        assert_eq!(rename(Some("a"), "b", "3").await, Err(SnippetExists));
        assert_eq!(rename(Some("gone"), "b", "3").await, Err(SnippetExists));
        assert_eq!(rename(Some("a"), "a", "4").await, Ok(()));
        assert_eq!(rename(Some("b"), "c", "5").await, Ok(()));
        assert_eq!(rename(Some("gone"), "d", "6").await, Ok(()));
        let snippets = bench.store.snippets().await.expect("read");
        let all: Vec<_> = snippets
            .iter()
            .map(|one| (one.name.as_str(), one.text.as_str()))
            .collect();
        assert_eq!(all, [("a", "4"), ("c", "5"), ("d", "6")]);
        let audits = bench.store.audits(None, 9).await.expect("read");
        assert_eq!(audits.len(), 5, "only what was done");
        assert_eq!(audits[1].detail["was"], "b");
    }
}
