//! The simple form: a rule of a name, keywords and one text, written into its file so that all else there stays as it
//! is, comments and layout included. Only what the file's tests expect of the rule follows it.

use toml_edit::{Array, DocumentMut, Item, TableLike, Value};

use crate::diagnostic::Source;
use crate::import::{many, quoted};
use crate::rules::layout;

/// A rule that the form can show whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimpleRule {
    /// Its name.
    pub name: String,
    /// `when.keywords`; `"@name"` stands for a list.
    pub keywords: Vec<String>,
    /// The text that is sent, a template.
    pub reply: String,
    /// The higher is tried first.
    pub priority: i64,
    /// Whether it takes part at all.
    pub enabled: bool,
}

/// Why the form can't change a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSimple {
    /// No rule of this name, or more than one, stands in the file.
    #[error("the file has {count} rules named {name:?}, so the form can't tell which is meant")]
    Which {
        /// The name.
        name: String,
        /// How many there are.
        count: usize,
    },
    /// It says more than the form shows.
    #[error("the rule {name:?} has `{key}`, which the form can't show: edit the source")]
    SaysMore {
        /// The name.
        name: String,
        /// What it says.
        key: String,
    },
    /// The file can't be read as TOML, or would not be written back as it is.
    #[error("the file can't be changed by the form: {0}; edit the source")]
    File(String),
}

/// Keys of a rule that the form does not show and does not touch.
const SILENT: [&str; 2] = ["owner", "note"];

/// Reads a rule of a file.
pub fn simple_rule(text: &str, name: &str) -> Result<SimpleRule, NotSimple> {
    let mut document = Document::parse(text)?;
    read(name, document.rule(name)?)
}

/// Changes a rule of a file: only its keys that differ, and where a test of the file expects the rule's name or its whole
/// reply, the new one.
pub fn change_simple_rule(text: &str, name: &str, rule: &SimpleRule) -> Result<String, NotSimple> {
    let mut document = Document::parse(text)?;
    let table = document.rule(name)?;
    let before = read(name, table)?;
    write(table, &before, rule);
    for expected in document.expected() {
        follow(expected, &before, rule);
    }
    let new = document.text();
    match simple_rule(&new, &rule.name) {
        Ok(written) if written == *rule => Ok(new),
        // Another rule of the file has this name: checking says where.
        Err(NotSimple::Which { .. }) => Ok(new),
        _ => Err(NotSimple::File(
            "the rule would not be read back as it is meant".to_owned(),
        )),
    }
}

/// Adds a rule at the end of a file, which may be empty.
pub fn add_simple_rule(text: &str, rule: &SimpleRule) -> Result<String, NotSimple> {
    let document = Document::parse(text)?;
    if document
        .toml
        .get("rule")
        .is_some_and(|rules| !rules.is_array_of_tables())
    {
        let why = "its rules do not stand under `[[rule]]`".to_owned();
        return Err(NotSimple::File(why));
    }
    let mut new = format!("[[rule]]\nname = {}\n", quoted(&rule.name));
    if rule.priority != 0 {
        new += &format!("priority = {}\n", rule.priority);
    }
    if !rule.enabled {
        new += "enabled = false\n";
    }
    new += &format!(
        "when.keywords = {}\nreply = {}\n",
        many(&rule.keywords),
        quoted(&rule.reply)
    );
    // A list longer than a line is broken.
    let new = layout(&Source::new("new.toml", new.as_str())).unwrap_or(new);
    Ok(append(text, &new))
}

/// Adds sections at the end of a file, with an empty line between and the file's own ends of lines.
#[must_use]
pub fn append(text: &str, sections: &str) -> String {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let body = text.trim_end();
    let mut out = body.to_owned();
    if !body.trim_start_matches('\u{feff}').is_empty() {
        out += newline;
        out += newline;
    }
    for line in sections.trim_end().lines() {
        out += line;
        out += newline;
    }
    out
}

