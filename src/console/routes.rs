//! Every route, and who may take it.

use http::Method;

use super::access::Needs;
use super::router::Route;
use super::{api, assets, live, pages};
use crate::config::Role;

const NOTHING: Needs = Needs::Nothing;
const ANYONE: Needs = Needs::Anyone;
const OWN_KEY: Needs = Needs::OwnKey;
const VIEWER: Needs = Needs::Role(Role::Viewer);
const AGENT: Needs = Needs::Role(Role::Agent);
const EDITOR: Needs = Needs::Role(Role::Editor);

/// `METHOD "path" needs handler`, a row a route.
macro_rules! routes {
    ($($method:ident $path:literal $needs:ident $handler:path;)*) => {
        &[$(Route {
            method: Method::$method,
            path: $path,
            needs: $needs,
            handler: |console, request| Box::pin($handler(console, request)),
        },)*]
    };
}

/// All routes. Of two that fit a path, the first is taken.
pub(super) static ROUTES: &[Route] = routes! {
    // For whoever watches the process.
    GET "/healthz" NOTHING api::health::alive;
    GET "/readyz" ANYONE api::health::ready;
    GET "/metrics" NOTHING api::health::metrics;

    // The frame.
    GET "/assets/{hash}/{name}" NOTHING assets::get;
    GET "/sign-in" ANYONE pages::sign_in::page;
    POST "/sign-in" ANYONE pages::sign_in::sign_in;
    POST "/sign-out" ANYONE pages::sign_in::sign_out;
    POST "/preferences" NOTHING pages::preferences::set;

    // Pages.
    GET "/" VIEWER pages::overview::page;
    GET "/conversations" VIEWER pages::conversations::page;
    GET "/conversations/{app}/{openid}" VIEWER pages::conversations::thread;
    POST "/conversations/{app}/{openid}/reply" AGENT pages::write::reply;
    POST "/conversations/{app}/{openid}/mute" AGENT pages::write::mute;
    POST "/conversations/{app}/{openid}/unmute" AGENT pages::write::unmute;
    GET "/conversations/{app}/{openid}/forget" EDITOR pages::forget::page;
    POST "/conversations/{app}/{openid}/forget" EDITOR pages::forget::forget;
    GET "/messages" VIEWER pages::messages::page;
    GET "/messages/{id}" VIEWER pages::message::page;
    GET "/pictures/{id}" VIEWER api::pictures::get;
    GET "/snippets" AGENT pages::snippets::page;
    POST "/snippets" AGENT pages::snippets::save;
    POST "/snippets/delete" AGENT pages::snippets::delete;

    GET "/outbox" VIEWER pages::outbox::page;
    POST "/outbox" AGENT pages::outbox::act;
    GET "/system" VIEWER pages::system::page;

    // Pages of rules and versions.
    GET "/rules" VIEWER pages::rules::list;
    POST "/rules/reload" EDITOR pages::rules::reload;
    GET "/rules/new" EDITOR pages::rules_form::page;
    GET "/rules/form" EDITOR pages::rules_form::page;
    POST "/rules/form" EDITOR pages::rules_form::save;
    GET "/rules/edit" VIEWER pages::rules_editor::page;
    POST "/rules/edit" EDITOR pages::rules_editor::save;
    POST "/rules/look" VIEWER pages::rules_editor::look;
    GET "/rules/draft" VIEWER pages::unanswered::draft;
    POST "/rules/draft" VIEWER pages::unanswered::draft_of;
    GET "/rules/{app}/{rule}" VIEWER pages::rules::one;
    GET "/unanswered" VIEWER pages::unanswered::list;
    GET "/versions" VIEWER pages::versions::list;
    GET "/versions/{version}" VIEWER pages::versions::one;
    POST "/versions/{version}/restore" EDITOR pages::versions::restore;

    // The API.
    GET "/api/openapi.json" NOTHING api::openapi::get;
    GET "/api/token" OWN_KEY api::token::get;
    GET "/api/events" VIEWER live::events;
    GET "/api/overview" VIEWER api::overview::get;
    GET "/api/outbox" VIEWER api::outbox::list;
    POST "/api/outbox/resend" AGENT api::outbox::resend;
    POST "/api/outbox/drop" AGENT api::outbox::drop;
    GET "/api/system" VIEWER api::system::get;
    GET "/api/audit" VIEWER api::system::audit;
    GET "/api/backup" EDITOR api::backup::get;

    // Conversations and the log.
    GET "/api/conversations" VIEWER api::conversations::list;
    GET "/api/conversations/{app}/{openid}" VIEWER api::conversations::user;
    GET "/api/conversations/{app}/{openid}/messages" VIEWER api::conversations::messages;
    POST "/api/conversations/{app}/{openid}/replies" AGENT api::conversations::reply;
    POST "/api/conversations/{app}/{openid}/mute" AGENT api::conversations::mute;
    POST "/api/conversations/{app}/{openid}/unmute" AGENT api::conversations::unmute;
    POST "/api/conversations/{app}/{openid}/forget" EDITOR api::conversations::forget;
    GET "/api/messages" VIEWER api::messages::list;
    GET "/api/messages/export" VIEWER api::messages::export;
    GET "/api/messages/{id}" VIEWER api::messages::get;
    GET "/api/messages/{id}/explain" VIEWER api::messages::explain;
    GET "/api/messages/{id}/picture" VIEWER api::pictures::get;
    GET "/api/snippets" VIEWER api::snippets::list;
    PUT "/api/snippets/{name}" AGENT api::snippets::put;
    DELETE "/api/snippets/{name}" AGENT api::snippets::delete;

    // Rules and versions.
    GET "/api/rules" VIEWER api::rules::list;
    GET "/api/rules/files" VIEWER api::rules::files;
    GET "/api/rules/files/{path}" VIEWER api::rules::file;
    PUT "/api/rules/files/{path}" EDITOR api::rules::write;
    DELETE "/api/rules/files/{path}" EDITOR api::rules::delete;
    POST "/api/rules/check" VIEWER api::rules::check;
    POST "/api/rules/try" VIEWER api::rules::attempt;
    GET "/api/rules/replay" VIEWER api::rules::progress;
    POST "/api/rules/replay" VIEWER api::rules::replay;
    POST "/api/rules/simple" EDITOR api::rules::simple;
    POST "/api/rules/draft" VIEWER api::unanswered::draft;
    POST "/api/rules/reload" EDITOR api::rules::reload;
    GET "/api/rules/{app}/{rule}" VIEWER api::rules::one;
    GET "/api/unanswered" VIEWER api::unanswered::list;
    GET "/api/versions" VIEWER api::versions::list;
    GET "/api/versions/{version}" VIEWER api::versions::one;
    GET "/api/versions/{version}/diff" VIEWER api::versions::diff;
    POST "/api/versions/{version}/restore" EDITOR api::versions::restore;
};
