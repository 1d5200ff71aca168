//! A whole daemon, started and stopped: what the operator meets.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Daemon;
use crate::clock::SystemClock;
use crate::config::{self, Config};
use crate::message::Mode;
use crate::wechat::signature;

const RULE: &str = "[[rule]]\nname = \"hi\"\nwhen.exact = \"hi\"\nreply = \"hello\"\n";

/// A config with free ports, one rule, and a WeChat that nobody plays.
fn config(folder: &Path) -> Config {
    let text = r#"
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[[app]]
name = "shop"
kind = "mini-program"
app_id = "wx3d289323f5900f8e"
app_secret = "secret"
token = "AAAAA"
encoding_aes_key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
api_base = "http://127.0.0.1:9"
"#;
    std::fs::create_dir_all(folder.join("rules")).expect("made");
    std::fs::write(folder.join("rules/a.toml"), RULE).expect("written");
    std::fs::write(folder.join("wxreply.toml"), text).expect("written");
    let read = config::read(&folder.join("wxreply.toml")).expect("readable");
    assert_eq!(read.findings, []);
    read.config.expect("usable")
}

async fn start(config: Config) -> Result<Daemon, String> {
    Daemon::start(config, Arc::new(SystemClock))
        .await
        .map_err(|e| e.to_string())
}

async fn get(addr: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Asks until the answer holds `text`.
async fn wait_for(addr: SocketAddr, path: &str, text: &str) -> String {
    for _ in 0..100 {
        let answer = get(addr, path).await.expect("an answer");
        if answer.contains(text) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!(
        "{path} never said {text:?}: {}",
        get(addr, path).await.expect("an answer")
    );
}

#[tokio::test]
async fn it_starts_tells_how_it_is_and_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = start(config(folder.path())).await.expect("started");
    let (public, admin) = (daemon.addr(), daemon.admin_addr());
    assert!(
        get(admin, "/healthz")
            .await
            .expect("an answer")
            .starts_with("HTTP/1.1 200")
    );
    let ready = get(admin, "/readyz").await.expect("an answer");
    assert!(
        ready.starts_with("HTTP/1.1 200") && ready.contains("\"count\":1"),
        "{ready}"
    );
    let metrics = get(admin, "/metrics").await.expect("an answer");
    assert!(
        metrics.contains("application/openmetrics-text") && metrics.contains("wxreply_rules 1"),
        "{metrics}"
    );
    assert!(
        get(admin, "/wechat/shop")
            .await
            .expect("an answer")
            .starts_with("HTTP/1.1 404")
    );
    assert!(
        get(public, "/readyz")
            .await
            .expect("an answer")
            .starts_with("HTTP/1.1 404")
    );
    assert!(
        get(public, "/wechat/shop")
            .await
            .expect("an answer")
            .starts_with("HTTP/1.1 403")
    );
    let ready = get(admin, "/readyz").await.expect("an answer");
    assert!(ready.contains("\"last_refusals\":{\"shop\":"), "{ready}");

    tokio::time::timeout(Duration::from_secs(10), daemon.stop())
        .await
        .expect("in time");
    assert!(
        get(public, "/").await.is_err() && get(admin, "/").await.is_err(),
        "both ports are closed"
    );
}

#[tokio::test]
async fn a_push_is_answered_while_all_else_stands_still() {
    use std::io::{Read, Write};

    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(folder.path());
    config.apps[0].mode = Mode::Plain;
    let daemon = start(config).await.expect("started");
    let timestamp = jiff::Timestamp::now().as_second().to_string();
    let signature = signature("AAAAA", &timestamp, "7");
    let body = format!(
        "<xml><ToUserName>gh</ToUserName><FromUserName>oAnn</FromUserName><CreateTime>{timestamp}</CreateTime>\
         <MsgType>text</MsgType><Content>hi</Content><MsgId>1</MsgId></xml>"
    );
    let request = format!(
        "POST /wechat/shop?signature={signature}&timestamp={timestamp}&nonce=7 HTTP/1.1\r\nHost: x\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );

    // The one thread of this test's runtime waits here, and with it the console, the outbox and all other rooms.
    let mut stream = std::net::TcpStream::connect(daemon.addr()).expect("connected");
    stream
        .set_read_timeout(Some(Duration::from_secs(4)))
        .expect("set");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("success"),
        "{answer}"
    );
    daemon.stop().await;
}

#[tokio::test]
async fn saving_a_rule_changes_the_rules_and_a_mistake_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = start(config(folder.path())).await.expect("started");
    let admin = daemon.admin_addr();
    let before = daemon.reload().await.expect("unchanged");

    // As editors do: a new file that takes the place of the old one.
    let two = format!("{RULE}{}", RULE.replace("hi", "ho"));
    std::fs::write(folder.path().join("rules/.a.toml.tmp"), two).expect("written");
    std::fs::rename(
        folder.path().join("rules/.a.toml.tmp"),
        folder.path().join("rules/a.toml"),
    )
    .expect("moved");
    let ready = wait_for(admin, "/readyz", "\"count\":2").await;
    assert!(!ready.contains(&before), "{ready}");

    std::fs::write(folder.path().join("rules/b.toml"), "[[rule]]\nnmae = \"x\"\n").expect("written");
    let ready = wait_for(admin, "/readyz", "b.toml:2").await;
    assert!(
        ready.starts_with("HTTP/1.1 200") && ready.contains("\"count\":2"),
        "{ready}"
    );
    let error = daemon.reload().await.expect_err("a mistake");
    assert!(error.contains("nmae"), "{error}");
    assert!(daemon.metrics().page().contains("rules_last_reload_successful 0"));

    std::fs::remove_file(folder.path().join("rules/b.toml")).expect("removed");
    wait_for(admin, "/readyz", "\"last_error\":null").await;
    assert!(daemon.metrics().page().contains("rules_last_reload_successful 1"));
    daemon.stop().await;
}

#[tokio::test]
async fn it_does_not_start_with_broken_rules() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = config(folder.path());
    std::fs::write(folder.path().join("rules/a.toml"), "[[rule]]\nnmae = \"x\"\n").expect("written");
    let error = start(broken).await.err().expect("refused");
    let start_of = format!(
        "the rules in {} can't be used",
        folder.path().join("rules").display()
    );
    assert!(
        error.starts_with(&start_of) && error.contains("a.toml:2"),
        "{error}"
    );

    let gone = config(folder.path());
    std::fs::remove_dir_all(folder.path().join("rules")).expect("removed");
    let error = start(gone).await.err().expect("refused");
    assert!(error.contains("rules: No such file"), "{error}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = taken.local_addr().expect("bound");
    let mut config = config(folder.path());
    config.admin.listen = addr;
    let error = start(config).await.err().expect("refused");
    assert!(
        error.contains(&format!(
            "can't listen at {addr} (`[admin] listen` in the config)"
        )),
        "{error}"
    );
    assert!(error.contains("running there already?"), "{error}");
}