/// A file that is written back as it was read, but for what is changed.
struct Document {
    toml: DocumentMut,
    byte_order_mark: bool,
    /// Whether lines end as on Windows, which `toml_edit` does not keep.
    windows: bool,
}

impl Document {
    fn parse(text: &str) -> Result<Self, NotSimple> {
        if text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(NotSimple::File("it is no UTF-8 text".to_owned()));
        }
        let body = text.strip_prefix('\u{feff}');
        let byte_order_mark = body.is_some();
        let body = body.unwrap_or(text);
        let windows = body.contains("\r\n");
        let unix = if windows {
            body.replace("\r\n", "\n")
        } else {
            body.to_owned()
        };
        let toml: DocumentMut = unix
            .parse()
            .map_err(|error: toml_edit::TomlError| NotSimple::File(error.message().to_owned()))?;
        let document = Self {
            toml,
            byte_order_mark,
            windows,
        };
        if document.text() != text {
            return Err(NotSimple::File("its lines end in different ways".to_owned()));
        }
        Ok(document)
    }

    fn text(&self) -> String {
        let mut text = self.toml.to_string();
        if self.windows {
            text = text.replace('\n', "\r\n");
        }
        if self.byte_order_mark {
            text.insert(0, '\u{feff}');
        }
        text
    }

    /// Every `expect` of the file's tests.
    fn expected(&mut self) -> Vec<&mut dyn TableLike> {
        let mut expected = Vec::new();
        for test in tables(self.toml.get_mut("test")) {
            for (key, item) in test.iter_mut() {
                match key.get() {
                    "expect" => expected.extend(item.as_table_like_mut()),
                    "steps" => {
                        let steps = tables(Some(item)).into_iter();
                        let of_steps = steps.filter_map(|step| step.get_mut("expect")?.as_table_like_mut());
                        expected.extend(of_steps);
                    }
                    _ => {}
                }
            }
        }
        expected
    }

    fn rule(&mut self, name: &str) -> Result<&mut dyn TableLike, NotSimple> {
        let mut found = tables(self.toml.get_mut("rule"));
        found.retain(|table| table.get("name").and_then(Item::as_str) == Some(name));
        match found.len() {
            1 => Ok(found.remove(0)),
            count => Err(NotSimple::Which {
                name: name.to_owned(),
                count,
            }),
        }
    }
}

/// `[[key]]` or `key = [{ … }]`
fn tables(list: Option<&mut Item>) -> Vec<&mut dyn TableLike> {
    match list {
        Some(Item::ArrayOfTables(tables)) => tables
            .iter_mut()
            .map(|table| table as &mut dyn TableLike)
            .collect(),
        Some(Item::Value(Value::Array(list))) => {
            let tables = list.iter_mut().filter_map(Value::as_inline_table_mut);
            tables.map(|table| table as &mut dyn TableLike).collect()
        }
        _ => Vec::new(),
    }
}

fn read(name: &str, table: &dyn TableLike) -> Result<SimpleRule, NotSimple> {
    let more = |key: &str| {
        Err(NotSimple::SaysMore {
            name: name.to_owned(),
            key: key.to_owned(),
        })
    };
    let mut rule = SimpleRule {
        name: name.to_owned(),
        keywords: Vec::new(),
        reply: String::new(),
        priority: 0,
        enabled: true,
    };
    for (key, item) in table.iter() {
        match key {
            "name" => {}
            "priority" => match item.as_integer() {
                Some(priority) => rule.priority = priority,
                None => return more(key),
            },
            "enabled" => match item.as_bool() {
                Some(enabled) => rule.enabled = enabled,
                None => return more(key),
            },
            "when" => {
                let conditions = item.as_table_like().map(|when| when.iter().collect::<Vec<_>>());
                for (condition, item) in conditions.unwrap_or_default() {
                    match words(item).filter(|_| condition == "keywords") {
                        Some(words) => rule.keywords = words,
                        None => return more(&format!("when.{condition}")),
                    }
                }
            }
            "reply" => match text(item) {
                Some(text) => text.clone_into(&mut rule.reply),
                None => return more(key),
            },
            key if SILENT.contains(&key) => {}
            key => return more(key),
        }
    }
    // Without these it is a rule of another kind: it answers everything, or nothing.
    if rule.keywords.is_empty() {
        return more("when");
    }
    if table.get("reply").is_none() {
        return more("reply");
    }
    Ok(rule)
}

