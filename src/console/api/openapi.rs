//! The API's description: `GET /api/openapi.json`.

use std::sync::Arc;

use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use warp::reply::Response;

use super::json;
use crate::console::access::SESSION;
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::{Console, live};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wxreply",
        description = "What the console shows and does. Errors are problem details (RFC 9457); lists come in pages, whose `next` \
                       is the `cursor` of the page that follows; times are RFC 3339 in UTC. Sign in with HTTP Basic, or with the \
                       cookie of a session; without configured users, the loopback needs neither.",
    ),
    paths(
        super::token::get,
        live::events,
        super::overview::get,
        super::outbox::list,
        super::outbox::resend,
        super::outbox::drop,
        super::system::get,
        super::system::audit,
        super::backup::get,
        super::conversations::list,
        super::conversations::user,
        super::conversations::messages,
        super::conversations::reply,
        super::conversations::mute,
        super::conversations::unmute,
        super::conversations::forget,
        super::messages::list,
        super::messages::get,
        super::messages::explain,
        super::messages::export,
        super::pictures::get,
        super::snippets::list,
        super::snippets::put,
        super::snippets::delete,
        super::rules::list,
        super::rules::files,
        super::rules::file,
        super::rules::write,
        super::rules::delete,
        super::rules::check,
        super::rules::attempt,
        super::rules::replay,
        super::rules::progress,
        super::rules::simple,
        super::rules::reload,
        super::rules::one,
        super::unanswered::list,
        super::unanswered::draft,
        super::versions::list,
        super::versions::one,
        super::versions::diff,
        super::versions::restore,
    ),
    components(schemas(Problem)),
    modifiers(&Security),
    security(("basic" = []), ("session" = [])),
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("basic", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)));
        components.add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(SESSION))),
        );
        components.add_security_scheme(
            "token_key",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
    }
}

/// `GET /api/openapi.json`
pub(in crate::console) async fn get(_: Arc<Console>, _: Request) -> Result<Response, Problem> {
    json(&Document::openapi())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::console::routes::ROUTES;

    #[test]
    fn every_route_of_the_api_is_described_and_no_other() {
        let document = serde_json::to_value(Document::openapi()).expect("a document");
        let paths = document["paths"].as_object().expect("paths");
        let described: BTreeSet<(String, String)> = paths
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().expect("methods").keys();
                methods.map(move |method| (method.to_uppercase(), path.clone()))
            })
            .collect();
        let routed: BTreeSet<_> = ROUTES
            .iter()
            .filter(|route| route.path.starts_with("/api/") && route.path != "/api/openapi.json")
            .map(|route| (route.method.to_string(), route.path.to_owned()))
            .collect();
        assert_eq!(described, routed);
    }
}
