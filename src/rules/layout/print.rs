//! From the parsed file to its lines.

use toml_edit::{Array, DocumentMut, InlineTable, Item, Key, Table, Value};

use super::gap::{Gap, Line, comment, lines, raw, without_first_blank, without_last_blank};
use super::order::rank;
use super::value::{WIDTH, flat, gaps, key, scalar, table_gaps, width};

const INDENT: usize = 4;

/// Prints a whole file.
pub(super) fn document(document: &DocumentMut) -> String {
    let mut sections = Vec::new();
    collect(document.as_table(), &mut Vec::new(), false, &mut sections);
    // A table may stand anywhere after the one that it belongs to: they keep the order of the file.
    sections.sort_by_key(|section| (!section.path.is_empty(), section.table.position()));
    let mut printer = Printer::default();
    for section in &sections {
        printer.section(section);
    }
    let mut end = lines(raw(Some(document.trailing())));
    without_last_blank(&mut end);
    if printer.out.is_empty() {
        without_first_blank(&mut end);
    }
    printer.lines(&end, 0);
    printer.out
}

/// A table with a header, or the top of the file.
struct Section<'a> {
    table: &'a Table,
    path: Vec<&'a Key>,
    is_array: bool,
}

fn collect<'a>(table: &'a Table, path: &mut Vec<&'a Key>, is_array: bool, sections: &mut Vec<Section<'a>>) {
    if !table.is_dotted() {
        sections.push(Section {
            table,
            path: path.clone(),
            is_array,
        });
    }
    for (name, item) in table {
        let Some(key) = table.key(name) else { continue };
        path.push(key);
        match item {
            Item::Table(inner) => collect(inner, path, false, sections),
            Item::ArrayOfTables(list) => list.iter().for_each(|inner| collect(inner, path, true, sections)),
            Item::Value(_) | Item::None => {}
        }
        path.pop();
    }
}

#[derive(Default)]
struct Printer {
    out: String,
}

impl Printer {
    fn section(&mut self, section: &Section<'_>) {
        let mut entries = section.table.get_values();
        if !section.path.is_empty() {
            // `[calendar.cn]` needs no `[calendar]`.
            if section.table.is_implicit() && entries.is_empty() {
                return;
            }
            self.header(section);
        }
        entries.sort_by_key(|(keys, _)| rank(&section.path, keys));
        for (at, (keys, value)) in entries.iter().enumerate() {
            let mut before = lines(raw(keys.last().and_then(|key| key.leaf_decor().prefix())));
            if at == 0 {
                without_first_blank(&mut before);
            }
            self.lines(&before, 0);
            self.pair(keys, value, 0);
            self.behind(comment(raw(value.decor().suffix())));
            self.out.push('\n');
        }
    }

    fn header(&mut self, section: &Section<'_>) {
        let decor = section.table.decor();
        let mut before = lines(raw(decor.prefix()));
        if self.out.is_empty() {
            without_first_blank(&mut before);
        } else if !before.contains(&Line::Blank) {
            // What stands right below a table's last line and apart from the next header belongs to the former, any
            // other comment to the latter.
            before.insert(0, Line::Blank);
        }
        self.lines(&before, 0);
        let path = key(&section.path);
        self.out += &if section.is_array {
            format!("[[{path}]]")
        } else {
            format!("[{path}]")
        };
        self.behind(comment(raw(decor.suffix())));
        self.out.push('\n');
    }

    fn lines(&mut self, lines: &[Line], indent: usize) {
        for line in lines {
            if let Line::Comment(text) = line {
                self.indent(indent);
                self.out += text;
            }
            self.out.push('\n');
        }
    }

    /// A comment at the end of the line.
    fn behind(&mut self, comment: Option<String>) {
        if let Some(text) = comment {
            self.out += "  ";
            self.out += &text;
        }
    }

    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn pair(&mut self, keys: &[&Key], value: &Value, indent: usize) {
        self.out += &key(keys);
        self.out += " = ";
        self.value(value, indent, 0);
    }

    /// A value; `after` columns follow it on its line.
    fn value(&mut self, value: &Value, indent: usize, after: usize) {
        let flat = flat(value).filter(|flat| self.column() + width(flat) + after <= WIDTH);
        match (value, flat) {
            (_, Some(flat)) => self.out += &flat,
            (Value::Array(array), None) => self.array(array, indent),
            (Value::InlineTable(table), None) => self.table(table, indent),
            (value, None) => self.out += &scalar(value),
        }
    }

    /// A list with an item on each line.
    fn array(&mut self, array: &Array, indent: usize) {
        let mut gaps = gaps(array).into_iter();
        self.open('[', gaps.next(), indent);
        for (value, gap) in array.iter().zip(gaps.by_ref()) {
            self.indent(indent + INDENT);
            self.value(value, indent + INDENT, 1);
            self.out.push(',');
            self.rest_of_line(gap, indent);
        }
        self.close(']', indent);
    }

    /// A table between braces. TOML 1.1 lets it take several lines, but much that reads TOML does not know yet: it
    /// takes them only where its author let it, or wrote a comment into it.
    fn table(&mut self, table: &InlineTable, indent: usize) {
        let gaps = table_gaps(table);
        let values = table.get_values();
        if !gaps.iter().any(|gap| gap.breaks || gap.speaks()) {
            self.out += "{ ";
            for (at, (keys, value)) in values.iter().enumerate() {
                if at > 0 {
                    self.out += ", ";
                }
                self.pair(keys, value, indent);
            }
            self.out += " }";
            return;
        }
        let mut gaps = gaps.into_iter();
        self.open('{', gaps.next(), indent);
        for ((keys, value), gap) in values.iter().zip(gaps.by_ref()) {
            self.indent(indent + INDENT);
            self.pair(keys, value, indent + INDENT);
            self.out.push(',');
            self.rest_of_line(gap, indent);
        }
        self.close('}', indent);
    }

    fn open(&mut self, bracket: char, gap: Option<Gap>, indent: usize) {
        self.out.push(bracket);
        let mut gap = gap.unwrap_or_default();
        without_first_blank(&mut gap.lines);
        self.rest_of_line(gap, indent);
    }

    fn rest_of_line(&mut self, gap: Gap, indent: usize) {
        self.behind(gap.behind);
        self.out.push('\n');
        self.lines(&gap.lines, indent + INDENT);
    }

    fn close(&mut self, bracket: char, indent: usize) {
        while self.out.ends_with("\n\n") {
            self.out.pop();
        }
        self.indent(indent);
        self.out.push(bracket);
    }

    fn column(&self) -> usize {
        let start = self.out.rfind('\n').map_or(0, |newline| newline + 1);
        width(&self.out[start..])
    }
}
