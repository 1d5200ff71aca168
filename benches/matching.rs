//! What matching and deciding cost, by the number of rules: `cargo bench --bench matching`.
//!
//! All ids of the rules that match, in priority order, from [`RuleSet::candidates`]; beside it a loop over the rules, and
//! with `-- --hyperscan PROGRAM` Hyperscan with a hash of exact texts (`benches/peers/compare matching` builds and passes it),
//! in turn, in one run. What they find is compared. Times are CPU time, so that neighbours on the machine are not counted, though
//! they still take caches away: trust the ratios. Then the first pass of a set that was just loaded, over messages that it never
//! saw, against further passes over the same; and what a whole decision costs, and how much it allocates.

mod corpus;
mod measure;
mod peers;
mod random;

use std::alloc::System;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use wxreply::diagnostic::Source;
use wxreply::message::{AppName, Contact, Cooldowns, Facts, Inbound, MessageId, OpenId};
use wxreply::rules::{RuleSet, Scope, load};

use corpus::Corpus;
use measure::{CpuTime, Spread, at_most};
use peers::hyperscan::Hyperscan;
use peers::linear::Linear;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const MESSAGES: usize = 20_000;
const PASSES: usize = 15;
/// So often a set is loaded afresh; each first pass over messages is followed by `AGAIN` more.
const FRESH: usize = 7;
const AGAIN: usize = 5;
/// The linear loop sees fewer messages, by how slow it is.
const LINEAR_RULES: usize = 20_000_000;

/// What was measured with one number of rules.
struct Figures {
    warm: Spread,
    first: FirstPass,
    /// Against Hyperscan's time, of the same pass.
    ratio: Option<Spread>,
    /// Hyperscan's build time against that of our matcher.
    build: Option<f64>,
    /// Of the matcher, in megabytes.
    heap: f64,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if !args.iter().any(|arg| arg == "--bench") {
        return; // `cargo test --benches` only wants to see that it starts
    }
    let program = args
        .iter()
        .position(|arg| arg == "--hyperscan")
        .and_then(|at| args.get(at + 1))
        .map(PathBuf::from);
    let figures = SIZES.map(|size| matching(size, program.as_ref()));
    println!();
    for ((size, target, floor), figures) in [(SIZES[0], 1.5, 2.0), (SIZES[1], 1.1, 1.3), (SIZES[2], 1.3, 1.6)]
        .into_iter()
        .zip(&figures)
    {
        let name = format!("goal 9: {size} rules, in Hyperscan's time");
        at_most(&name, "×", figures.ratio, target, floor);
    }
    let [small, middle, large] = &figures;
    let beside = large.warm.median / small.warm.median;
    let name = "goal 10: growth from 1,000 to 100,000 rules";
    at_most(name, "×", Some(growth()), 3.0, 4.0);
    if program.is_some() {
        println!("  beside Hyperscan, which takes the caches between any two passes: {beside:.2} ×");
    }
    for (size, figures) in [("1,000", small), ("10,000", middle), ("100,000", large)] {
        let name = format!("goal 10: {size} rules, first pass of a fresh set in warm");
        at_most(&name, "×", Some(figures.first.fresh), 1.2, 1.5);
        let name = format!("goal 10: {size} rules, unseen messages in warm passes");
        at_most(&name, "×", Some(figures.first.used), 1.2, 1.5);
    }
    let build = large.build.map(|times| Spread::once(1.0 / times));
    at_most(
        "goal 10: 100,000 rules, build in Hyperscan's time",
        "×",
        build,
        0.04,
        0.067,
    );
    let heap = Some(Spread::once(large.heap));
    at_most(
        "goal 10: 100,000 rules, heap of the matcher",
        "MB",
        heap,
        45.0,
        64.0,
    );
    decisions();
}

