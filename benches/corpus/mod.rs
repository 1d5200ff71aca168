//! Made-up rules and messages, always the same: 70 % keywords, 15 % exact texts, 15 % regexes of eight forms (2 % of
//! them without any string that they require), Chinese and English; half of the messages hit some rule.

#![allow(dead_code, reason = "each benchmark uses a part")]

use crate::random::Random;
use wxreply::text::normal_form;

/// Rules, and messages to try on them.
pub struct Corpus {
    /// In the order in which they are tried.
    pub rules: Vec<Rule>,
    /// What customers write; no message holds a line break.
    pub messages: Vec<String>,
}

/// A rule's one condition.
pub enum Rule {
    Keyword(String),
    Exact(String),
    /// A regex, and a text that it matches.
    Regex(String, String),
}

impl Corpus {
    pub fn new(rules: usize, messages: usize) -> Self {
        let mut random = Random(7);
        let rules: Vec<Rule> = (0..rules).map(|_| Rule::random(&mut random)).collect();
        let messages = (0..messages).map(|_| message(&rules, &mut random)).collect();
        Self { rules, messages }
    }

    /// The rules as a rule file; `reply` is what each of them says.
    pub fn toml(&self, reply: &str) -> String {
        let condition = |rule: &Rule| match rule {
            Rule::Keyword(keyword) => format!("keywords = ['{keyword}']"),
            Rule::Exact(text) => format!("exact = ['{text}']"),
            Rule::Regex(pattern, _) => format!("regex = '{pattern}'"),
        };
        let rules = self.rules.iter().enumerate();
        rules
            .map(|(i, rule)| {
                let condition = condition(rule);
                format!("[[rule]]\nname = 'r{i}'\nwhen.{condition}\nreply = '{reply}'\n")
            })
            .collect()
    }
}

impl Rule {
    fn random(random: &mut Random) -> Self {
        match random.place(100) {
            0..70 => Self::Keyword(random.keyword()),
            70..85 => Self::Exact(random.keyword() + &random.phrase(2)),
            _ => Self::regex(random),
        }
    }

    fn regex(random: &mut Random) -> Self {
        let [a, b, c] = std::array::from_fn(|_| {
            let len = 2 + random.place(2);
            random.phrase(len)
        });
        let word = random.word();
        let digits = 4 + random.place(9);
        let number = "7".repeat(digits);
        if random.place(50) == 0 {
            return Self::Regex(format!("^[0-9]{{{digits}}}$"), number);
        }
        let (pattern, text) = match random.place(8) {
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
    let len = 2 + random.place(7);
    let talk = random.phrase(len);
    if random.place(2) == 0 {
        let len = 5 + random.place(8);
        return talk + &random.phrase(len);
    }
    let rule = &rules[random.place(rules.len())];
    match rule {
        Rule::Exact(text) | Rule::Regex(_, text) => text.clone(),
        Rule::Keyword(keyword) => talk + keyword + "。" + &random.phrase(len),
    }
}

impl Random {
    /// A simplified Chinese character, some far more often than others, as in real text.
    fn han(&mut self) -> char {
        loop {
            let rank = self.place(2_000) * self.place(2_000) / 2_000;
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
        (0..4 + self.place(5))
            .map(|_| char::from(b'a' + self.place(26) as u8))
            .collect()
    }

    /// Two to six characters; one in five a Latin word.
    fn keyword(&mut self) -> String {
        let len = 2 + self.place(5);
        if self.place(5) == 0 {
            self.word()
        } else {
            self.phrase(len)
        }
    }
}
