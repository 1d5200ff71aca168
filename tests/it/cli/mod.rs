//! The command line, as its user meets it: what each command prints, and how it ends.

mod check;
mod explain;
mod fmt;
mod hash_password;
mod import;
mod init;
mod live;
mod log;
mod push;
mod replay;
mod rules;
mod schema;
mod stats;
mod test;
mod usage;

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use regex::Regex;

use crate::world::{run_in, until};

/// A page for a snapshot: standard output, standard error behind `!`, the exit code. The folder is called `…`, and what
/// differs from run to run is made the same, at the same width.
pub fn told(folder: &Path, output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let errors = text(&output.stderr);
    let errors: String = errors
        .lines()
        .map(|line| format!("! {line}").trim_end().to_owned() + "\n")
        .collect();
    let exit = output
        .status
        .code()
        .map_or("none".to_owned(), |code| code.to_string());
    let page = format!("{}{errors}exit {exit}", text(&output.stdout))
        .replace(folder.to_str().expect("UTF-8").trim_end_matches('/'), "…");
    let same = |page: String, pattern: &str, with: &str| {
        Regex::new(pattern)
            .expect("a pattern")
            .replace_all(&page, with)
            .into_owned()
    };
    let page = same(page, r"\b0[0-9a-z]{12}\b", "0123456789abc");
    let page = same(page, r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b", "2026-01-05 10:00:00");
    same(page, r"127\.0\.0\.1:\d+", "127.0.0.1:8080")
}

/// Runs a command in `folder`, to its end.
pub fn run(folder: &Path, args: &[&str]) -> String {
    told(folder, &run_in(folder, args))
}

/// A command that goes on until it is told to end.
pub struct Running {
    child: Child,
    printed: Arc<Mutex<String>>,
}

impl Running {
    /// Starts it in `folder`; its temporary files go to `folder/tmp`.
    pub fn start(folder: &Path, args: &[&str]) -> Self {
        let tmp = folder.join("tmp");
        std::fs::create_dir_all(&tmp).expect("writable");
        let mut child = Command::new(env!("CARGO_BIN_EXE_wxreply"))
            .args(args)
            .current_dir(folder)
            .env_remove("WXREPLY_CONFIG")
            .env_remove("WXREPLY_LOG")
            .env_remove("RUST_LOG")
            .env("TMPDIR", tmp)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let printed = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().expect("piped"), &printed);
        collect(child.stderr.take().expect("piped"), &printed);
        Self { child, printed }
    }

    /// What it has printed so far, to both streams.
    pub fn printed(&self) -> String {
        self.printed.lock().expect("no panic").clone()
    }

    /// Waits until it has printed `text`.
    pub async fn prints(&self, text: &str) {
        until(text, || async { self.printed().contains(text) }).await;
    }

    /// The first thing printed that matches; its first group.
    pub async fn finds(&self, pattern: &str) -> String {
        let pattern = Regex::new(pattern).expect("a pattern");
        until(pattern.as_str(), || async { pattern.is_match(&self.printed()) }).await;
        pattern.captures(&self.printed()).expect("it matches")[1].to_owned()
    }

    /// Sends it a signal and waits for its end.
    pub async fn end(mut self, signal: &str) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([format!("-{signal}"), pid])
            .status()
            .expect("kill runs");
        assert!(sent.success(), "{}", self.printed());
        for _ in 0..1000 {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it does not end: {}", self.printed());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `end` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut stream: impl Read + Send + 'static, printed: &Arc<Mutex<String>>) {
    let printed = Arc::clone(printed);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut rest = Vec::new();
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            rest.extend_from_slice(&buffer[..read]);
            // A character may be cut in two.
            let whole = match std::str::from_utf8(&rest) {
                Ok(text) => text.len(),
                Err(error) => error.valid_up_to(),
            };
            let text: Vec<u8> = rest.drain(..whole).collect();
            printed
                .lock()
                .expect("no panic")
                .push_str(std::str::from_utf8(&text).expect("checked"));
        }
    });
}
