//! `wxreply init`, and the way from there to a config that can be served.

use super::run;

#[test]
fn a_beginner_is_led_from_an_empty_folder_to_a_config_without_findings() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    insta::assert_snapshot!(run(dir, &["init", "shop"]), @r#"
    wrote shop/secrets/shop.app_secret
    wrote shop/secrets/shop.token
    wrote shop/secrets/shop.aes_key
    wrote shop/secrets/webhook
    wrote shop/.schema/config.json
    wrote shop/.schema/rules.json
    wrote shop/rules/handover.toml
    wrote shop/rules/menu.toml
    wrote shop/rules/orders.toml
    wrote shop/rules/shop.toml
    wrote shop/rules/images/cover.png
    wrote shop/rules/images/menu.png
    wrote shop/.gitignore
    wrote shop/wxreply.toml

    Next:
      1. shop/rules/: what is answered. No account is needed to try it: wxreply test --config shop/wxreply.toml
      2. shop/wxreply.toml: fill in app_id; put the AppSecret into shop/secrets/shop.app_secret
      3. wxreply check --config shop/wxreply.toml
      4. wxreply serve --config shop/wxreply.toml
      5. In WeChat's backend (消息推送): the URL https://<your domain>/wechat/shop, and Token and
         EncodingAESKey from shop/secrets/; 安全模式
    exit 0
    "#);
    let shop = dir.join("shop");
    let token = std::fs::read(shop.join("secrets/shop.token")).expect("there");

    insta::assert_snapshot!(run(&shop, &["init"]), @r#"
    ! error: ./wxreply.toml is there already; nothing was written
    exit 2
    "#);
    insta::assert_snapshot!(run(&shop, &["check"]), @r#"
    error[C003]: `app_id` is empty
      --> wxreply.toml:20:14
       |
    20 | app_id     = ""                  # "wx" and 16 characters
       |              ^^ fill this in

    error[C010]: `app_secret`: the file …/secrets/shop.app_secret is empty
      --> wxreply.toml:21:14
       |
    21 | app_secret = { file = "secrets/shop.app_secret" }
       |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: put the secret into it, and nothing else

    2 errors, 0 warnings: wxreply.toml, 25 rules in rules
    more about a finding: wxreply check --explain C003
    exit 1
    "#);
    insta::assert_snapshot!(run(&shop, &["serve"]), @r#"
    ! error[C003]: `app_id` is empty
    !   --> wxreply.toml:20:14
    !    |
    ! 20 | app_id     = ""                  # "wx" and 16 characters
    !    |              ^^ fill this in
    !
    ! error[C010]: `app_secret`: the file …/secrets/shop.app_secret is empty
    !   --> wxreply.toml:21:14
    !    |
    ! 21 | app_secret = { file = "secrets/shop.app_secret" }
    !    |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    !    |
    !    = help: put the secret into it, and nothing else
    !
    ! error: the config wxreply.toml can't be used: 2 errors
    exit 2
    "#);

    let config = std::fs::read_to_string(shop.join("wxreply.toml")).expect("there");
    let filled = config.replace("app_id     = \"\"", "app_id     = \"wx3d289323f5900f8e\"");
    assert_ne!(filled, config);
    std::fs::write(shop.join("wxreply.toml"), filled).expect("writable");
    std::fs::write(
        shop.join("secrets/shop.app_secret"),
        "0123456789abcdef0123456789abcdef\n",
    )
    .expect("writable");
    insta::assert_snapshot!(run(&shop, &["check"]), @r#"
    fine: wxreply.toml, 25 rules in rules
    exit 0
    "#);

    // The config gone, the rest is kept as it is.
    std::fs::write(shop.join("rules/shop.toml"), "# mine\n").expect("writable");
    std::fs::remove_file(shop.join("wxreply.toml")).expect("there");
    insta::assert_snapshot!(run(&shop, &["init"]).lines().next().unwrap_or_default(), @"kept  ./secrets/shop.app_secret");
    assert_eq!(
        std::fs::read(shop.join("secrets/shop.token")).expect("there"),
        token
    );
    assert_eq!(
        std::fs::read_to_string(shop.join("rules/shop.toml")).expect("there"),
        "# mine\n"
    );
}

#[test]
fn a_place_that_can_not_be_written_to_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    insta::assert_snapshot!(run(folder.path(), &["init", "/dev/null/shop"]), @r#"
    ! error: can't write /dev/null/shop/secrets/shop.app_secret: Not a directory (os error 20)
    exit 2
    "#);
}
