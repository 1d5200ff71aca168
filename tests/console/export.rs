//! What leaves the console as a table must do no harm where it is opened.

use crate::people::VERA;
use crate::shop::Shop;
use crate::world::http;

#[tokio::test(flavor = "multi_thread")]
async fn a_table_for_excel_holds_no_formulas_of_customers() {
    let shop = Shop::open("").await;
    let formulas = [
        "=HYPERLINK(\"http://evil.example\")",
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(1+1)",
        "\t=1+1",
    ];
    for formula in formulas {
        shop.world.say("=oFormula", formula).await;
    }
    shop.world.say("oPlain", "1-2=3, \"引号\"\n换行").await;
    let export = async |query: &str| {
        let url = format!("{}/api/messages/export?{query}", shop.world.admin);
        http()
            .get(url)
            .basic_auth(VERA.name, Some(VERA.password))
            .send()
            .await
            .expect("an answer")
    };
    let answer = export("format=csv").await;
    assert_eq!(answer.status(), 200);
    let headers = answer.headers().clone();
    assert!(
        headers["content-disposition"]
            .to_str()
            .is_ok_and(|value| value.starts_with("attachment"))
    );
    let body = answer.bytes().await.expect("a body");
    let text = body
        .strip_prefix(b"\xef\xbb\xbf")
        .expect("Excel knows UTF-8 by this mark");
    let mut reader = csv::Reader::from_reader(text);
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("CSV");
    assert_eq!(rows.len(), formulas.len() + 1);
    for cell in rows.iter().flatten() {
        assert!(
            !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
            "{cell:?} would be reckoned"
        );
    }
    assert!(rows.iter().flatten().any(|cell| cell == "1-2=3, \"引号\"\n换行"));

    // Programs get what was written.
    let answer = export("format=jsonl").await;
    let text = answer.text().await.expect("a body");
    let contents: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|row| row["content"].as_str().expect("a text").to_owned())
        .collect();
    assert!(
        formulas
            .iter()
            .all(|formula| contents.iter().any(|content| content == formula)),
        "{contents:?}"
    );
}
