//! Who gets in, who does not, and what is sent in somebody's name: asked without a browser, since a browser would not ask so.

use http::{Method, StatusCode, header};
use reqwest::{Client, Response, redirect};

use crate::people::{self, ANNA, OPS, Person, VERA};
use crate::routes::{self, Needs, Route};
use crate::shop::Shop;

const NO_RULES: &str = "";

/// What a page may load and do; nothing of others.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Asks as programs do: no cookies of its own, and redirects are seen.
struct Asker {
    client: Client,
    base: String,
}

impl Asker {
    fn of(shop: &Shop) -> Self {
        // The shop has made a client before, and so installed what this one needs.
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .build();
        Self {
            client: client.expect("a client"),
            base: shop.world.admin.clone(),
        }
    }

    async fn ask(&self, method: &Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self
            .client
            .request(method.clone(), format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer")
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.ask(&Method::GET, path, headers).await
    }

    /// Signs in by the form; gives the answer.
    async fn sign_in(&self, name: &str, password: &str) -> Response {
        let form = serde_urlencoded::to_string([("name", name), ("password", password)]).expect("a form");
        let request = self.client.post(format!("{}/sign-in", self.base)).body(form);
        let form_type = "application/x-www-form-urlencoded";
        let request = request
            .header(header::CONTENT_TYPE, form_type)
            .header(header::ORIGIN, &self.base);
        request.send().await.expect("an answer")
    }

    /// The `Cookie` header of somebody who has signed in.
    async fn session(&self, person: &Person) -> String {
        let answer = self.sign_in(person.name, person.password).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let (cookie, _) = text(&answer, "set-cookie")
            .split_once(';')
            .expect("attributes")
            .to_owned();
        cookie.to_owned()
    }
}

fn text<'a>(answer: &'a Response, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().expect("text"))
}

fn basic(name: &str, password: &str) -> String {
    use base64::Engine;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
    format!("Basic {pair}")
}

