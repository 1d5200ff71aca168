//! Every field of a push, known to us or not, nested or repeated, in the order and spelling it came in.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The fields of a push, or of one nested element of it.
///
/// Scalars are text whether WeChat sent a string or a number, so that a `MsgId` beyond 2^53 keeps its digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(Cow<'static, str>, Value)>);

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A scalar.
    Text(String),
    /// A nested element or object.
    Table(Fields),
    /// A repeated element or an array.
    List(Vec<Value>),
}

/// A field's name, which takes no memory if it is one of those that nearly every push has.
#[must_use]
pub fn field_name(name: &str) -> Cow<'static, str> {
    const COMMON: [&str; 10] = [
        "ToUserName",
        "FromUserName",
        "CreateTime",
        "MsgType",
        "Content",
        "MsgId",
        "Event",
        "MediaId",
        "PicUrl",
        "xml",
    ];
    match COMMON.iter().find(|common| **common == name) {
        Some(common) => Cow::Borrowed(common),
        None => Cow::Owned(name.to_owned()),
    }
}

impl Fields {
    /// No fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No fields, and room for as many as most pushes have.
    #[must_use]
    pub fn with_room() -> Self {
        Self(Vec::with_capacity(8))
    }

    /// Adds a field; a name that is already there becomes a list, as repeated XML elements mean it.
    pub fn push(&mut self, name: impl AsRef<str>, value: Value) {
        let name = name.as_ref();
        match self.0.iter_mut().find(|(n, _)| n == name) {
            None => self.0.push((field_name(name), value)),
            Some((_, Value::List(list))) => list.push(value),
            Some((_, first)) => {
                let earlier = std::mem::replace(first, Value::List(Vec::new()));
                *first = Value::List(vec![earlier, value]);
            }
        }
    }

    /// The field of this exact name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// The scalar field of this exact name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// All scalars that a dotted path leads to (`ScanCodeInfo.ScanResult`); lists are entered by themselves.
    #[must_use]
    pub fn path(&self, path: &str) -> Vec<&str> {
        fn walk<'a>(value: &'a Value, path: Option<&str>, found: &mut Vec<&'a str>) {
            match (value, path) {
                (Value::Text(text), None) => found.push(text),
                (Value::List(list), _) => list.iter().for_each(|v| walk(v, path, found)),
                (Value::Table(fields), Some(path)) => enter(fields, path, found),
                (Value::Text(_), Some(_)) | (Value::Table(_), None) => {}
            }
        }
        fn enter<'a>(fields: &'a Fields, path: &str, found: &mut Vec<&'a str>) {
            let (name, rest) = match path.split_once('.') {
                Some((name, rest)) => (name, Some(rest)),
                None => (path, None),
            };
            if let Some(value) = fields.get(name) {
                walk(value, rest, found);
            }
        }
        let mut found = Vec::new();
        enter(self, path, &mut found);
        found
    }

    /// The fields in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(n, v)| (&**n, v))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: AsRef<str>, V: Into<Value>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut all = Self::new();
        for (name, value) in fields {
            all.push(name, value.into());
        }
        all
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::with_room();
                while let Some((Name(name), value)) = map.next_entry()? {
                    fields.push(name, value);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// A name as it stands in what is read; copied only if it was escaped there.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;
        impl<'de> Visitor<'de> for Key {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(name.into()))
            }
            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(name.to_owned().into()))
            }
        }
        deserializer.deserialize_str(Key)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
                Ok(Value::Text(v.to_string()))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
                Ok(Value::Text(v.to_string()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
                Ok(Value::Text(v.to_string()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
                Ok(Value::Text(v.to_string()))
            }
            fn visit_str<E>(self, v: &str) -> Result<Value, E> {
                Ok(Value::Text(v.to_owned()))
            }
            fn visit_string<E>(self, v: String) -> Result<Value, E> {
                Ok(Value::Text(v))
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Text(String::new()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(value) = seq.next_element()? {
                    list.push(value);
                }
                Ok(Value::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
                Fields::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Value::Table)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_scalars_keep_their_digits() {
        let json =
            r#"{"MsgId":23637352235060881,"List":[{"TemplateId":"A"},{"TemplateId":"B"}],"Empty":null}"#;
        let fields: Fields = serde_json::from_str(json).expect("valid");
        assert_eq!(fields.text("MsgId"), Some("23637352235060881"));
        assert_eq!(fields.path("List.TemplateId"), ["A", "B"]);
        assert_eq!(fields.text("Empty"), Some(""));
        assert_eq!(fields.path("MsgId.deeper"), Vec::<&str>::new());
    }

    #[test]
    fn a_repeated_name_becomes_a_list() {
        let fields: Fields = [("a", "1"), ("b", "2"), ("a", "3")].into_iter().collect();
        assert_eq!(
            serde_json::to_string(&fields).expect("serializable"),
            r#"{"a":["1","3"],"b":"2"}"#
        );
    }
}
