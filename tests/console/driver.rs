//! One chromedriver with one Chromium, which end with the test that started them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::tools;

/// chromedriver, and the session that it has with Chromium.
pub struct Driver {
    process: Child,
    port: u16,
    session: Option<String>,
    /// Chromium's profile.
    _profile: TempDir,
}

impl Driver {
    /// Starts both.
    pub async fn start() -> (Self, Client) {
        let chromium = tools::chromium();
        let mut process = Command::new(&chromium.driver)
            .args(["--port=0", "--log-path=/dev/null"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let output = process.stdout.take().expect("it is piped");
        let port = port_told(BufReader::new(output));
        let mut driver = Self {
            process,
            port,
            session: None,
            _profile: tempfile::tempdir().expect("a temporary folder"),
        };
        let profile = format!("--user-data-dir={}", driver._profile.path().display());
        let wanted = json!({
            // A dialog that nobody expects must make the test fail.
            "unhandledPromptBehavior": "ignore",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": chromium.browser,
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    "--hide-scrollbars", "--window-size=1440,900", profile,
                ],
            },
        });
        let capabilities: Capabilities = serde_json::from_value(wanted).expect("an object");
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("Chromium starts");
        driver.session = client.session_id().await.expect("a session");
        (driver, client)
    }

    /// What the window shows, for whoever reads of a failure; from outside of async code.
    pub fn picture(&self) -> Option<Vec<u8>> {
        let answer = self.ask("GET", "/screenshot")?;
        STANDARD.decode(answer["value"].as_str()?).ok()
    }

    /// Asks chromedriver without any runtime.
    fn ask(&self, method: &str, path: &str) -> Option<Value> {
        let session = self.session.as_deref()?;
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let port = self.port;
        let head = format!("{method} /session/{session}{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).ok()?;
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().ok()?;
                }
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body).ok()?;
        serde_json::from_slice(&body).ok()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Ends Chromium; without it, that would outlive its driver.
        self.ask("DELETE", "");
        // When it has ended already, there is nothing left to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The port that chromedriver took, as it tells; what else it prints is read, so that it can go on printing.
fn port_told(mut output: impl BufRead + Send + 'static) -> u16 {
    let mut line = String::new();
    let port = loop {
        line.clear();
        let read = output.read_line(&mut line).expect("readable");
        assert!(read > 0, "chromedriver ended before it listened");
        if let Some((_, rest)) = line.split_once("was started successfully on port ") {
            break rest.trim().trim_end_matches('.').parse().expect("a port");
        }
    };
    std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    port
}
