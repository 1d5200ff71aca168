//! A person before a browser: goes to pages, reads, clicks, types.

use std::fmt::{Debug, Display};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::Client;
use fantoccini::elements::{Element, ElementRef};
use fantoccini::error::{CmdError, ErrorStatus};
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use http::Method;
use reqwest::Url;
use serde_json::{Value, json};

use crate::driver::Driver;
use crate::people::Person;
use crate::tools;

/// How long a person waits for what should come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The key under which WebDriver speaks of elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How the console is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub phone: bool,
    pub dark: bool,
    pub chinese: bool,
}

impl View {
    /// Every one that there is.
    pub const ALL: [Self; 8] = {
        let mut all = [Self {
            phone: false,
            dark: false,
            chinese: false,
        }; 8];
        let mut n = 0;
        while n < 8 {
            all[n] = Self {
                phone: n & 1 == 1,
                dark: n & 2 == 2,
                chinese: n & 4 == 4,
            };
            n += 1;
        }
        all
    };

    /// Width and height, in CSS pixels.
    pub fn size(self) -> (u32, u32) {
        if self.phone { (390, 844) } else { (1440, 900) }
    }
}

impl Display for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lang = if self.chinese { "zh" } else { "en" };
        let theme = if self.dark { "dark" } else { "light" };
        write!(f, "{}-{theme}-{lang}", self.size().0)
    }
}

/// One window. Ended when it is dropped; when a test fails, it leaves a picture in `target/console-screenshots`.
pub struct Browser {
    client: Client,
    driver: Driver,
    base: String,
}

impl Browser {
    /// Opens a window for the console at this address: a desk, light, in English.
    pub async fn open(base: &str) -> Self {
        let (driver, client) = Driver::start().await;
        let browser = Self {
            client,
            driver,
            base: base.to_owned(),
        };
        browser
            .cdp(
                "Page.addScriptToEvaluateOnNewDocument",
                json!({ "source": include_str!("scripts/tripwire.js") }),
            )
            .await;
        browser
            .look(View {
                phone: false,
                dark: false,
                chinese: false,
            })
            .await;
        browser
    }

