//! `wxreply test`: run the tests that stand beside the rules.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use regex_automata::meta::Regex;
use serde_json::{Value, json};

use super::Exit;
use super::check::{from_here, is_config};
use super::config::ConfigArg;
use super::print::{color, count, plain, short};
use super::test_junit::write_junit;
use crate::config::Config;
use crate::diagnostic::{Diagnostic, Place, render, render_json};
use crate::intake::Policies;
use crate::intake::policies_of;
use crate::rehearsal::{Failure, run_test};
use crate::reload::{RulesSource, media_root};
use crate::rules::{Coverage, Gap, TestCase};

#[derive(Debug, Args)]
#[command(after_help = "\
Without PATH, the config's rules are tested. With PATH, these rules are (files or folders, taken together as one set); \
their apps are those of the config that --config or WXREPLY_CONFIG names, else of ./wxreply.toml. A file that holds \
[[app]], or is called wxreply.toml, is a config.

Coverage counts rules, the alternatives of their conditions (each keyword, exact text, pattern and kind, where there \
are several; a list is one), and their guards (all_keywords, not_keywords, fields, users, time, first_message, idle, \
state, misses). In the passing tests, a rule counts as exercised when it acts, an alternative when it is in a message \
that the rule acts on, a guard when a message has all else that the rule asks for, but not this.

Exit code 1 when a test fails, the rules have errors, or coverage is below --min-coverage.")]
pub(super) struct Test {
    /// Rule files or folders, or configs, each of which is tested with its rules
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
    /// Only the tests whose names match
    #[arg(long, value_name = "REGEX")]
    run: Option<String>,
    /// Also write a JUnit report
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// The percentage of rules and conditions that the tests must exercise at least
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
    /// How results are printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Failures as a diff, then what no test exercises
    Human,
    /// One JSON object
    Json,
}

/// Rules that are loaded as one set.
struct Batch {
    source: RulesSource,
    paths: Vec<PathBuf>,
    policies: Policies,
}

/// One test that was run.
pub(super) struct Ran {
    /// The test.
    pub test: TestCase,
    /// What failed, if anything did.
    pub failures: Vec<Failure>,
    /// How long it took.
    pub took: Duration,
}

/// What came of all of them.
#[derive(Default)]
struct Results {
    /// What keeps rules from being loaded.
    errors: Vec<Diagnostic>,
    ran: Vec<Ran>,
    /// How many tests there are, run or not.
    tests: usize,
    exercised: usize,
    counted: usize,
    gaps: Vec<Gap>,
}