fn guarded() -> impl Iterator<Item = Route> {
    routes::all()
        .into_iter()
        .filter(|route| !matches!(route.needs, Needs::Nothing | Needs::OwnKey))
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_sent_away_from_every_route_and_lower_roles_too() {
    let shop = Shop::open(NO_RULES).await;
    let asker = Asker::of(&shop);
    for route in guarded() {
        let (method, path) = (&route.method, route.anywhere());
        let what = format!("{method} {path}");
        for headers in [
            &[] as &[_],
            &[("cookie", "wxreply_session=guessed"), ("origin", &asker.base)],
        ] {
            let answer = asker.ask(method, &path, headers).await;
            if route.is_api() {
                assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{what}");
                assert_eq!(
                    text(&answer, "content-type"),
                    "application/problem+json",
                    "{what}"
                );
                assert!(text(&answer, "www-authenticate").starts_with("Basic"), "{what}");
            } else {
                assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{what}");
                assert!(text(&answer, "location").starts_with("/sign-in"), "{what}");
            }
        }
        for person in route.needs.forbidden_to() {
            let key = basic(person.name, person.password);
            let answer = asker.ask(method, &path, &[("authorization", &key)]).await;
            assert_eq!(
                answer.status(),
                StatusCode::FORBIDDEN,
                "{what} as {}",
                person.name
            );
        }
        // Whoever has the role gets past the door, be it to a "no such thing". What changes things is left alone here.
        if *method == Method::GET {
            let person = route.needs.allowed_to();
            let key = basic(person.name, person.password);
            let answer = asker.get(&path, &[("authorization", &key)]).await;
            let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
            assert!(!refused.contains(&answer.status()), "{what}: {}", answer.status());
            let sent_away =
                answer.status() == StatusCode::SEE_OTHER && text(&answer, "location").starts_with("/sign-in");
            assert!(!sent_away, "{what}");
            assert!(!answer.status().is_server_error(), "{what}: {}", answer.status());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_forbids_what_no_page_of_ours_needs() {
    let shop = Shop::open_to_all(NO_RULES).await;
    let asker = Asker::of(&shop);
    let mut paths: Vec<_> = routes::all()
        .iter()
        .filter(|r| r.method == Method::GET)
        .map(Route::anywhere)
        .collect();
    paths.extend(["/nowhere".to_owned(), "/api/nowhere".to_owned()]);
    for path in paths {
        let answer = asker.get(&path, &[]).await;
        let policy = text(&answer, "content-security-policy");
        assert_eq!(policy, POLICY, "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(text(&answer, name), value, "{path}: {name}");
        }
        assert_eq!(text(&answer, "access-control-allow-origin"), "", "{path}");
        let kept = text(&answer, "cache-control");
        // Assets have no secrets, and a stream can't be kept.
        if !kept.contains("immutable") && path != "/api/events" {
            assert_eq!(kept, "no-store", "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get() {
    let shop = Shop::open(NO_RULES).await;
    let asker = Asker::of(&shop);
    let answer = asker.sign_in(OPS.name, OPS.password).await;
    let cookie = text(&answer, "set-cookie");
    let mut parts = cookie.split("; ");
    let token = parts
        .next()
        .and_then(|pair| pair.strip_prefix("wxreply_session="))
        .expect("a token");
    assert!(token.len() >= 22, "128 bits and more: {token}");
    let attributes: Vec<_> = parts.collect();
    // `Secure` is for those who have TLS; this one is asked over HTTP on the loopback.
    assert_eq!(
        attributes,
        ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=604800"]
    );
    let stored = std::fs::read(shop.world.path("wxreply.db")).expect("readable");
    let log = std::fs::read(shop.world.path("wxreply.db-wal")).unwrap_or_default();
    let is_in = |file: &[u8]| file.windows(token.len()).any(|window| window == token.as_bytes());
    assert!(!is_in(&stored) && !is_in(&log), "the database has a digest of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_site_asks_for_in_a_users_name_is_refused() {
    let shop = Shop::open(NO_RULES).await;
    let asker = Asker::of(&shop);
    let cookie = asker.session(&OPS).await;
    let other_port = "http://127.0.0.1:1";
    for route in routes::all().iter().filter(|route| route.method != Method::GET) {
        let foreign: [&[(&str, &str)]; 6] = [
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("origin", other_port)],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", &asker.base)],
            &[],
        ];
        for headers in foreign {
            let headers = [headers, &[("cookie", &cookie), ("accept-language", "en")]].concat();
            let answer = asker.ask(&route.method, &route.anywhere(), &headers).await;
            let what = format!("{} {} with {headers:?}", route.method, route.path);
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{what}");
            assert!(
                answer.text().await.expect("a body").contains("another site"),
                "{what}"
            );
        }
    }
    // And the session is still there for its owner.
    let answer = asker.get("/", &[("cookie", &cookie)]).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_users_only_the_loopbacks_own_names_are_answered() {
    let shop = Shop::open_to_all(NO_RULES).await;
    let asker = Asker::of(&shop);
    for route in routes::all().iter().filter(|route| route.needs != Needs::Nothing) {
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:8081",
            "localhost.evil.example",
        ] {
            let answer = asker
                .ask(&route.method, &route.anywhere(), &[("host", host)])
                .await;
            let what = format!("{} {} at {host}", route.method, route.path);
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{what}");
        }
    }
    // Probes may ask by any name, but are told as much as strangers.
    let ready = asker.get("/readyz", &[("host", "pod-7.example")]).await;
    assert_eq!(ready.text().await.expect("a body"), r#"{"ready":true}"#);
    assert_eq!(
        asker.get("/", &[("host", "localhost:8081")]).await.status(),
        StatusCode::OK
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_its_user_goes() {
    let mut shop = Shop::open(NO_RULES).await;
    let asker = Asker::of(&shop);
    let is_in = async |cookie: &str| asker.get("/", &[("cookie", cookie)]).await.status() == StatusCode::OK;
    let (ops, anna) = (asker.session(&OPS).await, asker.session(&ANNA).await);
    assert!(is_in(&ops).await && is_in(&anna).await);

    let headers = [("cookie", ops.as_str()), ("origin", asker.base.as_str())];
    let answer = asker.ask(&Method::POST, "/sign-out", &headers).await;
    assert!(text(&answer, "set-cookie").contains("Max-Age=0"));
    assert!(!is_in(&ops).await, "a copy of the cookie is worth nothing either");

    shop.close();
    let config = std::fs::read_to_string(shop.world.config()).expect("readable");
    let without_anna = config.replace(&people::config(&[&ANNA]), "");
    assert_ne!(config, without_anna);
    std::fs::write(shop.world.config(), &without_anna).expect("writable");
    shop.start().await;
    assert!(!is_in(&anna).await, "who is taken out of the config is out");
    shop.close();
    std::fs::write(shop.world.config(), config).expect("writable");
    shop.start().await;
    assert!(is_in(&anna).await, "a restart alone ends no session");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_passwords_by_program_has_to_wait_too() {
    let shop = Shop::open(NO_RULES).await;
    let asker = Asker::of(&shop);
    for n in 0..10 {
        let key = basic(OPS.name, &format!("guess {n}"));
        let answer = asker.get("/api/events", &[("authorization", &key)]).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    let key = basic(OPS.name, OPS.password);
    let answer = asker.get("/api/events", &[("authorization", &key)]).await;
    assert_eq!(
        answer.status(),
        StatusCode::TOO_MANY_REQUESTS,
        "not even the right one counts now"
    );
    assert_eq!(text(&answer, "retry-after"), "30");
    let key = basic(VERA.name, VERA.password);
    let answer = asker.get("/api/events", &[("authorization", &key)]).await;
    assert_eq!(answer.status(), StatusCode::OK);
}
