//! Reading a request whole, up to a limit.

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use warp::Filter;

/// The whole body; `None` if it is longer than `max` bytes or breaks off.
pub(super) fn capped_body(
    max: usize,
) -> impl Filter<Extract = (Option<Bytes>,), Error = warp::Rejection> + Clone {
    warp::body::stream().then(move |body| collect(body, max))
}

async fn collect(
    body: impl Stream<Item = Result<impl bytes::Buf, warp::Error>>,
    max: usize,
) -> Option<Bytes> {
    body.map_err(drop)
        .try_fold(Vec::new(), async |mut all, mut part| {
            while part.has_remaining() {
                let chunk = part.chunk();
                let length = chunk.len();
                all.extend_from_slice(chunk);
                part.advance(length);
            }
            if all.len() <= max { Ok(all) } else { Err(()) }
        })
        .await
        .ok()
        .map(Bytes::from)
}
