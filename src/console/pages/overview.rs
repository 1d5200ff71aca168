//! How it goes: what came, what was answered, what was not.

use std::sync::Arc;

use askama::Template;
use warp::reply::Response;

use super::{Frame, Place};
use crate::console::Console;
use crate::console::html::html;
use crate::console::problem::Problem;
use crate::console::request::Request;

#[derive(Template)]
#[template(path = "overview.html", config = "src/console/askama.toml")]
struct OverviewPage {
    frame: Frame,
}

/// `GET /`
pub(in crate::console) async fn page(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let frame = Frame::new(
        &console,
        &request,
        Place::Overview,
        request.lang.words().frame.overview,
    );
    html(&OverviewPage { frame })
}
