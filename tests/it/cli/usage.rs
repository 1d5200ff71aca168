//! Slips of the hand: the answer names what is wrong and what is right.

use super::run;
use crate::world::Plan;

const RULES: &str = "[[rule]]\nname = \"any\"\nreply = \"好\"\n";

#[test]
fn without_a_command_the_commands_are_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    insta::assert_snapshot!(run(folder.path(), &[]), @r#"
    ! Answers WeChat customers' messages by rules
    !
    ! Usage: wxreply <COMMAND>
    !
    ! Commands:
    !   demo           Try it: daemon and WeChat simulator in one process; chat on a web page, no account
    !                  needed
    !   serve          Run the daemon
    !   init           Write a commented wxreply.toml, rules to begin with, and fresh secrets
    !   check          Check config and rules: every problem, where it is, and what to write instead
    !   test           Run the tests that stand beside the rules
    !   explain        Say which rule answers a message, and why the others do not
    !   rules          Show all rules in the order in which they are tried, and whether they are in force
    !   replay         Run recorded traffic through candidate rules, and show what would change
    !   fmt            Lay rule files out in the one canonical way
    !   import         Turn replies from WeChat's backend, or a table of keywords, into rules
    !   schema         Print a JSON Schema of rule files or of the config, for completion in editors
    !   log            Review the message log
    !   stats          Count messages, hits of rules and keywords, unanswered texts, failed deliveries
    !   resend         Put failed, dropped or uncertain replies back in the queue
    !   forget         Erase one user's messages and all that is known of the user
    !   backup         Copy the database while the daemon runs
    !   hash-password  Turn a password into the hash that stands in the config
    !   push           Push one message to a running daemon, as WeChat would
    !   simulate       Play WeChat for a running daemon: a page to chat on, and an API that takes its
    !                  replies
    !   help           Print this message or the help of the given subcommand(s)
    !
    ! Options:
    !   -h, --help     Print help
    !   -V, --version  Print version
    !
    ! Exit codes:
    !   0  fine
    !   1  what was checked is bad: a finding, a failed test, a message that no rule answers, more
    !      changes than allowed, a push that was not taken, a reply that could not be resent, a user
    !      whom nobody knows
    !   2  it could not run: usage, config, database, a port that is taken
    exit 2
    "#);
    assert!(run(folder.path(), &["--help"]).ends_with("exit 0"));
    for command in [
        "demo", "serve", "init", "check", "test", "explain", "rules", "replay", "fmt", "import", "schema",
        "log", "stats", "resend", "forget", "backup", "push", "simulate",
    ] {
        let help = run(folder.path(), &[command, "--help"]);
        assert!(
            help.contains("Usage: wxreply ") && help.ends_with("exit 0"),
            "{help}"
        );
    }
}

