//! `state`: the dialog state that the user is in; `""` is none.

use super::{Demand, Key, Moment, OnFacts};

pub(super) const KEY: Key = Key {
    name: "state",
    read: |reader, node, draft| {
        let mut states = Vec::new();
        for node in reader.one_or_many("when.state", node) {
            if let Some(state) = reader.text("when.state", node) {
                states.push(state.text.clone());
                if !state.text.is_empty() {
                    draft.states.push(state);
                }
            }
        }
        draft.on_facts.push(Box::new(State(states)));
    },
};

#[derive(Debug)]
struct State(Vec<String>);

fn current<'a>(moment: &Moment<'a>) -> &'a str {
    moment
        .contact
        .state
        .as_ref()
        .map_or("", |state| state.name.as_str())
}

impl OnFacts for State {
    fn asks(&self) -> String {
        let wanted: Vec<&str> = self.0.iter().map(|state| name(state)).collect();
        format!("state: {}", wanted.join(" or "))
    }

    fn holds(&self, moment: &Moment<'_>) -> bool {
        self.0.iter().any(|state| state == current(moment))
    }

    fn explain(&self, moment: &Moment<'_>) -> String {
        format!("{}; the user's is {}", self.asks(), name(current(moment)))
    }

    fn demand(&self) -> Option<Demand<'_>> {
        Some(Demand::State(&self.0))
    }
}

fn name(state: &str) -> &str {
    if state.is_empty() { "none" } else { state }
}
