//! The API's description: `GET /api/openapi.json`.

use std::sync::Arc;

use http::{Method, StatusCode};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};
use warp::reply::Response;

use super::json;
use crate::console::access::{self, Needs, SESSION};
use crate::console::problem::{self, Problem};
use crate::console::request::Request;
use crate::console::routes::ROUTES;
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
    modifiers(&Security, &Refusals),
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

/// What any request may be told, so that the handlers' own descriptions need not say it.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut openapi.paths.paths {
            let operations = [
                (Method::GET, &mut item.get),
                (Method::POST, &mut item.post),
                (Method::PUT, &mut item.put),
                (Method::DELETE, &mut item.delete),
            ];
            for (method, operation) in operations {
                let route = ROUTES
                    .iter()
                    .find(|route| route.method == method && route.path == path);
                if let (Some(operation), Some(route)) = (operation, route) {
                    describe(operation, route.needs);
                }
            }
        }
    }
}

fn describe(operation: &mut Operation, needs: Needs) {
    let mut refusals = vec![(
        StatusCode::SERVICE_UNAVAILABLE,
        "The database does not answer".to_owned(),
    )];
    match needs {
        Needs::Role(role) => refusals.extend([
            (StatusCode::UNAUTHORIZED, "Nobody is signed in".to_owned()),
            (
                StatusCode::FORBIDDEN,
                format!(
                    "This takes the role {}, and no page of another site's may ask",
                    access::word(role)
                ),
            ),
        ]),
        Needs::Nothing | Needs::Anyone | Needs::OwnKey => {}
    }
    if operation.request_body.is_some() {
        refusals.extend([
            (StatusCode::BAD_REQUEST, "The body can't be read".to_owned()),
            (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large".to_owned()),
            (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body is no JSON".to_owned(),
            ),
        ]);
    }
    for (status, description) in refusals {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new()
            .description(description)
            .content(problem::CONTENT_TYPE, content)
            .build();
        let responses = &mut operation.responses.responses;
        responses
            .entry(status.as_str().to_owned())
            .or_insert(RefOr::T(response));
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

    #[test]
    fn every_operation_tells_how_it_may_refuse() {
        let document = serde_json::to_value(Document::openapi()).expect("a document");
        let says = |path: &str, method: &str, status: &str| {
            let response = &document["paths"][path][method]["responses"][status];
            response["description"].as_str().map(str::to_owned)
        };
        assert_eq!(
            says("/api/outbox/resend", "post", "403").as_deref(),
            Some("This takes the role agent, and no page of another site's may ask")
        );
        for status in ["400", "413", "415"] {
            assert!(says("/api/outbox/resend", "post", status).is_some(), "{status}");
        }
        assert_eq!(says("/api/outbox", "get", "413"), None, "it has no body");
        assert_eq!(
            says("/api/token", "get", "401").as_deref(),
            Some("The key is missing or wrong"),
            "what a handler says itself stands"
        );
    }
}
