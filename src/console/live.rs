//! What happens, as it happens: server-sent events that tell a page to look again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use tokio::time::sleep;
use warp::Reply;
use warp::reply::Response;
use warp::sse::Event;

use super::Console;
use super::problem::Problem;
use super::request::Request;

/// The log may change thousands of times a second; nobody reads so fast.
const PACE: Duration = Duration::from_millis(300);

/// A comment, so that proxies and browsers know that the line is alive.
const ALIVE: Duration = Duration::from_secs(20);

/// `GET /api/events`
///
/// The first event is `hello`. Each `changed` event says that the log is not what it was; both have a number that grows with each change. What changed is asked for
/// by the ordinary routes.
#[utoipa::path(
    get,
    path = "/api/events",
    tag = "messages",
    responses((status = 200, description = "A stream that stays open", content_type = "text/event-stream", body = String)),
)]
pub(super) async fn events(console: Arc<Console>, _: Request) -> Result<Response, Problem> {
    let news = console.store.news();
    let stop = console.stop.clone();
    let hello = Event::default()
        .event("hello")
        .retry(Duration::from_secs(2))
        .data(news.borrow().to_string());
    let changes = stream::unfold((news, stop), |(mut news, stop)| async move {
        tokio::select! {
            changed = news.changed() => changed.ok()?,
            () = stop.cancelled() => return None,
        }
        // What comes meanwhile is told by the same event.
        tokio::select! {
            () = sleep(PACE) => {}
            () = stop.cancelled() => return None,
        }
        let number = *news.borrow_and_update();
        let event = Event::default().event("changed").data(number.to_string());
        Some((event, (news, stop)))
    });
    let events = futures_util::StreamExt::chain(stream::iter([hello]), changes);
    let events = futures_util::StreamExt::map(events, Ok::<_, Infallible>);
    let kept = warp::sse::keep_alive().interval(ALIVE).stream(events);
    Ok(warp::sse::reply(kept).into_response())
}