/// `"a"` or `["a", "b"]`
fn words(item: &Item) -> Option<Vec<String>> {
    match item.as_value()? {
        Value::String(word) => Some(vec![word.value().clone()]),
        Value::Array(list) => list.iter().map(|word| word.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// `"a"` or `{ text = "a" }`
fn text(item: &Item) -> Option<&str> {
    if let Some(table) = item.as_table_like() {
        let mut keys = table.iter();
        let (key, only) = keys.next()?;
        return only.as_str().filter(|_| key == "text" && keys.next().is_none());
    }
    item.as_str()
}

fn write(table: &mut dyn TableLike, before: &SimpleRule, rule: &SimpleRule) {
    if before.name != rule.name {
        put(table, "name", rule.name.as_str().into());
    }
    if before.priority != rule.priority {
        put(table, "priority", rule.priority.into());
    }
    if before.enabled != rule.enabled {
        put(table, "enabled", rule.enabled.into());
    }
    if before.keywords != rule.keywords
        && let Some(when) = table.get_mut("when").and_then(Item::as_table_like_mut)
    {
        let list = when.get("keywords").and_then(Item::as_array);
        let value = match (list, rule.keywords.as_slice()) {
            (Some(list), words) => rearranged(list, words).into(),
            (None, [only]) => only.into(),
            (None, words) => words.iter().map(String::as_str).collect::<Array>().into(),
        };
        put(when, "keywords", value);
    }
    if before.reply != rule.reply {
        let value = Value::from(rule.reply.as_str());
        match table.get_mut("reply").and_then(Item::as_table_like_mut) {
            Some(reply) => put(reply, "text", value),
            None => put(table, "reply", value),
        }
    }
}

/// Lets a test go on expecting what the rule says.
fn follow(expected: &mut dyn TableLike, before: &SimpleRule, rule: &SimpleRule) {
    if expected.get("rule").and_then(Item::as_str) != Some(&before.name) {
        return;
    }
    if before.name != rule.name {
        put(expected, "rule", rule.name.as_str().into());
    }
    // White space at the end of a text does not count, neither there nor here.
    let is_old = |reply: Option<&str>| reply.is_some_and(|reply| reply.trim_end() == before.reply.trim_end());
    let Some(reply) = expected.get_mut("reply").filter(|_| before.reply != rule.reply) else {
        return;
    };
    if is_old(text(reply)) {
        let value = Value::from(rule.reply.as_str());
        match reply.as_table_like_mut() {
            Some(reply) => put(reply, "text", value),
            None => put(expected, "reply", value),
        }
    } else if let Some(list) = reply.as_array_mut().filter(|list| list.len() == 1)
        && is_old(list.get(0).and_then(Value::as_str))
    {
        list.replace(0, rule.reply.as_str());
    }
}

/// Sets a value, and keeps what stands around the old one.
fn put(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key) {
        Some(item) => {
            if let Some(old) = item.as_value() {
                *value.decor_mut() = old.decor().clone();
            }
            *item = Item::Value(value);
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

/// One word of a list, with what was written around it.
struct Entry {
    /// What stands before it, from the line on which it stands, or from the comma before it.
    lead: String,
    value: Value,
    /// A comment behind it, on its line.
    tail: String,
}

/// The list with these words: each that was there keeps its place in the layout and its comments.
fn rearranged(old: &Array, words: &[String]) -> Array {
    let text = |raw: Option<&toml_edit::RawString>| raw.and_then(|raw| raw.as_str()).unwrap_or("").to_owned();
    let mut entries: Vec<Entry> = Vec::with_capacity(old.len());
    let mut open = String::new();
    for (at, value) in old.iter().enumerate() {
        let prefix = text(value.decor().prefix());
        // What follows a comma on its line belongs to the word before it.
        let line_end = prefix.find('\n').unwrap_or(0);
        let (tail, lead) = prefix.split_at(line_end);
        match entries.last_mut() {
            Some(before) => before.tail += tail,
            None => tail.clone_into(&mut open),
        }
        let mut bare = value.clone();
        *bare.decor_mut() = toml_edit::Decor::new("", "");
        let suffix = text(value.decor().suffix());
        entries.push(Entry {
            lead: lead.to_owned(),
            value: bare,
            tail: if at + 1 == old.len() {
                String::new()
            } else {
                suffix
            },
        });
    }
    let last_suffix = old.iter().last().map(|value| text(value.decor().suffix()));
    let closing = last_suffix.unwrap_or_default() + &text(Some(old.trailing()));
    let line_end = closing.find('\n').unwrap_or(0);
    let (tail, closing) = closing.split_at(line_end);
    if let Some(last) = entries.last_mut() {
        last.tail += tail;
    }
    let lines = closing.contains('\n') || entries.iter().any(|entry| entry.lead.contains('\n'));
    // A new word stands as the last one does.
    let lead = entries.last().map_or("", |last| &last.lead);
    let lead = match lead.rfind('\n') {
        Some(line) => lead[line..].to_owned(),
        None => " ".to_owned(),
    };
    let first_lead = entries.first().map_or(String::new(), |first| first.lead.clone());

    let mut new = Array::new();
    let mut before = open;
    for (at, word) in words.iter().enumerate() {
        let known = entries
            .iter()
            .position(|entry| entry.value.as_str() == Some(word.as_str()));
        let mut entry = match known {
            Some(known) => entries.remove(known),
            None => Entry {
                lead: lead.clone(),
                value: Value::from(word.as_str()),
                tail: String::new(),
            },
        };
        if !lines {
            entry.lead = if at == 0 {
                first_lead.clone()
            } else {
                " ".to_owned()
            };
        }
        *entry.value.decor_mut() = toml_edit::Decor::new(joined(&before, &entry.lead), "");
        new.push_formatted(entry.value);
        before = entry.tail;
    }
    new.set_trailing(joined(&before, closing));
    new.set_trailing_comma(old.trailing_comma());
    new
}

/// What stands between two words of a list. A comment takes the rest of its line, so what comes next begins another.
fn joined(tail: &str, lead: &str) -> String {
    let open = tail.rsplit('\n').next().is_some_and(|line| line.contains('#'));
    let newline = if open && !lead.starts_with('\n') { "\n" } else { "" };
    format!("{tail}{newline}{lead}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# The shop's rules. Ask 小王.

[[rule]]
name = \"营业时间\"        # shown in the log
priority = 5
when.keywords = [
  \"营业时间\",   # most ask this
  # how they say it in the north
  \"几点开门\",
  \"几点关门\",
] # all of them
reply = \"\"\"
我们每天 9:00–21:00 营业。
周日休息。\"\"\"
note = 'checked in May'

  [[rule]]
  name = \"报价\"
  when = { keywords = [\"多少钱\", \"价格\"] }   # inline
  reply = { text = \"见价目表\" }

[[rule]]
name = \"one\"
reply = 'x'
[rule.when]
keywords = \"单\"

[[test]]
name = \"t\"
message = \"几点开门\"
expect = { rule = \"营业时间\" }
";

    fn changed(text: &str, name: &str, change: impl FnOnce(&mut SimpleRule)) -> String {
        let mut rule = simple_rule(text, name).expect("simple");
        change(&mut rule);
        let new = change_simple_rule(text, name, &rule).expect("changed");
        assert_eq!(
            simple_rule(&new, &rule.name).expect("still simple"),
            rule,
            "{new}"
        );
        new
    }

    /// The lines that differ.
    fn lines(old: &str, new: &str) -> Vec<String> {
        let diff = crate::editing::diff(old, new);
        let lines = diff.hunks.iter().flat_map(|hunk| &hunk.lines);
        let changed = lines.filter(|line| line.kind != crate::editing::LineKind::Same);
        changed
            .map(|line| {
                let mark = if line.old.is_some() { '-' } else { '+' };
                let pieces: String = line.pieces.iter().map(|piece| piece.text.as_str()).collect();
                format!("{mark}{pieces}")
            })
            .collect()
    }

    #[test]
    fn rules_are_read_however_they_are_written() {
        let rule = simple_rule(FILE, "营业时间").expect("simple");
        let expected = SimpleRule {
            name: "营业时间".into(),
            keywords: vec!["营业时间".into(), "几点开门".into(), "几点关门".into()],
            reply: "我们每天 9:00–21:00 营业。\n周日休息。".into(),
            priority: 5,
            enabled: true,
        };
        assert_eq!(rule, expected);
        assert_eq!(simple_rule(FILE, "报价").expect("simple").reply, "见价目表");
        assert_eq!(simple_rule(FILE, "one").expect("simple").keywords, ["单"]);
    }

    #[test]
    fn only_what_was_changed_is_written() {
        for name in ["营业时间", "报价", "one"] {
            assert_eq!(changed(FILE, name, |_| {}), FILE);
        }
        let reply = changed(FILE, "报价", |rule| rule.reply = "10 元".into());
        assert_eq!(
            lines(FILE, &reply),
            [
                "-  reply = { text = \"见价目表\" }",
                "+  reply = { text = \"10 元\" }"
            ]
        );
        let priority = changed(FILE, "营业时间", |rule| rule.priority = 0);
        assert_eq!(lines(FILE, &priority), ["-priority = 5", "+priority = 0"]);
        let off = changed(FILE, "one", |rule| rule.enabled = false);
        assert_eq!(lines(FILE, &off), ["+enabled = false"]);
        let on = changed(&off, "one", |rule| rule.enabled = true);
        assert_eq!(lines(&off, &on), ["-enabled = false", "+enabled = true"]);
        let name = changed(FILE, "营业时间", |rule| rule.name = "hours".into());
        assert_eq!(
            lines(FILE, &name),
            [
                "-name = \"营业时间\"        # shown in the log",
                "+name = \"hours\"        # shown in the log",
                "-expect = { rule = \"营业时间\" }",
                "+expect = { rule = \"hours\" }"
            ]
        );
        let long = changed(FILE, "one", |rule| rule.reply = "a\nb \"c\" \\".into());
        assert_eq!(lines(FILE, &long)[0], "-reply = 'x'");
    }

    #[test]
    fn words_come_and_go_and_the_comments_of_the_others_stay() {
        let words = |name: &str, words: &[&str]| {
            let new = changed(FILE, name, |rule| {
                rule.keywords = words.iter().map(|word| (*word).to_owned()).collect();
            });
            lines(FILE, &new)
        };
        assert_eq!(
            words("营业时间", &["营业时间", "几点开门", "几点关门", "休息吗"]),
            ["+  \"休息吗\","]
        );
        assert_eq!(
            words("营业时间", &["营业时间", "几点关门"]),
            ["-  # how they say it in the north", "-  \"几点开门\","]
        );
        assert_eq!(
            words("营业时间", &["几点开门", "几点关门"]),
            ["-  \"营业时间\",   # most ask this"]
        );
        let inline = |list: &str| {
            [
                "-  when = { keywords = [\"多少钱\", \"价格\"] }   # inline".to_owned(),
                format!("+  when = {{ keywords = [{list}] }}   # inline"),
            ]
        };
        assert_eq!(words("报价", &["价格"]), inline("\"价格\""));
        assert_eq!(words("报价", &["价格", "多少钱"]), inline("\"价格\", \"多少钱\""));
        assert_eq!(words("报价", &["贵", "价格"]), inline("\"贵\", \"价格\""));
        assert_eq!(
            words("one", &["a", "b"]),
            ["-keywords = \"单\"", "+keywords = [\"a\", \"b\"]"]
        );
        assert_eq!(words("one", &["a"]), ["-keywords = \"单\"", "+keywords = \"a\""]);
    }

    #[test]
    fn comments_stay_in_lists_of_any_layout() {
        for (list, words, expected) in [
            (
                "[\"a\",\n  \"b\" # B\n]",
                &["a", "b", "c"][..],
                "[\"a\",\n  \"b\", # B\n  \"c\"\n]",
            ),
            ("[\n \"a\" , # A\n \"b\"\n]", &["b"], "[\n \"b\"\n]"),
            ("[\n \"a\", # A\n \"b\", # B\n]", &["b"], "[\n \"b\", # B\n]"),
            (
                "[ # list\n \"a\", # A\n \"b\" # B\n]",
                &["a"],
                "[ # list\n \"a\" # A\n]",
            ),
            ("[ \"a\", \"b\" ]", &["b", "c"], "[ \"b\", \"c\" ]"),
            ("[\"a\", \"b\",]", &["a"], "[\"a\",]"),
            ("[\"a\",\"b\", # B\n \"c\"]", &["a", "b"], "[\"a\",\"b\" # B\n]"),
            ("[\"a\", # A\n \"b\", \"c\"]", &["a", "c"], "[\"a\", # A\n \"c\"]"),
            ("[\"a\" # A\n , \"b\"]", &["b", "a"], "[\"b\", \"a\" # A\n ]"),
            ("[ # list\n \"a\", \"b\"]", &["b"], "[ # list\n \"b\"]"),
        ] {
            let file = |list: &str| format!("[[rule]]\nname = 'n'\nwhen.keywords = {list}\nreply = 'r'\n");
            let new = changed(&file(list), "n", |rule| {
                rule.keywords = words.iter().map(|word| (*word).to_owned()).collect();
            });
            assert_eq!(new, file(expected), "{list:?}");
        }
    }

    #[test]
    fn what_the_tests_of_the_file_expect_follows_the_rule() {
        let file = "[[rule]]\nname = \"a\"\nwhen.keywords = \"a\"\nreply = '''\nold\n'''\n\n\
                    [[rule]]\nname = \"b\"\nwhen.keywords = \"b\"\nreply = \"old\"\n\n\
                    [[test]]\nname = \"whole\"\nmessage = \"a\"\nexpect = { rule = \"a\", reply = \"old\" } # here\n\n\
                    [[test]]\nname = \"talk\"\nsteps = [\n  { message = \"a\", expect = { rule = \"a\", reply = [\"old\"] } }, # first\n  \
                    { message = \"b\", expect = { rule = \"b\", reply = \"old\" } },\n]\n\n\
                    [[test]]\nname = \"tables\"\n[[test.steps]]\nmessage = \"a\"\nexpect.rule = \"a\"\nexpect.reply = { text = \"old\" }\n\n\
                    [[test]]\nname = \"a part\"\nmessage = \"a\"\nexpect = { rule = \"a\", reply_contains = \"ol\" }\n";
        let reply = changed(file, "a", |rule| rule.reply = "new".into());
        assert_eq!(
            lines(file, &reply),
            [
                "-reply = '''",
                "-old",
                "-'''",
                "+reply = \"new\"",
                "-expect = { rule = \"a\", reply = \"old\" } # here",
                "+expect = { rule = \"a\", reply = \"new\" } # here",
                "-  { message = \"a\", expect = { rule = \"a\", reply = [\"old\"] } }, # first",
                "+  { message = \"a\", expect = { rule = \"a\", reply = [\"new\"] } }, # first",
                "-expect.reply = { text = \"old\" }",
                "+expect.reply = { text = \"new\" }",
            ]
        );
        let name = changed(file, "a", |rule| rule.name = "c".into());
        assert_eq!(name.matches("rule = \"c\"").count(), 4);
        assert_eq!(name.replace("\"c\"", "\"a\""), file);
        let off = changed(file, "a", |rule| rule.priority = 1);
        assert_eq!(off.replace("priority = 1\n", ""), file);
    }

    #[test]
    fn ends_of_lines_and_the_byte_order_mark_stay() {
        let windows = format!("\u{feff}{}", FILE.replace('\n', "\r\n"));
        let new = changed(&windows, "营业时间", |rule| rule.reply = "a\nb".into());
        assert_eq!(new.matches('\n').count(), new.matches("\r\n").count());
        assert!(new.starts_with('\u{feff}') && new.contains("# most ask this\r\n"));
        let added = add_simple_rule(&windows, &simple_rule(FILE, "报价").expect("simple")).expect("added");
        assert!(added.starts_with(&windows));
        assert_eq!(added.matches('\n').count(), added.matches("\r\n").count());
        let mixed = FILE.replacen('\n', "\r\n", 3);
        assert!(matches!(simple_rule(&mixed, "one"), Err(NotSimple::File(_))));
    }

    #[test]
    fn a_rule_that_says_more_is_left_to_the_source() {
        for (more, key) in [
            ("when.regex = 'x'", "when.regex"),
            ("when.keywords = ['a']\nwhen.time = { days = 'mon' }", "when.time"),
            ("when.keywords = 'a'\nreply = ['x', 'y']", "reply"),
            ("when.keywords = 'a'\nreply = { image = 'x.png' }", "reply"),
            ("when.keywords = 'a'\nreply = 'x'\ncooldown = '1h'", "cooldown"),
            ("when.keywords = 'a'\nreply = 'x'\napp = 'shop'", "app"),
            ("when.keywords = ['a', 1]\nreply = 'x'", "when.keywords"),
            ("reply = 'x'", "when"),
            ("when.keywords = 'a'", "reply"),
        ] {
            let file = format!("[[rule]]\nname = 'n'\n{more}\n");
            match simple_rule(&file, "n") {
                Err(NotSimple::SaysMore { key: found, .. }) => assert_eq!(found, key, "{more}"),
                other => panic!("{more}: {other:?}"),
            }
        }
        let twice = "[[rule]]\nname = 'n'\napp = 'a'\n[[rule]]\nname = 'n'\n";
        let which = |count| NotSimple::Which {
            name: "n".into(),
            count,
        };
        assert_eq!(simple_rule(twice, "n"), Err(which(2)));
        assert_eq!(simple_rule("", "n"), Err(which(0)));
        assert!(matches!(simple_rule("= 1", "n"), Err(NotSimple::File(_))));
        let lossy = FILE.replace("小王", "\u{fffd}\u{fffd}");
        assert!(matches!(simple_rule(&lossy, "one"), Err(NotSimple::File(_))));
    }

    #[test]
    fn rules_in_a_list_are_changed_there() {
        let file = "rule = [\n  { name = 'n', when.keywords = ['a'], reply = 'x' }, # one\n]\n";
        let new = changed(file, "n", |rule| rule.reply = "y".into());
        assert_eq!(new, file.replace("'x'", "\"y\""));
        let off = changed(file, "n", |rule| rule.enabled = false);
        assert!(off.contains("# one"), "{off}");
        let rule = simple_rule(file, "n").expect("simple");
        assert!(matches!(add_simple_rule(file, &rule), Err(NotSimple::File(_))));
    }

    #[test]
    fn a_new_rule_stands_at_the_end_and_loads() {
        let rule = SimpleRule {
            name: "停车 \"P\"".into(),
            keywords: vec!["停车".into(), "车位".into()],
            reply: "门口可停车。\n免费两小时。".into(),
            priority: -3,
            enabled: false,
        };
        for text in ["", "# only a comment", FILE, "\u{feff}"] {
            let new = add_simple_rule(text, &rule).expect("added");
            assert!(new.starts_with(text.trim_end()), "{new}");
            assert_eq!(simple_rule(&new, &rule.name).expect("simple"), rule);
            let loaded = crate::rules::load(&[Source::new("a.toml", new.as_str())], &Default::default());
            assert!(loaded.set.is_some(), "{:?}", loaded.findings);
        }
    }
}
