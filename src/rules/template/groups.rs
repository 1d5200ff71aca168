//! What a rule's patterns took from a message.

use crate::message::Inbound;
use crate::rules::condition::Capture;

/// Its name, and what it took; a group that took no part has no text.
pub(super) type Group<'a> = (Option<&'a str>, Option<&'a str>);

/// As many groups as there nearly always are at most.
const FEW: usize = 8;

/// The groups of every pattern that matches, those of the first one first, so that numbers mean that one.
#[derive(Debug, Default)]
pub(super) struct Groups<'a> {
    len: usize,
    /// All of them, when they are few: then they take no memory of their own.
    few: [Group<'a>; FEW],
    /// All of them, when they are more.
    many: Vec<Group<'a>>,
}

impl<'a> Groups<'a> {
    pub(super) fn find(captures: &'a [Capture], inbound: &'a Inbound) -> Self {
        let mut all = Self::default();
        for capture in captures {
            let mut search = |text| {
                capture
                    .pattern
                    .captures(text, |name, value| all.push((name, value)))
            };
            match &capture.field {
                None => inbound.content.as_deref().is_some_and(search),
                Some(path) => inbound.fields.path(path).into_iter().any(&mut search),
            };
        }
        all
    }

    fn push(&mut self, group: Group<'a>) {
        if self.len == FEW {
            self.many.extend_from_slice(&self.few);
        }
        match self.few.get_mut(self.len) {
            Some(place) => *place = group,
            None => self.many.push(group),
        }
        self.len += 1;
    }

    pub(super) fn all(&self) -> &[Group<'a>] {
        self.few.get(..self.len).unwrap_or(&self.many)
    }

    pub(super) fn numbered(&self, number: usize) -> Option<&'a str> {
        self.all().get(number)?.1
    }

    /// The first of this name that took part.
    pub(super) fn named(&self, name: &str) -> Option<&'a str> {
        let mut named = self.all().iter().filter(|(n, _)| *n == Some(name));
        named.find_map(|(_, value)| *value)
    }
}
