//! `wxreply init`: a configuration to begin with. Never overwrites.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::{Exit, examples, schema};
use crate::config::starter;

#[derive(Debug, Args)]
#[command(
    after_help = "Writes wxreply.toml, rules/, secrets/ with a fresh Token and EncodingAESKey, and .schema/, from \
                        which an editor knows what may be written in the first two. A file that is there already is \
                        left as it is."
)]
pub(super) struct Init {
    /// The folder to write into; made if need be
    #[arg(default_value = ".")]
    dir: PathBuf,
}

impl Init {
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = self.dir.join("wxreply.toml");
        if config.exists() {
            bail!("{} is there already; nothing was written", config.display());
        }
        let starter = starter();
        let mut written = Vec::new();
        for (path, secret) in &starter.secrets {
            let new = examples::create(&self.dir.join(path), secret.as_bytes(), true)?;
            written.push((PathBuf::from(path), !new));
        }
        for (path, text) in [
            (".schema/config.json", schema::of_config()?),
            (".schema/rules.json", schema::of_rules()?),
        ] {
            let new = examples::create(&self.dir.join(path), text.as_bytes(), false)?;
            written.push((path.into(), !new));
        }
        for (path, kept) in examples::write(&self.dir.join("rules"), Some("../.schema/rules.json"))? {
            written.push((PathBuf::from("rules").join(path), kept));
        }
        let ignored = b"# What no repository should hold.\nsecrets/\nwxreply.db*\n";
        let new = examples::create(&self.dir.join(".gitignore"), ignored, false)?;
        written.push((".gitignore".into(), !new));
        // Last, so that what it speaks of is there.
        let text = format!("#:schema ./.schema/config.json\n\n{}", starter.config);
        examples::create(&config, text.as_bytes(), false)?;
        written.push(("wxreply.toml".into(), false));

        let mut out = std::io::stdout().lock();
        for (path, kept) in written {
            let mark = if kept { "kept " } else { "wrote" };
            writeln!(out, "{mark} {}", self.dir.join(path).display())?;
        }
        let (dir, arg) = (
            self.dir.display(),
            match self.dir.as_os_str() == "." {
                true => String::new(),
                false => format!(" --config {}", config.display()),
            },
        );
        writeln!(
            out,
            "\nNext:\n  \
             1. {dir}/rules/: what is answered. No account is needed to try it: wxreply test{arg}\n  \
             2. {dir}/wxreply.toml: fill in app_id; put the AppSecret into {dir}/secrets/shop.app_secret\n  \
             3. wxreply check{arg}\n  \
             4. wxreply serve{arg}\n  \
             5. In WeChat's backend (消息推送): the URL https://<your domain>/wechat/shop, and Token and\n     \
             EncodingAESKey from {dir}/secrets/; 安全模式"
        )?;
        Ok(Exit::Fine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_writes_what_it_can_read_and_never_overwrites() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("new");
        let init = || Init { dir: dir.clone() };
        assert_eq!(init().run().expect("written"), Exit::Fine);
        let read = crate::config::read(&dir.join("wxreply.toml")).expect("readable");
        let codes: Vec<_> = read.findings.iter().map(|d| d.code).collect();
        assert_eq!(
            codes,
            ["C003", "C010"],
            "AppID and AppSecret are left to be filled in"
        );
        assert!(dir.join("rules").is_dir());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(dir.join("secrets/shop.token"))
                .expect("there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }

        let token = std::fs::read(dir.join("secrets/shop.token")).expect("there");
        assert!(init().run().is_err(), "there is a config already");
        std::fs::remove_file(dir.join("wxreply.toml")).expect("removed");
        assert_eq!(init().run().expect("written"), Exit::Fine);
        assert_eq!(
            std::fs::read(dir.join("secrets/shop.token")).expect("there"),
            token
        );
    }
}
