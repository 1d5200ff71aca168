//! The gap between two replies to one user, for replies that were written within it.
//!
//! Replies that wait already are moved by `settle`, which costs nothing; but a customer who writes twice in a breath
//! gets a second reply that was not there to be moved. It waits here.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::message::{AppName, OpenId};

/// Who was written to a moment ago. Monotonic time, so that a clock that is set changes nothing.
#[derive(Debug)]
pub(super) struct Pace {
    gap: Duration,
    free_at: HashMap<(AppName, OpenId), Instant>,
    /// The same in the order of time: forgetting looks at no one whose time has not come.
    order: VecDeque<(Instant, (AppName, OpenId))>,
}

impl Pace {
    pub(super) fn new(gap: Duration) -> Self {
        Self {
            gap,
            free_at: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// A reply to this user was tried, and the attempt ended at `now`.
    pub(super) fn wrote(&mut self, app: &AppName, openid: &OpenId, now: Instant) {
        while let Some((at, user)) = self.order.pop_front_if(|(at, _)| *at <= now) {
            // Unless they were written to again since.
            if self.free_at.get(&user) == Some(&at) {
                self.free_at.remove(&user);
            }
        }
        if let Some(at) = now.checked_add(self.gap).filter(|at| *at > now) {
            let user = (app.clone(), openid.clone());
            self.free_at.insert(user.clone(), at);
            self.order.push_back((at, user));
        }
    }

    /// When the next reply may go to this user; `None` when at once.
    pub(super) fn turn(&self, app: &AppName, openid: &OpenId, now: Instant) -> Option<Instant> {
        let at = *self.free_at.get(&(app.clone(), openid.clone()))?;
        (at > now).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_millis(100);

    #[test]
    fn the_next_reply_to_a_user_waits_and_others_do_not() {
        let (app, ann, ben) = ("shop".into(), "ann".into(), "ben".into());
        let start = Instant::now();
        let mut pace = Pace::new(GAP);
        assert_eq!(pace.turn(&app, &ann, start), None);
        pace.wrote(&app, &ann, start);
        assert_eq!(pace.turn(&app, &ann, start + GAP / 2), Some(start + GAP));
        assert_eq!(pace.turn(&app, &ann, start + GAP), None);
        assert_eq!(pace.turn(&app, &ben, start), None);
        assert_eq!(
            pace.turn(&"other".into(), &ann, start),
            None,
            "an openid means nothing elsewhere"
        );
    }

    #[test]
    fn nobody_is_remembered_longer_than_the_gap() {
        let start = Instant::now();
        let mut pace = Pace::new(GAP);
        for n in 0..50 {
            pace.wrote(&"shop".into(), &n.to_string().as_str().into(), start + GAP * n);
        }
        assert_eq!((pace.free_at.len(), pace.order.len()), (1, 1));
    }

    #[test]
    fn whoever_is_written_to_again_waits_again() {
        let (app, ann) = ("shop".into(), "ann".into());
        let start = Instant::now();
        let mut pace = Pace::new(GAP);
        pace.wrote(&app, &ann, start);
        pace.wrote(&app, &ann, start + GAP / 2);
        pace.wrote(&app, &"ben".into(), start + GAP);
        assert_eq!(pace.turn(&app, &ann, start + GAP), Some(start + GAP * 3 / 2));
    }
}
