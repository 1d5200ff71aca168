//! `webhook`: the web address that a rule asks for its replies. Here it is only read and checked; asking is the
//! outbox's business.

use std::net::IpAddr;

use http::Uri;

use super::codes;
use super::read::{Node, Reader, Table};

/// Reads the address of a rule's webhook.
pub(super) fn read(reader: &mut Reader<'_>, keys: &Table<'_>) -> Option<String> {
    let node = keys.get("webhook")?;
    let text = reader.nonempty("webhook", node)?;
    let url = match address(&text.text) {
        Ok(url) => url,
        Err((label, help)) => {
            reader
                .error(
                    codes::BAD_WEBHOOK,
                    text.span,
                    "`webhook` is no web address",
                    label,
                )
                .help = Some(help.to_owned());
            return None;
        }
    };
    if url.scheme_str() == Some("http") && !is_here(url.host().unwrap_or_default()) {
        reader
            .warning(
                codes::CLEAR_WEBHOOK,
                text.span.clone(),
                "what customers write travels to this webhook unencrypted",
                "http, and not on this machine",
            )
            .help = Some("write https://; the signature shows who asks, and hides nothing".to_owned());
    }
    if keys.get("reply").is_none() {
        alone(reader, node);
    }
    Some(text.text)
}

fn alone(reader: &mut Reader<'_>, node: &Node<'_>) {
    reader
        .warning(
            codes::WEBHOOK_ALONE,
            node.span(),
            "when this webhook fails, the customer gets no answer",
            "the rule has no `reply` of its own",
        )
        .help = Some("write a `reply` beside it, such as \"我们稍后回复您\": it is sent when the webhook can't be asked, or takes longer than 3 s".to_owned());
}

/// The address, or what is wrong with it and how to write it.
fn address(text: &str) -> Result<Uri, (&'static str, &'static str)> {
    const FORM: &str = "write it like \"https://bot.example.com/wechat\"";
    if text.contains('#') {
        return Err(("a webhook has no fragment", "drop the # and what follows"));
    }
    let url: Uri = text.parse().map_err(|_| ("can't be read", FORM))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err(("must begin with \"https://\" or \"http://\"", FORM));
    }
    match url.authority() {
        Some(authority) if authority.as_str().contains('@') => Err((
            "a user name does not belong here",
            "the receiver knows wxreply by the signature of its requests: leave the user name out",
        )),
        Some(authority) if authority.host().is_empty() => Err(("no host", FORM)),
        Some(authority) if authority.as_str() != authority.host() && authority.port_u16().is_none() => {
            Err(("there is no such port", FORM))
        }
        Some(_) => Ok(url),
        None => Err(("no host", FORM)),
    }
}

/// Whether a host is this very machine.
fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_an_address_with_a_host() {
        for right in [
            "https://bot.example.com",
            "https://bot.example.com:8443/wechat?shop=7",
            "http://127.0.0.1:9000/x",
            "http://[::1]:9000",
        ] {
            assert!(address(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "bot.example.com",
            "/wechat",
            "ftp://bot.example.com",
            "https://",
            "https:///wechat",
            "https://bot example.com",
            "https://小店.example.com",
            "https://me:secret@bot.example.com",
            "https://bot.example.com/#top",
            "https://bot.example.com:99999/",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn this_machine_has_several_names() {
        for here in ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "[::1]"] {
            assert!(is_here(here), "{here}");
        }
        for away in [
            "bot.example.com",
            "10.0.0.1",
            "localhost.example.com",
            "[2001:db8::1]",
        ] {
            assert!(!is_here(away), "{away}");
        }
    }
}
