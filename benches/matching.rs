//! What matching costs, by the number of rules: `cargo bench --bench matching`.
//!
//! Prints the median nanoseconds per message that [`RuleSet::candidates`] takes, next to a linear loop over the same
//! rules in the same run: trust the ratios, the machine's mood is in both. Rules and messages are made up, always
//! the same: 70 % keywords, 15 % exact texts, 15 % regexes of eight forms; half of the messages hit some rule.

use std::hint::black_box;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use regex::Regex;
use wxreply::diagnostic::Source;
use wxreply::message::{AppName, Fields, Inbound, MessageId, OpenId};
use wxreply::rules::{RuleSet, Scope, load};
use wxreply::text::normal_form;

const SIZES: [usize; 3] = [10, 1_000, 100_000];
const MESSAGES: usize = 20_000;
const PASSES: usize = 9;
/// How long the linear loop may take in one pass; it sees fewer messages where it is slow.
const LINEAR_PASS: Duration = Duration::from_millis(100);

fn main() {
    println!(
        "{:>8} {:>10} {:>12} {:>14} {:>8}",
        "rules", "build", "ns/message", "linear", "ratio"
    );
    let mut medians = Vec::new();
    for size in SIZES {
        let mut random = Random(7);
        let rules: Vec<Rule> = (0..size).map(|_| Rule::random(&mut random)).collect();
        let messages: Vec<Inbound> = (0..MESSAGES)
            .map(|_| inbound(message(&rules, &mut random)))
            .collect();

        let sources = [Source::new("rules.toml", toml(&rules))];
        let start = Instant::now();
        let set = rule_set(&sources);
        let build = start.elapsed();
        let linear = Linear::new(&rules);

        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..PASSES {
            ours.push(per_message(&messages, Duration::MAX, |message| {
                black_box(set.candidates(message));
            }));
            theirs.push(per_message(&messages, LINEAR_PASS, |message| {
                black_box(linear.matches(message.content.as_deref().unwrap_or_default()));
            }));
        }
        let (ours, theirs) = (median(ours), median(theirs));
        println!(
            "{size:>8} {build:>10.1?} {ours:>12.0} {theirs:>14.0} {:>7.0}x",
            theirs / ours
        );
        medians.push(ours);
    }
    println!(
        "growth from {} to {} rules: {:.1}x",
        SIZES[1],
        SIZES[2],
        medians[2] / medians[1]
    );
}

fn rule_set(sources: &[Source]) -> RuleSet {
    let scope = Scope::default();
    let loaded = load(sources, &scope);
    let error = loaded.findings.iter().find(|finding| finding.is_error());
    loaded
        .set
        .unwrap_or_else(|| panic!("the made-up rules do not load: {error:?}"))
}

