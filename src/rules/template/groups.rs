//! What a rule's patterns took from a message.

use crate::message::Inbound;
use crate::rules::condition::Capture;

/// Its name, and what it took; a group that took no part has no text.
pub(super) type Group<'a> = (Option<&'a str>, Option<&'a str>);

/// The groups of every pattern that matches, those of the first one first, so that numbers mean that one.
#[derive(Debug)]
pub(super) enum Groups<'a> {
    /// As many as there nearly always are, without memory of their own.
    Few(usize, [Group<'a>; 8]),
    Many(Vec<Group<'a>>),
}

impl<'a> Groups<'a> {
    pub(super) fn find(captures: &'a [Capture], inbound: &'a Inbound) -> Self {
        let mut all = Self::Few(0, [(None, None); 8]);
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
        match self {
            Self::Few(len, few) if *len < few.len() => {
                few[*len] = group;
                *len += 1;
            }
            Self::Few(_, few) => {
                let mut many = few.to_vec();
                many.push(group);
                *self = Self::Many(many);
            }
            Self::Many(many) => many.push(group),
        }
    }

    pub(super) fn all(&self) -> &[Group<'a>] {
        match self {
            Self::Few(len, few) => &few[..*len],
            Self::Many(many) => many,
        }
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