impl Test {
    pub fn run(self) -> anyhow::Result<Exit> {
        let wanted = self.run.as_deref().map(|pattern| {
            Regex::new(pattern).with_context(|| format!("--run {pattern:?} is no regular expression"))
        });
        let wanted = wanted.transpose()?;
        let mut results = Results::default();
        for batch in self.batches()? {
            results.run(batch, wanted.as_ref())?;
        }
        if let (Some(pattern), true, true) = (&self.run, results.ran.is_empty(), results.errors.is_empty()) {
            let tests = count(results.tests, "test");
            bail!("no test has a name that matches {pattern:?}; there are {tests}");
        }
        if let Some(path) = &self.junit {
            let file = std::fs::File::create(path);
            let file = file.with_context(|| format!("can't write {}", path.display()))?;
            write_junit(file, &results.ran).with_context(|| format!("can't write {}", path.display()))?;
        }
        let mut out = BufWriter::new(std::io::stdout().lock());
        match self.format {
            Format::Human => self.tell(&mut out, &results)?,
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, &results.json())?;
                writeln!(out)?;
            }
        }
        out.flush()?;
        let bad = !results.errors.is_empty() || results.failed() > 0 || self.too_little(&results);
        Ok(if bad { Exit::Bad } else { Exit::Fine })
    }

    /// What is to be loaded together.
    fn batches(&self) -> anyhow::Result<Vec<Batch>> {
        let of_config = |config: &Config, paths: Vec<PathBuf>| Batch {
            source: RulesSource::of(config),
            paths,
            policies: policies_of(config),
        };
        let (configs, rules): (Vec<_>, Vec<_>) = self.paths.iter().cloned().partition(|path| is_config(path));
        let mut batches = Vec::new();
        if self.paths.is_empty() {
            let config = self.config.load_without_secrets()?;
            batches.push(of_config(&config, vec![from_here(&config.rules)]));
        }
        for path in configs {
            let config = ConfigArg::at(path).load_without_secrets()?;
            batches.push(of_config(&config, vec![from_here(&config.rules)]));
        }
        if !rules.is_empty() {
            let config = match self.config.named() {
                Some(_) => Some(self.config.load_without_secrets()?),
                None => self.config.beside(),
            };
            batches.push(match config {
                Some(config) => of_config(&config, rules),
                None => Batch {
                    source: RulesSource::without_config(),
                    paths: rules,
                    policies: Policies::default(),
                },
            });
        }
        Ok(batches)
    }

    fn too_little(&self, results: &Results) -> bool {
        self.min_coverage.is_some_and(|least| {
            results.errors.is_empty() && results.exercised * 100 < usize::from(least) * results.counted
        })
    }

    fn tell(&self, out: &mut impl Write, results: &Results) -> std::io::Result<()> {
        let colored = color(&std::io::stdout());
        for error in &results.errors {
            writeln!(out, "{}\n", render(error, colored).trim_end())?;
        }
        if !results.errors.is_empty() {
            let errors = count(results.errors.len(), "error");
            writeln!(out, "{errors}: these rules can't be tested")?;
        }
        let paint = Paint(colored);
        for ran in results.ran.iter().filter(|ran| !ran.failures.is_empty()) {
            tell_failure(out, &paint, ran)?;
        }
        if !results.ran.is_empty() {
            let failed = results.failed();
            let passed = results.ran.len() - failed;
            let skipped = match results.tests - results.ran.len() {
                0 => String::new(),
                n => format!(", {n} not run"),
            };
            let tests = count(results.ran.len(), "test");
            let (passed, failed) = (format!("{passed} passed"), format!("{failed} failed"));
            let failed = if results.failed() > 0 {
                paint.red(&failed)
            } else {
                failed
            };
            writeln!(out, "{tests}: {passed}, {failed}{skipped}")?;
        } else if results.errors.is_empty() {
            writeln!(
                out,
                "no tests: write some beside the rules, as in\n\n  [[test]]\n  name = \"…\"\n  message = \"…\"\n  \
                 expect = {{ rule = \"…\" }}\n"
            )?;
        }
        // What some of the tests leave out says nothing about all of them.
        let asked = self.min_coverage.is_some() || self.run.is_none() && !results.ran.is_empty();
        if asked && results.errors.is_empty() {
            self.tell_coverage(out, &paint, results)?;
        }
        Ok(())
    }

    fn tell_coverage(&self, out: &mut impl Write, paint: &Paint, results: &Results) -> std::io::Result<()> {
        let (exercised, counted) = (results.exercised, results.counted);
        let percent = results.percent();
        let line = format!("coverage: {percent}% ({exercised} of {counted} rules and conditions)");
        match self.min_coverage.filter(|_| self.too_little(results)) {
            Some(least) => writeln!(
                out,
                "{}",
                paint.red(&format!("{line}, which is less than {least}%"))
            )?,
            None => writeln!(out, "{line}")?,
        }
        if !results.gaps.is_empty() {
            writeln!(out, "not exercised by a test that passes:")?;
        }
        for gap in &results.gaps {
            writeln!(out, "  {}:{}  {}", gap.file, gap.line, plain(&in_words(gap)))?;
        }
        Ok(())
    }
}

impl Results {
    fn run(&mut self, batch: Batch, wanted: Option<&Regex>) -> anyhow::Result<()> {
        let mut loaded = batch.source.load_all(&batch.paths)?;
        // Several places are called by their whole paths already.
        let root = match &batch.paths[..] {
            [only] => media_root(only),
            _ => Path::new(""),
        };
        loaded
            .tests
            .iter_mut()
            .for_each(|test| test.call_from_outside(root));
        let Some(set) = &loaded.set else {
            let errors = loaded.findings.into_iter().filter(Diagnostic::is_error);
            self.errors.extend(errors);
            return Ok(());
        };
        let mut coverage = Coverage::new(set);
        self.tests += loaded.tests.len();
        for test in loaded.tests {
            if wanted.is_some_and(|wanted| !wanted.is_match(&test.name)) {
                continue;
            }
            let start = Instant::now();
            let failures = run_test(set, &test, &batch.policies, Some(&mut coverage));
            let took = start.elapsed();
            self.ran.push(Ran { test, failures, took });
        }
        let (exercised, counted) = coverage.share();
        self.exercised += exercised;
        self.counted += counted;
        let gaps = coverage.gaps().into_iter().map(|gap| Gap {
            file: root.join(&gap.file).display().to_string(),
            ..gap
        });
        self.gaps.extend(gaps);
        Ok(())
    }

