//! How far the pictures of many messages are, without reading them.

use std::collections::HashMap;

use sqlx::{QueryBuilder, Sqlite};

use super::{Store, StoreError};
use crate::message::MessageId;

/// How far a picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureState {
    /// It is here.
    Kept {
        /// Whether a browser may draw it; else it is a file of an unknown type.
        drawn: bool,
    },
    /// It is still to be fetched.
    Waiting,
    /// It will never be here.
    Lost,
}

/// Messages that are asked about at once.
const CHUNK: usize = 200;

impl Store {
    /// How far the pictures of these messages are. Those that have none, or none that is known of yet, are left out.
    pub async fn picture_states(
        &self,
        messages: &[MessageId],
    ) -> Result<HashMap<MessageId, PictureState>, StoreError> {
        let mut states = HashMap::new();
        if messages.is_empty() {
            return Ok(states);
        }
        let mut conn = self.reader().await?;
        for messages in messages.chunks(CHUNK) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "select id, status, coalesce(mime like 'image/%', 0) from pictures where id in (",
            );
            let mut list = query.separated(", ");
            for message in messages {
                list.push_bind(message.as_i64());
            }
            query.push(")");
            let rows: Vec<(i64, String, bool)> = query.build_query_as().fetch_all(&mut *conn).await?;
            states.extend(rows.into_iter().map(|(id, status, drawn)| {
                let state = match status.as_str() {
                    "kept" => PictureState::Kept { drawn },
                    "waiting" => PictureState::Waiting,
                    _ => PictureState::Lost,
                };
                (MessageId::from_i64(id), state)
            }));
        }
        Ok(states)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::message::Inbound;
    use crate::store::testing::{Bench, answering, at, inbound};

    #[tokio::test]
    async fn each_picture_is_as_far_as_it_is() {
        let bench = Bench::new().await;
        let mut ids = Vec::new();
        for n in 1..=4 {
            let image = Inbound {
                msg_type: "image".to_owned(),
                received: at(1),
                fields: [("MsgType", "image"), ("MediaId", "m")].into_iter().collect(),
                ..inbound(n, "oAlice")
            };
            ids.push(image.id);
            bench.record(image, answering(&[])).await.expect("recorded");
        }
        let store = &bench.store;
        store.note_pictures(at(0)).await.expect("noted");
        let png = Bytes::from_static(b"\x89PNG");
        store
            .keep_picture(ids[0], "image/png", png.clone())
            .await
            .expect("kept");
        store
            .keep_picture(ids[1], "application/octet-stream", png)
            .await
            .expect("kept");
        store.miss_picture(ids[2], None, "gone").await.expect("lost");
        let states = store.picture_states(&ids).await.expect("read");
        let states: Vec<_> = ids.iter().map(|id| states.get(id).copied()).collect();
        assert_eq!(
            states,
            [
                Some(PictureState::Kept { drawn: true }),
                Some(PictureState::Kept { drawn: false }),
                Some(PictureState::Lost),
                Some(PictureState::Waiting),
            ]
        );
    }
}
