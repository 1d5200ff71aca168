//! What `wxreply init` begins with: a commented file, and secrets that are fresh.

use rand::RngExt;
use rand::distr::Alphanumeric;

/// The files of a new configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Starter {
    /// `wxreply.toml`
    pub config: &'static str,
    /// Secrets, by their path beside it: to be readable by their owner only. An empty one waits for its owner.
    pub secrets: Vec<(&'static str, String)>,
}

/// A new configuration for one app in safe mode: its Token and EncodingAESKey are random, its AppID and AppSecret
/// are left to be filled in.
#[must_use]
pub fn starter() -> Starter {
    Starter {
        config: include_str!("starter.toml"),
        secrets: vec![
            ("secrets/shop.app_secret", String::new()),
            ("secrets/shop.token", letters_and_digits(32) + "\n"),
            ("secrets/shop.aes_key", letters_and_digits(43) + "\n"),
            ("secrets/webhook", letters_and_digits(43) + "\n"),
        ],
    }
}

/// WeChat's form for a Token (3 to 32 of them) and an EncodingAESKey (43).
fn letters_and_digits(count: usize) -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(count)
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Read, read};

    fn read_starter(change: impl Fn(&str) -> String, app_secret: &str) -> Read {
        let folder = tempfile::tempdir().expect("a folder");
        let starter = starter();
        std::fs::create_dir(folder.path().join("secrets")).expect("made");
        for (path, secret) in &starter.secrets {
            std::fs::write(folder.path().join(path), secret).expect("written");
        }
        std::fs::write(folder.path().join("secrets/shop.app_secret"), app_secret).expect("written");
        let path = folder.path().join("wxreply.toml");
        std::fs::write(&path, change(starter.config)).expect("written");
        read(&path).expect("readable")
    }

    #[test]
    fn what_only_its_owner_knows_is_named() {
        let read = read_starter(str::to_owned, "");
        let found: Vec<_> = read.findings.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0], "`app_id` is empty");
        assert!(found[1].contains("shop.app_secret is empty"), "{found:?}");
        assert!(read.config.is_none());
    }

    #[test]
    fn filled_in_it_has_no_finding() {
        let fill = |text: &str| text.replace("app_id     = \"\"", "app_id = \"wx3d289323f5900f8e\"");
        let read = read_starter(fill, "0123456789abcdef0123456789abcdef");
        assert_eq!(read.findings, []);
        assert!(read.config.is_some());
    }

    #[test]
    fn the_defaults_in_its_comments_are_the_defaults() {
        let fill = |text: &str| text.replace("app_id     = \"\"", "app_id = \"wx3d289323f5900f8e\"");
        let uncomment = |text: &str| {
            let setting = |line: &str| line.starts_with("[") || line.contains(" = ");
            fill(text)
                .lines()
                .map(|line| match line.strip_prefix("# ") {
                    Some(rest) if setting(rest) && !rest.starts_with(' ') => rest.to_owned(),
                    _ => line.to_owned(),
                })
                .collect::<Vec<_>>()
                .join("\n")
        };
        let bare = read_starter(fill, "secret").config.expect("usable");
        let spelled = read_starter(uncomment, "secret");
        assert_eq!(spelled.findings, []);
        let spelled = spelled.config.expect("usable");
        assert_eq!(format!("{:?}", bare.push), format!("{:?}", spelled.push));
        assert_eq!(format!("{:?}", bare.outbox), format!("{:?}", spelled.outbox));
        assert_eq!(bare.webhook.concurrency, spelled.webhook.concurrency);
        assert_eq!(format!("{:?}", bare.log), format!("{:?}", spelled.log));
        assert_eq!(format!("{:?}", bare.alarm), format!("{:?}", spelled.alarm));
        assert!(bare.webhook.secret.is_some() && spelled.webhook.secret.is_some());
        assert_eq!(bare.apps[0].api_base, spelled.apps[0].api_base);
        assert_eq!(bare.apps[0].access_token, spelled.apps[0].access_token);
        assert_eq!(spelled.apps[0].vars.len(), 2, "the comments were read");
    }
}