    fn failed(&self) -> usize {
        self.ran.iter().filter(|ran| !ran.failures.is_empty()).count()
    }

    /// Rounded down, so that 100 means all.
    fn percent(&self) -> usize {
        (self.exercised * 100).checked_div(self.counted).unwrap_or(100)
    }

    fn json(&self) -> Value {
        let place = |place: &Place| (place.source.path.display().to_string(), line(place));
        let failure = |failure: &Failure| {
            let (file, line) = place(&failure.place);
            let mismatches = failure.mismatches.iter();
            let mismatches = mismatches.map(|mismatch| {
                json!({
                    "what": mismatch.what,
                    "expected": mismatch.expected,
                    "got": mismatch.got,
                    "diff": mismatch.diff,
                })
            });
            json!({
                "step": failure.step,
                "file": file,
                "line": line,
                "message": failure.message,
                "mismatches": mismatches.collect::<Vec<_>>(),
                "happened": failure.happened,
                "why_not": failure.why_not.as_ref().map(|why| &why.reasons),
            })
        };
        let test = |ran: &Ran| {
            let (file, line) = place(&ran.test.place);
            json!({
                "name": ran.test.name,
                "file": file,
                "line": line,
                "passed": ran.failures.is_empty(),
                "failures": ran.failures.iter().map(failure).collect::<Vec<_>>(),
            })
        };
        let gap = |gap: &Gap| {
            json!({
                "rule": gap.rule,
                "file": gap.file,
                "line": gap.line,
                "condition": gap.part,
            })
        };
        json!({
            "findings": self.errors.iter().map(render_json).collect::<Vec<_>>(),
            "tests": self.ran.iter().map(test).collect::<Vec<_>>(),
            "coverage": {
                "exercised": self.exercised,
                "counted": self.counted,
                "percent": self.percent(),
                "not_exercised": self.gaps.iter().map(gap).collect::<Vec<_>>(),
            },
        })
    }
}

fn tell_failure(out: &mut impl Write, paint: &Paint, ran: &Ran) -> std::io::Result<()> {
    let place = &ran.test.place;
    writeln!(
        out,
        "{} {}  ({}:{})",
        paint.red("FAIL"),
        plain(&ran.test.name),
        place.source.path.display(),
        line(place)
    )?;
    for failure in &ran.failures {
        let step = failure
            .step
            .map(|step| format!("step {step}, "))
            .unwrap_or_default();
        let message = plain(&failure.message).into_owned();
        writeln!(
            out,
            "  {step}line {}: {}",
            line(&failure.place),
            short(&message, 200)
        )?;
        for line in failure.lines() {
            let line = plain(&line).into_owned();
            let line = match line.trim_start().chars().next() {
                Some('-') => paint.red(&line),
                Some('+') => paint.green(&line),
                _ => line,
            };
            writeln!(out, "    {line}")?;
        }
    }
    writeln!(out)
}

/// The line that a place begins at.
pub(super) fn line(place: &Place) -> usize {
    place.source.line_column(place.span.start).0
}

fn in_words(gap: &Gap) -> String {
    match &gap.part {
        None => format!("{}: never acts", gap.rule),
        Some(part) if gap.guard => format!("{}: {part} is met wherever the rest is", gap.rule),
        Some(part) => format!("{}: {part} is in no message", gap.rule),
    }
}

/// Colour, where it is wanted.
struct Paint(bool);

impl Paint {
    fn red(&self, text: &str) -> String {
        self.paint(31, text)
    }

    fn green(&self, text: &str) -> String {
        self.paint(32, text)
    }

    fn paint(&self, color: u8, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{color}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