#[tokio::test]
async fn a_slip_is_answered_with_what_was_probably_meant() {
    let world = Plan::rules(RULES).build().await;
    let run = |args: &[&str]| run(&world.path(""), args);
    insta::assert_snapshot!(run(&["chek"]), @r#"
    ! error: unrecognized subcommand 'chek'
    !
    !   tip: some similar subcommands exist: 'schema', 'check'
    !
    ! Usage: wxreply <COMMAND>
    !
    ! For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(run(&["serve", "--confg", "x"]), @r#"
    ! error: unexpected argument '--confg' found
    !
    !   tip: a similar argument exists: '--config'
    !
    ! Usage: wxreply serve --config <FILE>
    !
    ! For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(run(&["log", "--status", "snt"]), @r#"
    ! error: invalid value 'snt' for '--status <STATUS>'
    !   [possible values: matched, unmatched, cooldown, muted, malformed, queued, sent, failed, dropped, uncertain]
    !
    !   tip: a similar value exists: 'sent'
    !
    ! For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(run(&["resend", "42"]), @r#"
    ! error: invalid value '42' for '[ID]...': "42" is no message id: 13 letters and digits are expected, as the `id` column of `wxreply log` shows them
    !
    ! For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(run(&["demo", "--listen", "8090"]), @r#"
    ! error: invalid value '8090' for '--listen <ADDR>': write an IP address and a port: 127.0.0.1:8080, or port 0 for a free one
    !
    ! For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(run(&["push", "--app", "shp", "--text", "hi"]), @r#"
    ! error: the config has no app "shp"; there is shop
    exit 2
    "#);
    insta::assert_snapshot!(run(&["explain", "--field", "SessionFrom", "hi"]), @r#"
    ! error: invalid value 'SessionFrom' for '--field <K=V>': write NAME=VALUE
    !
    ! For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(run(&["explain", "--at", "noon", "hi"]), @r#"
    ! error: --at: "noon" is no time; write 2026-01-05, 2026-01-05T10:00, RFC 3339, or back from now: 90s, 10m, 2h, 7d
    exit 2
    "#);
}

#[tokio::test]
async fn what_is_missing_is_named_with_the_way_to_it() {
    let world = Plan::rules(RULES).build().await;
    let folder = &world.path("");
    // No daemon ran yet.
    insta::assert_snapshot!(run(folder, &["log"]), @r#"
    ! error: there is no database at …/wxreply.db; `wxreply serve` makes it when it first starts
    exit 2
    "#);
    insta::assert_snapshot!(run(folder, &["resend", "--failed"]), @r#"
    ! error: there is no database at …/wxreply.db; `wxreply serve` makes it when it first starts
    exit 2
    "#);
    insta::assert_snapshot!(run(folder, &["push", "--text", "hi"]), @r#"
    ! error: can't push to http://127.0.0.1:8080/wechat/shop: client error (Connect): tcp connect error: Connection refused (os error 111)
    ! Is `wxreply serve` running, with this config? --url names another address
    exit 2
    "#);
    let config = std::fs::read_to_string(world.config()).expect("there");
    let serve_with = |from: &str, to: &str| {
        assert!(config.contains(from));
        std::fs::write(world.config(), config.replace(from, to)).expect("writable");
        run(folder, &["serve"])
    };
    insta::assert_snapshot!(serve_with("sqlite://wxreply.db", "sqlite://gone/wxreply.db"), @r#"
    ! error: the database …/gone/wxreply.db can't be made: No such file or directory (os error 2)
    ! Its path is `database` in …/wxreply.toml; wxreply must be able to write to it, and to the folder that it lies in
    exit 2
    "#);
    insta::assert_snapshot!(serve_with("sqlite://wxreply.db", "sqlite://wxreply.toml"), @r#"
    ! error: the database …/wxreply.toml can't be opened: error returned from database: (code: 26) file is not a database
    ! Its path is `database` in …/wxreply.toml; wxreply must be able to write to it, and to the folder that it lies in
    exit 2
    "#);
    insta::assert_snapshot!(serve_with("rules = \"rules\"", "rules = \"rulez\""), @r#"
    ! error: the rules in …/rulez can't be used, so the daemon does not start
    !
    ! the rules can't be read: …/rulez: No such file or directory (os error 2)
    exit 2
    "#);
    let key = &world.account.encoding_aes_key;
    insta::assert_snapshot!(serve_with(key, &key[..42]), @r#"
    ! error[C011]: `encoding_aes_key` has 42 characters; an EncodingAESKey has exactly 43
    !   --> wxreply.toml:19:20
    !    |
    ! 19 | encoding_aes_key = "******************************************"
    !    |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    !    |
    !    = help: copy it whole from WeChat's backend
    !
    ! error: the config wxreply.toml can't be used: 1 error
    exit 2
    "#);
    insta::assert_snapshot!(serve_with("timezone =", "timezone = ="), @r#"
    ! error[C001]: this is no TOML: extra `=`, expected nothing
    !  --> wxreply.toml:4:12
    !   |
    ! 4 | timezone = = "Asia/Shanghai"
    !   |            ^
    !
    ! error: the config wxreply.toml can't be used: 1 error
    exit 2
    "#);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let world = Plan::rules(RULES).build().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken
        .local_addr()
        .map(|addr| (addr.to_string(), taken))
        .expect("bound");
    insta::assert_snapshot!(run(&world.path(""), &["simulate", "--listen", &taken.0]), @r#"
    ! error: can't listen at 127.0.0.1:8080 (--listen): Address already in use (os error 98): another program listens there; take another port, or 0 for a free one
    exit 2
    "#);
    insta::assert_snapshot!(run(&world.path(""), &["demo", "--listen", &taken.0]), @r#"
    ! error: can't listen at 127.0.0.1:8080 (--listen): Address already in use (os error 98): another program listens there; take another port, or 0 for a free one
    exit 2
    "#);
    let config = std::fs::read_to_string(world.config()).expect("there");
    let own = config.lines().next().expect("a line");
    std::fs::write(
        world.config(),
        config.replacen(own, &format!("listen = \"{}\"", taken.0), 1),
    )
    .expect("writable");
    insta::assert_snapshot!(run(&world.path(""), &["serve"]), @r#"
    ! error: can't listen at 127.0.0.1:8080 (`listen` in the config): Address already in use (os error 98); is wxreply, or another program, running there already?
    exit 2
    "#);
}
