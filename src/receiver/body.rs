//! A body of limited size. warp's own limit would refuse chunked uploads, which have no length to look at.

use std::time::Duration;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, timeout, timeout_at};

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is larger than the limit.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The connection broke.
    Broken,
}

/// How long and how much of a body that is too large is read and thrown away. An answer that is sent while the peer
/// still writes is often lost, for closing the connection then resets it.
const DRAIN_TIME: Duration = Duration::from_secs(1);
const DRAIN_FACTOR: u64 = 8;

/// Reads the whole body, at most `limit` bytes, until `deadline`.
pub(super) async fn read<S, B, E>(stream: S, limit: u64, deadline: Instant) -> Result<Vec<u8>, BodyError>
where
    S: Stream<Item = Result<B, E>>,
    B: Buf,
{
    let mut stream = std::pin::pin!(stream);
    let mut body = Vec::new();
    let whole = async {
        while let Some(chunk) = stream.next().await {
            let mut chunk = chunk.map_err(|_| BodyError::Broken)?;
            if body.len() as u64 + chunk.remaining() as u64 > limit {
                return Err(BodyError::TooLarge);
            }
            while chunk.has_remaining() {
                let part = chunk.chunk();
                body.extend_from_slice(part);
                let length = part.len();
                chunk.advance(length);
            }
        }
        Ok(())
    };
    match timeout_at(deadline, whole).await {
        Ok(Ok(())) => return Ok(body),
        Ok(Err(BodyError::TooLarge)) => {}
        Ok(Err(error)) => return Err(error),
        Err(_) => return Err(BodyError::TooSlow),
    }
    let drain = async {
        let mut left = limit.saturating_mul(DRAIN_FACTOR);
        while left > 0
            && let Some(Ok(chunk)) = stream.next().await
        {
            left = left.saturating_sub(chunk.remaining() as u64);
        }
    };
    // Whether it came to an end makes no difference to what it is.
    let _ = timeout(DRAIN_TIME, drain).await;
    Err(BodyError::TooLarge)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    async fn read_chunks(chunks: Vec<&'static str>, limit: u64) -> Result<Vec<u8>, BodyError> {
        let chunks = chunks.into_iter().map(|c| Ok::<_, Infallible>(Bytes::from(c)));
        read(
            stream::iter(chunks),
            limit,
            Instant::now() + Duration::from_secs(1),
        )
        .await
    }

    #[tokio::test]
    async fn the_limit_counts_all_chunks() {
        assert_eq!(read_chunks(vec![], 4).await, Ok(vec![]));
        assert_eq!(read_chunks(vec!["ab", "", "cd"], 4).await, Ok(b"abcd".to_vec()));
        assert_eq!(
            read_chunks(vec!["ab", "cd", "e"], 4).await,
            Err(BodyError::TooLarge)
        );
    }

    #[tokio::test]
    async fn a_sender_that_stops_is_not_waited_for() {
        let silent = stream::pending::<Result<Bytes, Infallible>>();
        let deadline = Instant::now() + Duration::from_millis(30);
        assert_eq!(read(silent, 4, deadline).await, Err(BodyError::TooSlow));
        assert!(Instant::now() >= deadline);
    }

    #[tokio::test]
    async fn a_broken_connection_gives_no_body() {
        let broken = stream::iter([Ok(Bytes::from("ab")), Err("gone")]);
        let deadline = Instant::now() + Duration::from_secs(1);
        assert_eq!(read(broken, 4, deadline).await, Err(BodyError::Broken));
    }
}