fn matching(size: usize, program: Option<&PathBuf>) -> Figures {
    let first = first_passes(size);
    let corpus = Corpus::new(size, MESSAGES);
    let mut push = Push::new();
    // What rules cost apart from the matcher: the same ones, with a condition that it has no part in.
    let (_, plain_time, plain_heap) = rule_set(&without_text(&corpus.toml("r")));
    let (set, time, heap) = rule_set(&corpus.toml("r"));
    let matcher = time.saturating_sub(plain_time);
    let heap = (heap - plain_heap) / 1e6;

    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut peer = program.map(|program| Hyperscan::start(program, &corpus, folder.path()));
    let linear = Linear::new(&corpus.rules);
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PASSES {
        ours.push(pass(&set, &mut push, &corpus.messages));
        if let Some(peer) = &mut peer {
            theirs.push(peer.pass() / MESSAGES as f64);
            ratios.push(ours[ours.len() - 1] / theirs[theirs.len() - 1]);
        }
    }
    let few = (LINEAR_RULES / size).min(MESSAGES);
    let watch = CpuTime::start();
    let found: Vec<_> = corpus.messages[..few]
        .iter()
        .map(|text| linear.matches(text))
        .collect();
    let loops = nanoseconds(watch.elapsed()) / few as f64;
    // A keyword of Latin letters is a word to us, a piece of text to the loop.
    let mut differ = |ids: &[Vec<u32>]| {
        let both = ids.iter().zip(&corpus.messages);
        both.filter(|(ids, text)| set.candidates(push.of(text)).ids() != **ids)
            .count()
    };
    println!("{size} rules, {MESSAGES} messages of their own:");
    println!("  load {time:.2?} of CPU, the matcher's part {matcher:.2?}; its heap {heap:.1} MB");
    let warm = Spread::of(ours);
    println!(
        "  ours {warm} ns a message; a loop over the rules {loops:.0}, {} of {few} differ",
        differ(&found)
    );
    println!(
        "  first pass of a fresh set {} × a warm one, of a set in use {} ×, after other work took the caches {} ×",
        first.fresh, first.used, first.cold
    );
    let build = peer.as_ref().map(|peer| peer.build);
    if let Some(peer) = peer {
        let theirs = Spread::of(theirs);
        println!(
            "  Hyperscan {theirs} ns; built in {:.2?}, {:.1} MB",
            peer.build,
            peer.bytes as f64 / 1e6
        );
        let ids = peer.ids();
        assert_eq!(ids.len(), MESSAGES);
        assert_eq!(differ(&ids), 0, "both find the same rules in every message");
        println!("  both found the same rules in all {MESSAGES} messages");
    }
    Figures {
        warm,
        first,
        ratio: (!ratios.is_empty()).then(|| Spread::of(ratios)),
        build: build.map(|build| build.as_secs_f64() / matcher.as_secs_f64()),
        heap,
    }
}

/// What a pass over messages costs that a set never saw, in the median of passes over the same messages again.
struct FirstPass {
    /// By a set that was just loaded.
    fresh: Spread,
    /// By one that saw others before, as live traffic is.
    used: Spread,
    /// After something else was in the processor's caches.
    cold: Spread,
}

fn first_passes(size: usize) -> FirstPass {
    let corpus = Corpus::new(size, (FRESH + 1) * MESSAGES);
    let toml = corpus.toml("r");
    let mut push = Push::new();
    let (mut fresh, mut used, mut cold) = (Vec::new(), Vec::new(), Vec::new());
    let batches: Vec<_> = corpus.messages.chunks(MESSAGES).collect();
    for batch in batches.windows(2) {
        let (set, ..) = rule_set(&toml);
        let mut in_warm_ones = |messages: &[String]| {
            write(&mut push, messages);
            let first = pass(&set, &mut push, messages);
            let again = Spread::of((0..AGAIN).map(|_| pass(&set, &mut push, messages)).collect());
            first / again.median
        };
        fresh.push(in_warm_ones(batch[0]));
        used.push(in_warm_ones(batch[1]));
        black_box(vec![1_u8; 256 << 20]);
        cold.push(in_warm_ones(batch[1]));
    }
    FirstPass {
        fresh: Spread::of(fresh),
        used: Spread::of(used),
        cold: Spread::of(cold),
    }
}

/// What a pass over 100,000 rules costs, in passes over 1,000, in turn.
fn growth() -> Spread {
    let mut push = Push::new();
    let [small, large] = [SIZES[0], SIZES[2]].map(|size| {
        let corpus = Corpus::new(size, MESSAGES);
        (rule_set(&corpus.toml("r")).0, corpus.messages)
    });
    let mut cost = |(set, messages): &(RuleSet, Vec<String>)| {
        write(&mut push, messages);
        pass(set, &mut push, messages)
    };
    let _warm = (cost(&small), cost(&large));
    let ratios = (0..PASSES).map(|_| cost(&large) / cost(&small));
    Spread::of(ratios.collect())
}

/// A push was written into memory just before it is matched; in a benchmark, it must have been read.
fn write(push: &mut Push, messages: &[String]) {
    for text in messages {
        black_box(push.of(text));
    }
}