    /// Takes another device, another colour scheme, another language.
    pub async fn look(&self, view: View) {
        let (width, height) = view.size();
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": view.phone }),
        )
        .await;
        let touch = json!({ "enabled": view.phone });
        self.cdp("Emulation.setTouchEmulationEnabled", touch).await;
        let scheme = if view.dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.cdp("Emulation.setEmulatedMedia", features).await;
        let lang = if view.chinese {
            "zh-CN,zh;q=0.9"
        } else {
            "en-US,en;q=0.9"
        };
        let headers = json!({ "headers": { "Accept-Language": lang } });
        self.cdp("Network.enable", json!({})).await;
        self.cdp("Network.setExtraHTTPHeaders", headers).await;
    }

    /// Switches the page's own scripts off or on.
    pub async fn scripts(&self, on: bool) {
        self.cdp("Emulation.setScriptExecutionDisabled", json!({ "value": !on }))
            .await;
    }

    /// Goes to a page of the console.
    pub async fn goto(&self, path: &str) {
        let gone = self.client.goto(&format!("{}{path}", self.base)).await;
        must(path, gone);
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        must("reload", self.client.refresh().await);
    }

    /// Signs in on whatever page asks for it.
    pub async fn sign_in(&self, person: &Person) {
        self.goto("/sign-in").await;
        self.enter(person.name, person.password).await;
        let arrived = "location.pathname !== '/sign-in' && document.readyState === 'complete'";
        self.until(&format!("{} is signed in", person.name), arrived)
            .await;
    }

    /// Fills in the form for signing in, and sends it.
    pub async fn enter(&self, name: &str, password: &str) {
        let field = self.css("input[name=name]").await;
        must("clear the name", field.clear().await);
        must("type the name", field.send_keys(name).await);
        let field = self.css("input[name=password]").await;
        must("type the password", field.send_keys(password).await);
        must("sign in", self.css("form button").await.click().await);
    }

    /// Clicks what is called so: a button, a link, a tab.
    pub async fn click(&self, name: &str) {
        let start = Instant::now();
        while !self.clicked(self.thing("press", name).await, name).await {
            self.wait_or_fail(start, &format!("“{name}” can't be clicked"))
                .await;
        }
    }

    /// Clicks the first element of a CSS selector.
    pub async fn click_css(&self, selector: &str) {
        let start = Instant::now();
        while !self.clicked(self.css(selector).await, selector).await {
            self.wait_or_fail(start, &format!("{selector} can't be clicked"))
                .await;
        }
    }

    /// Whether a click met its element: a live page may just have drawn it anew, or be moving it.
    async fn clicked(&self, element: Element, what: &str) -> bool {
        match element.click().await {
            Err(CmdError::Standard(error))
                if matches!(
                    error.error,
                    ErrorStatus::StaleElementReference
                        | ErrorStatus::NoSuchElement
                        | ErrorStatus::ElementNotInteractable
                        | ErrorStatus::ElementClickIntercepted
                ) =>
            {
                false
            }
            clicked => {
                must(what, clicked);
                true
            }
        }
    }

    /// Whether there is something to click that is called so.
    pub async fn offers(&self, name: &str) -> bool {
        !self.find("press", name, true).await.is_null()
    }

    /// Writes into a field, over what was in it.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.thing("field", name).await;
        must(name, field.clear().await);
        must(name, field.send_keys(text).await);
    }

    /// Chooses from a list.
    pub async fn choose(&self, name: &str, option: &str) {
        let list = self.thing("field", name).await;
        must(name, list.select_by_label(option).await);
    }

    /// The field that is called so.
    pub async fn field(&self, name: &str) -> Element {
        self.thing("field", name).await
    }

    /// The first element of a CSS selector, once it is there.
    pub async fn css(&self, selector: &str) -> Element {
        let script = "return document.querySelector(arguments[0])";
        let start = Instant::now();
        loop {
            let found = self.run_with(script, vec![json!(selector)]).await;
            if let Some(id) = found[ELEMENT].as_str() {
                return Element::from_element_id(self.client.clone(), ElementRef::from(id.to_owned()));
            }
            self.wait_or_fail(start, &format!("there is no {selector}")).await;
        }
    }

    /// Types into whatever has the focus.
    pub async fn keys(&self, keys: &str) {
        let focused = must("the focus", self.client.active_element().await);
        must("typing", focused.send_keys(keys).await);
    }

    /// Presses one key.
    pub async fn key(&self, key: Key) {
        self.keys(&char::from(key).to_string()).await;
    }

    /// Presses a key while Ctrl is held.
    pub async fn ctrl(&self, key: Key) {
        let keys: String = [Key::Control, key, Key::Null].map(char::from).iter().collect();
        self.keys(&keys).await;
    }

    /// Presses a letter while Ctrl is held.
    pub async fn ctrl_letter(&self, letter: char) {
        self.keys(&format!(
            "{}{letter}{}",
            char::from(Key::Control),
            char::from(Key::Null)
        ))
        .await;
    }

    /// Waits until the page shows a text.
    pub async fn sees(&self, text: &str) {
        let script = "document.body && document.body.innerText.includes(arguments[0])";
        self.until_with(&format!("“{text}” is shown"), script, vec![json!(text)])
            .await;
    }

    /// Waits until the page no longer shows a text.
    pub async fn loses(&self, text: &str) {
        let script = "document.body && !document.body.innerText.includes(arguments[0])";
        self.until_with(&format!("“{text}” is gone"), script, vec![json!(text)])
            .await;
    }

    /// Waits until the page learns of what happens.
    pub async fn is_live(&self) {
        let live = "document.documentElement.classList.contains('is-live')";
        self.until("it is live", live).await;
    }

    /// Waits until the page has another place; a part of its path or query is enough.
    pub async fn arrives(&self, place: &str) {
        let script = "(location.pathname + location.search).includes(arguments[0])";
        self.until_with(&format!("{place} is open"), script, vec![json!(place)])
            .await;
    }

    /// Waits until what a CSS selector finds says a text.
    pub async fn sees_in(&self, selector: &str, text: &str) {
        let script = "[...document.querySelectorAll(arguments[0])].some((found) => found.innerText.includes(arguments[1]))";
        self.until_with(
            &format!("{selector} says “{text}”"),
            script,
            vec![json!(selector), json!(text)],
        )
        .await;
    }

    /// Makes the page believe that another tab is in front of it, or none any more.
    pub async fn hide(&self, hidden: bool) {
        let script =
            "Object.defineProperty(document, 'hidden', { configurable: true, get: () => arguments[0] });
            document.dispatchEvent(new Event('visibilitychange'))"
                .replace("arguments[0]", &hidden.to_string());
        self.run_with(&script, Vec::new()).await;
    }

    /// Ends the session, as time does.
    pub async fn forget_session(&self) {
        self.cdp("Network.clearBrowserCookies", json!({})).await;
    }

    /// What can be read on the page.
    pub async fn text(&self) -> String {
        let text = self.run("document.body.innerText").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a JavaScript expression is true.
    pub async fn until(&self, what: &str, expression: &str) {
        self.until_with(what, expression, Vec::new()).await;
    }

    async fn until_with(&self, what: &str, expression: &str, arguments: Vec<Value>) {
        let script = format!("return !!({expression})");
        let start = Instant::now();
        // While one page makes room for the next, there is none to ask.
        while !matches!(
            self.client.execute(&script, arguments.clone()).await,
            Ok(Value::Bool(true))
        ) {
            self.wait_or_fail(start, &format!("waited in vain until {what}"))
                .await;
        }
    }

    /// The value of a JavaScript expression.
    pub async fn run(&self, expression: &str) -> Value {
        self.run_with(&format!("return ({expression})"), Vec::new()).await
    }

    /// What a script returns.
    pub async fn run_with(&self, script: &str, arguments: Vec<Value>) -> Value {
        must(script, self.client.execute(script, arguments).await)
    }

    /// What an asynchronous script hands to its last argument.
    pub async fn run_async(&self, script: &str, arguments: Vec<Value>) -> Value {
        must("a script", self.client.execute_async(script, arguments).await)
    }

    /// Path and query of the page.
    pub async fn here(&self) -> String {
        let here = self
            .run("decodeURIComponent(location.pathname + location.search)")
            .await;
        here.as_str().unwrap_or_default().to_owned()
    }

    /// Says yes or no to the dialog that is open, and gives its question.
    pub async fn answer_dialog(&self, yes: bool) -> String {
        let start = Instant::now();
        let question = loop {
            match self.client.get_alert_text().await {
                Ok(text) => break text,
                Err(_) => self.wait_or_fail(start, "no dialog came").await,
            }
        };
        let answered = if yes {
            self.client.accept_alert().await
        } else {
            self.client.dismiss_alert().await
        };
        must("the dialog", answered);
        question
    }

    /// What the browser complained of since it was last asked: errors of scripts, resources that did not load, what the
    /// policy forbade.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self
            .ask(Method::POST, "se/log", json!({ "type": "browser" }))
            .await;
        let entries = log.as_array().cloned().unwrap_or_default();
        let bad = entries
            .into_iter()
            .filter(|entry| entry["level"] != "INFO" && entry["level"] != "DEBUG");
        bad.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// What the page did that none must do: dialogs, and violations of the policy.
    pub async fn alarms(&self) -> Vec<String> {
        let alarms = self.run("window.__alarms").await;
        serde_json::from_value(alarms).expect("a list of texts")
    }

    /// The status that the page was answered with.
    pub async fn status(&self) -> u64 {
        let status = self
            .run("performance.getEntriesByType('navigation')[0].responseStatus")
            .await;
        status.as_u64().expect("a number")
    }

    /// How long it took from the click to the first text or picture on the screen.
    pub async fn first_paint(&self) -> Duration {
        let entry = "performance.getEntriesByName('first-contentful-paint')[0]";
        self.until("something is painted", entry).await;
        let milliseconds = self.run(&format!("{entry}.startTime")).await;
        Duration::from_secs_f64(milliseconds.as_f64().expect("a number") / 1e3)
    }

    /// A picture of the whole page, as PNG: as if the window were as high as the page. It stays so until the next look.
    pub async fn picture(&self, view: View) -> Vec<u8> {
        let height = self.run("document.documentElement.scrollHeight").await;
        let (width, least) = view.size();
        let height = height.as_u64().unwrap_or_default().max(least.into());
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": view.phone });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
        let taken = self
            .cdp("Page.captureScreenshot", json!({ "format": "png" }))
            .await;
        let data = taken["data"].as_str().expect("a picture");
        STANDARD.decode(data).expect("base64")
    }

    /// A command of Chrome's DevTools protocol.
    pub async fn cdp(&self, command: &str, params: Value) -> Value {
        let body = json!({ "cmd": command, "params": params });
        self.ask(Method::POST, "goog/cdp/execute", body).await
    }

    async fn ask(&self, method: Method, path: &'static str, body: Value) -> Value {
        let body = body.to_string();
        must(path, self.client.issue_cmd(Own { method, path, body }).await)
    }

    async fn thing(&self, kind: &str, name: &str) -> Element {
        let start = Instant::now();
        loop {
            let found = self.find(kind, name, false).await;
            if let Some(id) = found[ELEMENT].as_str() {
                return Element::from_element_id(self.client.clone(), ElementRef::from(id.to_owned()));
            }
            self.wait_or_fail(start, &format!("nothing to {kind} is called “{name}”"))
                .await;
        }
    }

    async fn find(&self, kind: &str, name: &str, strict: bool) -> Value {
        let script = include_str!("scripts/find.js");
        let found = self
            .client
            .execute(script, vec![json!(kind), json!(name), json!(strict)])
            .await;
        // While one page makes room for the next, there is none to look at.
        found.unwrap_or(Value::Null)
    }

    async fn wait_or_fail(&self, start: Instant, failure: &str) {
        if start.elapsed() > PATIENCE {
            let here = self.client.current_url().await.map(|url| url.to_string());
            let text = self
                .client
                .execute("return document.body.innerText", Vec::new())
                .await;
            panic!(
                "{failure}, at {here:?}, where this can be read:\n{}",
                text.unwrap_or_default()
            );
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("test").replace("::", "-");
        if let Some(picture) = self.driver.picture() {
            let file = tools::gallery("console-screenshots").join(format!("failed-{name}.png"));
            let written = std::fs::write(&file, picture);
            eprintln!("what the browser showed: {} ({written:?})", file.display());
        }
    }
}

/// A command of chromedriver's own.
#[derive(Debug)]
struct Own {
    method: Method,
    path: &'static str,
    body: String,
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (self.method.clone(), Some(self.body.clone()))
    }
}

#[track_caller]
fn must<T, E: Debug>(what: &str, done: Result<T, E>) -> T {
    done.unwrap_or_else(|error| panic!("{what}: {error:?}"))
}