/// Nanoseconds per message over as many as fit into `limit`, one at least.
fn per_message(messages: &[Inbound], limit: Duration, mut judge: impl FnMut(&Inbound)) -> f64 {
    let start = Instant::now();
    let mut judged = 0u32;
    for message in messages {
        judge(message);
        judged += 1;
        if limit != Duration::MAX && start.elapsed() > limit {
            break;
        }
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(judged)
}

fn median(mut passes: Vec<f64>) -> f64 {
    passes.sort_by(f64::total_cmp);
    passes[passes.len() / 2]
}

/// A rule's one condition.
enum Rule {
    Keyword(String),
    Exact(String),
    /// A regex, and a text that it matches.
    Regex(String, String),
}

impl Rule {
    fn random(random: &mut Random) -> Self {
        match random.below(100) {
            0..70 => Self::Keyword(random.keyword()),
            70..85 => Self::Exact(random.keyword() + &random.phrase(2)),
            _ => Self::regex(random),
        }
    }

    fn regex(random: &mut Random) -> Self {
        let [a, b, c] = std::array::from_fn(|_| {
            let len = 2 + random.below(2);
            random.phrase(len)
        });
        let word = random.word();
        let digits = 4 + random.below(9);
        let number = "7".repeat(digits);
        if random.below(50) == 0 {
            return Self::Regex(format!("^[0-9]{{{digits}}}$"), number);
        }
        let (pattern, text) = match random.below(8) {
            0 => (format!("{a}.*(?:{b}|{c})"), format!("{a}的{c}")),
            1 => (format!("^(?:请问)?{a}(?:吗|呢)?$"), format!("请问{a}呢")),
            2 => (format!("{a}[0-9]{{4,}}"), format!("{a}{number}")),
            3 => (
                format!("(?i){word}.{{0,5}}{a}"),
                format!("{} {a}", word.to_uppercase()),
            ),
            4 => (format!("(?:{a}|{b}).*(?:取消|退掉|撤销)"), format!("{b}帮我退掉")),
            5 => (format!("^{word}[0-9]{{{digits}}}$"), format!("{word}{number}")),
            6 => (format!("{a}(?:什么|几点|哪里){b}?"), format!("{a}哪里")),
            _ => (
                format!("(?:refund|return).*{word}|{a}{b}"),
                format!("return my {word}"),
            ),
        };
        Self::Regex(pattern, text)
    }
}

/// Every second message is about a rule; the others are small talk.
fn message(rules: &[Rule], random: &mut Random) -> String {
    let len = 2 + random.below(7);
    let talk = random.phrase(len);
    if random.below(2) == 0 {
        let len = 5 + random.below(8);
        return talk + &random.phrase(len);
    }
    let rule = &rules[random.below(rules.len())];
    match rule {
        Rule::Exact(text) | Rule::Regex(_, text) => text.clone(),
        Rule::Keyword(keyword) => talk + keyword + "。" + &random.phrase(len),
    }
}

fn inbound(text: String) -> Inbound {
    let fields: Fields = [("MsgType", "text"), ("Content", text.as_str())]
        .into_iter()
        .collect();
    Inbound {
        id: MessageId::new(1_767_578_400, 1),
        app: AppName::from("shop"),
        openid: OpenId::from("oGZUI0egBJY1zhBYw2KhdUfwVJJE"),
        dedup_key: "23637352235060881".to_owned(),
        received: Timestamp::UNIX_EPOCH,
        msg_type: "text".to_owned(),
        event: None,
        content: Some(text),
        fields,
    }
}

fn toml(rules: &[Rule]) -> String {
    let condition = |rule: &Rule| match rule {
        Rule::Keyword(keyword) => format!("keywords = ['{keyword}']"),
        Rule::Exact(text) => format!("exact = ['{text}']"),
        Rule::Regex(pattern, _) => format!("regex = '{pattern}'"),
    };
    let rules = rules.iter().enumerate();
    rules
        .map(|(i, r)| format!("[[rule]]\nname = 'r{i}'\nwhen.{}\nreply = 'r'\n", condition(r)))
        .collect()
}

/// What a hand-written bot does: one rule after the other.
struct Linear(Vec<Step>);

enum Step {
    Contains(String),
    Is(String),
    Matches(Regex),
}

impl Linear {
    fn new(rules: &[Rule]) -> Self {
        let step = |rule: &Rule| match rule {
            Rule::Keyword(keyword) => Step::Contains(normal_form(keyword)),
            Rule::Exact(text) => Step::Is(normal_form(text)),
            Rule::Regex(pattern, _) => Step::Matches(Regex::new(pattern).expect("a made-up regex")),
        };
        Self(rules.iter().map(step).collect())
    }

    fn matches(&self, text: &str) -> Vec<usize> {
        let normal = normal_form(text);
        let holds = |step: &Step| match step {
            Step::Contains(keyword) => normal.contains(keyword),
            Step::Is(exact) => normal == *exact,
            Step::Matches(regex) => regex.is_match(text),
        };
        self.0
            .iter()
            .enumerate()
            .filter(|(_, step)| holds(step))
            .map(|(i, _)| i)
            .collect()
    }
}

/// SplitMix64: the same rules and messages in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// A simplified Chinese character, some far more often than others, as in real text.
    fn han(&mut self) -> char {
        loop {
            let rank = self.below(2_000) * self.below(2_000) / 2_000;
            let c = char::from_u32(0x4e00 + rank as u32).expect("a Chinese character");
            if normal_form(c.encode_utf8(&mut [0; 4])).starts_with(c) {
                return c;
            }
        }
    }

    fn phrase(&mut self, len: usize) -> String {
        (0..len).map(|_| self.han()).collect()
    }

    fn word(&mut self) -> String {
        (0..4 + self.below(5))
            .map(|_| char::from(b'a' + self.below(26) as u8))
            .collect()
    }

    /// Two to six characters; one in five a Latin word.
    fn keyword(&mut self) -> String {
        let len = 2 + self.below(5);
        if self.below(5) == 0 {
            self.word()
        } else {
            self.phrase(len)
        }
    }
}