/// The set, the time that it took to load, and its heap in bytes.
fn rule_set(toml: &str) -> (RuleSet, Duration, f64) {
    let sources = [Source::new("rules.toml", toml)];
    let scope = Scope::default();
    let (region, watch) = (Region::new(HEAP), CpuTime::start());
    let loaded = load(&sources, &scope);
    let (time, error) = (
        watch.elapsed(),
        loaded.findings.iter().find(|finding| finding.is_error()),
    );
    let set = loaded
        .set
        .unwrap_or_else(|| panic!("the made-up rules do not load: {error:?}"));
    drop(loaded.findings);
    let change = region.change();
    let heap = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    (set, time, heap)
}

fn without_text(toml: &str) -> String {
    let line = |line: &str| {
        let value = line
            .split_once(" = ")
            .map(|(_, value)| value.trim_matches(['[', ']']));
        match value.filter(|_| line.starts_with("when.")) {
            Some(value) => format!("when.users = [{value}]\n"),
            None => format!("{line}\n"),
        }
    };
    toml.lines().map(line).collect()
}

/// Nanoseconds a message.
fn pass(set: &RuleSet, push: &mut Push, texts: &[String]) -> f64 {
    let watch = CpuTime::start();
    for text in texts {
        black_box(set.candidates(push.of(text)));
    }
    nanoseconds(watch.elapsed()) / texts.len() as f64
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// A whole decision at 1,000 rules: of plain texts, with a condition on the time, with a template, with what regexes took.
fn decisions() {
    println!();
    let corpus = Corpus::new(1_000, MESSAGES);
    let mut push = Push::new();
    let plain = corpus.toml("我们每天 9:00–21:00 营业。");
    let timed = plain.replace("reply =", "when.time = { hours = '00:00-24:00' }\nreply =");
    let template = plain.replace("营业。", "营业，{{ user.openid }}。");
    let takes = |rule: &str| match rule.contains("when.regex") {
        true => rule.replace("营业。", "营业，{{ match[0] }}。"),
        false => rule.to_owned(),
    };
    let groups = plain.split_inclusive("\n[[").map(takes).collect();
    for (name, toml) in [
        ("plain", plain),
        ("timed", timed),
        ("template", template),
        ("groups", groups),
    ] {
        let (set, ..) = rule_set(&toml);
        let (contact, app_cooldowns) = (Contact::default(), Cooldowns::default());
        let facts = Facts {
            now: Timestamp::from_second(1_767_578_400).expect("a time"),
            contact: &contact,
            app_cooldowns: &app_cooldowns,
        };
        let decide = |message: &Inbound| set.decide(message, &set.candidates(message), &facts);
        let (mut times, mut replies) = (Vec::new(), 0);
        for _ in 0..PASSES {
            let watch = CpuTime::start();
            for text in &corpus.messages {
                black_box(decide(push.of(text)));
            }
            times.push(nanoseconds(watch.elapsed()) / MESSAGES as f64 / 1000.0);
        }
        let region = Region::new(HEAP);
        for text in &corpus.messages {
            replies += decide(push.of(text)).replies.len();
        }
        let change = region.change();
        let allocations = (change.allocations + change.reallocations) as f64;
        let name = format!("goal 11: a whole decision, 1,000 rules, {name}");
        at_most(&name, "µs", Some(Spread::of(times)), 2.0, 4.0);
        // The text, and the list that it stands in.
        let others = Spread::once((allocations - 2.0 * replies as f64) / MESSAGES as f64);
        at_most(
            &format!("{name}: allocations but the reply's"),
            "",
            Some(others),
            0.0,
            0.0,
        );
    }
}

/// One push after the other, in the same memory: in the daemon, it was written there just before.
struct Push(Inbound);

impl Push {
    fn new() -> Self {
        Self(Inbound {
            id: MessageId::new(1_767_578_400, 1),
            app: AppName::from("shop"),
            openid: OpenId::from("oGZUI0egBJY1zhBYw2KhdUfwVJJE"),
            dedup_key: "23637352235060881".to_owned(),
            received: Timestamp::UNIX_EPOCH,
            msg_type: "text".to_owned(),
            event: None,
            content: Some(String::with_capacity(1024)),
            fields: [("MsgType", "text")].into_iter().collect(),
        })
    }

    fn of(&mut self, text: &str) -> &Inbound {
        let content = self.0.content.get_or_insert_default();
        content.clear();
        content.push_str(text);
        &self.0
    }
}
