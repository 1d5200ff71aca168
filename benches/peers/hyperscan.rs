//! Hyperscan as a process of its own (`hyperscan.c`), so that no build of ours needs its library: it gets rules and
//! messages as files, makes a pass over them whenever it is told to, and leaves the ids that it found.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use wxreply::text::normal_form;

use crate::corpus::{Corpus, Rule};

/// The running peer.
pub struct Hyperscan {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    folder: PathBuf,
    /// How long it took to compile all patterns.
    pub build: Duration,
    /// The size of its compiled patterns.
    pub bytes: usize,
}

impl Hyperscan {
    /// Writes the corpus into `folder` and lets the program at `program` compile it.
    pub fn start(program: &Path, corpus: &Corpus, folder: &Path) -> Self {
        let line = |rule: &Rule| match rule {
            Rule::Keyword(keyword) => format!("k {}\n", normal_form(keyword)),
            Rule::Exact(text) => format!("e {}\n", normal_form(text)),
            Rule::Regex(pattern, _) => format!("r {pattern}\n"),
        };
        let rules: String = corpus.rules.iter().map(line).collect();
        std::fs::write(folder.join("rules"), rules).expect("writable");
        std::fs::write(folder.join("messages"), corpus.messages.join("\n") + "\n").expect("writable");
        let mut child = Command::new(program)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("hyperscan starts");
        let mut peer = Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().expect("piped")),
            child,
            folder: folder.to_owned(),
            build: Duration::ZERO,
            bytes: 0,
        };
        let ready = peer.line();
        let numbers: Vec<&str> = ready.split(' ').collect();
        let ["ready", build, bytes] = numbers[..] else {
            panic!("hyperscan said {ready:?}");
        };
        peer.build = Duration::from_nanos(build.parse().expect("nanoseconds"));
        peer.bytes = bytes.parse().expect("bytes");
        peer
    }

    /// One pass over all messages, in nanoseconds.
    pub fn pass(&mut self) -> f64 {
        let input = self.input.as_mut().expect("it runs");
        input.write_all(b"pass\n").expect("it listens");
        self.line().parse().expect("nanoseconds")
    }

    /// The ids that it finds in each message, ascending; it ends with that.
    pub fn ids(mut self) -> Vec<Vec<u32>> {
        self.input = None;
        assert!(self.child.wait().expect("it ends").success());
        let ids = std::fs::read_to_string(self.folder.join("ids")).expect("readable");
        let id = |id: &str| id.parse().expect("an id");
        ids.lines()
            .map(|line| line.split_terminator(' ').map(id).collect())
            .collect()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it answers");
        line.trim_end().to_owned()
    }
}

impl Drop for Hyperscan {
    fn drop(&mut self) {
        // After `ids` it has ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
