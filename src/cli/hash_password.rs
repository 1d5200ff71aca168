//! `wxreply hash-password`: from a password to what stands in the config in its place.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Context, bail};
use clap::Args;

use super::Exit;
use crate::password;

#[derive(Debug, Args)]
#[command(after_help = "\
Asks for the password twice, and shows nothing of it. When something is piped in, its first line is the password:

  printf '%s\\n' \"$PASSWORD\" | wxreply hash-password > secrets/ops.hash

The hash (argon2id) alone goes to standard output. It goes into the config as the password_hash of an [[admin.user]].")]
pub(super) struct HashPassword {}

impl HashPassword {
    pub fn run(self) -> anyhow::Result<Exit> {
        let stdin = std::io::stdin();
        let by_hand = stdin.is_terminal();
        let password = if by_hand {
            asked_twice()?
        } else {
            first_line(stdin.lock())?
        };
        let length = password.chars().count();
        if length < password::SHORTEST {
            bail!(
                "the password has {length} characters; with fewer than {} it is guessed too soon. A sentence is easy to \
                 remember and hard to guess",
                password::SHORTEST
            );
        }
        let hash = password::hash(&password)?;
        writeln!(std::io::stdout().lock(), "{hash}")?;
        if by_hand {
            eprint!("{}", advice(&hash));
        }
        Ok(Exit::Fine)
    }
}

fn asked_twice() -> anyhow::Result<String> {
    let ask = |prompt| rpassword::prompt_password(prompt).context("can't read from the terminal");
    let password = ask("Password: ")?;
    if password != ask("Once more: ")? {
        bail!("the two differ; nothing was made");
    }
    Ok(password)
}

fn first_line(mut input: impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    input
        .read_line(&mut line)
        .context("can't read the password from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// What to do with it.
fn advice(hash: &str) -> String {
    format!(
        "\nIn wxreply.toml:\n\n  [[admin.user]]\n  name = \"…\"\n  role = \"editor\"\n  password_hash = \"{hash}\"\n\n\
         or password_hash = {{ file = \"…\" }} or {{ env = \"…\" }}, if the config is read by others. In a shell, put the \
         hash in single quotes, because of its dollar signs.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piped_password_is_the_first_line_whole() {
        assert_eq!(first_line(&b" a b \r\nmore\n"[..]).expect("read"), " a b ");
        assert_eq!(first_line(&b"no end"[..]).expect("read"), "no end");
        assert_eq!(first_line(&b""[..]).expect("read"), "");
        assert!(first_line(&b"\xff\xfe\n"[..]).is_err());
    }
}
