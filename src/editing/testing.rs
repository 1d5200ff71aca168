//! A bench for the tests of this room: a rules folder, a store, and an editor over both.

use std::fs;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::RulesEditor;
use crate::clock::SystemClock;
use crate::intake::{Intake, Policies};
use crate::message::{Inbound, MessageId};
use crate::metrics::Metrics;
use crate::reload::{Reloader, RulesSource};
use crate::store::{Access, Store};

/// A rule with its test.
pub(super) const HELLO: &str = "\
[[rule]]
name = \"hello\"
when.exact = \"hi\"
reply = \"hello\"

[[test]]
name = \"greets\"
message = \"hi\"
expect = { rule = \"hello\" }
";

/// A folder with these files.
pub(super) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    folder
}

pub(super) struct World {
    pub(super) rules: TempDir,
    pub(super) editor: RulesEditor,
    pub(super) reloader: Arc<Reloader>,
    pub(super) store: Store,
    _data: TempDir,
}

impl World {
    pub(super) fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.rules.path().join(name)).ok()
    }

    /// Takes a message in, as the daemon does.
    pub(super) async fn receive(&self, inbound: Inbound) {
        let intake = Intake::new(self.store.clone(), self.reloader.live(), Policies::default());
        intake.accept(inbound, None).await.expect("recorded");
    }
}

/// An editor of a folder with these files, which are in force.
pub(super) async fn editor(files: &[(&str, &str)]) -> World {
    let (rules, data) = (folder(files), tempfile::tempdir().expect("a folder"));
    let source = RulesSource {
        path: rules.path().to_owned(),
        ..RulesSource::without_config()
    };
    let url = format!("sqlite://{}", data.path().join("t.db").display());
    let (clock, metrics) = (Arc::new(SystemClock), Arc::new(Metrics::new()));
    let store = Store::open(&url, Access::Daemon, clock.clone(), metrics.clone())
        .await
        .expect("opens");
    let reloader = Reloader::start(source, Policies::default(), store.clone(), clock.clone(), metrics);
    let reloader = Arc::new(reloader.await.expect("starts"));
    World {
        rules,
        editor: RulesEditor::new(reloader.clone(), store.clone(), clock),
        reloader,
        store,
        _data: data,
    }
}

/// A text of a customer, received a moment ago.
pub(super) fn said(n: u64, text: &str) -> Inbound {
    let received = Timestamp::now() - SignedDuration::from_secs(60);
    Inbound {
        id: MessageId::new(received.as_second(), n),
        app: "shop".into(),
        openid: "oAnn".into(),
        dedup_key: n.to_string(),
        received,
        msg_type: "text".into(),
        event: None,
        content: Some(text.to_owned()),
        fields: [("MsgType", "text"), ("Content", text)].into_iter().collect(),
    }
}
