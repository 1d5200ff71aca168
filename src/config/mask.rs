//! Findings quote the lines that they are about: here secrets are taken out of the text before it is quoted.

use toml::de::{DeTable, DeValue};

const SECRETS: [&str; 8] = [
    "app_secret",
    "token",
    "encoding_aes_key",
    "secret",
    "password_hash",
    "token_key",
    // Addresses of alarms hold keys.
    "webhook",
    "wecom_robot",
];

/// The text with every secret that stands in it as asterisks, byte for byte, so that all spans stay right.
pub(super) fn mask(text: &str, table: &DeTable<'_>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    hide_in(&mut bytes, table);
    // A line that the parser could not read may hold one all the same.
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some((key, value)) = line.split_once('=')
            && SECRETS.contains(&key.trim().rsplit('.').next().unwrap_or_default())
            && !value.trim_start().starts_with('{')
        {
            hide(&mut bytes, start + key.len() + 1..start + line.len());
        }
        start += line.len();
    }
    // Only whole characters were overwritten, and with ASCII.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Hides every text that stands under the key of a secret, wherever that is.
fn hide_in(bytes: &mut [u8], table: &DeTable<'_>) {
    for (key, value) in table {
        match value.get_ref() {
            DeValue::String(_) if SECRETS.contains(&key.get_ref().as_ref()) => hide(bytes, value.span()),
            DeValue::Table(inner) => hide_in(bytes, inner),
            DeValue::Array(list) => {
                let inner = list.iter().filter_map(|entry| entry.get_ref().as_table());
                inner.for_each(|inner| hide_in(bytes, inner));
            }
            _ => {}
        }
    }
}

fn hide(bytes: &mut [u8], span: std::ops::Range<usize>) {
    for byte in bytes.get_mut(span).unwrap_or_default() {
        if !matches!(byte, b'\n' | b'\r' | b' ' | b'"' | b'\'') {
            *byte = b'*';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_however_they_are_written() {
        let text = "alarm.wecom_robot = \"http://s3cret\"\n[webhook]\nsecret = \"s3cret\"\n[admin]\ntoken_key = \"s3cret\"\n\
                    user = [{ name = \"ops\", password_hash = \"s3cret\" }]\n[[app]]\ntoken = \"密码 s3cret\" # s3cret\n  app_secret = \"s3cret\n\n[[app]]\nname = \"s3cret-shop\"\n\
                    encoding_aes_key = { file = \"key\" }\ntoken = '''\ns3cret'''\n";
        let (table, errors) = DeTable::parse_recoverable(text);
        assert!(!errors.is_empty(), "one text does not end");
        let masked = mask(text, table.get_ref());
        assert_eq!(masked.len(), text.len());
        insta::assert_snapshot!(masked, @r#"
        alarm.wecom_robot = "*************"
        [webhook]
        secret = "******"
        [admin]
        token_key = "******"
        user = [{ name = "ops", password_hash = "******" }]
        [[app]]
        token = "****** ******" * ******
          app_secret = "******

        [[app]]
        name = "s3cret-shop"
        encoding_aes_key = { file = "key" }
        token = '''
        ******'''
        "#);
    }
}
