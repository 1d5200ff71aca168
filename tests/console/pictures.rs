//! Every page in every light, as pictures for people to look at: `cargo test --test console -- --ignored pictures`.

use std::fmt::Write;

use crate::browser::View;
use crate::history;
use crate::people::OPS;
use crate::tools;
use crate::tour::Sights;
use crate::walk::faults_of;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes pictures in target/console-screenshots; by hand"]
async fn pictures_of_every_page() {
    let shop = history::busy_shop().await;
    let sights = Sights::of(&shop).await;
    let folder = tools::gallery("console-screenshots");
    let browser = shop.browser().await;
    let mut faults = String::new();
    let mut table = String::new();
    for view in View::ALL {
        browser.look(view).await;
        browser.goto("/sign-in").await;
        std::fs::write(
            folder.join(format!("sign-in-{view}.png")),
            browser.picture(view).await,
        )
        .expect("writable");
    }
    browser.sign_in(&OPS).await;
    for stop in sights.tour() {
        for view in View::ALL {
            faults += &faults_of(&browser, &stop, view).await;
            // Once more, without what the checks left behind.
            browser.goto(&stop.path).await;
            let file = folder.join(format!("{}-{view}.png", stop.name));
            std::fs::write(file, browser.picture(view).await).expect("writable");
            let painted = browser.first_paint().await;
            let _ = writeln!(
                table,
                "{:>7.1} ms  {} {view}",
                painted.as_secs_f64() * 1e3,
                stop.name
            );
        }
    }
    println!("first contentful paint:\n{table}pictures: {}", folder.display());
    assert!(faults.is_empty(), "{faults}");
}
