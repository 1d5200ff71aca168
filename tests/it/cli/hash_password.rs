//! `wxreply hash-password`, with the password piped in.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use wxreply::password;

use super::told;

fn hash_of(typed: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wxreply"))
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(typed.as_bytes()).expect("taken");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

#[test]
fn the_hash_alone_is_printed_and_fits_the_password() {
    let output = hash_of("四个字的密码八个\n");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let hash = printed.strip_suffix('\n').expect("a line");
    assert!(password::is_hash(hash), "{hash}");
    assert!(password::verify(hash, "四个字的密码八个"));
    assert!(!password::verify(hash, "四个字的密码八个\n"));
}

#[test]
fn a_password_that_is_guessed_too_soon_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    insta::assert_snapshot!(told(folder.path(), &hash_of("密码密码密码密\n")), @"
    ! error: the password has 7 characters; with fewer than 8 it is guessed too soon. A sentence is easy to remember and hard to guess
    exit 2
    ");
    let empty = hash_of("");
    assert_eq!((empty.status.code(), empty.stdout.len()), (Some(2), 0));
}
